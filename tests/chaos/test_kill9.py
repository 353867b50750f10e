"""A worker dies in mid-stream: nothing lost, nothing counted twice, no finding missing or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from infra.kafka.embedded import EmbeddedKafka
from schemas.event import RequestEvent
from schemas.finding import decode_finding
from schemas.profile import decode_profile
from schemas.topics import DEAD_LETTERS, FINDINGS, PROFILES, REQUESTS
from tests.chaos.traffic import traffic
from tests.integration.fleet import (
    TestFleet,
    by_step,
    feed,
    last_revisions,
    read_topic,
    replayed,
    windows_complete,
    without_repeats,
)

pytestmark = [pytest.mark.chaos, pytest.mark.integration]

@pytest.fixture
async def fleet(kafka_factory: Callable[..., EmbeddedKafka]) -> AsyncIterator[TestFleet]:
    fleet = TestFleet(kafka_factory())
    await fleet.prepare()
    yield fleet
    fleet.close()
    fleet.broker.stop()


async def check(fleet: TestFleet, events: list[RequestEvent]) -> None:
    """Windows and findings on the bus are those of one undisturbed process."""
    await windows_complete(fleet.connection, len(events))
    expected = replayed(events, fleet.partitions)
    profiles = [decode_profile(record.value) for record in await read_topic(fleet.connection, PROFILES)]
    assert last_revisions(profiles) == last_revisions(expected.profiles)
    findings = [decode_finding(record.value) for record in await read_topic(fleet.connection, FINDINGS)]
    assert expected.findings, "the traffic must hold something to find"
    assert by_step(without_repeats(findings)) == by_step(expected.findings)
    assert await read_topic(fleet.connection, DEAD_LETTERS) == []
    assert len(await read_topic(fleet.connection, REQUESTS)) >= len(events)


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
