"""`PlaneOutput`: what an account plane emits."""

from __future__ import annotations

import msgspec

from schemas.evidence import AccountEvidence, HourMark
from schemas.finding import Finding
from schemas.profile import AccountWindow


class PlaneOutput(msgspec.Struct):
    """What one step of the plane emits, in order."""

    findings: list[Finding] = []
    profiles: list[AccountWindow] = []
    evidence: list[AccountEvidence] = []
    """For the link plane: the accounts of each hour that was closed."""
    marks: list[HourMark] = []
    """Up to which hour evidence is complete with this output."""

    def extend(self, other: PlaneOutput) -> None:
        self.findings += other.findings
        self.profiles += other.profiles
        self.evidence += other.evidence
        self.marks += other.marks
