"""Rows of a structured table as short byte strings: what is zero is left out.

Most counters of most accounts are zero. A packed row is a bitmap of its two-byte words, then the words that
are not zero. Packing and unpacking work on many rows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORD = np.dtype("<u2")


class SparseRows:
    """Packs rows of one dtype.

    >>> sparse = SparseRows(np.dtype([("a", "<u4"), ("b", "u1", (3,))]))
    >>> rows = np.array([(7, (0, 0, 1)), (0, (0, 0, 0))], sparse.dtype)
    >>> [len(packed) for packed in sparse.pack(rows)], (sparse.unpack(sparse.pack(rows)) == rows).all()
    ([5, 1], np.True_)
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self._words = -(-dtype.itemsize // WORD.itemsize)
        self._bitmap_bytes = -(-self._words // 8)

    def pack(self, rows: NDArray[Any]) -> list[bytes]:
        """One byte string for each row of (n,)."""
        words = np.zeros((len(rows), self._words), WORD)
        raw = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), self.dtype.itemsize)
        words.view(np.uint8)[:, : self.dtype.itemsize] = raw
        filled = words != 0
        packed_bits = np.packbits(filled, axis=1)
        bitmaps, values = packed_bits.tobytes(), words[filled].tobytes()
        ends = (_filled(packed_bits).cumsum() * WORD.itemsize).tolist()
        size, packed, start = self._bitmap_bytes, [], 0
        for number, end in enumerate(ends):
            packed.append(bitmaps[number * size : (number + 1) * size] + values[start:end])
            start = end
        return packed

    def unpack(self, packed: Sequence[bytes | memoryview]) -> NDArray[Any]:
        """Inverse of `pack`. Raises `ValueError` where the bytes are no packed rows."""
        size, count = self._bitmap_bytes, len(packed)
        filled = np.unpackbits(self._bitmaps(packed), axis=1, count=self._words).astype(np.bool_)
        words = np.zeros((count, self._words), WORD)
        words[filled] = np.frombuffer(b"".join([one[size:] for one in packed]), WORD)
        raw = np.ascontiguousarray(words.view(np.uint8)[:, : self.dtype.itemsize])
        rows: NDArray[Any] = raw.view(self.dtype).reshape(count)
        return rows

    def lengths(self, packed: Sequence[bytes | memoryview]) -> list[int]:
        """Length of each packed row, whatever follows it."""
        ends: list[int] = (self._bitmap_bytes + _filled(self._bitmaps(packed)) * WORD.itemsize).tolist()
        return ends

    def _bitmaps(self, packed: Sequence[bytes | memoryview]) -> NDArray[np.uint8]:
        size = self._bitmap_bytes
        return np.frombuffer(b"".join([one[:size] for one in packed]), np.uint8).reshape(-1, size)


def _filled(bitmaps: NDArray[np.uint8]) -> NDArray[np.int64]:
    """int64 (n,): words that are not zero."""
    count: NDArray[np.int64] = np.bitwise_count(bitmaps).sum(axis=1, dtype=np.int64)
    return count
