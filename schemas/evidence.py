"""`AccountEvidence`: what the link plane learns about one account, once an hour; `GroupReport`: what it says.

Topic ``stillwatch.evidence.v1``, MessagePack, key ``tenant:kind:value`` of the link: the same summary goes to
every link of the account. A summary is **absolute** (totals so far, the mean prompt so far), never a
difference, so that a repeated or reordered one does no harm: of two, the one of the later hour holds.
`HourMark` ends an hour of one partition of the requests topic and goes to every partition of this one.

Topic ``stillwatch.groups.v1``, key tenant: reports on groups that are suspicious, and on no others.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import msgspec

HOURS_TOLD = 24
NO_MORE = 2**31
"""Hour of a mark that says: this partition is silent and holds nothing back, until its next mark."""


class LinkKind(IntEnum):
    """What can tie accounts."""

    PAYMENT = 1
    DEVICE = 2
    NETWORK = 3
    EMAIL_DOMAIN = 4
    TEMPLATE = 5
    SYSTEM_PROMPT = 6
    BEHAVIOUR = 7
    """Nothing shared but what the accounts write. As the key of evidence: the tenant's meeting place of
    all its accounts. In a report: accounts that write alike, found there."""
    TLS = 8
    ASN = 9
    SIGNUP = 10
    SCHEDULE = 11

    @property
    def label(self) -> str:
        """Name for a person.

        >>> LinkKind.EMAIL_DOMAIN.label
        'e-mail domain'
        """
        return _LABELS[self]


_LABELS = {
    LinkKind.PAYMENT: "payment",
    LinkKind.DEVICE: "device",
    LinkKind.NETWORK: "network",
    LinkKind.EMAIL_DOMAIN: "e-mail domain",
    LinkKind.TEMPLATE: "template",
    LinkKind.SYSTEM_PROMPT: "system prompt",
    LinkKind.BEHAVIOUR: "behaviour",
    LinkKind.TLS: "TLS client",
    LinkKind.ASN: "autonomous system",
    LinkKind.SIGNUP: "time of sign-up",
    LinkKind.SCHEDULE: "hours of rest",
}


class AccountEvidence(msgspec.Struct, frozen=True, array_like=True, tag="a"):
    """One account at the end of one event-time hour in which it sent requests."""

    tenant_id: str
    account_id: str
    hour: int
    """Epoch hours."""
    links: tuple[tuple[int, int], ...]
    """(`LinkKind`, 64-bit hash of the value); those that follow from the rest of the summary
    (`streams.spread`) are not listed."""
    owner: int
    """Hash of the organisation that pays and answers for it; of the account itself where there is none."""
    prompts: int
    """Prompts behind `mean`; older ones fade."""
    mean: bytes
    """int8 (256,): twice the mean of the prompts' feature vectors; empty where there are none."""
    requests: int
    completed: int
    """Since the account was first seen."""
    hourly: bytes
    """uint8 (24,): requests of the last `HOURS_TOLD` hours, oldest first, `hour` last; 255 is "or more"."""
    created_hour: int
    """When the account was made; when it was first seen where nobody says."""
    first_hour: int
    constants: int
    """Hash of the request settings a client repeats: temperature, most tokens, top-p."""
    found: bool = False
    """By itself: it has or had a finding of its own."""

    @property
    def account_key(self) -> str:
        return f"{self.tenant_id}:{self.account_id}"


class HourMark(msgspec.Struct, frozen=True, array_like=True, tag="m"):
    """No evidence of hours up to `hour` is still to come from this partition of the requests topic."""

    source: int
    hour: int


class LinkEvidence(NamedTuple):
    """A summary on its way to one link."""

    kind: int
    value: int
    account: AccountEvidence

    @property
    def key(self) -> bytes:
        """Record key: what belongs to one link meets in one partition."""
        return f"{self.account.tenant_id}:{self.kind}:{self.value:016x}".encode()


class Member(msgspec.Struct, frozen=True, array_like=True):
    """One account of a suspicious group, as of the report's hour."""

    account_id: str
    log_odds: float
    """For belonging to the group's core rather than to its innocent neighbours."""
    requests: int
    completed: int
    first_hour: int
    last_hour: int


class Measure(msgspec.Struct, frozen=True, array_like=True):
    """One statistic of a group beside what is usual."""

    name: str
    family: str
    """Independent kind of evidence: ``sameness``, ``machine``, ``identity``, ``age`` or ``conduct``."""
    value: float
    usual: float
    nats: float
    text: str
    """A sentence an analyst can check."""


class GroupReport(msgspec.Struct, frozen=True, array_like=True, tag="g"):
    """A group that is suspicious at the end of `hour`. Repeated every hour in which a member was active."""

    tenant_id: str
    kind: int
    value: int
    hour: int
    nats: float
    measures: tuple[Measure, ...]
    owners: int
    """Estimate of the different owners behind the link."""
    centre: bytes
    """int8 (256,): mean of the core's means; empty where there is no content."""
    members: tuple[Member, ...]
    """Those seen since the last report."""


_encoder = msgspec.msgpack.Encoder()
_evidence: msgspec.msgpack.Decoder[AccountEvidence | HourMark] = msgspec.msgpack.Decoder(
    AccountEvidence | HourMark
)
_report = msgspec.msgpack.Decoder(GroupReport)
_told: msgspec.msgpack.Decoder[GroupReport | HourMark] = msgspec.msgpack.Decoder(GroupReport | HourMark)


def encode_evidence(item: AccountEvidence | HourMark) -> bytes:
    """Evidence or mark to MessagePack."""
    return _encoder.encode(item)


def decode_evidence(data: bytes) -> AccountEvidence | HourMark:
    """Inverse of `encode_evidence`. Raises `msgspec.DecodeError`."""
    return _evidence.decode(data)


def encode_report(report: GroupReport | HourMark) -> bytes:
    """Report or mark to MessagePack."""
    return _encoder.encode(report)


def decode_told(data: bytes) -> GroupReport | HourMark:
    """What the groups topic carries. Raises `msgspec.DecodeError`."""
    return _told.decode(data)


def decode_report(data: bytes) -> GroupReport:
    """Inverse of `encode_report`. Raises `msgspec.DecodeError`."""
    return _report.decode(data)
