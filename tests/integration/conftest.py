"""What several integration tests begin with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from infra.kafka.embedded import EmbeddedKafka
from tests.integration.fleet import TestFleet
from tests.integration.pipeline import Pipeline


@pytest.fixture
async def pipeline(kafka_factory: Callable[..., EmbeddedKafka]) -> AsyncIterator[Pipeline]:
    """A fleet of the test's own, prepared, without workers yet."""
    fleet = TestFleet(kafka_factory())
    await fleet.prepare()
    yield Pipeline(fleet)
    fleet.close()
    fleet.broker.stop()
