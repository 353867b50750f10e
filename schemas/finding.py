"""`Finding`: what Stillwatch says. One message per lifecycle step (create, update, close).

The internal form, on ``stillwatch.findings.v1`` and in files; `schemas.ocsf` maps it to OCSF 1.8
Detection Finding (class 2004) for ``stillwatch.alerts.v1``. Both topics are keyed by `finding_id`, so
the steps of one finding stay in order.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Lifecycle(StrEnum):
    """Step of an episode. OCSF `activity_id` 1, 2, 3."""

    CREATE = "create"
    UPDATE = "update"
    CLOSE = "close"


class Severity(StrEnum):
    """OCSF `severity_id` 1 to 5."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Action(StrEnum):
    """Recommended action; never enforced by Stillwatch itself."""

    OBSERVE = "observe"
    REVIEW = "review"
    THROTTLE = "throttle"
    CHALLENGE = "challenge"
    SUSPEND = "suspend"


Probability = Annotated[float, Meta(ge=0, le=1)]


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One measured quantity behind a finding."""

    name: str
    value: float
    baseline: float
    """What the same quantity usually is in the comparison population."""
    contribution: float
    """Share of the finding's evidence, 0 to 1; the features of one finding sum to at most 1."""
    unit: str = ""


DetectorKind = Literal["rule", "behavioral", "statistical", "learning", "fingerprinting"]
"""How a detector works: OCSF `analytic.type_id` 1 to 5."""


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One lifecycle message about one subject. Times are aware; `time` is event time, never wall clock."""

    finding_id: str
    """Deterministic, see `finding_id`: a replay or retry repeats it."""
    sequence: Annotated[int, Meta(ge=0)] = 0
    """Number of this message within its finding: 0 is the create."""
    lifecycle: Lifecycle
    time: Annotated[datetime, Meta(tz=True)]
    """Event time at which this message was raised."""
    tenant_id: str = "default"
    detector: str
    detector_version: str = "1"
    detector_kind: DetectorKind = "behavioral"
    subject_kind: Literal["account", "campaign"]
    subject_id: str
    members: tuple[str, ...] = ()
    """Account ids; complete in files and on the findings topic, capped in the OCSF alert."""
    member_count: Annotated[int, Meta(ge=0)] = 0
    severity: Severity
    p_value: Probability
    confidence: Probability = 0.0
    event_count: Annotated[int, Meta(ge=0)]
    """Requests of the subject since the episode began."""
    leaked_count: Annotated[int, Meta(ge=0)] = 0
    """Completed answers the subject got since the first event counted against it."""
    first_seen: Annotated[datetime, Meta(tz=True)]
    last_seen: Annotated[datetime, Meta(tz=True)]
    title: str
    summary: str = ""
    reasons: tuple[str, ...]
    """Sentences an analyst can check."""
    features: tuple[Feature, ...] = ()
    sample_event_ids: Annotated[tuple[str, ...], Meta(max_length=20)] = ()
    models: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    """MITRE ATLAS ids, see `schemas.atlas`."""
    runbook: tuple[str, ...] = ()
    false_positives: tuple[str, ...] = ()
    recommended_action: Action = Action.REVIEW
    suppressed_by: str | None = None
    """Id of the control message that suppressed this finding, if one did."""
    labels: dict[str, str] = {}


def finding_id(tenant_id: str, detector: str, subject_id: str, episode_start_ms: int) -> str:
    """Stable id of an episode: the same four facts give the same id on every run.

    >>> finding_id("default", "burst", "acct-1", 1_700_000_000_000)
    'fnd_eeaaaed1092e4b08a0cf'
    """
    text = "\x1f".join((tenant_id, detector, subject_id, str(episode_start_ms)))
    return "fnd_" + hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def utc_from_ms(time_ms: int) -> datetime:
    """Epoch milliseconds to an aware UTC datetime.

    >>> utc_from_ms(1_700_000_000_123).isoformat()
    '2023-11-14T22:13:20.123000+00:00'
    """
    return datetime.fromtimestamp(time_ms / 1000, UTC)


_decoder = msgspec.json.Decoder(Finding)
_encoder = msgspec.json.Encoder()


def decode_finding(data: bytes) -> Finding:
    """JSON to finding. Raises `msgspec.DecodeError` (or its subclass `ValidationError`)."""
    return _decoder.decode(data)


def encode_finding(finding: Finding) -> bytes:
    """Finding to JSON."""
    return _encoder.encode(finding)
