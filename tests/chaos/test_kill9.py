"""A worker dies in mid-stream: nothing lost, nothing counted twice, no finding missing or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from infra.kafka.embedded import EmbeddedKafka
from tests.chaos.traffic import traffic
from tests.chaos.verdict import check
from tests.integration.fleet import TestFleet, feed

pytestmark = [pytest.mark.chaos, pytest.mark.integration]


@pytest.fixture
async def fleet(kafka_factory: Callable[..., EmbeddedKafka]) -> AsyncIterator[TestFleet]:
    fleet = TestFleet(kafka_factory())
    await fleet.prepare()
    yield fleet
    fleet.close()
    fleet.broker.stop()


async def test_a_killed_worker_a_joining_one_and_a_stopped_one(fleet: TestFleet) -> None:
    events = traffic(seed=1, count=30_000)
    first, second = fleet.start_worker(), fleet.start_worker()
    await fleet.until(lambda all_: len(all_) == 2 and all(s.state == "running" for s in all_))
    feeding = asyncio.create_task(feed(fleet.connection, events[:15_000], per_s=4000))
    await fleet.until(lambda all_: len(all_) == 2 and all(s.events > 1000 for s in all_))
    first.kill()
    third = fleet.start_worker()
    await feeding
    await fleet.until(lambda all_: any(s.pid == third.pid and s.partitions for s in all_))
    feeding = asyncio.create_task(feed(fleet.connection, events[15_000:], per_s=4000))
    await fleet.until(lambda all_: any(s.pid == third.pid and s.events > 1000 for s in all_))
    assert second.stop() == 0, fleet.logs()
    await feeding
    await check(fleet, events)
    assert third.stop() == 0, fleet.logs()
    await check(fleet, events)
