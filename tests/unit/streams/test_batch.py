"""Columns and rounds of a run."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from schemas.event import encode_event
from streams.batch import COLUMNS, EventBatch
from streams.hashing import HashCache
from streams.segment import segments
from tests.property.events import StreamShape, make_stream


def batch_of(slots: list[int]) -> EventBatch:
    events = make_stream(StreamShape(seed=1, events=len(slots)))
    batch = EventBatch(events, np.full(len(slots), -1))
    batch.slot = np.array(slots, np.intp)
    return batch


def test_columns_of_bytes_are_those_of_events() -> None:
    events = make_stream(StreamShape(seed=3, events=600))
    values = [encode_event(event) for event in events]
    plain, read = EventBatch(events, np.full(600, -1)), EventBatch.decode(values)
    places = np.flatnonzero(np.arange(600) % 7)
    for mine, theirs in ((plain, read), (plain.part(places), read.part(places))):
        assert len(mine) == len(theirs)
        for name in COLUMNS:
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)
        assert theirs.events[5].event_id == mine.events[5].event_id
    assert len(EventBatch.decode([]).time_ms) == 0


def test_one_event_of_bytes_is_read_in_spite_of_a_field_of_a_wrong_type() -> None:
    event = {"schema_version": 1, "event_id": "e", "time": "2025-06-01T12:00:00Z", "account_id": "a"}
    batch = EventBatch.decode([msgspec.json.encode({**event, "client_asn": "x", "input_tokens": 7})])
    assert batch.events[0].input_tokens == 7
    assert batch.events[0].client_asn is None
    with pytest.raises(msgspec.DecodeError):
        EventBatch.decode([msgspec.json.encode({**event, "input_tokens": "x"})])


def test_each_round_ends_at_a_boundary_and_keeps_the_order() -> None:
    batch = batch_of([0, 1, 0, 0, 1, 0])
    boundary = np.array([True, False, False, True, False, False])
    rounds = segments(batch, boundary, np.argsort(batch.slot, kind="stable"))
    assert [one.index.tolist() for one in rounds] == [[0, 1, 4], [2, 3], [5]]
    assert rounds[0].slots.tolist() == [0, 1]
    assert rounds[0].counts.tolist() == [1, 2]


def test_previous_uses_what_was_stored_for_the_first() -> None:
    batch = batch_of([0, 0, 1])
    (only,) = segments(batch, np.zeros(3, bool), np.arange(3))
    values = np.array([10, 20, 30])
    assert only.previous(values, np.array([7, 8])).tolist() == [7, 10, 8]


def test_hashes_of_other_fingerprints_never_match() -> None:
    events = make_stream(StreamShape(seed=1, events=2))
    same = msgspec.structs.replace(events[1], prompt_hash=events[0].prompt_hash)
    other = msgspec.structs.replace(same, fingerprint_id="test/k2")
    batch = EventBatch([events[0], same, other], np.full(3, -1))
    first, second, third = batch.prompt_hash.tolist()
    assert first == second != third


def test_hash_cache_is_bounded() -> None:
    cache = HashCache(entries=10)
    values = [cache(str(number)) for number in range(100)]
    assert len(cache._known) <= 10
    assert values == [cache(str(number)) for number in range(100)]
