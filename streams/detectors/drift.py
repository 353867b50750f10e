"""Behaviour drift: an account turns into another kind of account.

Four streams of an account's closed active hours (prompt length, answer length, rate, share of failed
requests) each pass through river's Page-Hinkley test. One stream that jumps is common; all at once,
and far, is an account that changed hands or purpose: warmed up with ordinary use, then put to work.

River models are Python objects, so they exist only for accounts with enough active hours, and for a bounded
number of them; the rest of the state is columns.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import KeysView

import numpy as np
from numpy.typing import NDArray
from river import stats
from river.drift import PageHinkley

from schemas.finding import Feature
from streams import river_state, windows
from streams.account_table import AccountTable
from streams.baselines import DELAY_HOURS
from streams.detectors.detector import Context, Detector, DetectorMetadata, Evidence, Scores, Slots
from streams.windows import HOURS

STREAMS = ("input_tokens", "output_tokens", "requests", "failures")

SLACK = 0.5
ALARM = 8.0
FORGETTING = 1 - 1 / 256
"""Page-Hinkley in units of doublings (binary logarithms), divided by the account's own standard deviation
where that is above one doubling: an excess over `SLACK` must add up to `ALARM`. For noise of one
standard deviation that happens by chance about once in exp(2 x 0.5 x 8) = 3,000 hours.
ADWIN was tried first: its bound for values of unknown spread needs some 16 hours after a change of a
hundredfold, far too late here. Source: E. S. Page, Biometrika 41 (1954); D. V. Hinkley (1971)."""

MIN_HOURS = 6
"""Active hours before an account gets models."""

MAX_ACCOUNTS = 4096
"""Accounts with models in one partition, about 3 kB each; the least recently active lose theirs."""

MEMORY_HOURS = 8
"""How long a drift still counts."""

NATS_PER_STREAM = 2.2
NATS_PER_DOUBLING = 1.5
MAX_NATS_PER_STREAM = 5.0
"""One stream drifts in about one honest account-day in ten (2.2 nats), and each doubling of the level
beyond the first makes that 4.5 times rarer. Ours, and bounded, because honest customers ship new
versions: no single stream reaches an alert."""


METADATA = DetectorMetadata(
    name="drift",
    version="1",
    title="The account's behaviour changed as a whole",
    description=__doc__,
    kind="learning",
    nature="conduct",
    techniques=("AML.T0012", "AML.T0024.002"),
    runbook=(
        "Compare the account's hours before and after the change in `account_windows`.",
        "Check for a new key, network, device or client at the time of the change.",
        "Ask the owner whether the application was replaced.",
    ),
    false_positives=("A new version of the customer's application", "A move to another model or prompt"),
    references=(
        "E. S. Page: Continuous inspection schemes, Biometrika 41 (1954)",
        "river.drift.PageHinkley, river.stats.Var",
    ),
)


class Stream:
    """One habit of one account: its mean and spread so far, and the test for a jump."""

    def __init__(
        self,
        mean: stats.Mean | None = None,
        variance: stats.Var | None = None,
        test: PageHinkley | None = None,
    ) -> None:
        self.mean = mean or stats.Mean()
        self.variance = variance or stats.Var()
        self.test = test or PageHinkley(min_instances=2, delta=SLACK, threshold=ALARM, alpha=FORGETTING)

    def jumped(self, value: float) -> bool:
        """Learn one closed hour; true when it completes a jump, after which the new level is learned."""
        spread = max(1.0, self.variance.get() ** 0.5)
        self.test.update(value / spread)
        if self.test.drift_detected:
            self.mean, self.variance = stats.Mean(), stats.Var()
        self.mean.update(value)
        self.variance.update(value)
        return bool(self.test.drift_detected)


class Drift(Detector):
    """Joint change of an account's habits, by Page-Hinkley on closed hours."""

    metadata = METADATA
    columns = np.dtype(
        [("head", "<i4"), ("nats", "<f2", (HOURS // 4,)), ("before", "<f2", (4,)), ("after", "<f2", (4,))]
    )

    def __init__(self) -> None:
        self.models: OrderedDict[int, list[Stream]] = OrderedDict()

    @staticmethod
    def _measure(table: AccountTable, slots: Slots, hour: int) -> NDArray[np.float64]:
        """float64 (m, 4): binary logs of mean prompt and answer length, rate, and failures."""
        rows = table.rows
        hours = np.full(len(slots), hour, np.int64)

        def read(name: str) -> NDArray[np.float64]:
            return windows.at(rows[name], rows["hour_head"], slots, hours).astype(np.float64)

        requests = np.maximum(read("hour_requests"), 1.0)
        per_request = (read("hour_input") / requests, read("hour_output") / requests)
        levels = np.stack([*per_request, requests, read("hour_failures")], axis=1)
        logs: NDArray[np.float64] = np.log2(1 + levels)
        return logs

    def close_hour(self, table: AccountTable, slots: Slots, hour: int, context: Context) -> None:
        rows, mine = table.rows, self.mine(table)
        first, last = np.full(len(slots), hour - HOURS + 1), np.full(len(slots), hour)
        active = (windows.span(rows["hour_requests"], rows["hour_head"], slots, first, last) > 0).sum(axis=1)
        known = np.fromiter((slot in self.models for slot in slots.tolist()), np.bool_, len(slots))
        followed = known | (active >= MIN_HOURS)
        slots = slots[followed]
        if not len(slots):
            return
        for slot, values in zip(slots.tolist(), self._measure(table, slots, hour).tolist(), strict=True):
            models = self.models.get(slot)
            if models is None:
                models = self.models[slot] = [Stream() for _ in STREAMS]
                if len(self.models) > MAX_ACCOUNTS:
                    self.models.popitem(last=False)
            self.models.move_to_end(slot)
            nats = 0.0
            for number, (model, value) in enumerate(zip(models, values, strict=True)):
                usual = model.mean.get()
                if model.jumped(value):
                    doublings = abs(value - usual)
                    surprise = NATS_PER_STREAM + NATS_PER_DOUBLING * max(doublings - 1, 0.0)
                    nats += min(surprise, MAX_NATS_PER_STREAM)
                    mine["before"][slot, number] = usual
                    mine["after"][slot, number] = value
            if nats:
                self._note(mine, slot, hour, nats)

    @staticmethod
    def _note(mine: NDArray[np.void], slot: int, hour: int, nats: float) -> None:
        """Put the nats of one hour into the ring of recent hours."""
        size = mine["nats"].shape[1]
        head = int(mine["head"][slot])
        for passed in range(max(head + 1, hour - size + 1), hour):
            mine["nats"][slot, passed % size] = 0.0
        mine["nats"][slot, hour % size] = nats
        mine["head"][slot] = hour

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        mine = self.mine(table)
        if not mine["nats"][slots].any():
            return np.zeros(len(slots))
        # Hours up to h - 2 are closed before the first event of hour h, whatever the interleaving.
        recent = windows.span(
            mine["nats"], mine["head"], slots, context.hours - MEMORY_HOURS, context.hours - DELAY_HOURS
        )
        nats: Scores = recent.sum(axis=1, dtype=np.float64)
        return nats

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        row = self.mine(table)[slot]
        levels = np.exp2(np.stack([row["before"], row["after"]]).astype(np.float64)) - 1
        changed = [number for number in range(len(STREAMS)) if levels[0, number] != levels[1, number]]
        text = "; ".join(
            f"{STREAMS[number].replace('_', ' ')} {levels[0, number]:,.0f} to {levels[1, number]:,.0f}"
            for number in changed
        )
        return Evidence(
            reason=f"habits changed together within hours: {text} (hourly means before and after)",
            features=tuple(
                Feature(
                    name=STREAMS[number],
                    value=float(levels[1, number]),
                    baseline=float(levels[0, number]),
                    contribution=0.0,
                )
                for number in changed
            ),
        )

    def forget(self, slot: int) -> None:
        self.models.pop(slot, None)

    def extra_slots(self) -> KeysView[int]:
        return self.models.keys()

    def extras(self, slot: int) -> bytes:
        models = self.models.get(slot)
        if not models:
            return b""
        return river_state.dump([(model.mean, model.variance, model.test) for model in models])

    def restore_extras(self, slot: int, data: bytes) -> None:
        self.models[slot] = [Stream(*models) for models in river_state.load(data)]
