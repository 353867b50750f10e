"""`LocalCopy`: a changelog partition as a RocksDB on the local disk, so that a restart reads only the rest.

Optional (``fleet.local_state``), and never the truth: the changelog is. A copy says of which log it is and up
to which offset; whoever takes a partition feeds the copy first and then what the log holds beyond. It is
thrown away when it belongs to another log (the topic was made anew), when it is older than `FRESH_S` (the log
may have forgotten which keys were deleted since), and when RocksDB cannot read it. A disk that is full or
broken costs the copy, never the worker.

Written without fsync: after a power failure it ends earlier, which the log makes up for.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.stretches import IDENTITY, Change
from schemas.errors import InvalidSetting

log = structlog.get_logger(__name__)

FRESH_S = 12 * 3600
"""Half of Kafka's default ``delete.retention.ms``: so long a tombstone stays in a compacted log at least."""
WRITE_BUFFER_BYTES = 4 * 1024 * 1024
"""Two of them a partition, which with its block cache bounds what a copy takes of memory."""
READ_CHANGES = 5000
_META = b"\x00copy"

T = TypeVar("T")


class Meta(msgspec.Struct, array_like=True):
    """What a copy is of."""

    log: bytes
    end: int
    """All that counts below this offset is in the copy."""
    written_s: int
    """Epoch seconds of the last write."""


class LocalCopy:
    """The copy of one partition.

    Args:
        folder: of this partition alone; made where it is missing.
        log_id: the log's identity. A copy of another log is emptied.
        log_end: offset at which the log ends. A copy that knows more is emptied: the log was cut.

    Raises:
        OSError: another process has it open, or it cannot be read.
    """

    def __init__(self, folder: Path, log_id: bytes, log_end: int) -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._db = _open(folder)
        self._log_id = log_id
        stored = self._db.get(_META)
        meta = msgspec.msgpack.decode(stored, type=Meta) if stored else Meta(b"", 0, 0)
        if meta.log != log_id or meta.end > log_end or time.time() - meta.written_s > FRESH_S:
            self._db.close()
            shutil.rmtree(folder)
            self._db = _open(folder)
            meta.end = 0
        self.end = meta.end

    def read(self) -> Iterator[list[Change]]:
        """All changes it holds, some thousands at a time. Raises `OSError`."""
        pairs = ((key, value) for key, value in self._db.items() if key != _META)
        while some := _tried(lambda: list(islice(pairs, READ_CHANGES))):
            yield some

    def apply(self, changes: Iterable[Change], end: int | None = None) -> None:
        """Take changes over, all or none of them.

        Args:
            end: where the log ends with them; None while the log is still being read.

        Raises:
            OSError: they cannot be written.
        """
        from rocksdict import WriteBatch

        batch = WriteBatch(raw_mode=True)
        for key, value in changes:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        if end is not None:
            self.end = end
            batch.put(_META, msgspec.msgpack.encode(Meta(self._log_id, end, int(time.time()))))
        _tried(lambda: self._db.write(batch))

    def close(self) -> None:
        """Let another process have it."""
        self._db.close()


class LocalCopies:
    """Copies of the partitions of one changelog.

    Args:
        folder: of this changelog.

    Raises:
        InvalidSetting: rocksdict is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import rocksdict  # noqa: F401 - optional: without the setting it need not be there
        except ImportError as error:
            fix = "pip install 'stillwatch[local-state]', or leave the setting out"
            raise InvalidSetting("fleet.local_state", "rocksdict is not installed", fix) from error
        self._folder = folder
        self._open: dict[int, LocalCopy] = {}

    def __getitem__(self, partition: int) -> LocalCopy | None:
        """The copy of a partition, if there is one."""
        return self._open.get(partition)

    def begin(self, partition: int, log_id: bytes | None) -> None:
        """Open the copy of a log that was empty until now."""
        self._try(partition, log_id or b"", 0)

    async def open(
        self, consumer: AIOKafkaConsumer, places: Mapping[int, TopicPartition], ends: Mapping[Any, int]
    ) -> None:
        """Open the copies of partitions. One that cannot be opened is done without."""
        ids = await _identities(consumer, {place for place in places.values() if ends[place] > 0})
        for partition, place in places.items():
            if place in ids:  # else empty, or begun by a version that gave logs no identity
                self._try(partition, ids[place], ends[place])

    def _try(self, partition: int, log_id: bytes, end: int) -> None:
        self.close(partition)
        try:
            self._open[partition] = LocalCopy(self._folder / str(partition), log_id, end)
        except OSError as error:
            log.warning("no local copy of state", partition=partition, problem=str(error))

    def apply(self, partition: int, changes: Iterable[Change], end: int | None = None) -> None:
        """`LocalCopy.apply` where there is a copy. One that cannot be written is done without from now on."""
        if copy := self[partition]:
            try:
                copy.apply(changes, end)
            except OSError as error:
                log.warning("no local copy of state any more", partition=partition, problem=str(error))
                self.close(partition)

    def discard(self, partition: int, error: OSError) -> None:
        """Throw a copy away that cannot be read."""
        log.warning("local copy of state thrown away", partition=partition, problem=str(error))
        self.close(partition)
        shutil.rmtree(self._folder / str(partition), ignore_errors=True)

    def keep_only(self, partitions: Collection[int]) -> None:
        """Close the copies of all other partitions."""
        for partition in set(self._open) - set(partitions):
            self.close(partition)

    def close(self, partition: int) -> None:
        """The partition is given away."""
        copy = self._open.pop(partition, None)
        if copy is not None:
            copy.close()


def identity() -> Change:
    """The first change of a log."""
    return IDENTITY, os.urandom(16)


async def _identities(
    consumer: AIOKafkaConsumer, places: set[TopicPartition]
) -> dict[TopicPartition, bytes]:
    """Identities of logs that are not empty, from their first records."""
    found: dict[TopicPartition, bytes] = {}
    missing = set(places)
    consumer.assign(list(places))
    if places:
        await consumer.seek_to_beginning(*places)
    while missing:
        for place, records in (await consumer.getmany(*missing, timeout_ms=200, max_records=100)).items():
            missing.discard(place)
            found.update((place, record.value) for record in records[:2] if record.key == IDENTITY)
    return found


def _open(folder: Path) -> Any:
    """Raises `OSError`."""
    from rocksdict import Options, Rdict

    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_keep_log_file_num(2)
    return _tried(lambda: Rdict(str(folder), options))


def _tried(use: Callable[[], T]) -> T:
    """Raises `OSError`, where rocksdict raises nothing more special than `Exception`."""
    try:
        return use()
    except Exception as error:
        raise OSError(str(error)) from error
