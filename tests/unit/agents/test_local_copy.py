"""Copies of changelog partitions on the local disk: what they keep, and when they are thrown away."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from agents import local_copy
from agents.local_copy import FRESH_S, LocalCopy

LOG, END = b"one log", 10


def changes_of(copy: LocalCopy) -> dict[bytes, bytes | None]:
    return dict(itertools.chain.from_iterable(copy.read()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a copy with two changes, up to offset 10."""
    copy = LocalCopy(tmp_path / "state" / "3", LOG, 0)
    copy.apply([(b"a", b"1"), (b"b", b"1"), (b"c", b"1")], 5)
    copy.apply([(b"a", b"2"), (b"c", None)], END)
    copy.close()
    return tmp_path / "state" / "3"


def test_it_keeps_the_last_value_of_each_key_and_where_the_log_was(folder: Path) -> None:
    copy = LocalCopy(folder, LOG, END)
    assert copy.end == END
    assert changes_of(copy) == {b"a": b"2", b"b": b"1"}


def test_what_is_applied_without_an_end_does_not_move_it(folder: Path) -> None:
    copy = LocalCopy(folder, LOG, 20)
    copy.apply([(b"d", b"1")])
    copy.close()
    again = LocalCopy(folder, LOG, 20)
    assert (again.end, len(changes_of(again))) == (END, 3)


def test_a_copy_of_another_log_or_of_one_that_was_cut_is_thrown_away(folder: Path) -> None:
    cut = LocalCopy(folder, LOG, END - 1)
    assert (cut.end, changes_of(cut)) == (0, {})
    cut.apply([(b"a", b"1")], 1)
    cut.close()
    other = LocalCopy(folder, b"another log", END)
    assert (other.end, changes_of(other)) == (0, {})


def test_a_copy_that_is_too_old_to_know_of_deletions_is_thrown_away(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = local_copy.time.time()
    monkeypatch.setattr(local_copy.time, "time", lambda: written + FRESH_S + 60)
    assert LocalCopy(folder, LOG, END).end == 0


def test_a_copy_that_somebody_has_open_is_an_error_that_can_be_done_without(folder: Path) -> None:
    copy = LocalCopy(folder, LOG, END)
    with pytest.raises(OSError, match="lock"):
        LocalCopy(folder, LOG, END)
    copy.close()
