"""`Origin`: where INGEST read the raw record of an event, so that a repeated one is counted once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Origin(NamedTuple):
    """Where INGEST read the raw record of an event: crc32 of the topic, partition, offset."""

    source: int
    partition: int
    offset: int


ORIGINS = np.dtype([("source", ">u4"), ("partition", ">u4"), ("offset", ">u8")])
"""Many `Origin` as an array; its bytes are those of the origin headers, one after the other."""

NO_ORIGIN = b"\xff" * ORIGINS.itemsize
"""In place of the header of an event that has none."""


def origin_array(origins: Sequence[Origin | None] | NDArray[Any] | None, length: int) -> NDArray[Any]:
    """`ORIGINS` (length,), whatever form they come in."""
    if isinstance(origins, np.ndarray):
        return origins
    array = np.frombuffer(bytearray(NO_ORIGIN * length), ORIGINS)
    for number, origin in enumerate(origins or ()):
        if origin is not None:
            array[number] = origin
    return array
