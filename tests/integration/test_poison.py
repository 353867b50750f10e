"""Records that a plane fails on go to the dead letters; worker and findings are as without them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest

from agents.fleet import Fleet
from agents.settings import load
from infra.kafka.embedded import EmbeddedKafka
from schemas.dead_letter import decode_dead_letter
from schemas.event import RequestEvent, decode_event
from schemas.finding import decode_finding
from schemas.topics import DEAD_LETTERS, FINDINGS, REQUESTS
from streams.account_plane import AccountPlane
from streams.batch import EventBatch
from streams.config import DetectionConfig
from streams.plane_output import PlaneOutput
from tests.chaos.traffic import traffic
from tests.integration.fleet import (
    TestFleet,
    by_step,
    feed,
    read_topic,
    replayed,
    windows_complete,
    without_repeats,
)

pytestmark = pytest.mark.integration

POISON = "poison"


class Fragile(AccountPlane):
    """Has a defect: fails on one value, when it has counted a part of the run already."""

    def process(self, events: Sequence[RequestEvent] | EventBatch, *arguments: Any) -> PlaneOutput:
        batch = events if isinstance(events, EventBatch) else EventBatch(events, np.full(len(events), -1))
        for number, event in enumerate(batch.events):
            if event.request_model == POISON:
                super().process(batch.part(np.arange(number)), *(one[:number] for one in arguments))
                raise ZeroDivisionError(event.event_id)
        return super().process(events, *arguments)


@pytest.fixture
def fleet(kafka_factory: Callable[..., EmbeddedKafka]) -> Iterator[TestFleet]:
    fleet = TestFleet(kafka_factory(), partitions=1)
    yield fleet
    fleet.broker.stop()


async def test_a_record_that_a_plane_fails_on_costs_one_dead_letter(fleet: TestFleet) -> None:
    await fleet.prepare()
    good = traffic(seed=9, count=1200)
    bad = [msgspec.structs.replace(good[place], event_id=f"bad{place}", request_model=POISON)
           for place in (400, 401, 1100)]  # fmt: skip
    stream = sorted([*good, *bad], key=lambda event: event.time)
    worker = Fleet(
        load(fleet.settings_file), new_plane=lambda partition: Fragile(DetectionConfig(), partition),
        connection=fleet.connection,
    )  # fmt: skip

    async def use() -> None:
        await feed(fleet.connection, stream)
        await windows_complete(fleet.connection, len(good))
        worker.stop()

    async with asyncio.TaskGroup() as tasks:  # an end of the worker ends the wait
        tasks.create_task(worker.run())
        tasks.create_task(use())

    refused = await read_topic(fleet.connection, DEAD_LETTERS)
    letters = [decode_dead_letter(record.value) for record in refused]
    assert {letter.origin_topic for letter in letters} == {REQUESTS.name}
    assert {decode_event(letter.payload).event_id for letter in letters} == {one.event_id for one in bad}
    findings = [decode_finding(record.value) for record in await read_topic(fleet.connection, FINDINGS)]
    expected = replayed(good, 1).findings
    assert expected
    assert by_step(without_repeats(findings)) == by_step(expected)
