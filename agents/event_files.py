"""Files of raw records, one a line, plain or gzip: read in bounded memory, with how far one has come."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from schemas.adapters.azure import COLUMNS
from schemas.errors import InvalidSetting
from schemas.topics import RAW_MAX_BYTES

LINE_LIMIT_BYTES = RAW_MAX_BYTES
"""A longer line is cut here, and one byte more tells that it was: no raw topic would take it either."""

_BUFFER_BYTES = 1024 * 1024
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_AZURE_LINE = re.compile(rb"\d{4}-\d\d-\d\d[ T][\d:.+Z-]+,\d+,\d+\s*$")


class Line(NamedTuple):
    """One raw record and its line number, from 1."""

    number: int
    payload: bytes


class EventFile:
    """One file.

    Args:
        path: plain text or gzip, told apart by content.

    Raises:
        InvalidSetting: there is no such file, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb")
            self.size_bytes = path.stat().st_size
        except OSError as error:
            raise InvalidSetting("FILE", f"cannot read {path}: {error.strerror}", "Check the path") from error
        compressed = self._file.read(2) == _GZIP
        self._file.seek(0)
        stream: Any = gzip.GzipFile(fileobj=self._file) if compressed else self._file
        self._stream: BinaryIO = io.BufferedReader(stream, _BUFFER_BYTES) if compressed else stream

    @property
    def position_bytes(self) -> int:
        """Bytes of the file (compressed, where it is) consumed so far."""
        return self.size_bytes if self._file.closed else self._file.tell()

    def lines(self) -> Iterator[Line]:
        """Its lines without their ends; closes the file at the end.

        Raises:
            InvalidSetting: the compressed data is damaged.
        """
        with self._file:
            number = 0
            while payload := self._read():
                number += 1
                line = payload.removeprefix(_BOM) if number == 1 else payload
                yield Line(number, line.removesuffix(b"\n"))
                while len(payload) > LINE_LIMIT_BYTES and not payload.endswith(b"\n"):
                    payload = self._read()  # the rest of an over-long line is dropped

    def _read(self) -> bytes:
        try:
            return self._stream.readline(LINE_LIMIT_BYTES + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidSetting("FILE", f"{self.path} is damaged: {error}", "Fetch it again") from error


def guess_format(path: Path) -> str | None:
    """Format that the first line of a file speaks for; ``None`` where it is none we know.

    Raises:
        InvalidSetting: see `EventFile`.
    """
    line = next(EventFile(path).lines(), Line(1, b"")).payload.strip()
    if line.startswith(",".join(COLUMNS).encode()) or _AZURE_LINE.match(line):
        return "azure"
    if line.startswith(b"{"):
        if b'"account_id"' in line or b'"event_id"' in line:
            return "native"
        if b'"startTime"' in line and b'"metadata"' in line:
            return "litellm"
    return None
