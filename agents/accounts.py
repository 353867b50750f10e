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
from schemas.evidence import encode_evidence, spread
from schemas.topics import EVIDENCE
from streams.account_plane import AccountPlane, PlaneOutput
from streams.batch import NO_ORIGIN, ORIGINS


class Requests(NamedTuple):
    """What `AccountPlane.process` takes."""

    events: Any
    offsets: list[int]
    origins: NDArray[Any]


class AccountAgent(PlaneAgent):
    """Agent of the requests topic."""

    stage = "accounts"

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


def _origin(record: ConsumerRecord) -> bytes:
    """The record's origin header, as it is."""
    for name, value in record.headers:
        if name == ORIGIN:
            if len(value) != ORIGINS.itemsize:
                raise MalformedRecord(f"header {ORIGIN} has {len(value)} bytes, not {ORIGINS.itemsize}")
            return bytes(value)
    return NO_ORIGIN
