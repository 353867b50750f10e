"""The LINK and CAMPAIGN agents: evidence through the link planes, reports through the campaign planes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from aiokafka import ConsumerRecord

from agents.plane_agent import PlaneAgent
from schemas.evidence import (
    GroupReport,
    HourMark,
    LinkEvidence,
    decode_evidence,
    decode_told,
    encode_report,
)
from schemas.topics import GROUPS
from streams.campaign_plane import CampaignPlane
from streams.hour_marks import NEVER
from streams.link_plane import LinkOutput, LinkPlane
from streams.plane_output import PlaneOutput

MEMBERS_IN_RECORD = 5_000
"""A longer list of members goes out in parts, so that no record passes 1 MiB."""


class Told(NamedTuple):
    """Output of one partition's link plane."""

    partition: int
    output: LinkOutput


class LinkAgent(PlaneAgent):
    """Agent of the evidence topic."""

    stage = "links"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._marked: dict[int, int] = {}
        """Partition to the hour of its last mark."""

    def decode(self, plane: LinkPlane, records: Sequence[ConsumerRecord]) -> list[LinkEvidence | HourMark]:
        """See `PlaneAgent`."""
        return [_evidence(record) for record in records]

    def feed(self, plane: LinkPlane, decoded: list[LinkEvidence | HourMark]) -> Told:
        """See `PlaneAgent`."""
        return Told(plane.partition, plane.process(decoded))

    def publish(self, output: Told) -> None:
        """Put reports, and the mark that ends their hour, into the outbox."""
        partition, told = output
        for report in told.reports:
            for part in parts(report):
                self._outbox.put(GROUPS.name, report.tenant_id.encode(), encode_report(part))
        hour = told.complete_hour
        if hour != self._marked.get(partition, NEVER):
            self._marked[partition] = hour
            mark = encode_report(HourMark(partition, hour))
            self._outbox.put_everywhere(GROUPS.name, b"mark:%d" % partition, mark)


class CampaignAgent(PlaneAgent):
    """Agent of the groups topic."""

    stage = "campaigns"

    def decode(self, plane: CampaignPlane, records: Sequence[ConsumerRecord]) -> list[GroupReport | HourMark]:
        """See `PlaneAgent`."""
        return [decode_told(record.value or b"") for record in records]

    def feed(self, plane: CampaignPlane, decoded: list[GroupReport | HourMark]) -> PlaneOutput:
        """See `PlaneAgent`."""
        return PlaneOutput(findings=plane.process(decoded).findings)

    def publish(self, output: PlaneOutput) -> None:
        """Put findings and alerts into the outbox."""
        self._publish_findings(output)


def _evidence(record: ConsumerRecord) -> LinkEvidence | HourMark:
    """Raises `msgspec.DecodeError` and `ValueError`."""
    item = decode_evidence(record.value or b"")
    if isinstance(item, HourMark):
        return item
    kind, value = bytes(record.key or b"").rsplit(b":", 2)[1:]
    return LinkEvidence(int(kind), int(value, 16), item)


def parts(report: GroupReport) -> list[GroupReport]:
    """A report as several with at most `MEMBERS_IN_RECORD` members each."""
    members = report.members
    if len(members) <= MEMBERS_IN_RECORD:
        return [report]
    starts = range(0, len(members), MEMBERS_IN_RECORD)
    return [
        msgspec.structs.replace(report, members=members[start : start + MEMBERS_IN_RECORD])
        for start in starts
    ]
