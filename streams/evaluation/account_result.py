"""What one share of the account protocol came to: who was found after how much, and which innocents were.

Attackers count from their first attack query on, cover and warm-up before it do not; innocents in the test
days only.
"""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np

from schemas.finding import Finding, Lifecycle
from streams.evaluation.cast import Acted, Role, Stage
from streams.evaluation.material import Shelf
from streams.evaluation.schedules import DAY_MS
from streams.evaluation.watch import Watch
from streams.plane_output import PlaneOutput

POPULATION = "population"
"""Who has no role."""


class Alert(msgspec.Struct, frozen=True):
    """A finding about an account."""

    role: str
    account_id: str
    time_ms: int
    detector: str
    p_value: float
    reasons: list[str]


class Outcome(msgspec.Struct, frozen=True):
    """One attacker's account."""

    role: str
    account_id: str
    queries: int
    """Attack queries simulated."""
    found_after: int | None
    """Attack queries up to its first finding."""
    leaked: int
    """Attack answers given before it; all, where there is none."""
    at_budget: dict[int, int | None]
    """The same as `found_after` for each of `streams.evaluation.watch.BUDGETS`."""


class ShareResult(msgspec.Struct, frozen=True):
    """What one share came to. `daily` values are the highest fused nats of an account in a day."""

    account_days: dict[str, int]
    """Role to benign account-days with a request, of the test."""
    accounts: dict[str, int]
    alerts: list[Alert]
    """On benign accounts, in the test."""
    calibration_alerts: int
    calibration_account_days: int
    calibration_daily: list[float]
    test_daily: list[float]
    attack_best: dict[str, list[float]]
    """Role to the highest daily value of each of its attack accounts."""
    outcomes: list[Outcome]
    without: dict[str, dict[str, list[str]]]
    """Detector to role to the accounts that pass the threshold without it."""
    alone: dict[str, dict[str, list[str]]]
    """Detector to role to the accounts that pass the threshold by it alone, in the whole budget."""
    benign_at_budget: dict[int, int]
    """Benign accounts that pass the threshold of each budget, in the test; neither the allow-list nor known
    limits are counted."""
    events: int
    fingerprinted: int
    """Distinct texts."""


class Seen:
    """What counts of a plane's output; the rest is not kept.

    Attributes:
        days: (account, day) with a request.
        opened: findings when they were opened.
    """

    def __init__(self) -> None:
        self.days: set[tuple[str, int]] = set()
        self.opened: list[Finding] = []

    def note(self, output: PlaneOutput) -> None:
        """One more step's."""
        hours = ((one.account_id, int(one.window_start.timestamp())) for one in output.profiles)
        self.days.update((account, start_s // 86_400) for account, start_s in hours)
        self.opened += (one for one in output.findings if one.lifecycle is Lifecycle.CREATE)


def result(
    cast: list[tuple[Role, Acted]], test: Stage, watch: Watch, seen: Seen, events: int, shelf: Shelf
) -> ShareResult:
    """Of a share that has been run to its end.

    Args:
        cast: everybody with a role.
        events: requests of all accounts.
    """
    role_of = {acted.account_id: role.name for role, acted in cast}
    attackers = {acted.account_id for role, acted in cast if role.purpose == "attack"}
    apart = {acted.account_id for role, acted in cast if role.allowed or role.known_limit}
    test_day = test.test_ms // DAY_MS
    benign_days = [(account, day) for account, day in seen.days if account not in attackers]
    counted = [(account, day) for account, day in benign_days if day >= test_day]
    first_found: dict[str, int] = {}
    alerts, before = [], 0
    begins = {acted.account_id: int(acted.attack_ms[0]) for _, acted in cast if len(acted.attack_ms)}
    for finding in seen.opened:
        account, time_ms = finding.subject_id, round(finding.time.timestamp() * 1000)
        if account in attackers:
            if time_ms >= begins.get(account, 0):
                first_found.setdefault(account, time_ms)
        elif time_ms < test.test_ms:
            before += 1
        else:
            name = role_of.get(account, POPULATION)
            reasons = list(finding.reasons)
            alerts.append(Alert(name, account, time_ms, finding.detector, finding.p_value, reasons))
    best: dict[str, list[float]] = {}
    outcomes = []
    for role, acted in cast:
        if role.purpose == "attack":
            found_ms = first_found.get(acted.account_id)
            others = {budget: first.get(acted.account_id) for budget, first in watch.first_ms.items()}
            outcomes.append(_outcome(role, acted, found_ms, others))
            best.setdefault(role.name, []).append(watch.best(acted.account_id))
    daily: dict[bool, list[float]] = {True: [], False: []}
    for account, day in benign_days:
        if account in apart:
            continue
        daily[day >= test_day].append(watch.daily.get((account, day), 0.0))
    return ShareResult(
        account_days=dict(Counter(role_of.get(account, POPULATION) for account, _ in counted)),
        accounts=dict(Counter(role_of.get(account, POPULATION) for account in {a for a, _ in counted})),
        alerts=alerts,
        calibration_alerts=before,
        calibration_account_days=len(benign_days) - len(counted),
        calibration_daily=daily[False],
        test_daily=daily[True],
        attack_best=best,
        outcomes=outcomes,
        benign_at_budget={
            budget: len(first.keys() - attackers - apart) for budget, first in watch.first_ms.items()
        },
        without=_by_role(watch.without, role_of),
        alone=_by_role(watch.alone, role_of),
        events=events,
        fingerprinted=shelf.fingerprinted,
    )


def _outcome(role: Role, acted: Acted, found_ms: int | None, others: dict[int, int | None]) -> Outcome:
    def asked(until_ms: int | None) -> int | None:
        return None if until_ms is None else int(np.searchsorted(acted.attack_ms, until_ms, side="right"))

    answered = acted.answered_ms
    return Outcome(
        role=role.name,
        account_id=acted.account_id,
        queries=len(acted.attack_ms),
        found_after=asked(found_ms),
        leaked=len(answered) if found_ms is None else int(np.searchsorted(answered, found_ms, side="right")),
        at_budget={budget: asked(until_ms) for budget, until_ms in others.items()},
    )


def _by_role(accounts: dict[str, set[str]], role_of: dict[str, str]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for detector, alerted in accounts.items():
        for account in sorted(alerted):
            found.setdefault(detector, {}).setdefault(role_of.get(account, POPULATION), []).append(account)
    return found
