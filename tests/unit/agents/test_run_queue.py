"""`RunQueue`: which run comes next, and what of it may be committed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from faust.types import TP

from agents.run_queue import RunQueue

FIRST, SECOND = TP("raw", 0), TP("raw", 1)


def records(*timestamps_ms: int, start: int = 0) -> list[Any]:
    return [
        SimpleNamespace(offset=start + place, timestamp=time_ms, timestamp_type=0)
        for place, time_ms in enumerate(timestamps_ms)
    ]


def queue(run_records: int = 10, align_ms: int = 100) -> RunQueue:
    return RunQueue(run_records, frozenset({"raw"}), align_ms, end=lambda tp: 0)


def test_the_partition_with_the_oldest_record_goes_first_and_is_cut_before_it_gets_ahead() -> None:
    runs = queue()
    runs.add({FIRST: records(1000, 1050, 1300), SECOND: records(1100)})
    readable = {FIRST, SECOND}
    assert runs.next(readable) == FIRST
    assert [record.timestamp for record in runs.take(FIRST, 1).value] == [1000, 1050]
    assert runs.next(readable) == SECOND


def test_only_the_acknowledged_prefix_is_done() -> None:
    runs = queue(run_records=1)
    runs.add({FIRST: records(1, 2, 3, start=5)})
    first, second, third = (runs.take(FIRST, 1) for _ in range(3))
    first.tracked = second.tracked = third.tracked = True
    second.acked = third.acked = True
    assert runs.done(FIRST) is None
    assert runs.unfinished()
    first.acked = True
    assert runs.in_hand(FIRST) == 3
    assert runs.done(FIRST) == 8
    assert not runs.unfinished()
    assert runs.in_hand(FIRST) == 0


def test_after_a_seek_nothing_is_in_hand() -> None:
    runs = queue()
    runs.add({FIRST: records(1, 2), SECOND: records(3)})
    runs.take(FIRST, 1)
    runs.forget()
    assert (runs.in_hand(FIRST), runs.in_hand(SECOND), runs.fetched_to(FIRST)) == (0, 0, None)
    assert runs.next({FIRST, SECOND}) is None


def test_trailing_gaps_are_passed_only_where_nothing_is_in_hand() -> None:
    runs = queue()
    runs.add({FIRST: records(1)})
    runs.note_passed({FIRST: 40, SECOND: 40})
    assert (runs.done(FIRST), runs.done(SECOND)) == (None, 40)
