"""Batches are cut by rows, bytes and age, and after a crash where they were cut before."""

from __future__ import annotations

from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from agents import lane as lanes
from agents.lane import PLAN_PATIENCE_S, Batch, Lane, plan

PLACE = TopicPartition("topic", 3)


def record(offset: int, size: int = 10) -> Any:
    return ConsumerRecord("topic", 3, offset, 0, 0, None, b"x" * size, None, 0, size, [])


def lane(begin: int = 0, planned: str = "", batch_rows: int = 10, flush_s: float = 1.0) -> Lane:
    return Lane(PLACE, begin=begin, plan=planned, batch_rows=batch_rows, flush_s=flush_s)


def test_due_by_rows_by_age_and_by_bytes(monkeypatch: Any) -> None:
    buffer = lane()
    assert not buffer.is_due(100.0)
    buffer.add([record(n) for n in range(9)], now_s=100.0)
    assert not buffer.is_due(100.9)
    assert buffer.is_due(101.0)
    buffer.add([record(9)], now_s=100.5)
    assert buffer.is_due(100.5)
    monkeypatch.setattr(lanes, "BATCH_BYTES", 3000)
    large = lane()
    large.add([record(0, size=2000), record(1, size=2000)], now_s=0.0)
    assert large.is_due(0.0)
    assert len(large.cut(0.0).records) == 1


def test_few_rows_wait_longer_but_not_for_ever() -> None:
    buffer = Lane(PLACE, begin=0, plan="", batch_rows=100, flush_s=1.0, few_rows=5)
    buffer.add([record(n) for n in range(4)], now_s=0.0)
    assert not buffer.is_due(4.9)
    assert buffer.is_due(5.0)
    buffer.add([record(4)], now_s=2.0)
    assert buffer.is_due(2.0)


def test_one_record_larger_than_a_batch_is_a_batch(monkeypatch: Any) -> None:
    monkeypatch.setattr(lanes, "BATCH_BYTES", 100)
    buffer = lane()
    buffer.add([record(0, size=5000)], now_s=0.0)
    assert buffer.cut(0.0).records[0].offset == 0
    assert (len(buffer), buffer.bytes) == (0, 0)


def test_full_is_two_batches() -> None:
    buffer = lane(batch_rows=10)
    buffer.add([record(n) for n in range(19)], 0.0)
    assert not buffer.is_full
    buffer.add([record(19)], 0.0)
    assert buffer.is_full


def test_token_names_topic_partition_and_range() -> None:
    batch = Batch(PLACE, [record(5), record(9)])
    assert batch.token == "topic-3-5-9"
    first, second = batch.halves()
    assert (first.token, second.token) == ("topic-3-5-5", "topic-3-9-9")


def test_a_planned_range_waits_until_it_is_whole_but_not_for_ever() -> None:
    buffer = lane(begin=5, planned="until=30", batch_rows=10, flush_s=1.0)
    buffer.add([record(n) for n in range(5, 20)], now_s=0.0)
    assert not buffer.is_due(PLAN_PATIENCE_S - 1)
    assert not buffer.is_whole
    assert buffer.is_due(PLAN_PATIENCE_S)
    buffer.add([record(n) for n in range(20, 40)], now_s=1.0)
    assert buffer.is_due(1.0)
    assert (buffer.cut(1.0).last, buffer.begin) == (30, 31)
    assert not buffer.is_due(1.5)


def test_a_planned_range_whose_end_was_compacted_away_ends_before_it() -> None:
    buffer = lane(planned="until=10")
    buffer.add([record(3), record(8), record(12), record(13)], now_s=0.0)
    assert buffer.is_due(0.0)
    assert buffer.cut(0.0).token == "topic-3-3-8"


def test_a_plan_behind_all_records_is_forgotten() -> None:
    buffer = lane(planned="until=10")
    buffer.add([record(50), record(51)], now_s=0.0)
    assert buffer.cut(0.0).token == "topic-3-50-51"


@given(
    gaps=st.lists(st.integers(1, 3), min_size=1, max_size=60),
    arrivals=st.lists(st.integers(1, 9), min_size=1, max_size=60),
    again=st.lists(st.integers(1, 9), min_size=1, max_size=60),
    rows=st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_whatever_arrives_when_the_planned_batch_is_cut_again(
    gaps: list[int], arrivals: list[int], again: list[int], rows: tuple[int, int]
) -> None:
    offsets = [sum(gaps[: n + 1]) for n in range(len(gaps))]

    def first_batch(begin: int, planned: str, batch_rows: int, sizes: list[int]) -> Batch:
        buffer, waiting = lane(begin, planned, batch_rows, flush_s=2.0), [record(n) for n in offsets]
        for now_s, size in enumerate(sizes * len(offsets)):
            if waiting:
                buffer.add(waiting[:size], float(now_s))
                waiting = waiting[size:]
            if buffer.is_due(float(now_s)):
                break
        return buffer.cut(0.0)

    before = first_batch(offsets[0], "", rows[0], arrivals)
    after = first_batch(before.first, plan(before), rows[1], again)
    assert after.token == before.token
    assert [r.offset for r in after.records] == [r.offset for r in before.records]
