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
    members: tuple[str, ...] = ()
    """Account ids; of a finding about one account, that one."""

    @property
    def accounts(self) -> set[str]:
        """Whom it names."""
        return set(self.members) or {self.subject_id}


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
        leaked: by attacker's name, answers that had been sent when its first finding was raised.
    """
    findings = list(stored)
    attackers = {account for accounts in truth.campaigns.values() for account in accounts}
    checks = [
        _attacker(name, accounts[0], findings, leaked.get(name, 0))
        if len(accounts) == 1
        else _campaign(name, accounts, findings, leaked.get(name, 0))
        for name, accounts in truth.campaigns.items()
    ]
    innocent = sorted(set().union(*(finding.accounts for finding in findings)) - attackers)
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


def _attacker(name: str, account: str, findings: list[StoredFinding], leaked: int) -> Check:
    """An attacker with one account."""
    found = any(account in finding.accounts for finding in findings)
    how = f"found after {leaked:,} answers" if found else "missed"
    return Check(found, f"the {name} attacker {account} was {how}")


def _campaign(name: str, accounts: Collection[str], findings: list[StoredFinding], leaked: int) -> Check:
    """An attacker with many: some of them found one by one would not tell that they are one."""
    together = [finding for finding in findings if len(finding.accounts & set(accounts)) > 1]
    if not together:
        return Check(False, f"the {name} of {len(accounts)} accounts was missed")
    named = len(set().union(*(finding.accounts for finding in together)) & set(accounts))
    return Check(
        True,
        f"the {name} was found as one campaign after {leaked:,} answers: "
        f"{named} of its {len(accounts)} accounts are named",
    )
