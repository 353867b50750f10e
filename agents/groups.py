"""The LINK and CAMPAIGN agents: evidence through the link planes, reports through the campaign planes.

They work as the account agent does: runs of records, state in the planes, output acknowledged before the
state, state before the runs. What they add is what they read and what they write.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from agents.accounts import AccountAgent
from agents.ingest import put_dead_letter
from agents.transport import Run
from schemas.errors import MalformedRecord
from schemas.evidence import (
    GroupReport,
    HourMark,
    LinkEvidence,
    decode_evidence,
    decode_told,
    encode_report,
)
from schemas.topics import GROUPS
from streams.account_plane import PlaneOutput
from streams.link_plane import NEVER, LinkOutput

MEMBERS_IN_RECORD = 5_000
"""A longer list of members goes out in parts, so that no record passes 1 MiB."""


class LinkAgent(AccountAgent):
    """Agent of the evidence topic."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._told: dict[int, int] = {}
        """Partition to the hour of its last mark."""

    def _process(self, plane: Any, run: Run) -> Any:
        started = time.perf_counter()
        items: list[LinkEvidence | HourMark] = []
        for record in run.value:
            try:
                item = decode_evidence(record.value or b"")
                if isinstance(item, HourMark):
                    items.append(item)
                else:
                    kind, value = bytes(record.key or b"").rsplit(b":", 2)[1:]
                    items.append(LinkEvidence(int(kind), int(value, 16), item))
            except (msgspec.DecodeError, ValueError) as error:
                put_dead_letter(self._outbox, MalformedRecord(str(error)), record, "links")
                self._metrics.dead_letters.labels("links", MalformedRecord.__name__).inc()
        run.value.clear()
        output = plane.process(items)
        self._metrics.events.labels("links", "accepted").inc(len(items))
        self._metrics.run_seconds.labels("links").observe(time.perf_counter() - started)
        return Told(run.partition, output)

    def publish(self, output: Any) -> None:
        """Put reports, and the mark that ends their hour, into the outbox."""
        for report in output.reports:
            for part in parts(report):
                self._outbox.put(GROUPS.name, report.tenant_id.encode(), encode_report(part))
        hour = output.complete_hour
        if hour != self._told.get(output.partition, NEVER):
            self._told[output.partition] = hour
            mark = HourMark(output.partition, hour)
            self._outbox.put_everywhere(GROUPS.name, b"mark:%d" % output.partition, encode_report(mark))


class Told:
    """Output of one partition's link plane."""

    def __init__(self, partition: int, output: LinkOutput) -> None:
        self.partition = partition
        self.reports = output.reports
        self.complete_hour = output.complete_hour


class CampaignAgent(AccountAgent):
    """Agent of the groups topic."""

    def _process(self, plane: Any, run: Run) -> Any:
        items: list[GroupReport | HourMark] = []
        for record in run.value:
            try:
                items.append(decode_told(record.value or b""))
            except msgspec.DecodeError as error:
                put_dead_letter(self._outbox, MalformedRecord(str(error)), record, "campaigns")
                self._metrics.dead_letters.labels("campaigns", MalformedRecord.__name__).inc()
        run.value.clear()
        self._metrics.events.labels("campaigns", "accepted").inc(len(items))
        return PlaneOutput(findings=plane.process(items).findings)


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
