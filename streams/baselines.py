"""`CohortBaselines`: what is usual for accounts of a kind, learned online with river.

A cohort is a tenant and a plan. For each, exponentially weighted averages (river `EWMean`) of the log
request count of an account's active hour and of its square. Two rules keep them honest:

- **Delayed**: an event in hour ``h`` is judged against baselines that have seen hours up to ``h - 2``.
  These are complete when the first event of hour ``h`` arrives (lateness is below an hour), so the
  result does not depend on how records interleave, and a burst cannot raise its own bar.
- **From a prior**: a cohort starts from a shipped prior, which fades as live data comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from river import stats

from streams import river_state

FADING = 1 / 4000
"""Weight of one new account-hour: a baseline remembers about 4,000 of them."""

SMALLEST_SD = 0.3


class Usual(NamedTuple):
    """Mean and standard deviation of log1p(requests) in an active hour."""

    mean: float
    sd: float


PRIOR = Usual(1.2, 1.1)
"""Before live data: a median of 2.3 requests an active hour, one hour in a hundred above 40. Ours: the
light tail of 25 requests a day taken in a few sittings."""

MAX_COHORTS = 256
"""Further cohorts share the first one. About 1 kB each."""

DELAY_HOURS = 2
KEPT_HOURS = 4
"""Versions kept for events that arrive a little late."""


class CohortState(msgspec.Struct, array_like=True):
    """Stored form of a cohort."""

    key: str
    models: bytes
    versions: dict[int, tuple[float, float]]


class Cohort:
    """Running baseline of one cohort and its frozen versions by hour."""

    def __init__(self) -> None:
        self.mean = stats.EWMean(fading_factor=FADING)
        self.square = stats.EWMean(fading_factor=FADING)
        # An EWMean starts at its first value, which makes that value the prior.
        self.mean.update(PRIOR.mean)
        self.square.update(PRIOR.mean**2 + PRIOR.sd**2)
        self.versions: dict[int, Usual] = {}
        """Hour to what was usual once that hour was closed."""

    def learn(self, values: NDArray[np.float64]) -> None:
        """Add one closed hour: log1p(requests) of each active account."""
        for value in values.tolist():
            self.mean.update(value)
            self.square.update(value * value)

    def usual(self) -> Usual:
        """The present estimate."""
        mean = self.mean.get()
        return Usual(mean, float(np.sqrt(max(self.square.get() - mean**2, SMALLEST_SD**2))))

    def freeze(self, hour: int) -> None:
        """Keep the present estimate as the version of a closed hour."""
        self.versions[hour] = self.usual()
        for old in [known for known in self.versions if known <= hour - KEPT_HOURS]:
            del self.versions[old]

    def before(self, hour: int) -> Usual:
        """The version an event of `hour` is judged against."""
        usable = [known for known in self.versions if known <= hour - DELAY_HOURS]
        return self.versions[max(usable)] if usable else PRIOR


class CohortBaselines:
    """All cohorts of one partition, by small integer id (stored in each account's row)."""

    def __init__(self) -> None:
        self.cohorts: list[Cohort] = [Cohort()]
        self.ids: dict[str, int] = {"": 0}
        self._usual: dict[int, NDArray[np.float64]] = {}
        """Hour to what `before` says of every cohort, as long as nothing is learned."""

    def id_of(self, key: str) -> int:
        """Id of a cohort, made when new; 0, the shared one, once there are `MAX_COHORTS`."""
        known = self.ids.get(key)
        if known is not None:
            return known
        if len(self.cohorts) >= MAX_COHORTS:
            return 0
        self.ids[key] = len(self.cohorts)
        self.cohorts.append(Cohort())
        return self.ids[key]

    def learn(self, hour: int, values: Mapping[int, NDArray[np.float64]]) -> None:
        """Close an hour for every cohort: id to log1p(requests) of its active accounts, in a fixed order."""
        self._usual.clear()
        for number, cohort in enumerate(self.cohorts):
            if number in values:
                cohort.learn(values[number])
            cohort.freeze(hour)

    def before(
        self, ids: NDArray[np.int64], hours: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and sd that events of `hours` are judged against, each (m,)."""
        chosen = np.empty((len(ids), 2))
        for hour in set(hours.tolist()):
            here = hours == hour
            chosen[here] = self._usual_before(hour)[ids[here]]
        return chosen[:, 0], chosen[:, 1]

    def _usual_before(self, hour: int) -> NDArray[np.float64]:
        """(cohorts, 2): what is usual for each, for events of `hour`."""
        known = self._usual.get(hour)
        if known is None or len(known) < len(self.cohorts):
            known = self._usual[hour] = np.array([cohort.before(hour) for cohort in self.cohorts])
        return known

    def snapshot(self) -> list[CohortState]:
        """Stored form, in id order."""
        return [
            CohortState(
                key=key,
                models=river_state.dump([self.cohorts[number].mean, self.cohorts[number].square]),
                versions={
                    hour: (usual.mean, usual.sd) for hour, usual in self.cohorts[number].versions.items()
                },
            )
            for key, number in self.ids.items()
        ]

    def restore(self, states: list[CohortState]) -> None:
        """Inverse of `snapshot`. Raises `schemas.errors.IncompatibleState`."""
        self.cohorts, self.ids = [], {}
        self._usual.clear()
        for number, state in enumerate(states):
            cohort = Cohort()
            cohort.mean, cohort.square = river_state.load(state.models)
            cohort.versions = {hour: Usual(*usual) for hour, usual in state.versions.items()}
            self.cohorts.append(cohort)
            self.ids[state.key] = number
