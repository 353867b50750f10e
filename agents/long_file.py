"""`LongFile`: a new file of many gigabytes, written from its beginning to its end.

The system keeps what is written in its page cache, also when the disk has it, until memory is short. For a
file that nobody reads soon this costs twice: new pages are slower to get than those just given back, and what
other programs read is pushed out. So pages are let go of here as soon as the disk has them.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

WINDOW_BYTES = 64 << 20
"""Written between two advices; about four times as much stays in the page cache where the disk keeps up."""
WINDOWS = 4
"""An advice is about the last so many: on Linux the first begins to write a page out, a later one lets go of
it. SOURCE: posix_fadvise(2), notes on POSIX_FADV_DONTNEED; mm/fadvise.c."""


class LongFile:
    """The file, open until its block ends.

    Raises:
        FileExistsError: it is there already.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._size = 0
        self._advised = 0

    def write(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._size += len(data)
        if self._size - self._advised >= WINDOW_BYTES:
            self._file.flush()
            self._advised = self._size
            _let_go(self._file.fileno(), max(self._size - WINDOWS * WINDOW_BYTES, 0), self._size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _let_go(file: int, begin: int, end: int) -> None:
    if hasattr(os, "posix_fadvise"):  # not on every system
        os.posix_fadvise(file, begin, end - begin, os.POSIX_FADV_DONTNEED)
