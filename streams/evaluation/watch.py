"""`Watch`: what an account plane thinks of every account it scores, for figures that findings do not give."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.account_plane import AccountPlane
from streams.batch import EventBatch
from streams.fusion import Fusion
from streams.windows import DAY_MS

NOTED_NATS = 1.0


class Watch:
    """Follows a plane's scores.

    Attributes:
        daily: (account, day) to the highest fused nats of the day, where above `NOTED_NATS`.
        without: detector to the accounts that reach the threshold if it is left out.
        alone: detector to the accounts that reach it by this detector alone.
    """

    def __init__(self, plane: AccountPlane, from_ms: int) -> None:
        self.daily: dict[tuple[str, int], float] = {}
        names = [detector.name for detector in plane.detectors]
        self.without: dict[str, set[str]] = {name: set() for name in names}
        self.alone: dict[str, set[str]] = {name: set() for name in names}
        self._threshold, self._from_ms, self._names = plane.judge.threshold_nats, from_ms, names
        known = [detector.metadata for detector in plane.detectors]
        rest = [known[:place] + known[place + 1 :] for place in range(len(known))]
        self._rest = [Fusion([one.nature for one in some], [one.weight for one in some]) for some in rest]
        plane.on_look = self._look

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
        # no set of detectors finds more than the sum of what they claim
        hot = np.flatnonzero((nats.sum(axis=1) >= self._threshold) & (batch.time_ms[at] >= self._from_ms))
        if not len(hot):
            return
        accounts = [batch.events[int(place)].account_id for place in at[hot]]
        for place, name in enumerate(self._names):
            rest = self._rest[place].fuse(np.delete(nats[hot], place, axis=1))
            only = np.zeros_like(nats[hot])
            only[:, place] = nats[hot, place]
            for found, scores in ((self.without, rest), (self.alone, only[:, place])):
                for number in np.flatnonzero(scores >= self._threshold).tolist():
                    found[name].add(accounts[number])

    def best(self, account: str) -> float:
        """Highest daily value of an account."""
        return max((nats for (one, _), nats in self.daily.items() if one == account), default=0.0)
