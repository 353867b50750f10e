"""Stored form of account state: what goes on the changelog and comes back after a crash.

An account's record is a header (format version and parameter hash), its row without zeros
(`streams.sparse_rows`), and the few things that do not fit a row (its open episode, river models) as
MessagePack; most accounts have none. The partition's own record
holds what its accounts share. Rows written under other parameters are refused, never mixed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.errors import IncompatibleState
from streams.baselines import CohortState
from streams.calibration import Marks
from streams.config import DetectionConfig
from streams.episodes import Episode
from streams.sparse_rows import SparseRows
from streams.watermark import Watermark

PARTITION_KEY_PREFIX = b"\x00partition:"
"""No account key begins with a zero byte."""


class AccountExtras(msgspec.Struct, array_like=True, omit_defaults=True):
    """What an account has besides its row."""

    episode: Episode | None = None
    detectors: dict[str, bytes] = {}
    marks: Marks | None = None

    def __bool__(self) -> bool:
        return bool(self.episode or self.detectors or self.marks)


NO_EXTRAS = AccountExtras()
"""Never changed."""


class PartitionState(msgspec.Struct, array_like=True):
    """What the accounts of a partition share."""

    applied_offset: int
    closed_hour: int
    watermark: Watermark
    cohorts: list[CohortState]
    counters: list[int]
    active: dict[int, dict[int, int]]
    """Accounts active in each closed hour, by cohort (see `streams.calibration`)."""
    detectors: dict[str, bytes] = {}
    """What detectors learned from all accounts, by detector name."""


_encoder = msgspec.msgpack.Encoder()
_extras = msgspec.msgpack.Decoder(AccountExtras)
_partition = msgspec.msgpack.Decoder(PartitionState)


class StateCodec:
    """Encodes and decodes records of one parameter set.

    Args:
        config: its `DetectionConfig.parameter_hash` goes into every header, with the row layout.
        row: dtype of an account's row.
    """

    def __init__(self, config: DetectionConfig, row: np.dtype[Any]) -> None:
        self._sparse = SparseRows(row)
        layout = msgspec.json.encode((config.parameter_hash(), str(row.descr)))
        self.header = b"SW3" + _digest(layout)

    def encode(self, rows: NDArray[Any], extras: Sequence[AccountExtras]) -> list[bytes]:
        """Records of accounts, from their rows (n,) and what else they have."""
        header = self.header
        return [
            header + packed + (b"" if more is NO_EXTRAS or not more else _encoder.encode(more))
            for packed, more in zip(self._sparse.pack(rows), extras, strict=True)
        ]

    def decode(self, records: Sequence[bytes]) -> tuple[NDArray[Any], list[AccountExtras]]:
        """Inverse of `encode`. Raises `IncompatibleState`."""
        bodies = [self._body(record) for record in records]
        ends = self._sparse.lengths(bodies)
        rows = self._sparse.unpack([body[:end] for body, end in zip(bodies, ends, strict=True)])
        return rows, [
            _extras.decode(body[end:]) if end < len(body) else NO_EXTRAS
            for body, end in zip(bodies, ends, strict=True)
        ]

    def encode_partition(self, state: PartitionState) -> bytes:
        """The partition's own record."""
        return self.header + _encoder.encode(state)

    def decode_partition(self, data: bytes) -> PartitionState:
        """Inverse of `encode_partition`. Raises `IncompatibleState`."""
        return _partition.decode(self._body(data))

    def check(self, data: bytes) -> None:
        """Raises `IncompatibleState` for a record of another version or other parameters."""
        if not data.startswith(self.header):
            raise IncompatibleState(
                "stored account state was written by another version or with other [detection] settings; "
                "put the settings back, or start a new fleet.application_id to begin with empty state"
            )

    def _body(self, data: bytes) -> memoryview:
        self.check(data)
        return memoryview(data)[len(self.header) :]

    @staticmethod
    def partition_key(partition: int) -> bytes:
        """Key of a partition's own record."""
        return PARTITION_KEY_PREFIX + str(partition).encode()

    @staticmethod
    def is_partition_key(key: bytes) -> bool:
        return key.startswith(PARTITION_KEY_PREFIX)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=8).digest()
