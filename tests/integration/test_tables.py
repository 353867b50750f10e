"""Planes and their changelog against a real broker: what is written comes back, and only for its owner."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
from aiokafka import ConsumerRecord

from agents.local_copy import LocalCopies, LocalCopy
from agents.outbox import Outbox
from agents.stretches import FIRST, IDENTITY, LAST, Change, stretch
from agents.tables import PlaneTable
from infra.kafka import admin
from infra.kafka.connection import Connection
from schemas.errors import Fatal, IncompatibleState
from schemas.topics import ACCOUNT_STATE, Topic
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from tests.chaos.traffic import traffic
from tests.integration.fleet import read_topic

pytestmark = pytest.mark.integration

PARTITIONS = 2
CONFIG = DetectionConfig()
_numbers = itertools.count()


@pytest.fixture
async def changelog(kafka: Connection) -> Topic:
    """An account state topic of the test's own."""
    topic = msgspec.structs.replace(ACCOUNT_STATE, name=f"state-{next(_numbers)}")
    await admin.create_topics(kafka, PARTITIONS, topics=[topic])
    return topic


@pytest.fixture
async def outbox(kafka: Connection) -> AsyncIterator[Outbox]:
    outbox = Outbox(kafka.client_options())
    await outbox.start()
    yield outbox
    await outbox.stop()


def table(
    kafka: Connection,
    outbox: Outbox,
    changelog: Topic,
    config: DetectionConfig = CONFIG,
    copies: LocalCopies | None = None,
) -> PlaneTable[AccountPlane]:
    return PlaneTable(
        kafka.client_options(), outbox, lambda partition: AccountPlane(config, partition), changelog, copies
    )


async def test_what_was_written_comes_back(kafka: Connection, outbox: Outbox, changelog: Topic) -> None:
    """A plane restored in mid-stream goes on exactly as one that was never interrupted."""
    events = traffic(seed=5, count=3000)
    first = table(kafka, outbox, changelog)
    assert await first.assign({0, 1}, lambda: True)
    for start in range(0, 2000, 400):
        first.planes[1].process(events[start : start + 400], range(start, start + 400))
        await first.write(1, first.planes[1].take_changes())

    second = table(kafka, outbox, changelog)
    assert await second.assign({1}, lambda: True)
    assert set(second.planes) == {1}
    assert second.restored > 0
    undisturbed = AccountPlane(CONFIG, 1)
    undisturbed.process(events[:2000], range(2000))
    assert second.planes[1].stats() == undisturbed.stats()
    # from before what was applied: repeats are skipped
    assert second.planes[1].process(events[1500:], range(1500, 3000)) == undisturbed.process(
        events[2000:], range(2000, 3000)
    )


async def test_with_a_copy_on_the_disk_only_the_rest_is_read(
    kafka: Connection, outbox: Outbox, changelog: Topic, tmp_path: Path
) -> None:
    events = traffic(seed=9, count=1200)
    undisturbed = AccountPlane(CONFIG, 0)
    undisturbed.process(events[:900], range(900))

    async def write(to: PlaneTable[AccountPlane], first: int, last: int) -> None:
        to.planes[0].process(events[first:last], range(first, last))
        await to.write(0, to.planes[0].take_changes())

    here = table(kafka, outbox, changelog, copies=LocalCopies(tmp_path / "here"))
    await here.assign({0}, lambda: True)
    await write(here, 0, 600)
    here.drop(0)  # given away
    elsewhere = table(kafka, outbox, changelog)
    await elsewhere.assign({0}, lambda: True)
    await write(elsewhere, 600, 900)

    back = table(kafka, outbox, changelog, copies=LocalCopies(tmp_path / "here"))
    await back.assign({0}, lambda: True)
    assert 0 < back.restored < elsewhere.restored + 300
    assert back.planes[0].stats() == undisturbed.stats()
    back.drop(0)
    again = table(kafka, outbox, changelog, copies=LocalCopies(tmp_path / "here"))
    await again.assign({0}, lambda: True)
    assert again.restored == 0, "everything lies on the disk"
    assert again.planes[0].process(events[800:], range(800, 1200)) == undisturbed.process(
        events[900:], range(900, 1200)
    )


async def test_a_copy_that_cannot_be_read_or_written_costs_nothing_but_itself(
    kafka: Connection, outbox: Outbox, changelog: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = traffic(seed=10, count=600)
    undisturbed = AccountPlane(CONFIG, 0)
    undisturbed.process(events[:300], range(300))
    first = table(kafka, outbox, changelog, copies=LocalCopies(tmp_path))
    await first.assign({0}, lambda: True)
    first.planes[0].process(events[:300], range(300))
    await first.write(0, first.planes[0].take_changes())
    first.drop(0)

    def broken(*_: object) -> Iterator[list[Change]]:
        yield [(b"default:from-a-broken-copy", None)]
        raise OSError("a block does not fit its checksum")

    with monkeypatch.context() as patch:
        patch.setattr(LocalCopy, "read", broken)
        heir = table(kafka, outbox, changelog, copies=LocalCopies(tmp_path))
        await heir.assign({0}, lambda: True)
    assert heir.planes[0].stats() == undisturbed.stats()
    heir.drop(0)

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    third = table(kafka, outbox, changelog, copies=LocalCopies(tmp_path))
    await third.assign({0}, lambda: True)
    with monkeypatch.context() as patch:
        patch.setattr(LocalCopy, "apply", full)
        third.planes[0].process(events[300:], range(300, 600))
        await third.write(0, third.planes[0].take_changes())
    last = table(kafka, outbox, changelog, copies=LocalCopies(tmp_path))
    await last.assign({0}, lambda: True)
    undisturbed.process(events[300:], range(300, 600))
    assert last.planes[0].stats() == undisturbed.stats()


async def test_a_torn_write_is_as_if_it_had_not_been(
    kafka: Connection, outbox: Outbox, changelog: Topic
) -> None:
    events = traffic(seed=8, count=900)
    first = table(kafka, outbox, changelog)
    await first.assign({0}, lambda: True)
    first.planes[0].process(events[:300], range(300))
    await first.write(0, first.planes[0].take_changes())
    first.planes[0].process(events[300:600], range(300, 600))
    changes = list(stretch(first.planes[0].take_changes(), first.end(0)))
    for key, value in changes[: len(changes) // 2]:
        outbox.put(changelog.name, key, value, partition=0)
    await outbox.mark()

    undisturbed = AccountPlane(CONFIG, 0)
    undisturbed.process(events[:300], range(300))
    heir = table(kafka, outbox, changelog)
    await heir.assign({0}, lambda: True)
    assert heir.planes[0].stats() == undisturbed.stats()
    # what compaction will leave must be whole again after the heir's first write, although that was of little
    heir.planes[0].process(events[300:301], range(300, 301))
    undisturbed.process(events[300:301], range(300, 301))
    await heir.write(0, heir.planes[0].take_changes())
    records = await read_topic(kafka, changelog)
    assert last_values(records) == dict(undisturbed.take_changes())
    third = table(kafka, outbox, changelog)
    await third.assign({0}, lambda: True)
    assert third.planes[0].process(events[200:], range(200, 900)) == undisturbed.process(
        events[301:], range(301, 900)
    )


def last_values(records: list[ConsumerRecord]) -> dict[bytes, bytes | None]:
    """What compaction would leave, without what goes around stretches."""
    return {record.key: record.value for record in records if record.key not in (FIRST, LAST, IDENTITY)}


async def test_a_plane_is_kept_while_nobody_else_has_written(
    kafka: Connection, outbox: Outbox, changelog: Topic
) -> None:
    events = traffic(seed=6, count=200)
    mine = table(kafka, outbox, changelog)
    await mine.assign({0, 1}, lambda: True)
    plane = mine.planes[0]
    plane.process(events, range(200))
    await mine.write(0, plane.take_changes())
    assert await mine.assign({0}, lambda: True)
    assert mine.planes == {0: plane}

    other = table(kafka, outbox, changelog)
    await other.assign({0}, lambda: True)
    await other.write(0, other.planes[0].take_changes())
    assert await mine.assign({0}, lambda: True)
    assert mine.planes[0] is not plane
    assert mine.planes[0].stats() == plane.stats()


async def test_writing_after_somebody_else_is_noticed(
    kafka: Connection, outbox: Outbox, changelog: Topic
) -> None:
    mine, other = table(kafka, outbox, changelog), table(kafka, outbox, changelog)
    await mine.assign({0}, lambda: True)
    await other.assign({0}, lambda: True)
    await other.write(0, [(b"default:a", None)])
    await other.write(0, [(b"default:a", None)])
    with pytest.raises(Fatal, match="another worker"):
        await mine.write(0, [(b"default:a", None)])


async def test_restoring_ends_early_when_it_is_for_nothing(
    kafka: Connection, outbox: Outbox, changelog: Topic
) -> None:
    mine = table(kafka, outbox, changelog)
    await mine.assign({0}, lambda: True)
    await mine.write(0, mine.planes[0].take_changes())
    other = table(kafka, outbox, changelog)
    assert not await other.assign({0, 1}, lambda: False)
    assert other.planes == {}


async def test_state_of_other_parameters_is_refused(
    kafka: Connection, outbox: Outbox, changelog: Topic
) -> None:
    mine = table(kafka, outbox, changelog)
    await mine.assign({0}, lambda: True)
    mine.planes[0].process(traffic(seed=7, count=10), range(10))
    await mine.write(0, mine.planes[0].take_changes())
    with pytest.raises(IncompatibleState):
        await table(kafka, outbox, changelog, DetectionConfig(lateness_s=61)).assign({0}, lambda: True)
