"""Changes count by whole stretches, and only where their writer believed to write."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agents.stretches import FIRST, LAST, Change, Stretches, stretch

A1, A2, B1, B2 = (b"a", b"1"), (b"a", b"2"), (b"b", b"1"), (b"b", None)


def log(*changes: Change, start: int = 0) -> list[Any]:
    """Records at consecutive offsets."""
    return [
        SimpleNamespace(offset=number, key=key, value=value)
        for number, (key, value) in enumerate(changes, start)
    ]


def read(records: list[Any], size: int = 1) -> tuple[list[Change], set[bytes]]:
    """What counts, read in pieces, and what does not."""
    reader, valid = Stretches(), []
    for start in range(0, len(records), size):
        valid += reader.read(records[start : start + size])
    return valid, reader.void()


@pytest.mark.parametrize("size", [1, 3, 100])
def test_whole_stretches_count(size: int) -> None:
    changes = [*stretch([A1, B1], 0), *stretch([A2, B2], 4)]
    assert read(log(*changes), size) == ([A1, B1, A2, B2], set())


def test_a_stretch_without_end_does_not_count() -> None:
    torn = list(stretch([A2, B2], 4))[:2]
    assert read(log(*stretch([A1, B1], 0), *torn)) == ([A1, B1], {b"a"})


def test_what_was_written_over_is_void_no_more() -> None:
    torn = list(stretch([A2, B2], 4))[:3]
    assert read(log(*stretch([A1, B1], 0), *torn, *stretch([A1], 7))) == ([A1, B1, A1], {b"b"})


def test_a_writer_that_somebody_else_came_before_does_not_count() -> None:
    """It believes to be at 3, where the stretch of the new owner begins."""
    changes = [*stretch([A1], 0), *stretch([B1], 3), *stretch([A2], 3)]
    assert read(log(*changes)) == ([A1, B1], {b"a"})


def test_two_writers_that_mingle_do_not_count() -> None:
    mine, other = list(stretch([A2, B2], 3)), list(stretch([B1], 3))
    changes = [*stretch([A1], 0), *mine[:2], *other, *mine[2:]]
    assert read(log(*changes)) == ([A1], {b"a", b"b"})


def test_what_is_left_by_compaction_counts_although_nothing_goes_around_it() -> None:
    old = log(A1, B1, start=17)
    assert read([*old, *log(*stretch([A2], 40), start=40)]) == ([A1, B1, A2], set())
    # the last write before compaction was torn: its beginning replaced that of the whole one before
    ended = log((LAST, b"15"), (FIRST, b"20"), A2, start=19)
    assert read([*log(A1, start=16), *ended]) == ([A1], {b"a"})
