"""The account protocol: a simulated provider's day by day, through the real INGEST text and account plane.

First calibration days with benign accounts only, then test days with *other* benign accounts (other
simulated people, other real conversations, other ServeGen customers), every confounder, and the attackers.
Nothing is set on test days: parameters are the shipped ones, the live baselines go on learning as they do in
production. Identity is simulated throughout.

The world falls into shares, each with its own accounts and plane, as a fleet's partitions do. A share
depends on nothing but the options and its number, so shares may run anywhere; a larger world has more of
them, none of them larger.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec
from xxhash import xxh3_64_intdigest

from schemas.adapters.native import NativeRecord
from schemas.event import RequestEvent
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.evaluation.account_result import Seen, ShareResult, result
from streams.evaluation.attacks import ATTACKS
from streams.evaluation.cast import Acted, Role, Stage, act
from streams.evaluation.confounders import BENIGN, CONFOUNDERS
from streams.evaluation.material import Material, Shelf
from streams.evaluation.schedules import DAY_MS
from streams.evaluation.watch import Watch
from streams.fingerprint import Fingerprinter
from streams.simulation.scenario import Scenario
from streams.simulation.traffic import Record, Traffic

START_MS = 1_767_571_200_000
"""Monday 2026-01-05, midnight UTC."""
FEWEST_SHARES = 4
SHARE_ACCOUNTS = 10_000
"""Accounts of the population in one share at most: what a process holds at a time. A share is judged as a
partition, which in a fleet holds ten thousand and more (`infra/README.md`): what accounts have in common is
known there sooner."""
RUN_EVENTS = 8_000
ADOPTERS = 0.1
"""Share of the benign population that moves to the new model within a day of its release."""

ROLES: tuple[Role, ...] = (*BENIGN, *CONFOUNDERS, *ATTACKS)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Size of a run."""

    seed: int = 0
    accounts: int = 8_000
    """Simulated benign accounts of the population, both in calibration and in the test."""
    calibration_days: int = 1
    test_days: int = 2
    role_scale: float = 1.0
    """Multiplies the accounts of every role."""
    most_visits_per_day: float = 300.0
    """Cuts the heavy tail of the simulated population; the heavy tail is the ServeGen customers' part."""
    attacks: bool = True
    """Without attackers, and without what is watched for their sake, a run is about false alerts alone."""
    only: tuple[str, ...] = ()
    """Names of the confounders and attackers that act; all where none is named. The others act always."""
    without: tuple[str, ...] = ()
    """Habits that nobody of the population has (`streams.simulation.habits`): another mixture of accounts."""

    @property
    def shares(self) -> int:
        """Parts the world falls into."""
        return max(FEWEST_SHARES, -(-self.accounts // SHARE_ACCOUNTS))

    def roles(self) -> Iterator[Role]:
        """Those that act."""
        named = (role for role in ROLES if role in BENIGN or not self.only or role.name in self.only)
        return (role for role in named if self.attacks or role.purpose != "attack")

    def of(self, role: Role) -> int:
        """Accounts of a role."""
        return max(1, round(role.accounts * self.role_scale))


@dataclass(frozen=True)
class Evaluation:
    """One run.

    Attributes:
        material: all of it; halved by `Options.seed`.
        secret: of the fingerprints.
    """

    options: Options
    material: Material
    secret: bytes
    config: DetectionConfig

    def stages(self) -> tuple[Stage, Stage]:
        """Stage with calibration material, stage with test material."""
        options = self.options
        test_ms = START_MS + options.calibration_days * DAY_MS
        calibration, test = self.material.halves(options.seed)
        stage = Stage(
            start_ms=START_MS,
            test_ms=test_ms,
            end_ms=test_ms + options.test_days * DAY_MS,
            release_ms=test_ms + 9 * 3_600_000,
            material=test,
            seed=options.seed,
        )
        return replace(stage, material=calibration), stage

    def share(self, number: int, advance: Callable[[int], None] = lambda events: None) -> ShareResult:
        """Run one of `Options.shares`. `advance` is told of seconds of event time that have passed."""
        calibration, test = self.stages()
        shelf = Shelf(Fingerprinter(self.secret, "k1"))
        cast: list[tuple[Role, Acted]] = []
        for role in self.options.roles():
            stage = calibration if role.name.endswith("_before") else test
            for account in range(self.options.of(role)):
                if account % self.options.shares == number:
                    cast.append((role, act(role, stage, account, self.options.seed, shelf)))
        crowd = _Crowd(self.options, number, calibration, test, shelf)
        events = heapq.merge(
            crowd.events(),
            iter(sorted((event for _, acted in cast for event in acted.events), key=_TIME)),
            key=_TIME,
        )
        plane = AccountPlane(self.config)
        watch = Watch(plane, test.test_ms)
        if self.options.attacks:
            watch.follow()
        seen = Seen()
        count = passed_s = 0
        while run := list(islice(events, RUN_EVENTS)):
            seen.note(plane.process(run))
            count += len(run)
            now_s = (run[-1].time_ms - START_MS) // 1000
            advance(now_s - passed_s)
            passed_s = now_s
        seen.note(plane.close_windows())
        return result(cast, test, watch, seen, count, shelf)


_TIME: Callable[[RequestEvent], Any] = attrgetter("time")


class _Crowd:
    """The simulated population of one share: some accounts in calibration, others in the test."""

    def __init__(
        self, options: Options, number: int, calibration: Stage, test: Stage, shelf: Shelf
    ) -> None:
        self._stage, self._shelf = test, shelf
        self._decoder = msgspec.json.Decoder(NativeRecord)
        self._traffic = [
            Traffic(
                Scenario(
                    accounts=max(options.accounts // options.shares, 1),
                    start_ms=start_ms,
                    duration_s=(end_ms - start_ms) // 1000,
                    seed=((options.seed * options.shares + number) << 1) + part,
                    most_visits_per_day=options.most_visits_per_day,
                    campaigns=(),
                    without=options.without,
                ),
                writers=stage.material.writers(),
            )
            for part, (stage, start_ms, end_ms) in enumerate(
                (
                    (calibration, test.start_ms, test.test_ms),
                    (test, test.test_ms, test.end_ms),
                )
            )
        ]

    def events(self) -> Iterator[RequestEvent]:
        """In time order."""
        for traffic in self._traffic:
            for record in traffic:
                yield self._event(record)

    def _event(self, record: Record) -> RequestEvent:
        event = self._decoder.decode(record.value)
        fields: dict[str, Any] = {"prompt": None, "system_prompt": None}
        if event.prompt is not None:
            fields |= self._shelf.fields(event.prompt, event.system_prompt)
        if event.time_ms >= self._stage.release_ms:
            lot = xxh3_64_intdigest(event.account_id.encode()) / 2**64
            waits_ms = lot / ADOPTERS * DAY_MS
            if lot < ADOPTERS and event.time_ms >= self._stage.release_ms + waits_ms:
                fields["request_model"] = self._stage.new_model
        return msgspec.structs.replace(event, **fields)
