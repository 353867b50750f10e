"""What one run of an account plane sends to Kafka: findings, alerts and profiles, as plain records.

Pure, so that the fleet, its tests and its retries agree on every byte. Event time is in the values; the Kafka
timestamp is when the record was produced, because brokers delete by it: findings about an old trace would be
gone before anybody read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from schemas.cloudevents import headers
from schemas.finding import Finding, encode_finding
from schemas.ocsf import encode_ocsf
from schemas.profile import AccountWindow, encode_profile
from schemas.topics import ALERTS, FINDINGS, PROFILES


class Record(NamedTuple):
    """One Kafka record to be produced."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Output(Protocol):
    """What a plane gives out, see `streams.account_plane.PlaneOutput`."""

    @property
    def findings(self) -> Sequence[Finding]: ...

    @property
    def profiles(self) -> Sequence[AccountWindow]: ...


def records(output: Output) -> list[Record]:
    """Records of one output, in the order in which they must be produced.

    A suppressed finding is recorded on the findings topic and kept off the alerts topic: that is what
    suppression is for. Both are keyed by finding id, so the steps of one finding stay in order.
    """
    out: list[Record] = []
    for finding in output.findings:
        key = finding.finding_id.encode()
        out.append(Record(FINDINGS.name, key, encode_finding(finding), []))
        if finding.suppressed_by is None:
            out.append(Record(ALERTS.name, key, encode_ocsf(finding), headers(finding)))
    for profile in output.profiles:
        out.append(Record(PROFILES.name, profile.account_key.encode(), encode_profile(profile), []))
    return out
