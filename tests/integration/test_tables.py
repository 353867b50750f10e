"""Planes and their changelog against a real broker: what is written comes back, and only for its owner."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import msgspec
import pytest

from agents.outbox import Outbox
from agents.tables import PlaneTable
from infra.kafka import admin
from infra.kafka.connection import Connection
from schemas.errors import Fatal, IncompatibleState
from schemas.topics import ACCOUNT_STATE, Topic
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from tests.chaos.traffic import traffic

pytestmark = pytest.mark.integration

PARTITIONS = 2
CONFIG = DetectionConfig()
_numbers = itertools.count()


@pytest.fixture
async def changelog(kafka: Connection, monkeypatch: pytest.MonkeyPatch) -> Topic:
    """An account state topic of the test's own."""
    topic = msgspec.structs.replace(ACCOUNT_STATE, name=f"state-{next(_numbers)}")
    await admin.create_topics(kafka, PARTITIONS, topics=[topic])
    monkeypatch.setattr("agents.tables.ACCOUNT_STATE", topic)
    return topic


@pytest.fixture
async def outbox(kafka: Connection) -> AsyncIterator[Outbox]:
    outbox = Outbox(kafka.client_options())
    await outbox.start()
    yield outbox
    await outbox.stop()


def table(kafka: Connection, outbox: Outbox, config: DetectionConfig = CONFIG) -> PlaneTable:
    return PlaneTable(kafka.client_options(), outbox, lambda partition: AccountPlane(config, partition))


async def test_what_was_written_comes_back(kafka: Connection, outbox: Outbox, changelog: Topic) -> None:
    """A plane restored in mid-stream goes on exactly as one that was never interrupted."""
    events = traffic(seed=5, count=3000)
    first = table(kafka, outbox)
    assert await first.assign({0, 1}, lambda: True)
    for start in range(0, 2000, 400):
        first.planes[1].process(events[start : start + 400], range(start, start + 400))
        await first.write(1, first.planes[1].take_changes())

    second = table(kafka, outbox)
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


async def test_a_plane_is_kept_while_nobody_else_has_written(
    kafka: Connection, outbox: Outbox, changelog: Topic
) -> None:
    events = traffic(seed=6, count=200)
    mine = table(kafka, outbox)
    await mine.assign({0, 1}, lambda: True)
    plane = mine.planes[0]
    plane.process(events, range(200))
    await mine.write(0, plane.take_changes())
    assert await mine.assign({0}, lambda: True)
    assert mine.planes == {0: plane}

    other = table(kafka, outbox)
    await other.assign({0}, lambda: True)
    await other.write(0, other.planes[0].take_changes())
    assert await mine.assign({0}, lambda: True)
    assert mine.planes[0] is not plane
    assert mine.planes[0].stats() == plane.stats()


async def test_writing_after_somebody_else_is_noticed(
    kafka: Connection, outbox: Outbox, changelog: Topic
) -> None:
    mine, other = table(kafka, outbox), table(kafka, outbox)
    await mine.assign({0}, lambda: True)
    await other.assign({0}, lambda: True)
    await other.write(0, [(b"default:a", None)])
    await other.write(0, [(b"default:a", None)])
    with pytest.raises(Fatal, match="another worker"):
        await mine.write(0, [(b"default:a", None)])


async def test_restoring_ends_early_when_it_is_for_nothing(
    kafka: Connection, outbox: Outbox, changelog: Topic
) -> None:
    mine = table(kafka, outbox)
    await mine.assign({0}, lambda: True)
    await mine.write(0, mine.planes[0].take_changes())
    other = table(kafka, outbox)
    assert not await other.assign({0, 1}, lambda: False)
    assert other.planes == {}


async def test_state_of_other_parameters_is_refused(
    kafka: Connection, outbox: Outbox, changelog: Topic
) -> None:
    mine = table(kafka, outbox)
    await mine.assign({0}, lambda: True)
    mine.planes[0].process(traffic(seed=7, count=10), range(10))
    await mine.write(0, mine.planes[0].take_changes())
    with pytest.raises(IncompatibleState):
        await table(kafka, outbox, DetectionConfig(lateness_s=61)).assign({0}, lambda: True)
