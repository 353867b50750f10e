"""Records that retention takes while the fleet is away: told to whoever watches the metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from agents.fleet import Fleet
from agents.settings import load
from infra.kafka.embedded import EmbeddedKafka
from schemas.topics import RAW_NATIVE
from tests.chaos.traffic import traffic
from tests.integration.fleet import TestFleet, feed
from tests.integration.run_apps import delete, until

pytestmark = pytest.mark.integration


@pytest.fixture
def fleet(kafka_factory: Callable[..., EmbeddedKafka]) -> Iterator[TestFleet]:
    fleet = TestFleet(kafka_factory(), partitions=1)
    yield fleet
    fleet.broker.stop()


async def test_a_fleet_that_was_away_too_long_tells_what_it_missed(fleet: TestFleet) -> None:
    await fleet.prepare()
    events = traffic(seed=9, count=600)

    async def work(handled: int) -> float:
        """Run a worker until it has handled so many requests; how many it says are lost."""
        worker = Fleet(load(fleet.settings_file), connection=fleet.connection)

        async def watch() -> None:
            await until(lambda: worker.metrics.handled("accounts", "accepted") == handled)
            worker.stop()

        async with asyncio.TaskGroup() as tasks:  # an end of the worker ends the wait
            tasks.create_task(worker.run())
            tasks.create_task(watch())
        told = worker.metrics.registry.get_sample_value
        return told("stillwatch_lost_records_total", {"topic": RAW_NATIVE.name}) or 0

    await feed(fleet.connection, events[:300])
    assert await work(300) == 0
    await feed(fleet.connection, events[300:])
    await delete(fleet.connection, RAW_NATIVE, {0: 350})
    assert await work(250) == 50
