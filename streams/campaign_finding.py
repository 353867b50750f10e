"""`describe`: what a finding says about a campaign: who, what ties them, what they got, what to do."""

from __future__ import annotations

import msgspec
import numpy as np

from schemas.evidence import LinkKind, Measure, Member
from schemas.finding import Action, Feature, Finding, Lifecycle, Severity, finding_id, utc_from_ms
from streams.campaign_graph import Group
from streams.windows import HOUR_MS

DETECTOR = "campaign"
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
    "An agency that has opened accounts on its own card for the users of one new application",
)


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
