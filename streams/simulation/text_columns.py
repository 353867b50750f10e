"""Columns of text in Arrow's memory: put together row by row without a step for a single row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_NOTHING = pa.scalar("", pa.large_string())


def texts(values: Iterable[str] | Iterable[bytes]) -> pa.Array:
    """A column; bytes must be UTF-8."""
    return pa.array(values, pa.large_string())


Column: TypeAlias = str | pa.Array | NDArray[Any]
"""The same text in all rows, texts, or numbers."""


def joined(*columns: Column) -> pa.Array:
    """Rows of the columns, one after the other; numbers as JSON has them."""
    return pc.binary_join_element_wise(*map(_column, columns), _NOTHING)


def _column(column: Column) -> Any:
    if isinstance(column, str):
        return pa.scalar(column, pa.large_string())
    return pc.cast(pa.array(column), pa.large_string()) if isinstance(column, np.ndarray) else column


def where(mask: NDArray[np.bool_], *columns: Column) -> pa.Array:
    """`joined` columns, which have a row for each place of the mask; nothing elsewhere."""
    found = pa.concat_arrays([joined(*columns), texts([""])])
    return found.take(pa.array(np.where(mask, np.cumsum(mask) - 1, len(found) - 1)))


class TextBank:
    """Texts in one piece of memory that grows at its end: from several Arrow takes by joining them first."""

    def __init__(self) -> None:
        self._data = np.empty(1 << 20, np.uint8)
        self._ends = np.zeros(1 << 14, np.int64)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def extend(self, new: pa.Array) -> None:
        """Texts after those that are there; an array that was made and never cut."""
        _, offsets, data = new.buffers()
        ends = np.frombuffer(offsets, np.int64, len(new) + 1)
        first, size, length = int(self._ends[self._size]), self._size + len(new), int(ends[-1])
        self._data = _roomy(self._data, first + length)
        if length:
            self._data[first : first + length] = np.frombuffer(data, np.uint8, length)
        self._ends = _roomy(self._ends, size + 1)
        self._ends[self._size + 1 : size + 1] = first + ends[1:]
        self._size = size

    def all(self) -> pa.Array:
        """All of them."""
        buffers = [None, pa.py_buffer(self._ends), pa.py_buffer(self._data)]
        return pa.Array.from_buffers(pa.large_string(), self._size, buffers)


def _roomy(values: NDArray[Any], size: int) -> NDArray[Any]:
    """The same values with room for so many, twice as much as before where there was none."""
    if size <= len(values):
        return values
    roomy = np.empty(max(size, 2 * len(values)), values.dtype)
    roomy[: len(values)] = values
    return roomy
