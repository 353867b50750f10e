"""Files of raw records: whatever their ends, lengths and compression, every line comes once."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from agents import event_files
from agents.event_files import EventFile, guess_format
from schemas.errors import InvalidSetting


def lines(path: Path) -> list[tuple[int, bytes]]:
    return [tuple(line) for line in EventFile(path).lines()]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a\nb\n", [(1, b"a"), (2, b"b")]),
        (b"a\nb", [(1, b"a"), (2, b"b")]),
        (b"a\n\n b\r\n", [(1, b"a"), (2, b""), (3, b" b\r")]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", [(1, b"a"), (2, b"\xef\xbb\xbfb")]),
        (b"", []),
        (b"\n", [(1, b"")]),
    ],
)
def test_lines(tmp_path: Path, pack: object, content: bytes, expected: list[tuple[int, bytes]]) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(content))  # type: ignore[operator]
    assert lines(path) == expected


def test_an_over_long_line_is_cut_and_the_next_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_files, "LINE_LIMIT_BYTES", 10)
    path = tmp_path / "file"
    path.write_bytes(b"x" * 9 + b"\n" + b"y" * 10 + b"\n" + b"z" * 35 + b"\nend\n" + b"w" * 30)
    assert lines(path) == [(1, b"x" * 9), (2, b"y" * 10), (3, b"z" * 11), (4, b"end"), (5, b"w" * 11)]


def test_position_ends_at_the_size(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(b"line\n" * 1000))
    file = EventFile(path)
    assert len(list(file.lines())) == 1000
    assert file.position_bytes == file.size_bytes == path.stat().st_size


def test_what_cannot_be_read_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="No such file"):
        EventFile(tmp_path / "absent")
    damaged = tmp_path / "cut.gz"
    damaged.write_bytes(gzip.compress(b"line\n" * 100_000)[:-20])
    with pytest.raises(InvalidSetting, match="damaged"):
        lines(damaged)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"TIMESTAMP,ContextTokens,GeneratedTokens", "azure"),
        (b"2023-11-16 18:17:03.9799600,4808,10", "azure"),
        (b'{"account_id": "a"}', "native"),
        (b'{"id": "x", "startTime": 1.0, "metadata": {}}', "litellm"),
        (b'{"x": 1}', None),
        (b"# Stillwatch", None),
        (b"", None),
    ],
)
def test_formats_are_told_by_the_first_line(tmp_path: Path, first: bytes, expected: str | None) -> None:
    path = tmp_path / "file"
    path.write_bytes(first + b"\nsecond")
    assert guess_format(path) == expected
