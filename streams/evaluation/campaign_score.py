"""From alarms to figures: which campaigns were found, when, at what price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.evaluation.campaign_baselines import Alarm
from streams.evaluation.figures import poisson_interval
from streams.group_statistics import FEWEST_MEMBERS

Ints = NDArray[np.int64]

IN_NO_CROWD = "(in no crowd)"
"""The rest of the population, where it stands in a list of crowds."""
NEVER_H = 2**31


class Attack(msgspec.Struct, frozen=True):
    """One campaign, as it was."""

    name: str
    accounts: frozenset[str]
    """Its operator's accounts that sent any request: cover is sent by the same hand."""
    start_hour: int
    """Of its first attack request."""
    answer_hours: Ints
    """Hour of every answer to an attack request, ascending."""

    def leaked_by(self, hour: int) -> int:
        """Answers given up to the end of an hour; all of them where it was `NEVER_H`."""
        return int(np.searchsorted(self.answer_hours, hour, side="right"))


class World(msgspec.Struct, frozen=True):
    """What alarms are scored against."""

    attacks: tuple[Attack, ...]
    crowd_of: Mapping[str, str]
    """Account to its crowd, for accounts of crowds."""
    allowed: frozenset[str]
    """Crowds with a contract."""
    account_days: Mapping[str | None, int]
    """Crowd to its benign account-days with a request; `None`: accounts that are in no crowd."""


class Found(msgspec.Struct, frozen=True):
    """One campaign, as it was found."""

    accounts: int
    named: int
    answers: int
    first_h: int | None
    """Hours from its first attack request to the end of the hour in which it was found."""
    leaked_before_first_finding: int
    leaked_before_half_named: int
    leaked_before_most_named: int
    """Nine in ten."""
    precision: float | None
    """Share of its accounts among the names of groups that hold more of it than of any other campaign."""


class Line(msgspec.Struct, frozen=True):
    """One kind of benign accounts."""

    account_days: int
    false_campaigns: int
    accounts_named: int
    """Also in true campaigns."""
    suppressed: int


class Score(msgspec.Struct, frozen=True):
    """Figures of one detector. A campaign is found when `FEWEST_MEMBERS` of its accounts have been named (all
    of them, where it has fewer); a group of names is a false campaign when less than half of them attack. A
    share of nothing is `None`: the recall of a world without campaigns, the precision of who names nobody."""

    account_days: int
    campaigns: int
    campaign_recall: float | None
    account_recall: float | None
    account_precision: float | None
    purity: float | None
    """Mean over true groups of names: share that belongs to the campaign most of them belong to."""
    leaked_before_first_finding: int
    leaked_before_half_named: int
    leaked_before_most_named: int
    leaked_fraction: float | None
    false_campaigns: int
    false_campaigns_per_million_account_days: float
    per_million_high: float
    """Upper end of its 95 % interval."""
    suppressed: int
    found: dict[str, Found]
    population: Line
    """Of the accounts that are in no crowd."""
    benign: dict[str, Line]
    """Of each crowd."""

    def published(self) -> dict[str, Any]:
        """The keys of the published JSON."""
        return {
            "account_days": self.account_days,
            "campaigns": self.campaigns,
            "campaign_recall": self.campaign_recall,
            "account_recall": self.account_recall,
            "account_precision": self.account_precision,
            "leaked_before_first_finding": self.leaked_before_first_finding,
            "leaked_fraction": self.leaked_fraction,
            "false_campaigns_per_million_account_days": self.false_campaigns_per_million_account_days,
            "confounders": {
                name: {"false_campaigns": line.false_campaigns} for name, line in self.benign.items()
            },
        }


def score(alarms: Iterable[Alarm], world: World) -> Score:
    """Figures of one detector from all of its alarms."""
    attack_of = {account: attack.name for attack in world.attacks for account in attack.accounts}
    groups: dict[str, dict[str, int]] = {}
    for alarm in alarms:
        group = groups.setdefault(alarm.name, {})
        for account in alarm.accounts:
            group.setdefault(account, alarm.hour)
    named: dict[str, int] = {}
    innocents: set[str] = set()
    false, suppressed, purities = Counter[str | None](), Counter[str | None](), []
    told: dict[str, set[str]] = {}
    """Campaign to the names of its groups."""
    for group in groups.values():
        attackers = Counter(attack_of[one] for one in group if one in attack_of)
        others = Counter(world.crowd_of.get(one) for one in group if one not in attack_of)
        innocents.update(one for one in group if one not in attack_of)
        if attackers.total() * 2 >= len(group):
            most_of, count = attackers.most_common(1)[0]
            purities.append(count / len(group))
            told.setdefault(most_of, set()).update(group)
            for account, hour in group.items():
                if account in attack_of:
                    named[account] = min(hour, named.get(account, NEVER_H))
        else:
            most = max(others, key=lambda name: (others[name], name or ""))
            (suppressed if most in world.allowed else false)[most] += 1
    found = {
        attack.name: _found(attack, named, told.get(attack.name, set())) for attack in world.attacks
    }
    wrong = {one for one in innocents if world.crowd_of.get(one) not in world.allowed}
    days, count = sum(world.account_days.values()), false.total()
    answers = sum(one.answers for one in found.values())
    leaked = sum(one.leaked_before_first_finding for one in found.values())
    by_line = Counter(world.crowd_of.get(one) for one in innocents)
    lines = {
        name: Line(some, false[name], by_line[name], suppressed[name])
        for name, some in world.account_days.items()
    }
    return Score(
        account_days=days,
        campaigns=len(found),
        campaign_recall=_share(sum(one.first_h is not None for one in found.values()), len(found)),
        account_recall=_share(len(named), len(attack_of)),
        account_precision=_share(len(named), len(named) + len(wrong)),
        purity=float(np.mean(purities)) if purities else None,
        leaked_before_first_finding=leaked,
        leaked_before_half_named=sum(one.leaked_before_half_named for one in found.values()),
        leaked_before_most_named=sum(one.leaked_before_most_named for one in found.values()),
        leaked_fraction=_share(leaked, answers),
        false_campaigns=count,
        false_campaigns_per_million_account_days=1e6 * count / max(days, 1),
        per_million_high=1e6 * poisson_interval(count)[1] / max(days, 1),
        suppressed=suppressed.total(),
        found=found,
        population=lines[None],
        benign={name: line for name, line in lines.items() if name is not None},
    )


def _found(attack: Attack, named: Mapping[str, int], told: set[str]) -> Found:
    hours = np.sort([named[one] for one in attack.accounts if one in named])

    def reached(accounts: int) -> int:
        return int(hours[accounts - 1]) if 0 < accounts <= len(hours) else NEVER_H

    size = len(attack.accounts)
    first = reached(min(FEWEST_MEMBERS, size))
    return Found(
        accounts=size,
        named=len(hours),
        answers=len(attack.answer_hours),
        first_h=None if first == NEVER_H else first + 1 - attack.start_hour,
        leaked_before_first_finding=attack.leaked_by(first),
        leaked_before_half_named=attack.leaked_by(reached(-(-size // 2))),
        leaked_before_most_named=attack.leaked_by(reached(-(-9 * size // 10))),
        precision=_share(len(told & attack.accounts), len(told)),
    )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
