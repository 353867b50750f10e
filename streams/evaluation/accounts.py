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
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest

from schemas.adapters.native import NativeRecord
from schemas.event import RequestEvent
from schemas.finding import Finding, Lifecycle
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.evaluation.attacks import ATTACKS
from streams.evaluation.cast import Acted, Role, Stage, act
from streams.evaluation.confounders import BENIGN, CONFOUNDERS
from streams.evaluation.material import Material, Shelf
from streams.evaluation.schedules import DAY_MS
from streams.evaluation.watch import Watch
from streams.fingerprint import Fingerprinter
from streams.plane_output import PlaneOutput
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

POPULATION = "population"
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


class Alert(msgspec.Struct, frozen=True):
    """A finding about an account."""

    role: str
    account_id: str
    time_ms: int
    detector: str
    p_value: float
    reasons: list[str]


class Outcome(msgspec.Struct, frozen=True):
    """One attacker's account."""

    role: str
    account_id: str
    queries: int
    """Attack queries simulated."""
    found_after: int | None
    """Attack queries up to its first finding."""
    leaked: int
    """Attack answers given before it; all, where there is none."""
    at_budget: dict[int, int | None]
    """The same as `found_after` for each of `streams.evaluation.watch.BUDGETS`."""


class ShareResult(msgspec.Struct, frozen=True):
    """What one share came to. `daily` values are the highest fused nats of an account in a day."""

    account_days: dict[str, int]
    """Role to benign account-days with a request, of the test."""
    accounts: dict[str, int]
    alerts: list[Alert]
    """On benign accounts, in the test."""
    calibration_alerts: int
    calibration_account_days: int
    calibration_daily: list[float]
    test_daily: list[float]
    attack_best: dict[str, list[float]]
    """Role to the highest daily value of each of its attack accounts."""
    outcomes: list[Outcome]
    without: dict[str, dict[str, list[str]]]
    """Detector to role to the accounts that pass the threshold without it."""
    alone: dict[str, dict[str, list[str]]]
    """Detector to role to the accounts that pass the threshold by it alone, in the whole budget."""
    benign_at_budget: dict[int, int]
    """Benign accounts that pass the threshold of each budget, in the test; neither the allow-list nor known
    limits are counted."""
    events: int
    fingerprinted: int
    """Distinct texts."""


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
        seen = _Seen()
        count = passed_s = 0
        while run := list(islice(events, RUN_EVENTS)):
            seen.note(plane.process(run))
            count += len(run)
            now_s = (run[-1].time_ms - START_MS) // 1000
            advance(now_s - passed_s)
            passed_s = now_s
        seen.note(plane.close_windows())
        return _result(cast, test, watch, seen, count, shelf)


_TIME: Callable[[RequestEvent], Any] = attrgetter("time")


class _Seen:
    """What counts of a plane's output; the rest is not kept.

    Attributes:
        days: (account, day) with a request.
        opened: findings when they were opened.
    """

    def __init__(self) -> None:
        self.days: set[tuple[str, int]] = set()
        self.opened: list[Finding] = []

    def note(self, output: PlaneOutput) -> None:
        """One more step's."""
        hours = ((one.account_id, int(one.window_start.timestamp())) for one in output.profiles)
        self.days.update((account, start_s // 86_400) for account, start_s in hours)
        self.opened += (one for one in output.findings if one.lifecycle is Lifecycle.CREATE)


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


def _result(
    cast: list[tuple[Role, Acted]], test: Stage, watch: Watch, seen: _Seen, events: int, shelf: Shelf
) -> ShareResult:
    role_of = {acted.account_id: role.name for role, acted in cast}
    attackers = {acted.account_id for role, acted in cast if role.purpose == "attack"}
    apart = {acted.account_id for role, acted in cast if role.allowed or role.known_limit}
    test_day = test.test_ms // DAY_MS
    benign_days = [(account, day) for account, day in seen.days if account not in attackers]
    counted = [(account, day) for account, day in benign_days if day >= test_day]
    first_found: dict[str, int] = {}
    alerts, before = [], 0
    begins = {acted.account_id: int(acted.attack_ms[0]) for _, acted in cast if len(acted.attack_ms)}
    for finding in seen.opened:
        account, time_ms = finding.subject_id, round(finding.time.timestamp() * 1000)
        if account in attackers:
            if time_ms >= begins.get(account, 0):
                first_found.setdefault(account, time_ms)
        elif time_ms < test.test_ms:
            before += 1
        else:
            name = role_of.get(account, POPULATION)
            reasons = list(finding.reasons)
            alerts.append(Alert(name, account, time_ms, finding.detector, finding.p_value, reasons))
    best: dict[str, list[float]] = {}
    outcomes = []
    for role, acted in cast:
        if role.purpose == "attack":
            found_ms = first_found.get(acted.account_id)
            others = {budget: first.get(acted.account_id) for budget, first in watch.first_ms.items()}
            outcomes.append(_outcome(role, acted, found_ms, others))
            best.setdefault(role.name, []).append(watch.best(acted.account_id))
    daily: dict[bool, list[float]] = {True: [], False: []}
    for account, day in benign_days:
        if account in apart:
            continue
        daily[day >= test_day].append(watch.daily.get((account, day), 0.0))
    return ShareResult(
        account_days=dict(Counter(role_of.get(account, POPULATION) for account, _ in counted)),
        accounts=dict(Counter(role_of.get(account, POPULATION) for account in {a for a, _ in counted})),
        alerts=alerts,
        calibration_alerts=before,
        calibration_account_days=len(benign_days) - len(counted),
        calibration_daily=daily[False],
        test_daily=daily[True],
        attack_best=best,
        outcomes=outcomes,
        benign_at_budget={
            budget: len(first.keys() - attackers - apart) for budget, first in watch.first_ms.items()
        },
        without=_by_role(watch.without, role_of),
        alone=_by_role(watch.alone, role_of),
        events=events,
        fingerprinted=shelf.fingerprinted,
    )


def _outcome(role: Role, acted: Acted, found_ms: int | None, others: dict[int, int | None]) -> Outcome:
    def asked(until_ms: int | None) -> int | None:
        return None if until_ms is None else int(np.searchsorted(acted.attack_ms, until_ms, side="right"))

    answered = acted.answered_ms
    return Outcome(
        role=role.name,
        account_id=acted.account_id,
        queries=len(acted.attack_ms),
        found_after=asked(found_ms),
        leaked=len(answered) if found_ms is None else int(np.searchsorted(answered, found_ms, side="right")),
        at_budget={budget: asked(until_ms) for budget, until_ms in others.items()},
    )


def _by_role(accounts: dict[str, set[str]], role_of: dict[str, str]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for detector, alerted in accounts.items():
        for account in sorted(alerted):
            found.setdefault(detector, {}).setdefault(role_of.get(account, POPULATION), []).append(account)
    return found
