"""`Controls`: control messages in force: which findings they keep off the alerts topic, what analysts say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import structlog

from schemas.control import Control, Override, Suppression, Verdict, control_key, decode_control
from schemas.errors import InvalidSetting
from schemas.finding import Finding
from streams.overrides import Overrides
from streams.verdicts import Verdicts

log = structlog.get_logger(__name__)


class Controls:
    """Control messages in force, by their key.

    >>> from datetime import UTC, datetime
    >>> from schemas.control import encode_control
    >>> known = Controls()
    >>> known.apply(b"suppression:s1", encode_control(
    ...     Suppression(id="s1", detector="burst", until=datetime(2030, 1, 1, tzinfo=UTC))))
    >>> len(known)
    1
    >>> known.apply(b"suppression:s1", None); len(known)
    0
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Suppression | Override] = {}
        self.verdicts = Verdicts()
        self.overrides = Overrides()
        """For account planes, as the verdicts are; the same objects all the time."""

    def __len__(self) -> int:
        return len(self._known) + len(self.verdicts)

    def apply(self, key: bytes, value: bytes | None) -> None:
        """Take one record of the control topic; `None` takes the message back."""
        self._withdraw(key)
        if value is None:
            return
        try:
            self._put(key, decode_control(value))
        except msgspec.DecodeError as error:
            log.warning("control message ignored", key=key.decode(errors="replace"), problem=str(error))

    def _withdraw(self, key: bytes) -> None:
        self._known.pop(key, None)
        kind, _, id = key.decode(errors="replace").partition(":")
        self.verdicts.withdraw(id) if kind == "verdict" else self.overrides.withdraw(id)

    def _put(self, key: bytes, message: Control) -> None:
        if isinstance(message, Verdict):
            self.verdicts.take(message)
            return
        if isinstance(message, Override):
            self.overrides.take(message)
        if isinstance(message, Suppression) or message.budget_factor == 0:
            self._known[key] = message

    def mark(self, finding: Finding) -> Finding:
        """The finding, with `suppressed_by` set where a message in force at its event time matches it; or,
        of a campaign, each of its members: accounts that are permitted one by one are so together."""
        by = self._silencer(finding, finding.subject_id)
        if by is None and finding.subject_kind == "campaign":
            for member in finding.members:
                by = self._silencer(finding, member)
                if by is None:
                    break
        return finding if by is None else msgspec.structs.replace(finding, suppressed_by=by)

    def _silencer(self, finding: Finding, subject_id: str) -> str | None:
        matching = (one.id for one in self._known.values() if _matches(one, finding, subject_id))
        return next(matching, None)

    def mark_all(self, findings: Iterable[Finding]) -> list[Finding]:
        """`mark` for each, in order."""
        return [self.mark(finding) for finding in findings] if self._known else list(findings)


def _matches(message: Suppression | Override, finding: Finding, subject_id: str) -> bool:
    if message.tenant_id not in (None, finding.tenant_id):
        return False
    if message.subject_id not in (None, subject_id):
        return False
    if isinstance(message, Suppression):
        return message.detector in (None, finding.detector) and finding.time < message.until
    return message.account_plan is None  # a finding does not say which plan its accounts are on


def read_controls(path: Path) -> Controls:
    """Those of a file with one control message a line, as the control topic holds them.

    Raises:
        InvalidSetting: the file cannot be read, or a line of it is no control message.
    """
    found = Controls()
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InvalidSetting("--control", f"cannot read {path}: {error.strerror}", "Check it") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.apply(control_key(decode_control(line)).encode(), line)
            except msgspec.DecodeError as error:
                fix = "`stillwatch schema control` says what a line may be"
                raise InvalidSetting("--control", f"line {number} of {path}: {error}", fix) from error
    return found
