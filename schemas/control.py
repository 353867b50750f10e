"""Control messages: what operators tell the running fleet. Topic ``stillwatch.control.v1``, compacted.

The record key is `Control.control_key`; a tombstone on that key takes the message back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Suppression(msgspec.Struct, frozen=True, kw_only=True, tag="suppression", omit_defaults=True):
    """Keep findings that match silent until a time. They are still recorded, marked `suppressed_by`.

    A field that is `None` matches everything, so ``Suppression(detector="burst", until=...)`` silences
    one detector for all subjects.
    """

    id: str
    detector: str | None = None
    tenant_id: str | None = None
    subject_id: str | None = None
    until: Annotated[datetime, Meta(tz=True)]
    reason: str = ""


class Override(msgspec.Struct, frozen=True, kw_only=True, tag="override", omit_defaults=True):
    """Change the alert budget for a tenant, plan or account.

    A field that is `None` matches everything. Where several match an account, their factors multiply.
    """

    id: str
    tenant_id: str | None = None
    account_plan: str | None = None
    subject_id: str | None = None
    budget_factor: Annotated[float, Meta(ge=0)] = 1.0
    """Multiplies the significance level of accounts: 0.1 allows a tenth of the false alerts, 10 ten times as
    many, 0 none. What 0 matches is also silenced where it is found otherwise, as a campaign is."""


class Activity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One hour of an account, as its window in the store has it."""

    requests: Annotated[int, Meta(ge=1)]
    input_tokens: Annotated[int, Meta(ge=0)] = 0
    """Of the hour, all requests together; `output_tokens` likewise."""
    output_tokens: Annotated[int, Meta(ge=0)] = 0
    failures: Annotated[int, Meta(ge=0)] = 0
    active_hours: Annotated[int, Meta(ge=1, le=24)] = 1
    """Hours with requests among the 24 that end with this one."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, tag="verdict", omit_defaults=True):
    """An analyst's label for a finding. Vocabulary: OCSF `verdict_id`."""

    id: str
    finding_id: str
    verdict: Literal[
        "false_positive", "true_positive", "disregard", "suspicious", "benign", "test",
        "insufficient_data", "security_risk", "duplicate",
    ]
    subject_id: str | None = None
    analyst: str = ""
    note: str = ""
    activity: Activity | None = None
    """What the account did, for the model that learns from verdicts; without it, nothing is learned.
    `stillwatch verdict` fills it in from the store."""
    time: Annotated[datetime, Meta(tz=True)]


Control = Suppression | Override | Verdict


def control_key(message: Control) -> str:
    """Compaction key: ``kind:id``.

    >>> control_key(Override(id="vip", subject_id="a", budget_factor=0.1))
    'override:vip'
    """
    return f"{type(message).__name__.lower()}:{message.id}"


_decoder = msgspec.json.Decoder(Control)
_encoder = msgspec.json.Encoder()


def decode_control(data: bytes) -> Control:
    """JSON to control message. Raises `msgspec.DecodeError` (or its subclass `ValidationError`)."""
    message: Control = _decoder.decode(data)
    return message


def encode_control(message: Control) -> bytes:
    """Control message to JSON."""
    return _encoder.encode(message)
