"""`Releases`: which models are new, since when, and how many accounts have moved to each.

Nobody announces a release to a detector, so it is read from the stream: the hour in which a model first
answered. Models seen in the first day of a partition's life are not new, because then all are.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.baselines import DELAY_HOURS

MAX_MODELS = 1024
"""Further models are never new. 16 bytes each."""
WARM_UP_HOURS = 24
NEW_HOURS = 48
"""How long a model counts as new; adoption is kept for as long."""
DAY_HOURS = 24

NO_RELEASE = 0


class Release(NamedTuple):
    """The newest model at some hour."""

    hour: int
    """When it first answered; `NO_RELEASE` where nothing is new."""
    model: int
    """Hash of its name."""


NONE = Release(NO_RELEASE, 0)


class _State(msgspec.Struct, array_like=True):
    began: int
    first: dict[int, int]
    adopted: dict[int, int]
    active: dict[int, int]


class Releases:
    """First answers of models, adoption of the newest one, and active accounts."""

    def __init__(self) -> None:
        self._state = _State(began=-1, first={}, adopted={}, active={})

    def observe(self, models: NDArray[np.uint64], hours: NDArray[np.int64]) -> None:
        """Take note of answered requests: model hash (0: unknown) and hour, each (n,)."""
        if not len(hours):
            return
        state = self._state
        oldest = int(hours.min())
        state.began = oldest if state.began < 0 else min(state.began, oldest)
        unique, place = np.unique(models, return_inverse=True)
        for number, model in enumerate(unique.tolist()):
            known = state.first.get(model)
            if model and (known is None or known > oldest):
                first = int(hours[place == number].min())
                if known is not None or len(state.first) < MAX_MODELS:
                    state.first[model] = first if known is None else min(known, first)

    def newest(self, hour: int) -> Release:
        """The release that a request in `hour` is judged against."""
        state = self._state
        # Hours up to h - 2 are complete when the first request of hour h comes.
        new = [
            Release(first, model)
            for model, first in state.first.items()
            if hour - NEW_HOURS <= first <= hour - DELAY_HOURS and first >= state.began + WARM_UP_HOURS
        ]
        return max(new, default=NONE)

    def learn(self, hour: int, active: int, adopted: int) -> None:
        """Close an hour: accounts active for the first time that day, and accounts that moved in it."""
        for counts, number in ((self._state.active, active), (self._state.adopted, adopted)):
            counts[hour] = number
            for old in [known for known in counts if known <= hour - NEW_HOURS - DAY_HOURS]:
                del counts[old]

    def adoption(self, release: Release, hour: int) -> float:
        """Upper estimate of the share of active accounts that have moved by `hour`."""
        until = hour - DELAY_HOURS
        moved = sum(n for at, n in self._state.adopted.items() if release.hour <= at <= until)
        today = until // DAY_HOURS
        active = [
            sum(n for at, n in self._state.active.items() if at <= until and at // DAY_HOURS == day)
            for day in (today - 1, today)
        ]
        # What is known lags two hours behind and counts from the second hour on: doubled, it is not too low.
        return min(1.0, 2 * (moved + 1) / (max(active) + 1))

    def dump(self) -> bytes:
        """Stored form."""
        return msgspec.msgpack.encode(self._state)

    def load(self, data: bytes) -> None:
        """Inverse of `dump`."""
        self._state = msgspec.msgpack.decode(data, type=_State)
