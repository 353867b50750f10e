"""The verdict: what was found against who the attackers were. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from streams.simulation.population import Truth


class StoredFinding(msgspec.Struct, frozen=True, array_like=True):
    """A row of ``findings_current``."""

    finding_id: str
    subject_id: str
    detector: str
    severity: str
    raised_at: str
    event_count: int
    leaked_count: int
    reason: str


class Check(msgspec.Struct, frozen=True):
    """One statement of the verdict, and whether it holds."""

    holds: bool
    text: str


def judge(
    truth: Truth,
    stored: Iterable[StoredFinding],
    alerts: Collection[str],
    *,
    sent: int,
    rows: int,
    windowed: int,
    leaked: Mapping[str, int],
) -> list[Check]:
    """All checks; the demonstration succeeds if each holds.

    Args:
        stored: findings as the store has them.
        alerts: finding ids read from the alerts topic.
        sent: records sent to the raw topic.
        rows: requests in the store.
        windowed: requests counted in closed account windows in the store.
        leaked: answers each found attacker had been sent when its first finding was raised.
    """
    findings = list(stored)
    subjects = {finding.subject_id for finding in findings}
    attackers = {account for accounts in truth.campaigns.values() for account in accounts}
    checks = []
    for name, accounts in truth.campaigns.items():
        for account in accounts:
            found = account in subjects
            text = (
                f"the {name} attacker {account} was found after {leaked.get(account, 0):,} answers"
                if found
                else f"the {name} attacker {account} was missed"
            )
            checks.append(Check(found, text))
    innocent = sorted(subjects - attackers)
    checks.append(
        Check(
            not innocent,
            f"none of the {len(truth.habits):,} other accounts was flagged"
            if not innocent
            else "innocent accounts were flagged: "
            + ", ".join(f"{account} ({truth.habits.get(account, 'unknown')})" for account in innocent),
        )
    )
    stored_ids = {finding.finding_id for finding in findings}
    agree = stored_ids == set(alerts)
    checks.append(
        Check(
            agree,
            f"{len(stored_ids)} findings in ClickHouse and the same {len(set(alerts))} on the alerts topic"
            if agree
            else f"ClickHouse has {len(stored_ids)} findings, the alerts topic {len(set(alerts))}, "
            f"{len(stored_ids & set(alerts))} in common",
        )
    )
    checks.append(Check(rows == sent, f"{rows:,} of {sent:,} requests sent are in ClickHouse"))
    checks.append(Check(windowed == sent, f"{windowed:,} of {sent:,} are counted in account windows"))
    return checks
