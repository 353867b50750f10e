"""The ACCOUNT agent: canonical requests through the account planes; findings, profiles and evidence out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from aiokafka import ConsumerRecord
from numpy.typing import NDArray

from agents.ingest import ORIGIN
from agents.plane_agent import PlaneAgent
from schemas.errors import MalformedRecord
from schemas.evidence import NO_MORE, HourMark, encode_evidence
from schemas.topics import EVIDENCE
from streams.account_plane import AccountPlane
from streams.origins import NO_ORIGIN, ORIGINS
from streams.plane_output import PlaneOutput
from streams.spread import spread


class Requests(NamedTuple):
    """What `AccountPlane.process` takes."""

    events: Any
    offsets: list[int]
    origins: NDArray[Any]


class AccountAgent(PlaneAgent):
    """Agent of the requests topic."""

    stage = "accounts"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._speaking: set[int] = set()
        """Partitions that the link planes know not to be silent."""

    async def _take(self, plane: AccountPlane, partition: int, event: Any) -> None:
        if partition not in self._speaking:
            # it was silent, or another worker's: link planes that hold nothing back for it must do so again
            # before the hour is over, or they would close it without this partition
            self._speaking.add(partition)
            self.publish(PlaneOutput(marks=[HourMark(partition, plane.closed_hour)]))
        await super()._take(plane, partition, event)

    def keep_only(self, partitions: set[int]) -> None:
        """See `PlaneAgent`."""
        super().keep_only(partitions)
        self._speaking &= partitions

    def decode(self, plane: AccountPlane, records: Sequence[ConsumerRecord]) -> Requests:
        """See `PlaneAgent`."""
        origins = b"".join([_origin(record) for record in records])
        events = plane.read([record.value for record in records])
        return Requests(events, [record.offset for record in records], np.frombuffer(origins, ORIGINS))

    def feed(self, plane: AccountPlane, decoded: Requests) -> PlaneOutput:
        """See `PlaneAgent`."""
        return plane.process(*decoded)

    def publish(self, output: PlaneOutput) -> None:
        """Put findings, alerts, profiles and evidence into the outbox."""
        self._publish_findings(output)
        for account in output.evidence:
            data = encode_evidence(account)
            for item in spread(account):
                self._outbox.put(EVIDENCE.name, item.key, data)
        for mark in output.marks:  # behind the evidence, in every partition
            self._outbox.put_everywhere(EVIDENCE.name, b"mark:%d" % mark.source, encode_evidence(mark))
            if mark.hour == NO_MORE:
                self._speaking.discard(mark.source)


def _origin(record: ConsumerRecord) -> bytes:
    """The record's origin header, as it is."""
    for name, value in record.headers:
        if name == ORIGIN:
            if len(value) != ORIGINS.itemsize:
                raise MalformedRecord(f"header {ORIGIN} has {len(value)} bytes, not {ORIGINS.itemsize}")
            return bytes(value)
    return NO_ORIGIN
