"""`MeetingPlace`: finds accounts of a tenant that write alike although nothing else ties them.

Whenever an account's requests have doubled, its mean prompt is compared with today's other accounts and with
a baseline of accounts as they were days before (`streams.neighbourhoods`). Only means over similar numbers of
prompts are compared (their noise differs). An account enters the baseline a day after its comparison and
never from within a group found here, so a campaign cannot become its own standard. What is found is a
*candidate*: a new application of one purpose looks exactly the same.

Two kinds of accounts are few, and need no baseline to be compared with each other: those with findings of
their own, and those that never sleep. In a group of the latter, that they do not is no evidence any more.

Limits: else silent in the first two days, and about everything that was there before. The baseline must span
a whole day first: with the accounts of a night alone, everybody who works in the morning is a surprise. Nor
is an account compared that has been known for longer than any of the baseline had been: of those who take two
days for fifty requests a plane of three days has no baseline, and they would all be a surprise, equally busy.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from streams.group_statistics import EVEN_FROM, FEWEST_MEMBERS, NEEDED, WIDENED, largest_alike
from streams.hashing import hash64
from streams.neighbourhoods import FEWEST_NEAR, PURITY, SEED_NATS, Ball, surprising, writing_alike
from streams.reference import (
    FEWEST_ACCOUNTS,
    FEWEST_PROMPTS,
    STEADY,
    Reference,
    directions,
    steadiness,
    volume,
)
from streams.snapshots import Snapshots, snapshots_of
from streams.summary_table import Rows, SummaryTable

LEVELS = (FEWEST_PROMPTS, 12, 25, 50)
"""Means over 5 to 11, 12 to 24, 25 to 49 and more prompts are kept apart."""
DELAY_HOURS = 24
BASELINE_AGE_HOURS = DELAY_HOURS + 23
"""Of its oldest account, from which on it stands for all hours of the day."""
FEWEST_BASELINE = 400
FOUND_OF_ALIKE = 0.25
"""Of the accounts that write like some that were found by themselves, how many must be found. Ours, seen
to leave one simulated application alone and three campaigns found."""
SLEEPLESS = 2048
"""Accounts that never sleep are compared with each other, at most so many."""
JOIN_SHARE = 0.5
MAX_GROUPS, ROOM = 256, 16
"""Groups of a tenant, and how many of them may be founded in any hour."""
FORGET_HOURS = 96
LAPSE_HOURS = 7 * 24
"""A candidate that has been nothing but alike for so long is something that people do now: its accounts
become part of the baseline. Its users may be a candidate again at each of the `LEVELS`, and so for four weeks
in all."""
EXTEND_QUANTILE = 0.8
GROUP = 255
"""In the key of a stored change: a group, not a snapshot."""


class Alike(msgspec.Struct, array_like=True):
    """Accounts that write alike."""

    value: int
    """Names the group: hash of its founding account and hour."""
    founded: int
    last_hour: int
    nats: float
    core: set[int]
    """Found by comparison."""
    fringe: set[int]
    """Came near its centre later; judged as members, never part of the centre."""
    suspected: int | None = None
    """Hour in which there was more against it than its words, for the last time."""
    by_clock: bool = False
    """Its core was looked for among accounts that never sleep: that they do not says nothing more. It has no
    fringe, and lasts only where it is suspected at once."""

    @property
    def since(self) -> int:
        """Hour from which on it has been nothing but alike."""
        return self.founded if self.suspected is None else self.suspected

    @property
    def members(self) -> set[int]:
        return self.core | self.fringe


class MeetingPlace:
    """Comparison of all accounts of one tenant."""

    def __init__(self, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self.today = [Snapshots() for _ in LEVELS]
        self.baseline = [Snapshots() for _ in LEVELS]
        self.groups: dict[int, Alike] = {}
        self._stored_groups: set[int] = set()

    def close_hour(self, hour: int, table: SummaryTable, slots: NDArray[np.intp]) -> list[Alike]:
        """Take all accounts active in an hour; returns the groups that one of them is in."""
        slots = slots[table.rows["prompts"][slots] >= FEWEST_PROMPTS]
        slots = slots[np.argsort(table.rows["account"][slots])]
        rows = table.rows[slots]
        self._lapse(hour, table)
        self._age(hour)
        for place, fresh in self._due(table, slots):
            today, baseline = self.today[place], self.baseline[place]
            fresh = snapshots_of(fresh)
            today.put(fresh)
            if len(baseline) < FEWEST_BASELINE or baseline.rows["hour"].min() > hour - BASELINE_AGE_HOURS:
                continue
            longest_h = baseline.rows["known_h"].max()
            here = today.rows[today.rows["known_h"] <= longest_h]
            if len(here) >= FEWEST_NEAR:
                fresh = fresh[fresh["known_h"] <= longest_h]
                for account, ball in surprising(fresh, here, baseline.rows):
                    self._join(account, ball, hour)
        self._extend(rows)
        here = set(rows["account"].tolist())
        touched = []
        for value in sorted(self.groups):
            group = self.groups[value]
            if not here.isdisjoint(group.core) or not here.isdisjoint(group.fringe):
                group.last_hour = hour
                touched.append(group)
            elif group.last_hour < hour - FORGET_HOURS:
                del self.groups[value]
        return touched

    def gather(self, rows: Rows, others: Rows, reference: Reference, hour: int) -> None:
        """Put accounts that were found by themselves into groups where they write alike. They are few, so no
        baseline is needed to say that it is no chance. Where most who write like them are `others`, who
        have not been found, it is an application, and they are its busiest users."""
        while len(rows) >= FEWEST_MEMBERS:
            core, measure = largest_alike(rows, reference)
            if measure.nats < NEEDED:
                return
            names = rows["account"][core]
            if len(names) >= FOUND_OF_ALIKE * (len(names) + writing_alike(others, rows[core], reference)):
                for name in sorted(names.tolist()):
                    self._join(name, Ball(measure.nats, names), hour)
            rows = rows[~core]

    def gather_sleepless(self, rows: Rows, others: Rows, reference: Reference, hour: int) -> None:
        """Put accounts that never sleep into groups where far more of them write alike than of those `others`
        that do. Needs no baseline either, and so finds what was there before."""
        rows = rows[np.argsort(rows["account"])][:SLEEPLESS]
        others = others[(others["prompts"] >= FEWEST_PROMPTS) & ~sleepless(others)]
        if len(rows) < FEWEST_NEAR or len(others) < FEWEST_ACCOUNTS:
            return
        unit, far = (directions(some, reference.mean()) for some in (rows, others))
        alike = unit @ unit.T > reference.alike
        counts = alike.sum(axis=1) - 1
        # a subject that many have is many services' as well
        usual = WIDENED * ((unit @ far.T > reference.alike).sum(axis=1) + 1) / (len(others) + 1)
        nats = -binom.logsf(counts - 1, len(rows) - 1, np.minimum(usual, 1.0))
        strange = counts >= np.maximum(FEWEST_NEAR, PURITY * usual * len(rows))
        for one in np.flatnonzero(strange & (nats >= SEED_NATS)).tolist():
            near = Ball(float(nats[one]), rows["account"][alike[one]])
            self._join(int(rows["account"][one]), near, hour, by_clock=True)

    def drop_unsuspected(self) -> None:
        """Forget groups by the clock with nothing else against them: services and agents of one subject are
        many, and must neither fill the place nor be missed in the baseline."""
        for group in [one for one in self.groups.values() if one.by_clock and one.suspected is None]:
            del self.groups[group.value]

    def _lapse(self, hour: int, table: SummaryTable) -> None:
        """Old candidates become baseline; where there is no room for new ones, the oldest do at once."""
        by_age = sorted(self.groups.values(), key=lambda group: (group.since, group.value))
        excess = max(len(by_age) - (MAX_GROUPS - ROOM), 0)
        for number, group in enumerate(by_age):
            if number < excess or group.since <= hour - LAPSE_HOURS:
                del self.groups[group.value]
                slots = [table.slots[one] for one in sorted(group.members) if one in table.slots]
                for place, rows in _by_level(table.rows[slots]):
                    self.baseline[place].put(snapshots_of(rows))

    def _age(self, hour: int) -> None:
        """What was compared a day ago becomes baseline, except members of groups."""
        found = np.array(sorted(set().union(*(one.members for one in self.groups.values()))), np.uint64)
        for today, baseline in zip(self.today, self.baseline, strict=True):
            rows = today.take(today.rows["hour"] <= hour - DELAY_HOURS)
            clean = ~np.isin(rows["account"], found)
            if clean.any():
                baseline.put(rows[clean])

    @staticmethod
    def _due(table: SummaryTable, slots: NDArray[np.intp]) -> list[tuple[int, Rows]]:
        """Accounts whose requests have doubled since their last comparison, by place in `LEVELS`."""
        requests = np.maximum(table.rows["requests"][slots], 1)
        level = np.clip(np.log2(requests / FEWEST_PROMPTS) + 1, 0, 255).astype(np.uint8)
        due = level > table.rows["level"][slots]
        table.rows["level"][slots[due]] = level[due]
        table.note(slots[due].tolist())
        return _by_level(table.rows[slots[due]])

    def _join(self, account: int, ball: Ball, hour: int, by_clock: bool = False) -> None:
        """Put an account into the group that holds most of its neighbours, else found one with them. Groups
        that merely touch stay apart: chains of neighbours lead from any subject to any other."""
        near = {account, *ball.near.tolist()}
        alike = [one for one in self.groups.values() if one.by_clock == by_clock]
        most = min([(-len(near & one.core), one.founded, one.value) for one in alike], default=None)
        if most is not None and -most[0] >= JOIN_SHARE * len(near):
            group = self.groups[most[2]]
            group.core.add(account)
        elif len(self.groups) < MAX_GROUPS:
            value = hash64(f"{self.tenant_id}\x1f{account}\x1f{hour}\x1f{by_clock:d}")
            group = self.groups[value] = Alike(value, hour, hour, 0.0, near, set(), by_clock=by_clock)
        else:
            return
        group.fringe -= group.core
        group.nats = max(group.nats, ball.nats)

    def _extend(self, rows: Rows) -> None:
        """Accounts that have come as near to a group's centre as most of its core."""
        if not len(rows):
            return
        means = rows["mean"].astype(np.float64)
        names = rows["account"].tolist()
        for value in sorted(self.groups):
            group = self.groups[value]
            inside = np.array([name in group.core for name in names])
            if group.by_clock or inside.sum() < FEWEST_NEAR:
                continue
            centre = means[inside].mean(axis=0)
            distance = ((means - centre) ** 2).sum(axis=1)
            reach = float(np.quantile(distance[inside], EXTEND_QUANTILE))
            near = np.flatnonzero((distance <= reach) & ~inside).tolist()
            group.fringe.update(names[number] for number in near)

    def take_changes(self) -> list[tuple[tuple[int, int], bytes | None]]:
        """What has changed since the last call: (place of the snapshots, account), or (`GROUP`, value)."""
        changes: list[tuple[tuple[int, int], bytes | None]] = []
        for place, snapshots in enumerate((*self.today, *self.baseline)):
            changes += [((place, account), data) for account, data in snapshots.take_changes()]
        changes += [((GROUP, value), None) for value in sorted(self._stored_groups - set(self.groups))]
        changes += [((GROUP, value), msgspec.msgpack.encode(group)) for value, group in self.groups.items()]
        self._stored_groups = set(self.groups)
        return changes

    def restore(self, changes: Mapping[tuple[int, int], bytes | None]) -> None:
        """Apply changes."""
        for place, snapshots in enumerate((*self.today, *self.baseline)):
            own = {account: data for (where, account), data in changes.items() if where == place}
            if own:
                snapshots.restore(own)
        for (where, value), data in changes.items():
            if where == GROUP:
                if data is None:
                    self.groups.pop(value, None)
                else:
                    self.groups[value] = msgspec.msgpack.decode(data, type=Alike)
        self._stored_groups = set(self.groups)


def sleepless(rows: Rows) -> NDArray[np.bool_]:
    """Which accounts are busy around the clock."""
    busy: NDArray[np.bool_] = (rows["prompts"] >= FEWEST_PROMPTS) & (volume(rows) >= EVEN_FROM)
    return busy & (steadiness(rows) >= STEADY)


def _by_level(rows: Rows) -> list[tuple[int, Rows]]:
    """Summaries by place in `LEVELS`; without those of too few prompts."""
    places = np.searchsorted(np.array(LEVELS), rows["prompts"], side="right") - 1
    return [(int(place), rows[places == place]) for place in np.unique(places) if place >= 0]
