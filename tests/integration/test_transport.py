"""The run transport against a real broker: prefix commits, gaps, alignment, hand-over, seeks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from faust.types import TP

from agents.settings import Settings
from infra.kafka import admin
from infra.kafka.connection import Connection
from schemas.topics import Topic
from tests.integration.run_apps import PARTITIONS, Handle, committed, delete, running, send, until

pytestmark = pytest.mark.integration

_numbers = itertools.count()


@pytest.fixture
async def topic(kafka: Connection) -> Topic:
    name = f"transport-{next(_numbers)}"
    # its records are stamped with the first seconds of 1970, and a broker deletes by that, now and then
    made = Topic(name=name, key="any", value="any", partitions=PARTITIONS, retention_ms=-1)
    await admin.create_topics(kafka, PARTITIONS, topics=[made])
    return made


async def test_only_the_acknowledged_prefix_is_committed(
    kafka: Connection, make_settings: Callable[..., Settings], topic: Topic
) -> None:
    await send(kafka, topic, 0, [1000] * 30)
    events: list[Any] = []

    async def keep(event: Any) -> None:
        events.append(event)

    async with running(kafka, make_settings, topic, keep, run_records=10) as app:
        await until(lambda: len(events) == 3)
        assert [(len(event.value), event.message.offset) for event in events] == [(10, 9), (10, 19), (10, 29)]
        events[1].ack()
        events[2].ack()
        await app.consumer.commit()
        assert (await committed(kafka, topic.name, topic))[0] is None
        events[0].ack()
        await app.consumer.commit()
        assert (await committed(kafka, topic.name, topic))[0] == 30
        assert app.consumer.progress()[TP(topic.name, 0)] == (30, 30, 30, 0)


async def test_an_unfinished_run_is_not_committed_at_the_end(
    kafka: Connection, make_settings: Callable[..., Settings], topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.run_consumer.FINISH_S", 0.2)
    await send(kafka, topic, 0, [1000] * 30)
    events: list[Any] = []

    async def keep(event: Any) -> None:
        events.append(event)
        if len(events) == 1:
            event.ack()

    async with running(kafka, make_settings, topic, keep, run_records=10):
        await until(lambda: len(events) == 3)
    assert (await committed(kafka, topic.name, topic))[0] == 10


async def test_offsets_that_are_missing_are_passed_over(
    kafka: Connection, make_settings: Callable[..., Settings], topic: Topic
) -> None:
    """Transaction markers and aborted records leave holes. At the end they must not look like lag."""
    for outcome, length in (("commit", 5), ("abort", 7), ("commit", 3), ("abort", 4)):
        await send(kafka, topic, 1, [1000] * length, transaction=outcome)
    offsets: list[int] = []

    async def take(event: Any) -> None:
        offsets.extend(record.offset for record in event.value)
        event.ack()

    async with running(kafka, make_settings, topic, take) as app:
        await until(lambda: len(offsets) == 8)
        await until(lambda: app.consumer.progress()[TP(topic.name, 1)].committed == 23)
        await send(kafka, topic, 1, [2000])
        await until(lambda: len(offsets) == 9)
    # 0-4, marker, 7 aborted, marker, 14-16, marker, 4 aborted, marker, then the last one
    assert offsets == [0, 1, 2, 3, 4, 14, 15, 16, 23]
    assert (await committed(kafka, topic.name, topic))[1] == 24


async def test_what_retention_has_taken_unread_is_told(
    kafka: Connection, make_settings: Callable[..., Settings], topic: Topic
) -> None:
    """Before the worker starts again, of the middle of a partition and of all that is left of another."""
    lost: list[tuple[str, int]] = []
    offsets: dict[int, list[int]] = {0: [], 1: [], 2: []}

    async def take(event: Any) -> None:
        offsets[event.message.partition].extend(record.offset for record in event.value)
        event.ack()

    async def read(records: int, end: int) -> None:
        async with running(kafka, make_settings, topic, take) as app:
            app.transport.lost = lambda *what: lost.append(what)
            await until(lambda: sum(map(len, offsets.values())) == records)
            progress = app.consumer.progress
            await until(lambda: all(progress()[TP(topic.name, n)].committed == end for n in offsets))

    for partition in offsets:
        await send(kafka, topic, partition, [1000] * 30)
    await read(records=90, end=30)
    assert lost == []
    for partition in offsets:
        await send(kafka, topic, partition, [1000] * 50, transaction="commit")
    await delete(kafka, topic, {0: 60, 1: 81})
    await read(records=90 + 20 + 50, end=81)
    assert offsets == {0: [*range(30), *range(60, 80)], 1: [*range(30)], 2: [*range(80)]}
    assert sorted(lost) == [(topic.name, 30), (topic.name, 51)]


async def test_partitions_are_kept_together_in_event_time(
    kafka: Connection, make_settings: Callable[..., Settings], topic: Topic
) -> None:
    """A backfill that was written partition by partition comes out nearly in order of time."""
    for partition in range(PARTITIONS):
        await send(kafka, topic, partition, [1000 * number + partition for number in range(500)])
    seen: list[int] = []
    ahead_ms = 0

    async def take(event: Any) -> None:
        nonlocal ahead_ms
        ahead_ms = max(ahead_ms, max(seen, default=0) - event.value[0].timestamp)
        seen.extend(record.timestamp for record in event.value)
        event.ack()

    async with running(kafka, make_settings, topic, take, align_s=20):
        await until(lambda: len(seen) == PARTITIONS * 500)
    assert ahead_ms <= 20_000
    assert sorted(seen) == sorted(1000 * number + p for p in range(PARTITIONS) for number in range(500))


async def test_a_joining_worker_repeats_nothing_and_misses_nothing(
    kafka: Connection, make_settings: Callable[..., Settings], topic: Topic
) -> None:
    """Two workers share the partitions; the first is in mid-run when the second joins, and then leaves."""
    for partition in range(PARTITIONS):
        await send(kafka, topic, partition, list(range(1000, 1400)))
    handled: list[tuple[str, int, int]] = []

    def joined() -> bool:
        return any(name == "second" for name, _, _ in handled)

    def worker(name: str) -> Handle:
        async def take(event: Any) -> None:
            # on a busy machine a join takes long, and something must be left for whoever joins
            await asyncio.sleep(0.05 if len(handled) < 400 or joined() else 0.5)
            handled.extend((name, record.partition, record.offset) for record in event.value)
            event.ack()

        return take

    async with running(kafka, make_settings, topic, worker("first"), run_records=20) as first:
        await until(lambda: len(handled) > 100)
        async with running(kafka, make_settings, topic, worker("second"), run_records=20) as second:
            await until(joined)
            await until(lambda: len(handled) > 900)
            shares = first.consumer.assignment(), second.consumer.assignment()
            assert [len(share) for share in shares] == [2, 2]
        await until(lambda: len(handled) >= PARTITIONS * 400)
    places = [(partition, offset) for _, partition, offset in handled]
    assert sorted(places) == sorted(set(places)) == list(itertools.product(range(PARTITIONS), range(400)))
    assert await committed(kafka, topic.name, topic) == dict.fromkeys(range(PARTITIONS), 400)


async def test_a_seek_forgets_what_was_delivered_before_it(
    kafka: Connection, make_settings: Callable[..., Settings], topic: Topic
) -> None:
    await send(kafka, topic, 0, [1000] * 30)
    events: list[Any] = []

    async def keep(event: Any) -> None:
        events.append(event)

    async with running(kafka, make_settings, topic, keep, run_records=10) as app:
        await until(lambda: len(events) == 3)
        await app.consumer.seek(TP(topic.name, 0), 20)
        await until(lambda: len(events) == 4)
        for event in events[:3]:
            event.ack()  # of runs that nobody waits for any more
        await app.consumer.commit()
        assert (await committed(kafka, topic.name, topic))[0] is None
        assert [record.offset for record in events[3].value] == list(range(20, 30))
        events[3].ack()
        await app.consumer.commit()
        assert (await committed(kafka, topic.name, topic))[0] == 30


async def test_going_back_before_the_first_commit_goes_back_to_the_beginning(
    kafka: Connection, make_settings: Callable[..., Settings], topic: Topic
) -> None:
    """As after a rebalance in a young fleet: nothing is committed that one could go back to."""
    await send(kafka, topic, 0, [1000] * 30)
    await send(kafka, topic, 1, [1000] * 10)
    events: list[Any] = []

    async def keep(event: Any) -> None:
        events.append(event)

    async with running(kafka, make_settings, topic, keep) as app:
        await until(lambda: sum(len(event.value) for event in events) == 40)
        events.clear()
        await app.consumer.perform_seek()
        await until(lambda: sum(len(event.value) for event in events) == 40)
        for event in events:
            event.ack()
    assert await committed(kafka, topic.name, topic) == {0: 30, 1: 10, 2: None, 3: None}


async def test_a_slow_agent_holds_the_fetching_back(
    kafka: Connection, make_settings: Callable[..., Settings], topic: Topic
) -> None:
    """What is held in memory is bounded by the queue in front of the agent, not by the backlog."""
    await send(kafka, topic, 0, [1000] * 5000)
    gate = asyncio.Event()
    handled = 0

    async def take(event: Any) -> None:
        nonlocal handled
        await gate.wait()
        handled += len(event.value)
        event.ack()

    async with running(kafka, make_settings, topic, take, run_records=10) as app:
        await until(lambda: sum(len(runs) for runs in app.consumer.runs.delivered.values()) >= 5)
        await asyncio.sleep(0.5)
        delivered = sum(len(runs) for runs in app.consumer.runs.delivered.values())
        assert delivered <= 10
        gate.set()
        await until(lambda: handled == 5000)
