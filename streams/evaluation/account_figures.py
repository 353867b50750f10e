"""From the shares of an account evaluation to its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from streams.evaluation.account_result import POPULATION, Alert, Outcome, ShareResult
from streams.evaluation.accounts import ROLES, Options
from streams.evaluation.figures import level_at, poisson_interval, quantile_with_misses
from streams.evaluation.watch import BUDGETS

RATES = (1e-3, 1e-4, 1e-5)
WITHIN = 100
ALLOWED = {role.name for role in ROLES if role.allowed}
KNOWN_LIMITS = {role.name for role in ROLES if role.known_limit}
APART = ALLOWED | KNOWN_LIMITS
"""What no total counts."""
CONFOUNDERS = tuple(role.name for role in ROLES if role.purpose == "confounder")
ATTACKS = tuple(role.name for role in ROLES if role.purpose == "attack")


class BenignLine(msgspec.Struct, frozen=True):
    """One kind of benign accounts; `KNOWN_LIMITS` are in no total. An alert is a finding that was opened; one
    account may have several."""

    accounts: int
    account_days: int
    false_alerts: int
    accounts_alerted: int
    suppressed: int
    """Findings on the allow-list, which are expected and do not count."""

    def published(self) -> dict[str, int]:
        """The form that is written as JSON."""
        return {
            "accounts": self.accounts,
            "account_days": self.account_days,
            "false_alerts": self.false_alerts,
        }


class AttackLine(msgspec.Struct, frozen=True):
    """One kind of attackers. Those never found count as infinite in quantiles, which are then None."""

    accounts: int
    found: int
    queries_to_finding_p50: float | None
    queries_to_finding_p95: float | None
    leaked_p50: float
    queries_simulated_p50: float
    sent_100: int
    """Accounts that sent `WITHIN` queries or more: how many of them can be found by then."""
    within_100: int
    """Of these, found within `WITHIN` queries."""


class AtRate(msgspec.Struct, frozen=True):
    """Recall with the threshold set for a false-positive rate per account-day on calibration days."""

    nats: float
    measured_rate: float
    """On benign test account-days."""
    recall: dict[str, float]


class AtBudget(msgspec.Struct, frozen=True):
    """What another budget of false alerts would buy. All else as configured."""

    benign_accounts: int
    """That reach its threshold in the test."""
    queries_to_finding_p50: dict[str, float | None]
    found: dict[str, int]


class AccountFigures(msgspec.Struct, frozen=True):
    """All figures of a run."""

    options: Options
    account_days: int
    false_alerts: int
    per_million: float
    per_million_low: float
    per_million_high: float
    calibration_account_days: int
    calibration_alerts: int
    benign: dict[str, BenignLine]
    attacks: dict[str, AttackLine]
    at_rate: dict[str, AtRate]
    """This, `at_budget` and `ablation` are empty without attackers."""
    at_budget: dict[int, AtBudget]
    """By allowed false alerts per million account-days."""
    by_detector: dict[str, int]
    """Detector that led a false alert to how many."""
    alerts: list[Alert]
    """Every finding about a benign account, those in no total among them: who, when, why."""
    ablation: dict[str, dict[str, float]]
    """Detector to benign accounts alerted, and share of attack accounts reached, without it
    (``benign_without``, ``found_without``) and by it alone (``benign_alone``, ``found_alone``)."""
    events: int
    distinct_texts: int

    def published(self) -> dict[str, Any]:
        """The form that is written as JSON."""
        return {
            "account_days": self.account_days,
            "false_alerts_per_million_account_days": self.per_million,
            "false_alerts": self.false_alerts,
            "interval_95": [self.per_million_low, self.per_million_high],
            "confounders": {
                name: line.published()
                for name, line in self.benign.items()
                if name in CONFOUNDERS and name not in KNOWN_LIMITS
            },
            "others": {
                name: line.published() for name, line in self.benign.items() if name not in CONFOUNDERS
            },
            "known_limits": {
                name: {
                    "accounts": line.accounts,
                    "account_days": line.account_days,
                    "accounts_alerted": line.accounts_alerted,
                }
                for name, line in self.benign.items()
                if name in KNOWN_LIMITS
            },
            "attacks": {
                name: {
                    "accounts": line.accounts,
                    "found": line.found,
                    "queries_to_finding_p50": line.queries_to_finding_p50,
                    "queries_to_finding_p95": line.queries_to_finding_p95,
                    "leaked_p50": line.leaked_p50,
                }
                for name, line in self.attacks.items()
            },
        }


def figures(options: Options, shares: Sequence[ShareResult]) -> AccountFigures:
    """Figures of a run from all its shares."""
    days: Counter[str] = Counter()
    accounts: Counter[str] = Counter()
    for share in shares:
        days.update(share.account_days)
        accounts.update(share.accounts)
    alerts = [alert for share in shares for alert in share.alerts]
    counted = [alert for alert in alerts if alert.role not in APART]
    names = [POPULATION, *(role.name for role in ROLES if role.purpose != "attack" and days[role.name])]
    benign = {}
    for name in names:
        mine = [alert for alert in alerts if alert.role == name]
        benign[name] = BenignLine(
            accounts=accounts[name],
            account_days=days[name],
            false_alerts=0 if name in ALLOWED else len(mine),
            accounts_alerted=len({alert.account_id for alert in mine}),
            suppressed=len(mine) if name in ALLOWED else 0,
        )
    total = sum(count for name, count in days.items() if name not in KNOWN_LIMITS)
    low, high = poisson_interval(len(counted))
    # a slow attacker may begin too late to send anything
    outcomes = [outcome for share in shares for outcome in share.outcomes if outcome.queries]
    return AccountFigures(
        options=options,
        account_days=total,
        false_alerts=len(counted),
        per_million=1e6 * len(counted) / max(total, 1),
        per_million_low=1e6 * low / max(total, 1),
        per_million_high=1e6 * high / max(total, 1),
        calibration_account_days=sum(share.calibration_account_days for share in shares),
        calibration_alerts=sum(share.calibration_alerts for share in shares),
        benign=benign,
        attacks={
            name: _attack([outcome for outcome in outcomes if outcome.role == name])
            for name in ATTACKS
            if any(outcome.role == name for outcome in outcomes)
        },
        at_rate=_at_rates(shares) if options.attacks else {},
        at_budget={
            budget: _at_budget(budget, shares, outcomes) for budget in BUDGETS if options.attacks
        },
        by_detector=dict(Counter(alert.detector for alert in counted).most_common()),
        alerts=alerts,
        ablation=_ablation(shares, len(outcomes)),
        events=sum(share.events for share in shares),
        distinct_texts=sum(share.fingerprinted for share in shares),
    )


def _attack(outcomes: Sequence[Outcome]) -> AttackLine:
    found = [outcome.found_after for outcome in outcomes if outcome.found_after is not None]
    misses = len(outcomes) - len(found)
    return AttackLine(
        accounts=len(outcomes),
        found=len(found),
        queries_to_finding_p50=quantile_with_misses(found, misses, 0.5),
        queries_to_finding_p95=quantile_with_misses(found, misses, 0.95),
        leaked_p50=float(np.median([outcome.leaked for outcome in outcomes])),
        queries_simulated_p50=float(np.median([outcome.queries for outcome in outcomes])),
        sent_100=sum(outcome.queries >= WITHIN for outcome in outcomes),
        within_100=sum(
            outcome.queries >= WITHIN and outcome.found_after is not None and outcome.found_after <= WITHIN
            for outcome in outcomes
        ),
    )


def _at_budget(budget: int, shares: Sequence[ShareResult], outcomes: Sequence[Outcome]) -> AtBudget:
    by_role: dict[str, list[int | None]] = {}
    for outcome in outcomes:
        by_role.setdefault(outcome.role, []).append(outcome.at_budget[budget])
    median, found = {}, {}
    for role, queries in by_role.items():
        known = [count for count in queries if count is not None]
        median[role] = quantile_with_misses(known, len(queries) - len(known), 0.5)
        found[role] = len(known)
    return AtBudget(
        benign_accounts=sum(share.benign_at_budget[budget] for share in shares),
        queries_to_finding_p50=median,
        found=found,
    )


def _at_rates(shares: Sequence[ShareResult]) -> dict[str, AtRate]:
    before = np.array([nats for share in shares for nats in share.calibration_daily])
    after = np.array([nats for share in shares for nats in share.test_daily])
    best: dict[str, list[float]] = {}
    for share in shares:
        for role, values in share.attack_best.items():
            best.setdefault(role, []).extend(values)
    if not len(before) or not len(after):
        return {}
    found = {}
    for rate in RATES:
        nats = level_at(before, rate, bounded=True)
        found[f"{rate:.0e}"] = AtRate(
            nats=nats,
            measured_rate=float((after > nats).mean()),
            recall={role: float((np.array(values) > nats).mean()) for role, values in best.items()},
        )
    return found


def _ablation(shares: Sequence[ShareResult], attackers: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for kind in ("without", "alone"):
        for share in shares:
            for detector, roles in getattr(share, kind).items():
                row = found.setdefault(detector, {})
                for role, accounts in roles.items():
                    if role in ATTACKS:
                        name, weight = f"found_{kind}", 1 / max(attackers, 1)
                    elif role in APART:
                        continue
                    else:
                        name, weight = f"benign_{kind}", 1.0
                    row[name] = row.get(name, 0.0) + weight * len(accounts)
    return dict(sorted(found.items()))
