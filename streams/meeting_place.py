"""`MeetingPlace`: finds accounts of a tenant that write alike although nothing else ties them.

Whenever an account's requests have doubled, its mean prompt is compared with today's other accounts and with
a baseline of accounts as they were days before. A single source behind many accounts shows as a ball that
holds far more of today's accounts than of the baseline's: with c of today's nearer than the K-th of the
baseline, c + K - 1 draws had at least c of today's, which is a binomial tail. Under the null the two are
exchangeable, so neither a density model nor the shape of the feature space matters.

Only means over similar numbers of prompts are compared (their noise differs). An account enters the baseline
a day after its comparison and never from within a group found here, so a campaign cannot become its own
standard. What is found is a *candidate*: a new application of one purpose looks exactly the same.

Limits: silent in the first two days, and about everything that was there before. The baseline must span a
whole day first: with the accounts of a night alone, everybody who works in the morning is a surprise.
Source: exchangeable two-sample nearest-neighbour counts, N. Henze, Ann. Statist. 16 (1988); the score, the
set of K and the purity guard were chosen by experiment on ten families of prompts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from streams.batch import FEATURE_DIMENSIONS
from streams.hashing import hash64
from streams.reference import FEWEST_PROMPTS
from streams.summary_table import SummaryTable

Hashes = NDArray[np.uint64]
Floats = NDArray[np.float64]

LEVELS = (FEWEST_PROMPTS, 12, 25, 50)
"""Means over 5 to 11, 12 to 24, 25 to 49 and more prompts are kept apart."""
DELAY_HOURS = 24
BASELINE_AGE_HOURS = DELAY_HOURS + 23
"""Of its oldest account, from which on it stands for all hours of the day."""
CAPACITY = 20_000
"""Accounts of today, and again of the baseline, for each level, 268 bytes each; beyond it the accounts with
the smallest hashes, which is a uniform sample."""
FEWEST_BASELINE = 400
NEIGHBOURS = (1, 4, 16, 64)
SEED_NATS = 30.0
FEWEST_NEAR = 12
PURITY = 10.0
"""Today's accounts in the ball are at least so many times those expected: nine in ten of them are strange."""
BLOCK = 256
JOIN_SHARE = 0.5
MAX_GROUPS = 256
FORGET_HOURS = 96
EXTEND_QUANTILE = 0.8
GROUP = 255
"""In the key of a stored change: a group, not a snapshot."""


class Snapshots:
    """Means of accounts at the time of their comparison, one per account."""

    def __init__(self) -> None:
        self.accounts: Hashes = np.empty(0, np.uint64)
        self.hours: NDArray[np.int32] = np.empty(0, np.int32)
        self.means: NDArray[np.int8] = np.empty((0, FEATURE_DIMENSIONS), np.int8)
        self._stored = self.accounts, self.hours
        """As the changelog knows them."""

    def __len__(self) -> int:
        return len(self.accounts)

    def put(self, accounts: Hashes, hours: NDArray[np.int32], means: NDArray[np.int8]) -> None:
        """Add or replace; keep the smallest hashes, in their order."""
        old = ~np.isin(self.accounts, accounts)
        joint = np.concatenate([self.accounts[old], accounts])
        order = np.argsort(joint)[:CAPACITY]
        self.accounts = joint[order]
        self.hours = np.concatenate([self.hours[old], hours])[order].astype(np.int32)
        self.means = np.concatenate([self.means[old], means])[order]

    def take(self, which: NDArray[np.bool_]) -> tuple[Hashes, NDArray[np.int32], NDArray[np.int8]]:
        """Remove some and return them."""
        taken = self.accounts[which], self.hours[which], self.means[which]
        self.accounts, self.hours, self.means = self.accounts[~which], self.hours[~which], self.means[~which]
        return taken

    def take_changes(self) -> list[tuple[int, bytes | None]]:
        """Account and its snapshot, or none, of what has changed since the last call; by account."""
        changed = ~(np.isin(self.accounts, self._stored[0]))
        known = np.flatnonzero(~changed)
        place = np.searchsorted(self._stored[0], self.accounts[known])
        changed[known] = self._stored[1][place] != self.hours[known]
        gone = self._stored[0][~np.isin(self._stored[0], self.accounts)]
        changes: list[tuple[int, bytes | None]] = [(account, None) for account in gone.tolist()]
        for number in np.flatnonzero(changed).tolist():
            data = self.hours[number].tobytes() + self.means[number].tobytes()
            changes.append((int(self.accounts[number]), data))
        self._stored = self.accounts, self.hours
        return changes

    def restore(self, changes: Mapping[int, bytes | None]) -> None:
        """Apply changes."""
        gone = np.fromiter(changes, np.uint64, len(changes))
        self.take(np.isin(self.accounts, gone))
        kept = [(account, data) for account, data in changes.items() if data is not None]
        if kept:
            self.put(
                np.array([account for account, _ in kept], np.uint64),
                np.array([np.frombuffer(data[:4], np.int32)[0] for _, data in kept], np.int32),
                np.stack([np.frombuffer(data[4:], np.int8) for _, data in kept]),
            )
        self._stored = self.accounts, self.hours


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


class Ball(NamedTuple):
    """The neighbourhood of one account that is most surprising."""

    nats: float
    near: Hashes
    """Accounts of today in it, itself included."""


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
        self._age(hour)
        for place, fresh in self._due(table, slots):
            today, baseline = self.today[place], self.baseline[place]
            today.put(fresh["account"], fresh["hour"], fresh["mean"])
            usable = len(baseline) >= FEWEST_BASELINE and baseline.hours.min() <= hour - BASELINE_AGE_HOURS
            if usable and len(today) >= FEWEST_NEAR:
                for account, ball in self._surprising(fresh, today, baseline):
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

    def _age(self, hour: int) -> None:
        """What was compared a day ago becomes baseline, except members of groups."""
        found = np.array(sorted(set().union(*(g.core | g.fringe for g in self.groups.values()))), np.uint64)
        for today, baseline in zip(self.today, self.baseline, strict=True):
            accounts, hours, means = today.take(today.hours <= hour - DELAY_HOURS)
            clean = ~np.isin(accounts, found)
            if clean.any():
                baseline.put(accounts[clean], hours[clean], means[clean])

    @staticmethod
    def _due(table: SummaryTable, slots: NDArray[np.intp]) -> list[tuple[int, NDArray[Any]]]:
        """Accounts whose requests have doubled since their last comparison, by place in `LEVELS`."""
        requests = np.maximum(table.rows["requests"][slots], 1)
        level = np.clip(np.log2(requests / FEWEST_PROMPTS) + 1, 0, 255).astype(np.uint8)
        due = level > table.rows["level"][slots]
        table.rows["level"][slots[due]] = level[due]
        table.note(slots[due].tolist())
        rows = table.rows[slots[due]]
        places = np.searchsorted(np.array(LEVELS), rows["prompts"], side="right") - 1
        return [(int(place), rows[places == place]) for place in np.unique(places)]

    @staticmethod
    def _surprising(
        fresh: NDArray[Any], today: Snapshots, baseline: Snapshots
    ) -> list[tuple[int, Ball]]:
        """Accounts among `fresh` with far more neighbours today than the baseline allows."""
        found = []
        share = len(today) / (len(today) + len(baseline))
        per_baseline = len(today) / len(baseline)
        here, there = today.means.astype(np.float32), baseline.means.astype(np.float32)
        here_sq, there_sq = np.einsum("ij,ij->i", here, here), np.einsum("ij,ij->i", there, there)
        ranks = [k for k in NEIGHBOURS if k <= len(baseline)]
        for start in range(0, len(fresh), BLOCK):
            block = fresh[start : start + BLOCK]
            own = block["mean"].astype(np.float32)
            # squared distances less the constant own length: integers below 2**24, so float32 is exact
            to_there = there_sq - 2 * (own @ there.T)
            to_here = here_sq - 2 * (own @ here.T)
            radii = np.sort(np.partition(to_there, [k - 1 for k in ranks], axis=1)[:, : ranks[-1]], axis=1)
            radii = radii[:, [k - 1 for k in ranks]]
            counts = np.stack([(to_here < radii[:, [j]]).sum(axis=1) for j in range(len(ranks))], axis=1) - 1
            usable = (counts >= FEWEST_NEAR) & (counts >= PURITY * per_baseline * np.array(ranks))
            for number in np.flatnonzero(usable.any(axis=1)).tolist():
                near = np.maximum(counts[number], 0)
                nats = -binom.logsf(near - 1, near + np.array(ranks) - 1, share)
                nats = np.where(usable[number], nats, 0.0)
                best = int(np.argmax(nats))
                if nats[best] >= SEED_NATS:
                    inside = today.accounts[to_here[number] < radii[number, best]]
                    found.append((int(block["account"][number]), Ball(float(nats[best]), inside)))
        return found

    def _join(self, account: int, ball: Ball, hour: int) -> None:
        """Put an account into the group that holds most of its neighbours, else found one with them. Groups
        that merely touch stay apart: chains of neighbours lead from any subject to any other."""
        near = {account, *ball.near.tolist()}
        shares = [(-len(near & one.core), one.founded, one.value) for one in self.groups.values()]
        most = min(shares, default=None)
        if most is not None and -most[0] >= JOIN_SHARE * len(near):
            group = self.groups[most[2]]
            group.core.add(account)
        elif len(self.groups) < MAX_GROUPS:
            value = hash64(f"{self.tenant_id}\x1f{account}\x1f{hour}")
            group = self.groups[value] = Alike(value, hour, hour, 0.0, near, set())
        else:
            return
        group.fringe -= group.core
        group.nats = max(group.nats, ball.nats)

    def _extend(self, rows: NDArray[Any]) -> None:
        """Accounts that have come as near to a group's centre as most of its core."""
        if not len(rows):
            return
        means = rows["mean"].astype(np.float64)
        names = rows["account"].tolist()
        for value in sorted(self.groups):
            group = self.groups[value]
            inside = np.array([name in group.core for name in names])
            if inside.sum() < FEWEST_NEAR:
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
