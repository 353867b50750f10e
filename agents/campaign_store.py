"""One campaign as the store knows it: what was told, who is in it, what ties them, what they did when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from agents.settings import Settings
from agents.sql_client import answer
from schemas.errors import InvalidSetting

MOST_MEMBERS = 400
"""Members whose activity and links are read, the busiest first; the counts are of all."""
MOST_LINKS = 200
MOST_TIES = 20_000
LISTED = 50
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

T = TypeVar("T", bound=msgspec.Struct)


class Told(msgspec.Struct, frozen=True):
    """One campaign in short; columns of ``campaigns_current``."""

    tenant_id: str
    subject_id: str
    finding_id: str
    lifecycle: str
    severity: str
    raised_at: datetime
    told_at: datetime
    first_seen: datetime
    last_seen: datetime
    member_count: int
    requests: int
    answers: int
    p_value: float
    summary: str
    reasons: list[str]
    recommended_action: str
    techniques: list[str]
    merged_into: str
    verdict: str


class Evidence(msgspec.Struct, frozen=True):
    """One measured quantity."""

    name: str
    value: float
    baseline: float
    contribution: float


class Step(msgspec.Struct, frozen=True):
    """One lifecycle message."""

    time: datetime
    lifecycle: str
    member_count: int
    answers: int


class Link(msgspec.Struct, frozen=True):
    """A value that several members share."""

    kind: str
    value: str
    members: int
    accounts: int
    """Behind it in all, about; 0 where nobody counts."""


class Hour(msgspec.Struct, frozen=True):
    """All members in one hour."""

    hour: datetime
    accounts: int
    requests: int
    answers: int


class Busy(msgspec.Struct, frozen=True):
    """One member's requests by hour."""

    account_id: str
    requests: int
    first_named: datetime
    hours: list[datetime]
    counts: list[int]


class Tie(msgspec.Struct, frozen=True):
    """One member behind one link."""

    account_id: str
    kind: str
    value: str


class CampaignFile(msgspec.Struct, frozen=True):
    """Everything about one campaign."""

    told: Told
    evidence: list[Evidence]
    steps: list[Step]
    links: list[Link]
    hours: list[Hour]
    members: list[Busy]
    """The busiest `MOST_MEMBERS`."""
    ties: list[Tie]
    """Of those, to the values in `links`."""


def campaigns(settings: Settings) -> list[Told]:
    """The last told `LISTED` campaigns, newest first. Raises as `agents.sql_client.answer`."""
    return _ask(settings, Told, "campaigns_current", f"ORDER BY told_at DESC, subject_id LIMIT {LISTED}")


def campaign(settings: Settings, name: str) -> CampaignFile:
    """One campaign by its id (``cmp-...``), by the finding's, or by the beginning of either.

    Raises:
        InvalidSetting: there is none, or the beginning fits several.
    """
    if not _ID.fullmatch(name):
        raise InvalidSetting("ID", f"{name!r} is no id of a campaign", "See `stillwatch campaign list`")
    wanted = f"startsWith(subject_id, '{name}') OR startsWith(finding_id, '{name}')"
    found = _ask(settings, Told, "campaigns_current", f"WHERE {wanted} ORDER BY raised_at DESC LIMIT 2")
    exact = [one for one in found if name in (one.subject_id, one.finding_id)] or found
    if len(exact) != 1:
        problem = f"several campaigns begin with {name}" if exact else f"the store knows no campaign {name}"
        raise InvalidSetting("ID", problem, "See `stillwatch campaign list`")
    told = exact[0]
    this = f"WHERE finding_id = '{told.finding_id}'"
    busiest = (
        f"SELECT account_id FROM campaign_activity {this} "
        f"GROUP BY account_id ORDER BY sum(requests) DESC, account_id LIMIT {MOST_MEMBERS}"
    )
    activity = (
        "SELECT activity.account_id AS account_id, sum(activity.requests) AS requests, "
        "any(member.first_named) AS first_named, groupArray(activity.hour) AS hours, "
        "groupArray(activity.requests) AS counts "
        f"FROM (SELECT account_id, hour, requests FROM campaign_activity {this} ORDER BY hour) AS activity "
        f"INNER JOIN (SELECT account_id, first_named FROM campaign_members {this}) AS member "
        "ON activity.account_id = member.account_id GROUP BY account_id"
    )
    features = (
        "SELECT f.1 AS name, f.2 AS value, f.3 AS baseline, f.4 AS contribution FROM (SELECT arrayJoin("
        "arrayZip(features.name, features.value, features.baseline, features.contribution)) AS f "
        f"FROM findings_current {this})"
    )
    messages = f"SELECT *, leaked_count AS answers FROM finding_messages {this}"
    members = f"ORDER BY requests DESC, account_id LIMIT {MOST_MEMBERS}"
    links = f"ORDER BY members DESC, kind, value LIMIT {MOST_LINKS}"
    ties = f"WHERE account_id IN ({busiest}) ORDER BY kind, value, account_id LIMIT {MOST_TIES}"
    return CampaignFile(
        told=told,
        evidence=_ask(settings, Evidence, f"({features})", "ORDER BY contribution DESC, name"),
        steps=_ask(settings, Step, f"({messages})", "ORDER BY sequence"),
        links=_ask(settings, Link, f"({_AS_TEXT} campaign_links {this})", links),
        hours=_ask(settings, Hour, "campaign_hours", f"{this} ORDER BY hour"),
        members=_ask(settings, Busy, f"({activity})", members),
        ties=_ask(settings, Tie, f"({_AS_TEXT} campaign_member_links {this})", ties),
    )


_AS_TEXT = "SELECT * REPLACE (toString(value) AS value) FROM"
"""Values of links have 64 bits, which JSON has not."""


def _ask(settings: Settings, row: type[T], source: str, rest: str) -> list[T]:
    """Rows of a view or of a subquery that has a column for each field of `row`."""
    columns = ", ".join(row.__struct_fields__)
    body = answer(settings, f"SELECT {columns} FROM {source} {rest}", "JSONEachRow").body
    return [msgspec.convert(_read(line), row, strict=False) for line in body.splitlines()]


def _read(line: bytes) -> dict[str, Any]:
    """A row, with ClickHouse's times (UTC, a blank between date and time) as ISO 8601."""
    found: dict[str, Any] = msgspec.json.decode(line)
    return {name: _iso(value) for name, value in found.items()}


_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)")


def _iso(value: Any) -> Any:
    if isinstance(value, list):
        return [_iso(one) for one in value]
    matched = _TIME.fullmatch(value) if isinstance(value, str) else None
    return f"{matched[1]}T{matched[2]}Z" if matched else value


def by_hour(hours: Sequence[Hour]) -> tuple[list[Hour], int]:
    """Hours without gaps, at most 96: neighbouring ones are joined. Returns them and hours to each.

    >>> from datetime import UTC
    >>> first = Hour(datetime(2026, 1, 1, 0, tzinfo=UTC), 1, 5, 4)
    >>> last = Hour(datetime(2026, 1, 1, 2, tzinfo=UTC), 2, 1, 1)
    >>> [one.requests for one in by_hour([first, last])[0]]
    [5, 0, 1]
    """
    if not hours:
        return [], 1
    start = hours[0].hour
    span = round((hours[-1].hour - start).total_seconds() / 3600) + 1
    step = -(-span // 96)
    joined: dict[int, Hour] = {}
    for one in hours:
        place = round((one.hour - start).total_seconds() / 3600) // step
        old = joined.get(place, Hour(one.hour, 0, 0, 0))
        joined[place] = Hour(
            old.hour, max(old.accounts, one.accounts), old.requests + one.requests, old.answers + one.answers
        )
    filled = []
    for place in range(-(-span // step)):
        at = datetime.fromtimestamp(start.timestamp() + place * step * 3600, start.tzinfo)
        known = joined.get(place)
        filled.append(Hour(at, 0, 0, 0) if known is None else msgspec.structs.replace(known, hour=at))
    return filled, step
