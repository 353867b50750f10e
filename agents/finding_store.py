"""What the store knows of one finding that an analyst is about to judge."""

from __future__ import annotations

import re

import msgspec

from agents.settings import Settings
from agents.sql_client import answer
from schemas.control import Activity
from schemas.errors import InvalidSetting

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Found(msgspec.Struct, frozen=True):
    """A finding in short; columns of ``findings_current``."""

    tenant_id: str
    finding_id: str
    subject_kind: str
    subject_id: str
    detector: str
    title: str
    verdict: str


class _Hour(msgspec.Struct, frozen=True):
    requests: int
    input_tokens: int
    output_tokens: int
    failures: int
    active_hours: int


_FINDING = (
    "SELECT tenant_id, finding_id, toString(subject_kind) AS subject_kind, subject_id, toString(detector) AS "
    "detector, title, toString(verdict) AS verdict FROM findings_current "
    "WHERE startsWith(finding_id, '{id}') ORDER BY finding_id LIMIT 2"
)
_BUSIEST = (
    "SELECT requests, input_tokens, output_tokens, failures, active_hours FROM (SELECT window_start, "
    "requests, input_tokens, output_tokens, failures, count() OVER (ORDER BY toUnixTimestamp(window_start) "
    "RANGE BETWEEN 82800 PRECEDING AND CURRENT ROW) AS active_hours "
    "FROM account_windows_current AS window INNER JOIN "
    "(SELECT tenant_id, subject_id, first_seen, last_seen FROM findings_current WHERE finding_id = '{id}') "
    "AS finding ON window.tenant_id = finding.tenant_id AND window.account_id = finding.subject_id "
    "WHERE window_s = 3600 AND window_start > first_seen - toIntervalDay(1) AND window_start <= last_seen "
    "AND requests > 0) ORDER BY requests DESC, window_start LIMIT 1"
)


def finding(settings: Settings, id: str) -> Found:
    """The finding whose id begins so.

    Raises:
        InvalidSetting: there is none, or more than one.
    """
    if not _ID.fullmatch(id):
        raise InvalidSetting("ID", f"{id!r} is no finding's id", "Take it from `findings_current`")
    rows = answer(settings, _FINDING.format(id=id), "JSONEachRow").body.splitlines()
    if len(rows) != 1:
        problem = f"{'no finding' if not rows else 'more than one finding'} begins with {id}"
        fix = 'See `stillwatch sql "SELECT finding_id, title FROM findings_current ORDER BY time DESC"`'
        raise InvalidSetting("ID", problem, fix)
    return msgspec.json.decode(rows[0], type=Found)


def busiest_hour(settings: Settings, found: Found) -> Activity | None:
    """What an account did in its busiest hour, from a day before its finding on; `None` for other subjects,
    and where no window is stored."""
    if found.subject_kind != "account":
        return None
    rows = answer(settings, _BUSIEST.format(id=found.finding_id), "JSONEachRow").body.splitlines()
    if not rows:
        return None
    hour = msgspec.json.decode(rows[0], type=_Hour, strict=False)
    return Activity(**msgspec.structs.asdict(hour))
