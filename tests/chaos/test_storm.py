"""Storms of some twenty seconds; `python -m tests.chaos.storms` has longer ones and prints a table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.kafka.embedded import EmbeddedKafka
from tests.chaos.storm import storm

pytestmark = [pytest.mark.chaos, pytest.mark.integration]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(20))
async def test_a_storm_leaves_no_trace(kafka_factory: Callable[..., EmbeddedKafka], seed: int) -> None:
    outcome = await storm(kafka_factory(), seed, 60_000, feed_s=20, freeze_s=8)
    assert outcome.actions
