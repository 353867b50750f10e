"""`Verdicts`: a model of what analysts confirm and refute, learned from the verdicts in force.

A river logistic regression over hours of accounts (`profiles`). It is no state of a partition: every worker
reads all verdicts from the control topic and learns the same model from them, so nothing is learned twice
after a crash, and a verdict taken back is unlearned. A verdict counts for hours that begin after it, so that
a replay with the same control messages scores as the fleet did.

Memory: at most `MOST_VERDICTS` verdicts, about 300 bytes each; the oldest go first.
"""

from __future__ import annotations

import bisect
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import linear_model, optim

from schemas.control import Verdict
from streams.windows import HOUR_MS

MOST_VERDICTS = 10_000
LEARNING_RATE = 0.1
MIN_OF_EACH_LABEL = 5
"""Before the model is asked."""
MOST_NATS = 4.0
"""Below what a lone detector needs for an alert, however sure the model is."""

MALICIOUS = {"true_positive": True, "security_risk": True, "false_positive": False, "benign": False}
"""Verdicts that say what an account is; the others of the OCSF vocabulary do not."""

FACTS = ("requests", "input_tokens", "output_tokens", "failures", "active_hours")
SPAN = np.array([16.0, 14.0, 14.0, 1.0, 24.0])
"""Profiles are divided by it, and clipped to 0..1: binary logs of counts and lengths, a share, hours."""

Floats = NDArray[np.float64]


def profiles(
    requests: Floats, input_tokens: Floats, output_tokens: Floats, failures: Floats, active_hours: Floats
) -> Floats:
    """float64 (m, 5) in 0..1, from the facts of m account-hours, (m,) each.

    >>> profiles(*(np.array([x]) for x in (255.0, 0.0, 255.0 * 127, 51.0, 6.0))).round(2).tolist()
    [[0.5, 0.0, 0.5, 0.2, 0.25]]
    """
    each = np.maximum(requests, 1.0)
    lengths = [np.log2(1 + tokens / each) for tokens in (input_tokens, output_tokens)]
    columns = [np.log2(1 + requests), *lengths, failures / each, active_hours]
    scaled: Floats = np.clip(np.stack(columns, axis=1) / SPAN, 0.0, 1.0)
    return scaled


def named(profile: Floats) -> dict[str, float]:
    """A row of `profiles` as river takes it."""
    return dict(zip(FACTS, profile.tolist(), strict=True))


class Verdicts:
    """Verdicts in force, and what was learned from them.

    >>> known = Verdicts()
    >>> known.nats(np.full((1, 5), 0.5), hour=0).tolist()
    [0.0]
    """

    def __init__(self) -> None:
        self._known: list[tuple[int, str, bool, dict[str, float]]] = []
        """(time in ms, id, malicious, profile), in this order."""
        self._unlearn()

    def __len__(self) -> int:
        return len(self._known)

    def _unlearn(self) -> None:
        self._model: Any = linear_model.LogisticRegression(optimizer=optim.SGD(LEARNING_RATE))
        self._learned = 0
        """So many of the first verdicts are in the model."""
        self._labels = [0, 0]

    def take(self, verdict: Verdict) -> None:
        """Learn from a verdict; one with the same id is replaced."""
        self.withdraw(verdict.id)
        malicious, seen = MALICIOUS.get(verdict.verdict), verdict.activity
        if malicious is None or seen is None:
            return
        facts = [np.array([float(getattr(seen, fact))]) for fact in FACTS]
        entry = (round(verdict.time.timestamp() * 1000), verdict.id, malicious, named(profiles(*facts)[0]))
        place = bisect.bisect(self._known, entry[:2], key=lambda known: known[:2])
        self._known.insert(place, entry)
        if place < self._learned or len(self._known) > MOST_VERDICTS:
            self._unlearn()
        del self._known[:-MOST_VERDICTS]

    def withdraw(self, id: str) -> None:
        """Forget a verdict, if it is known."""
        for place, (_, known, *_) in enumerate(self._known):
            if known == id:
                del self._known[place]
                self._unlearn()
                return

    def nats(self, seen: Floats, hour: int) -> Floats:
        """float64 (m,): how much profiles (m, 5) of an hour since the epoch look like confirmed accounts."""
        before = bisect.bisect_left(self._known, hour * HOUR_MS, key=lambda known: known[0])
        if before < self._learned:
            self._unlearn()
        for _, _, malicious, profile in self._known[self._learned : before]:
            self._model.learn_one(profile, malicious)
            self._labels[malicious] += 1
        self._learned = before
        if min(self._labels) < MIN_OF_EACH_LABEL:
            return np.zeros(len(seen))
        likely = [self._model.predict_proba_one(named(one)).get(True, 0.0) for one in seen]
        p = np.clip(np.array(likely), 1e-6, 1 - 1e-6)
        nats: Floats = np.clip(np.log(p / (1 - p)), 0.0, MOST_NATS)
        return nats
