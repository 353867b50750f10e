"""The protocol every account detector follows, and the metadata it must declare.

A detector is three things: columns it keeps per account (fixed size, so bounded), an `update` that
folds a `Segment` into them, and a `score` that says how surprising an account is. A **score is in
nats: minus the natural logarithm of the detector's own p-value** under its model of a benign account,
already corrected for how often it looks in a day. Calibration against the live population comes after,
in `streams.calibration`; fusion in `streams.fusion`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import KeysView
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.finding import DetectorKind, Feature
from streams.account_table import AccountTable
from streams.baselines import CohortBaselines
from streams.batch import EventBatch
from streams.common_systems import CommonSystems
from streams.fellow_users import FellowUsers
from streams.segment import Segment
from streams.verdicts import Verdicts

Slots = NDArray[np.intp]
Scores = NDArray[np.float64]

LOOKS_NATS = float(np.log(50))
"""Penalty for looking at one account about 50 times a day (union bound), see `streams.checkpoints`."""


_NO_SLOTS: dict[int, None] = {}


class DetectorMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What an analyst, a SIEM and the conformance suite need to know about a detector."""

    name: str
    version: str
    title: str
    """Title of a finding that this detector leads."""
    alone: bool = True
    """May open a finding by itself; otherwise its scores are bounded, and add to those of others only."""
    weight: float = 1.0
    """Its share of the alert budget, relative to the others: fixed beforehand, more for those who can speak
    for themselves (see `streams.fusion`)."""
    description: str
    kind: DetectorKind
    nature: Literal["content", "conduct", "yield"]
    """What it looks at: what is asked, how it is asked, what is taken. Surprise of different natures adds up
    (see `streams.fusion`)."""
    techniques: tuple[str, ...]
    """MITRE ATLAS ids, most specific first."""
    runbook: tuple[str, ...]
    """What an analyst checks next, step by step."""
    false_positives: tuple[str, ...]
    """Known innocent causes."""
    references: tuple[str, ...]
    """Papers, specifications or data behind method and constants."""


@dataclass(frozen=True)
class Context:
    """What a detector may know besides its own columns, at the moment of scoring.

    Attributes:
        hours: int64 (m,), event-time hour of each account scored.
        cohorts: baselines of cohorts, frozen at least one whole hour before (see `streams.baselines`).
        verdicts: what analysts have said: the one input that is not part of the stream of events.
        systems: system prompts that are nobody's own.
        fellows: who writes as others under a system prompt do.
    """

    hours: NDArray[np.int64]
    cohorts: CohortBaselines
    verdicts: Verdicts
    systems: CommonSystems
    fellows: FellowUsers

    def at(self, numbers: NDArray[np.intp]) -> Context:
        """The same for some of the accounts, by their place in `hours`."""
        return replace(self, hours=self.hours[numbers])


@dataclass(frozen=True)
class Evidence:
    """A detector's account of one score, for a person."""

    reason: str
    features: tuple[Feature, ...] = field(default=())


class Detector(ABC):
    """One detector, without per-account Python objects unless it says so in `extras`."""

    metadata: ClassVar[DetectorMetadata]
    columns: ClassVar[np.dtype[Any]] = np.dtype([])
    """Columns this detector keeps for each account; found in the table under its name."""

    @property
    def name(self) -> str:
        return self.metadata.name

    def mine(self, table: AccountTable) -> NDArray[Any]:
        """This detector's columns of the whole table, as a view."""
        mine: NDArray[Any] = table.rows[self.name]
        return mine

    def update(self, table: AccountTable, segment: Segment) -> None:  # noqa: B027 - optional hook
        """Fold events into the columns of their accounts. Called before `score` on the same segment."""

    def close_hour(self, table: AccountTable, slots: Slots, hour: int, context: Context) -> None:  # noqa: B027
        """An event-time hour of these accounts is complete. Called once for each account and hour."""

    def observe(self, batch: EventBatch) -> None:  # noqa: B027
        """Every event of the partition, once, in order; for what accounts share. Rows may be ahead of it
        after a crash: they have applied these events already."""

    def learn_hour(self, table: AccountTable, slots: Slots, hour: int) -> None:  # noqa: B027
        """An event-time hour of the partition is complete: `slots` are all accounts with requests in it, in
        the order of their keys; for what accounts share. Rows may be ahead of it after a crash, so only
        what a row still knows of that hour may be read (its rings)."""

    @abstractmethod
    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        """float64 (m,), nats >= 0. May age the columns: it is called at fixed points of an account's own
        event sequence, whatever the batching."""

    @abstractmethod
    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        """Why this account scored as it did; `context.hours` has length 1."""

    def forget(self, slot: int) -> None:  # noqa: B027
        """The row is being reused for another account."""

    def extra_slots(self) -> KeysView[int]:
        """Rows that may have `extras`."""
        return _NO_SLOTS.keys()

    def extras(self, slot: int) -> bytes:
        """State of one account outside its columns; empty where there is none."""
        return b""

    def restore_extras(self, slot: int, data: bytes) -> None:
        """Inverse of `extras`."""
        raise NotImplementedError(f"{self.name} keeps no extras")

    def shared(self) -> bytes:
        """What the accounts of a partition share here, for the partition's record; empty where nothing.
        Learned in `observe` and `learn_hour` only, and used two hours later (see `streams.baselines`)."""
        return b""

    def restore_shared(self, data: bytes) -> None:
        """Inverse of `shared`."""
        raise NotImplementedError(f"{self.name} shares nothing between accounts")
