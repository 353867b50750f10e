"""`Watch`: what an account plane thinks of every account it scores, for figures that findings do not give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.account_plane import AccountPlane
from streams.batch import EventBatch
from streams.budget import threshold_nats
from streams.fusion import Fusion
from streams.windows import DAY_MS

NOTED_NATS = 1.0
KEYWORDS = "capability + reasoning"
"""The two detectors that read words of the prompt through lists of cues, left out together."""
BUDGETS = (10, 100, 1000)
"""Allowed false alerts per million account-days at which first alerts are noted."""


class Watch:
    """What to know of a plane's scores, once it is told to `follow` them.

    Attributes:
        daily: (account, day) to the highest fused nats of the day, where above `NOTED_NATS`.
        first_ms: for each of `BUDGETS`, account to when it first reached the threshold.
        without: detector, or `KEYWORDS`, to the accounts that reach the threshold if it is left out.
        alone: detector to the accounts that reach it by this detector alone.
    """

    def __init__(self, plane: AccountPlane, from_ms: int) -> None:
        self.daily: dict[tuple[str, int], float] = {}
        known = [detector.metadata for detector in plane.detectors]
        self._names = [one.name for one in known]
        self._left = {one.name: [one.name] for one in known} | {KEYWORDS: KEYWORDS.split(" + ")}
        self.first_ms: dict[int, dict[str, int]] = {budget: {} for budget in BUDGETS}
        self.without: dict[str, set[str]] = {name: set() for name in self._left}
        self.alone: dict[str, set[str]] = {name: set() for name in self._names}
        self._threshold, self._from_ms = plane.judge.threshold_nats, from_ms
        self._rest = {}
        for name, left in self._left.items():
            some = [one for one in known if one.name not in left]
            self._rest[name] = Fusion([one.nature for one in some], [one.weight for one in some])
        self._plane = plane

    def follow(self) -> None:
        """From here on. The plane then judges every account it scores to the end, for a few per cent of
        its time."""
        self._plane.on_look = self._look

    def _look(
        self,
        batch: EventBatch,
        at: NDArray[np.intp],
        nats: NDArray[np.float64],
        fused: NDArray[np.float64],
    ) -> None:
        for number in np.flatnonzero(fused > NOTED_NATS).tolist():
            event = batch.events[int(at[number])]
            key = (event.account_id, event.time_ms // DAY_MS)
            self.daily[key] = max(self.daily.get(key, 0.0), float(fused[number]))
        for budget, first in self.first_ms.items():
            reached = (fused >= threshold_nats(budget)) & (batch.time_ms[at] >= self._from_ms)
            for number in np.flatnonzero(reached).tolist():
                event = batch.events[int(at[number])]
                first.setdefault(event.account_id, event.time_ms)
        # no set of detectors finds more than the sum of what they claim
        hot = np.flatnonzero((nats.sum(axis=1) >= self._threshold) & (batch.time_ms[at] >= self._from_ms))
        if not len(hot):
            return
        accounts = [batch.events[int(place)].account_id for place in at[hot]]
        for name, left in self._left.items():
            kept = [place for place, one in enumerate(self._names) if one not in left]
            self._note(self.without[name], accounts, self._rest[name].fuse(nats[hot][:, kept]))
        for place, name in enumerate(self._names):
            self._note(self.alone[name], accounts, nats[hot, place])

    def _note(self, found: set[str], accounts: list[str], scores: NDArray[np.float64]) -> None:
        found.update(accounts[number] for number in np.flatnonzero(scores >= self._threshold).tolist())

    def best(self, account: str) -> float:
        """Highest daily value of an account."""
        return max((nats for (one, _), nats in self.daily.items() if one == account), default=0.0)
