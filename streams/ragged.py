"""Parts of different lengths in one array: they stand one after the other, and their sizes are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def starts(sizes: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each part begins.

    >>> starts(np.array([2, 0, 3])).tolist()
    [0, 2, 2]
    """
    begins: NDArray[np.intp] = sizes.cumsum() - sizes
    return begins


def sums(rows: NDArray[Any], sizes: NDArray[np.intp]) -> NDArray[Any]:
    """Sums of the rows of each part, (n, ...); zero for a part without any.

    >>> sums(np.array([[1, 2], [3, 4], [5, 6]]), np.array([2, 0, 1])).tolist()
    [[4, 6], [0, 0], [5, 6]]
    """
    found = np.zeros((len(sizes), *rows.shape[1:]), rows.dtype)
    some = sizes > 0
    if len(rows):
        found[some] = np.add.reduceat(rows, starts(sizes)[some], axis=0)
    return found
