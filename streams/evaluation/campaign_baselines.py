"""What simpler rules say about the same stream: each yields alarms as the planes do.

Two rules look at single accounts, at a level that one in a thousand benign account-days of the first day
exceeds (the false-positive rates that papers report are higher); two look at groups, of the same least size
as the planes'.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.evidence import AccountEvidence, LinkKind
from streams.evaluation.figures import level_at
from streams.group_statistics import FEWEST_MEMBERS

RATE = 1e-3
CALIBRATION_H = 24
BUCKETS = (5, 12, 25, 50)
"""Means over so many prompts and more are compared with each other; their noise differs."""


class Alarm(NamedTuple):
    """Somebody is named, under the name of a group; later alarms of the same name add to it."""

    name: str
    hour: int
    accounts: Sequence[str]


class Baseline(Protocol):
    """A rule. Is given every hour once, in order."""

    def take(self, evidence: Sequence[AccountEvidence], hour: int) -> Iterator[Alarm]:
        """Alarms of an hour."""
        ...


class SharedLink:
    """Everybody behind a link that many share: union-find where an account has one link of the kind."""

    def __init__(self, kind: LinkKind) -> None:
        self._kind = int(kind)
        self._behind: dict[int, set[str]] = {}

    def take(self, evidence: Sequence[AccountEvidence], hour: int) -> Iterator[Alarm]:
        fresh: dict[int, list[str]] = {}
        for account in evidence:
            for kind, value in account.links:
                if kind == self._kind:
                    behind = self._behind.setdefault(value, set())
                    if account.account_id not in behind:
                        behind.add(account.account_id)
                        fresh.setdefault(value, []).append(account.account_id)
        for value, new in fresh.items():
            behind = self._behind[value]
            if len(behind) >= FEWEST_MEMBERS:
                first = len(behind) - len(new) < FEWEST_MEMBERS
                yield Alarm(f"{value:016x}", hour, sorted(behind) if first else new)


class RateLimit:
    """Accounts with more requests in a day than nearly all others."""

    def __init__(self) -> None:
        self._hours = 0
        self._most: dict[str, int] = {}
        self._limit = np.inf

    def take(self, evidence: Sequence[AccountEvidence], hour: int) -> Iterator[Alarm]:
        volumes = [(one.account_id, int(np.frombuffer(one.hourly, np.uint8).sum())) for one in evidence]
        if self._hours < CALIBRATION_H:
            for account, volume in volumes:
                self._most[account] = max(self._most.get(account, 0), volume)
        elif self._hours == CALIBRATION_H:
            self._limit = level_at(np.array(list(self._most.values()), float), RATE)
        self._hours += 1
        for account, volume in volumes:
            if volume > self._limit:
                yield Alarm(account, hour, [account])


class AccountMmd:
    """Accounts whose mean prompt is far from the population's: MMD with a linear kernel, per account."""

    def __init__(self) -> None:
        self._hours = 0
        self._seen: dict[tuple[str, int], NDArray[np.int8]] = {}
        self._centre: NDArray[np.float64] = np.zeros(0)
        self._levels: dict[int, float] = {}

    def take(self, evidence: Sequence[AccountEvidence], hour: int) -> Iterator[Alarm]:
        told = [one for one in evidence if one.prompts >= BUCKETS[0] and one.mean]
        bucket = np.searchsorted(np.array(BUCKETS), [one.prompts for one in told], side="right") - 1
        means = [np.frombuffer(one.mean, np.int8) for one in told]
        if self._hours < CALIBRATION_H:
            for one, place, mean in zip(told, bucket.tolist(), means, strict=True):
                self._seen[one.account_id, place] = mean
        elif self._hours == CALIBRATION_H and self._seen:
            known = np.stack(list(self._seen.values())).astype(np.float64)
            self._centre = known.mean(axis=0)
            distances = ((known - self._centre) ** 2).sum(axis=1)
            places = np.array([place for _, place in self._seen])
            self._levels = {
                int(place): level_at(distances[places == place], RATE) for place in np.unique(places)
            }
        self._hours += 1
        if self._levels and told:
            distances = ((np.stack(means) - self._centre) ** 2).sum(axis=1)
            for one, place, distance in zip(told, bucket.tolist(), distances.tolist(), strict=True):
                if distance > self._levels.get(place, np.inf):
                    yield Alarm(one.account_id, hour, [one.account_id])


def baselines() -> dict[str, Baseline]:
    """Each by its name in the report."""
    return {
        "rate_limit_per_account": RateLimit(),
        "payment_union_find": SharedLink(LinkKind.PAYMENT),
        "shared_template": SharedLink(LinkKind.TEMPLATE),
        "mmd_per_account": AccountMmd(),
    }
