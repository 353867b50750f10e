"""`CampaignPlane`: from suspicious groups to campaigns: which belong together, who is in, what to say.

Works on suspicious groups only, so its load does not grow with traffic. At the end of an hour the groups of
a tenant are the nodes of a graph; two are tied when they name many of the same accounts, or when both are
known by their content and it is the same. A network full of innocent accounts ties nothing: only accounts
named by a group count. Connected components are campaigns; each is one episode, opened at once, told again
when it has grown, merged and split as its groups are, closed when they fall silent.

Ids come from the founding link and hour, so a replay repeats them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from schemas.errors import IncompatibleState
from schemas.evidence import (
    NO_MORE,
    GroupReport,
    HourMark,
    LinkKind,
    Measure,
    Member,
    decode_report,
    encode_report,
)
from schemas.finding import Action, Feature, Finding, Lifecycle, Severity, finding_id, utc_from_ms
from streams.config import DetectionConfig
from streams.group_statistics import FEWEST_MEMBERS, NEEDED
from streams.link_plane import NEVER
from streams.membership import ACCEPTED
from streams.windows import HOUR_MS

DETECTOR = "campaign"
TIED_SHARE = 0.2
"""Share of the smaller group's named accounts that another must name too ..."""
TIED_ACCOUNTS = 3
SAME_CONTENT = 0.97
"""... or cosine of the centres of two groups that are known by their content."""
GROWTH_MEMBERS, GROWTH_REQUESTS = 1.25, 2.0
SETTLED_HOURS = 6
"""New members are told of after this long at the latest, however few."""
QUIET_HOURS = 24
MAX_MEMBERS = 100_000
"""Of one group."""
TOLD_LINKS = 20
LARGE_LEAK, HUGE_LEAK = 1_000, 10_000
TECHNIQUES = ("AML.T0024.002", "AML.T0008.005", "AML.T0021")
RUNBOOK = (
    "Check the reasons below: each is a statement about the members that `requests` can confirm.",
    "Compare ten members side by side: sign-up, payment, networks, prompts, hours.",
    "Look for a product or integration that explains all of them, and ask its operator.",
    "Act on the members together; an operator who loses some accounts makes others.",
)
FALSE_POSITIVES = (
    "A product that polls the API on a schedule from accounts of its many customers",
    "A class or a contest that gives each participant an account and the same tasks",
)


class Group(msgspec.Struct, array_like=True):
    """A suspicious group as last reported, with all members ever reported."""

    report: GroupReport
    """Without its members."""
    founded: int
    members: dict[str, Member]

    @property
    def key(self) -> tuple[str, int, int]:
        return self.report.tenant_id, self.report.kind, self.report.value

    def named(self) -> set[str]:
        """Accounts that belong to it."""
        return {name for name, member in self.members.items() if member.log_odds >= ACCEPTED}

    def nats(self, family: str) -> float:
        return max((one.nats for one in self.report.measures if one.family == family), default=0.0)


class Campaign(msgspec.Struct, array_like=True):
    """An open episode."""

    subject_id: str
    tenant_id: str
    start_hour: int
    last_hour: int
    links: list[tuple[int, int]]
    sequence: int = 0
    told_members: int = 0
    told_requests: int = 0
    told_hour: int = 0
    last: Finding | None = None
    """As told last."""


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
        self.marks: dict[int, int] = dict.fromkeys(range(sources), NEVER)
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
                known = self.marks.get(item.source, NEVER)
                self.marks[item.source] = item.hour if known == NO_MORE else max(known, item.hour)
            elif item.hour > self.closed_hour:
                self._wait(item)
        output = CampaignOutput()
        complete = min(self.marks.values())
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
            self.marks,
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
                self.closed_hour, self.marks = state.closed_hour, state.marks
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


def components(groups: list[Group]) -> list[list[Group]]:
    """Groups that belong together, each part in the order given."""
    if not groups:
        return []
    named = [group.named() for group in groups]
    centres = np.stack([np.frombuffer(group.report.centre, np.int8) for group in groups]).astype(np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", centres, centres))
    cosines = centres @ centres.T / np.maximum(np.outer(lengths, lengths), 1e-9)
    content = np.array([group.nats("sameness") >= NEEDED for group in groups])
    same = (cosines >= SAME_CONTENT) & content[:, None] & content
    ties = []
    for left in range(len(groups)):
        for right in range(left):
            shared = len(named[left] & named[right])
            enough = max(TIED_SHARE * min(len(named[left]), len(named[right])), TIED_ACCOUNTS)
            if same[left, right] or shared >= enough:
                ties.append((left, right))
    pairs = np.array(ties or np.empty((0, 2)), np.intp)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(groups),) * 2)
    count, labels = connected_components(graph, directed=False)
    return [[group for group, at in zip(groups, labels, strict=True) if at == part] for part in range(count)]


def describe(campaign: Campaign, part: list[Group], time_ms: int) -> Finding:
    """The finding as of a time, in the form of a create."""
    members: dict[str, Member] = {}
    for group in part:
        for name in group.named():
            member = group.members[name]
            if name not in members or member.last_hour > members[name].last_hour:
                members[name] = member
    leaked = sum(member.completed for member in members.values())
    requests = sum(member.requests for member in members.values())
    strongest = max(part, key=lambda group: (group.report.nats, group.key))
    best: dict[str, Measure] = {}
    for group in part:
        for measure in group.report.measures:
            if measure.nats >= 1.0 and (measure.name not in best or measure.nats > best[measure.name].nats):
                best[measure.name] = measure
    told = sorted(best.values(), key=lambda measure: (-measure.nats, measure.name))
    total = sum(measure.nats for measure in told)
    kinds = [LinkKind(kind).label for kind in sorted({group.report.kind for group in part})]
    severity = Severity.MEDIUM if leaked < LARGE_LEAK else Severity.HIGH
    severity = severity if leaked < HUGE_LEAK else Severity.CRITICAL
    first = min(member.first_hour for member in members.values())
    last = max(member.last_hour for member in members.values())
    names = tuple(sorted(members))
    summary = (
        f"{len(names):,} accounts, tied by {', '.join(kinds)}, act as one: {requests:,} requests, "
        f"{leaked:,} answers given."
    )
    return Finding(
        finding_id=finding_id(
            campaign.tenant_id, DETECTOR, campaign.subject_id, campaign.start_hour * HOUR_MS
        ),
        lifecycle=Lifecycle.CREATE,
        time=utc_from_ms(time_ms),
        tenant_id=campaign.tenant_id,
        detector=DETECTOR,
        subject_kind="campaign",
        subject_id=campaign.subject_id,
        members=names,
        member_count=len(names),
        severity=severity,
        p_value=float(np.exp(-strongest.report.nats)),
        confidence=float(-np.expm1(-strongest.report.nats / 12)),
        event_count=requests,
        leaked_count=leaked,
        first_seen=utc_from_ms(first * HOUR_MS),
        last_seen=utc_from_ms((last + 1) * HOUR_MS),
        title="Many accounts act as one source",
        summary=f"{summary} " + "; ".join(measure.text for measure in told),
        reasons=tuple(measure.text for measure in told) or (summary,),
        features=tuple(
            Feature(
                name=measure.name,
                value=measure.value,
                baseline=measure.usual,
                contribution=measure.nats / max(total, 1e-9),
            )
            for measure in told
        ),
        techniques=TECHNIQUES,
        runbook=RUNBOOK,
        false_positives=FALSE_POSITIVES,
        recommended_action=Action.SUSPEND if severity is Severity.CRITICAL else Action.CHALLENGE,
        labels={
            f"link_{number}": f"{LinkKind(kind).label}:{value:016x}"
            for number, (kind, value) in enumerate(campaign.links[:TOLD_LINKS], 1)
        },
    )


def _key(key: tuple[str, int, int]) -> bytes:
    tenant_id, kind, value = key
    return f"g{kind}:{value:016x}:{tenant_id}".encode()
