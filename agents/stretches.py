"""`Stretches`: which records of a changelog partition count.

What a worker writes at one time is one stretch: a first record with the offset at which its writer believes
to be, the changes, a last record. A reader takes a stretch whole or not at all, so state is never half that
of one moment and half that of another. A stretch does not count when it has no end, because its writer died
over it, or when it does not lie where its writer believed: somebody else, taken for dead, wrote before it.
The writer of such a stretch finds out as well, and ends (`agents.tables.PlaneTable.write`).

Compaction takes first and last records of old stretches away. Before the first that is left, therefore,
everything counts. That nothing void gets that old is up to whoever reads it first: it writes over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aiokafka import ConsumerRecord

FIRST, LAST = b"\x00first", b"\x00last"
"""Keys of the records around a stretch. No plane uses them."""
IDENTITY = b"\x00log"
"""Key of the first change of a log: random bytes, by which a copy of it knows it (`agents.local_copy`)."""

Change = tuple[bytes, bytes | None]


def stretch(changes: Iterable[Change], offset: int) -> Iterator[Change]:
    """Changes with what goes around them.

    Args:
        offset: where the first record will lie, as far as its writer knows.
    """
    place = b"%d" % offset
    yield FIRST, place
    yield from changes
    yield LAST, place


class Stretches:
    """Reads one partition from its beginning."""

    def __init__(self) -> None:
        self._open: list[Change] | None = None
        self._seen = False
        """There has been a first or last record, so all that counts now lies between such."""
        self._void: set[bytes] = set()

    def read(self, records: Iterable[ConsumerRecord]) -> list[Change]:
        """Take the next records; returns the changes that count now, oldest first."""
        valid: list[Change] = []
        for record in records:
            key = record.key
            if key == FIRST:
                self._drop()
                self._seen = True
                self._open = [] if record.value == b"%d" % record.offset else None
            elif key == LAST:
                self._seen = True
                self._close(valid)
            elif key == IDENTITY:
                pass
            elif self._open is not None:
                self._open.append((key, record.value))
            elif self._seen:
                self._void.add(key)
            else:
                valid.append((key, record.value))
        return valid

    def _close(self, valid: list[Change]) -> None:
        changes, self._open = self._open or [], None
        valid += changes
        if self._void:
            self._void.difference_update(key for key, _ in changes)

    def _drop(self) -> None:
        self._void.update(key for key, _ in self._open or ())
        self._open = None

    def void(self) -> set[bytes]:
        """Keys of changes that do not count and were not written over, after the last record."""
        self._drop()
        return self._void
