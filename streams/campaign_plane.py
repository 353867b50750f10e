"""`CampaignPlane`: from suspicious groups to campaigns: which belong together, who is in, what to say.

Works on suspicious groups only, so its load does not grow with traffic. At the end of an hour the groups of
a tenant that belong together (`streams.campaign_graph`) are a campaign; each is one episode, opened at once,
told again when it has grown, merged and split as its groups are, closed when they fall silent.

Ids come from the founding link and hour, so a replay repeats them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from schemas.errors import IncompatibleState
from schemas.evidence import NO_MORE, GroupReport, HourMark, decode_report, encode_report
from schemas.finding import Finding, Lifecycle, utc_from_ms
from streams.campaign_finding import Campaign, describe
from streams.campaign_graph import Group, components
from streams.config import DetectionConfig
from streams.group_statistics import FEWEST_MEMBERS
from streams.hour_marks import NEVER, HourMarks
from streams.windows import HOUR_MS

GROWTH_MEMBERS, GROWTH_REQUESTS = 1.1, 2.0
SETTLED_HOURS = 2
"""New members are told of after this long at the latest, however few."""
QUIET_HOURS = 24
MAX_MEMBERS = 100_000
"""Of one group."""


class CampaignOutput(msgspec.Struct):
    """What a step gives out."""

    findings: list[Finding] = []


class CampaignRecord(msgspec.Struct, array_like=True):
    """What a partition shares, as stored."""

    parameters: str
    closed_hour: int
    marks: dict[int, int]
    campaigns: list[Campaign]
    opened: int
    pending: list[bytes]
    """Encoded reports of hours that are not closed: few, as only suspicious groups are reported."""


class CampaignPlane:
    """Campaigns of the tenants of one partition.

    Args:
        config: parameters.
        partition: its number.
        sources: partitions of the evidence topic; an hour closes when each of them has marked it.
    """

    def __init__(self, config: DetectionConfig, partition: int = 0, sources: int = 1) -> None:
        self.config = config
        self.partition = partition
        self.marks = HourMarks(range(sources))
        self.closed_hour = NEVER
        self.pending: dict[int, dict[tuple[str, int, int, str], GroupReport]] = {}
        """Hour to its reports, by group and first member: a long list of members comes in parts."""
        self.groups: dict[tuple[str, int, int], Group] = {}
        self.campaigns: list[Campaign] = []
        self.opened = 0
        self._dirty: set[tuple[str, int, int]] = set()
        self._gone: set[tuple[str, int, int]] = set()

    def process(self, items: Iterable[GroupReport | HourMark]) -> CampaignOutput:
        """Take reports and marks in any order; say what the complete hours have brought."""
        for item in items:
            if isinstance(item, HourMark):
                self.marks.note(item)
            elif item.hour > self.closed_hour:
                self._wait(item)
        output = CampaignOutput()
        complete = self.marks.complete
        for hour in sorted(hour for hour in self.pending if hour <= complete):
            self._close_quiet(hour - 1, output)
            self._close_hour(hour, self.pending.pop(hour), output)
        if complete < NO_MORE:
            self._close_quiet(complete, output)
        return output

    def _wait(self, report: GroupReport) -> None:
        waiting = self.pending.setdefault(report.hour, {})
        first = report.members[0].account_id if report.members else ""
        waiting[report.tenant_id, report.kind, report.value, first] = report

    # ---- one hour

    def _close_hour(
        self, hour: int, reports: dict[tuple[str, int, int, str], GroupReport], output: CampaignOutput
    ) -> None:
        self.closed_hour = hour
        for key in sorted(reports):
            self._note(key[:3], reports[key])
        for tenant_id in sorted({key[0] for key in reports}):
            self._assemble(tenant_id, hour, output)

    def _note(self, key: tuple[str, int, int], report: GroupReport) -> None:
        group = self.groups.get(key)
        bare = msgspec.structs.replace(report, members=())
        if group is None:
            group = self.groups[key] = Group(report=bare, founded=report.hour, members={})
        group.report = bare
        for member in report.members:
            if member.account_id in group.members or len(group.members) < MAX_MEMBERS:
                group.members[member.account_id] = member
        self._dirty.add(key)
        self._gone.discard(key)

    def _assemble(self, tenant_id: str, hour: int, output: CampaignOutput) -> None:
        """Groups of a tenant to campaigns."""
        live = [
            group
            for key, group in sorted(self.groups.items())
            if key[0] == tenant_id and group.report.hour > hour - QUIET_HOURS
        ]
        taken: set[str] = set()
        parts = components(live)
        # the larger part of a campaign that falls apart keeps its name
        parts.sort(key=lambda part: (-sum(len(group.members) for group in part), part[0].key))
        for part in parts:
            named: set[str] = set().union(*(group.named() for group in part))
            if len(named) >= FEWEST_MEMBERS:
                self._tell(tenant_id, hour, part, taken, output)

    def _tell(
        self, tenant_id: str, hour: int, part: list[Group], taken: set[str], output: CampaignOutput
    ) -> None:
        links = sorted((group.report.kind, group.report.value) for group in part)
        free = [one for one in self.campaigns if one.tenant_id == tenant_id and one.subject_id not in taken]
        known = [one for one in free if not set(links).isdisjoint(one.links)]
        known.sort(key=lambda one: (one.start_hour, one.subject_id))
        if known:
            campaign = known[0]
            for other in known[1:]:
                self._close(other, hour, f"merged into {campaign.subject_id}", output, campaign.subject_id)
        else:
            founder = min(part, key=lambda group: (group.founded, group.key))
            name = "\x1f".join(map(str, (*founder.key, hour)))
            subject = "cmp-" + hashlib.blake2b(name.encode(), digest_size=6).hexdigest()
            campaign = Campaign(subject, tenant_id, hour, hour, [])
            self.campaigns.append(campaign)
            self.opened += 1
        taken.add(campaign.subject_id)
        campaign.links, campaign.last_hour = links, hour
        finding = describe(campaign, part, self._told_ms(hour))
        first = campaign.last is None
        grown = (
            finding.member_count >= GROWTH_MEMBERS * campaign.told_members
            or finding.event_count >= GROWTH_REQUESTS * campaign.told_requests
            or (finding.member_count > campaign.told_members and hour >= campaign.told_hour + SETTLED_HOURS)
        )
        if first or grown or len(known) > 1:
            campaign.sequence += not first
            finding = msgspec.structs.replace(
                finding,
                sequence=campaign.sequence,
                lifecycle=Lifecycle.CREATE if first else Lifecycle.UPDATE,
            )
            campaign.told_members, campaign.told_requests = finding.member_count, finding.event_count
            campaign.told_hour = hour
            campaign.last = finding
            output.findings.append(finding)

    def _close_quiet(self, hour: int, output: CampaignOutput) -> None:
        for campaign in [one for one in self.campaigns if one.last_hour + QUIET_HOURS <= hour]:
            end = campaign.last_hour + QUIET_HOURS
            self._close(campaign, end, "none of its groups was suspicious for a day", output)
        for key in [key for key, one in self.groups.items() if one.report.hour + 2 * QUIET_HOURS <= hour]:
            del self.groups[key]
            self._dirty.discard(key)
            self._gone.add(key)

    def _close(
        self, campaign: Campaign, hour: int, why: str, output: CampaignOutput, merged_into: str | None = None
    ) -> None:
        self.campaigns.remove(campaign)
        if campaign.last is not None:
            output.findings.append(
                msgspec.structs.replace(
                    campaign.last,
                    sequence=campaign.sequence + 1,
                    lifecycle=Lifecycle.CLOSE,
                    time=utc_from_ms(self._told_ms(hour)),
                    reasons=(*campaign.last.reasons, why),
                    labels={**campaign.last.labels, **({"merged_into": merged_into} if merged_into else {})},
                )
            )

    def _told_ms(self, hour: int) -> int:
        """When an hour is certainly over."""
        return (hour + 1) * HOUR_MS + self.config.lateness_s * 1000

    # ---- state

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Changelog records since the last call, the partition's own record last."""
        records: list[tuple[bytes, bytes | None]] = [(_key(key), None) for key in sorted(self._gone)]
        encode = msgspec.msgpack.encode
        records += [(_key(key), encode(self.groups[key])) for key in sorted(self._dirty)]
        self._dirty, self._gone = set(), set()
        state = CampaignRecord(
            self.config.parameter_hash(),
            self.closed_hour,
            self.marks.hours,
            self.campaigns,
            self.opened,
            [encode_report(report) for hour in self.pending.values() for report in hour.values()],
        )
        records.append((b"p%d" % self.partition, encode(state)))
        return records

    def restore(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Apply changelog records, oldest first.

        Raises:
            IncompatibleState: the state was written with other parameters.
        """
        for key, value in records:
            if key.startswith(b"g"):
                kind, number, tenant_id = key[1:].decode().split(":", 2)
                place = tenant_id, int(kind), int(number, 16)
                if value is None:
                    self.groups.pop(place, None)
                else:
                    self.groups[place] = msgspec.msgpack.decode(value, type=Group)
            elif value is not None:
                state = msgspec.msgpack.decode(value, type=CampaignRecord)
                if state.parameters != self.config.parameter_hash():
                    raise IncompatibleState("the campaigns were stored with other [detection] settings")
                self.closed_hour, self.marks.hours = state.closed_hour, state.marks
                self.campaigns, self.opened = state.campaigns, state.opened
                self.pending = {}
                for data in state.pending:
                    self._wait(decode_report(data))

    def stats(self) -> dict[str, int]:
        """Counters for operators."""
        return {
            "suspicious_groups": len(self.groups),
            "open_campaigns": len(self.campaigns),
            "campaigns": self.opened,
            "pending": sum(len(hour) for hour in self.pending.values()),
        }


def _key(key: tuple[str, int, int]) -> bytes:
    tenant_id, kind, value = key
    return f"g{kind}:{value:016x}:{tenant_id}".encode()
