"""A thousand bad records through the real path: each is dead-lettered by field or accepted; none is lost."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer

from schemas.dead_letter import PAYLOAD_LIMIT_BYTES, decode_dead_letter
from schemas.event import decode_event
from schemas.topics import DEAD_LETTERS, RAW_MAX_BYTES, RAW_NATIVE, REQUESTS
from tests.integration.fleet import TestFleet, read_topic
from tests.integration.pipeline import Pipeline
from tests.malformed_corpus import Sample, corpus

pytestmark = pytest.mark.integration


async def send(fleet: TestFleet, samples: list[Sample]) -> dict[tuple[int, int], Sample]:
    """Samples by the partition and offset they got."""
    options = fleet.connection.client_options()
    producer = AIOKafkaProducer(**options, max_request_size=RAW_MAX_BYTES)
    await producer.start()
    try:
        places = {}
        for number, sample in enumerate(samples):
            sent = await producer.send_and_wait(RAW_NATIVE.name, sample.payload, key=str(number).encode())
            places[sent.partition, sent.offset] = sample
        return places
    finally:
        await producer.stop()


async def test_bad_records_are_named_and_kept(pipeline: Pipeline) -> None:
    fleet = pipeline.fleet
    samples = corpus(1000, now=datetime.now(UTC))
    refused = sum(not sample.accepted for sample in samples)
    assert len({sample.kind for sample in samples}) >= 20
    worker = fleet.start_worker()
    await fleet.until(lambda all_: sum(len(s.partitions) for s in all_) == fleet.partitions)
    with pipeline.sink():
        places = await send(fleet, samples)
        pipeline.until("SELECT count() AS letters FROM dead_letters", {"letters": refused})
        pipeline.until(
            "SELECT count() AS requests FROM requests_current",
            {"requests": len(accepted(samples))},
        )
    assert worker.process.poll() is None, fleet.logs()

    records = await read_topic(fleet.connection, DEAD_LETTERS)
    letters = [decode_dead_letter(record.value) for record in records]
    at_origin = {(letter.origin_partition, letter.origin_offset): letter for letter in letters}
    assert len(at_origin) == len(letters) == refused
    wrong = Counter()
    for place, sample in places.items():
        letter = at_origin.get(place)
        assert (letter is None) == sample.accepted, sample.kind
        if letter is not None:
            assert letter.reason
            assert letter.origin_topic == RAW_NATIVE.name
            assert letter.payload == sample.payload[:PAYLOAD_LIMIT_BYTES]
            wrong[sample.kind] += sample.field is not None and letter.field != sample.field
    assert +wrong == {}
    events = [decode_event(record.value) for record in await read_topic(fleet.connection, REQUESTS)]
    assert {(event.account_id, event.time, event.event_id) for event in events} == accepted(samples)


def accepted(samples: list[Sample]) -> set[tuple[str, datetime, str]]:
    """Account, time and id of the requests that count; some of the ids repeat."""
    records = [json.loads(sample.payload) for sample in samples if sample.accepted]
    return {(row["account_id"], datetime.fromisoformat(row["time"]), row["event_id"]) for row in records}
