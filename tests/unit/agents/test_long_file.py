import os

import pytest

from agents import long_file
from agents.long_file import LongFile


@pytest.fixture
def advice(monkeypatch):
    """(begin, end) of each advice that the system was given, in windows of ten bytes."""
    given = []
    monkeypatch.setattr(long_file, "WINDOW_BYTES", 10)
    def advise(file, begin, size, what):
        given.append((begin, begin + size, what))

    monkeypatch.setattr(os, "posix_fadvise", advise, raising=False)
    monkeypatch.setattr(os, "POSIX_FADV_DONTNEED", "let go", raising=False)
    return given


def test_it_holds_what_was_written(tmp_path):
    parts = [bytes([number]) * (number * 7 % 23) for number in range(200)]
    with LongFile(tmp_path / "long") as file:
        for part in parts:
            file.write(memoryview(part))
    assert (tmp_path / "long").read_bytes() == b"".join(parts)


def test_every_page_is_let_go_of_more_than_once(tmp_path, advice):
    """The first advice only begins to write a page out."""
    with LongFile(tmp_path / "long") as file:
        for _ in range(100):
            file.write(b"abc")
    assert {what for *_, what in advice} == {"let go"}
    assert all(end - begin <= long_file.WINDOWS * 12 for begin, end, _ in advice)
    settled = max(end for _, end, _ in advice) - long_file.WINDOWS * 12
    times = [sum(begin <= place < end for begin, end, _ in advice) for place in range(settled)]
    assert min(times) > 1


def test_a_file_that_is_there_is_kept(tmp_path):
    (tmp_path / "long").write_bytes(b"kept")
    with pytest.raises(FileExistsError):
        LongFile(tmp_path / "long")
    assert (tmp_path / "long").read_bytes() == b"kept"
