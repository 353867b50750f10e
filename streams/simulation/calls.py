"""From accounts to requests: visits arrive, become runs of requests, fail, are retried; in time order.

Time advances in slices. Within a slice everything is a column; what reaches past its end waits for the
next one. Memory therefore grows with accounts and with requests per slice, not with the simulated span.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.simulation import parameters
from streams.simulation.arrivals import Arrivals, Renewals, Wandering
from streams.simulation.habits import DAYS, HABITS
from streams.simulation.identity import DAY_MS, NOBODY
from streams.simulation.population import Population

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LONGEST_SLICE_S = 600.0
"""Slot length of the ServeGen trace; rates are constant within a slice."""
SLICE_CALLS = 200_000
"""Slices are made shorter where more requests than this are expected in one. The expectation is an upper
estimate, some six times what comes; each slice looks at every account, so that short ones cost time."""
LONGEST_RUN = 5_000

FAILURE_SHARE = 0.004
"""Requests that fail on an ordinary day. Ours."""
INCIDENT_S = (240.0, 900.0)
INCIDENT_FAILURES = (0.3, 0.95)
"""Range of length and of failure share of a provider's outage. Ours."""
SDK_RETRIES = 2
"""What client libraries do by default: two more attempts, waiting half a second and then longer."""
NAIVE_RETRIES = 40
"""A client without back-off, which makes the retry storms."""

HOUR_MS = 3_600_000


class Calls(NamedTuple):
    """Requests of one slice, ordered by time. Columns of equal length."""

    time_ms: Ints
    account: Ints
    """Row of the population."""
    visit: Ints
    """Conversation, job or single call they belong to; a random 62-bit number."""
    turn: Ints
    """Position within the visit, from 0."""
    event: Ints
    """Seed of the request's content; retries repeat it."""
    attempt: Ints
    """0, or the number of the retry."""
    failed: NDArray[np.bool_]

    def take(self, which: Ints | NDArray[np.bool_]) -> Calls:
        """Some rows, by position or mask."""
        return Calls._make(column[which] for column in self)


def _joined(parts: list[Calls]) -> Calls:
    return Calls._make(np.concatenate(columns) for columns in zip(*parts, strict=True))


class CallStream:
    """All requests of a population, slice after slice. Iterate once."""

    def __init__(self, population: Population) -> None:
        self.population = population
        scenario = population.scenario
        arrivals, wander, self._runs, self._faults = (
            np.random.default_rng(s) for s in np.random.SeedSequence([scenario.seed, 2]).spawn(4)
        )
        self._renewals = Renewals(population.cv, population.weibull, arrivals)
        self._wandering = Wandering(population.wander, parameters.WANDER.correlation, wander)
        day = np.array(list(DAYS.values()))
        self._day = day / day.mean(axis=1, keepdims=True)
        self._run_mu = np.array([h.run.length.mu if h.run.length else np.nan for h in HABITS] + [0.0])
        self._run_sigma = np.array([h.run.length.sigma if h.run.length else np.nan for h in HABITS] + [0.0])
        self._gap_sigma = np.array([h.run.gap_s.sigma for h in HABITS] + [0.0])
        self._from_s, self._until_s = population.from_ms / 1000, population.until_ms / 1000
        self._rate, self._rates_of = np.empty(0), (-1, -1)
        self._incidents = self._plan_incidents()
        self.slice_s = min(LONGEST_SLICE_S, SLICE_CALLS / max(self._calls_per_s(), 1e-9))

    def _calls_per_s(self) -> float:
        """Upper estimate of the mean rate of requests, runs included."""
        tail_mean = parameters.TURN_TAIL / (parameters.TURN_TAIL - 1)
        length = np.where(
            np.isnan(self._run_mu), tail_mean, np.exp(self._run_mu + self._run_sigma**2 / 2)
        )
        per_day = self.population.visits_per_day * length[self.population.habit]
        return float(per_day.sum() / 86_400) * float(self._day.max())

    def _plan_incidents(self) -> list[tuple[float, float, float]]:
        """Outages of the provider: (start_ms, end_ms, share of requests that fail)."""
        scenario, rng = self.population.scenario, self._faults
        n = rng.poisson(scenario.incidents_per_day * scenario.duration_s * 1000 / DAY_MS)
        starts = scenario.start_ms + rng.random(n) * scenario.duration_s * 1000
        ends = starts + 1000 * rng.uniform(*INCIDENT_S, n)
        shares = rng.uniform(*INCIDENT_FAILURES, n)
        return list(zip(starts.tolist(), ends.tolist(), shares.tolist(), strict=True))

    def __iter__(self) -> Iterator[Calls]:
        scenario = self.population.scenario
        waiting: list[Calls] = []
        start_ms = float(scenario.start_ms)
        hour = int(start_ms // HOUR_MS)
        while start_ms < scenario.end_ms:
            end_ms = min(start_ms + self.slice_s * 1000, scenario.end_ms)
            for _ in range(int(start_ms // HOUR_MS) - hour):
                self._wandering.step()
            hour = int(start_ms // HOUR_MS)
            visits = self._visits(start_ms, end_ms)
            waiting.append(self._with_retries(self._expanded(visits)))
            calls = _joined(waiting)
            due = calls.time_ms < end_ms
            waiting = [calls.take(~due)]
            now = calls.take(due)
            yield now.take(np.lexsort((now.attempt, now.event, now.time_ms)))
            start_ms = end_ms

    def hours(self) -> Iterator[tuple[int, Calls]]:
        """The same requests, an hour since the epoch at once, with its number."""
        waiting: list[Calls] = []
        hour = self.population.scenario.start_ms // HOUR_MS
        for calls in self:
            hours = calls.time_ms // HOUR_MS
            while len(hours) and hours[-1] > hour:
                over = int(np.searchsorted(hours, hour, side="right"))
                yield hour, _joined([*waiting, calls.take(np.arange(over))])
                waiting, calls, hours = [], calls.take(np.arange(over, len(hours))), hours[over:]
                hour += 1
            waiting.append(calls)
        yield hour, _joined(waiting)

    def _visits(self, start_ms: float, end_ms: float) -> Arrivals:
        """Visits that begin in a slice; times in seconds since the epoch."""
        low, high = (np.clip(one, start_ms / 1000, end_ms / 1000) for one in (self._from_s, self._until_s))
        return self._renewals.advance(low, high, self._rates((start_ms + end_ms) / 2))

    def _rates(self, time_ms: float) -> Floats:
        """Visits a second of each account. Slices of one hour have the same, and may be many."""
        p = self.population
        state = p.scenario.hour_of_day(time_ms), self._wandering.steps
        if state != self._rates_of:
            hour = (state[0] + p.zone_h) % 24
            self._rates_of = state
            self._rate = p.visits_per_day / 86_400 * self._day[p.day, hour] * self._wandering.factor
        return self._rate

    def _expanded(self, visits: Arrivals) -> Calls:
        """Every visit as its run of requests."""
        p, rng = self.population, self._runs
        habit = p.habit[visits.source]
        n = len(habit)
        tail = np.floor(rng.random(n) ** (-1 / parameters.TURN_TAIL))
        run = np.exp(self._run_mu[habit] + self._run_sigma[habit] * rng.standard_normal(n))
        length = np.clip(np.where(np.isnan(run), tail, run), 1, LONGEST_RUN).astype(np.int64)
        of_visit = np.repeat(np.arange(n), length)
        first = np.repeat(np.cumsum(length) - length, length)
        turn = np.arange(len(of_visit)) - first
        account = visits.source[of_visit]
        noise = self._gap_sigma[habit[of_visit]] * rng.standard_normal(len(account))
        gap_s = np.exp(p.gap_mu[account] + noise)
        elapsed_s = np.cumsum(np.where(turn > 0, gap_s, 0.0))
        time_s = visits.time_s[of_visit] + elapsed_s - elapsed_s[first]
        calls = Calls(
            time_ms=(time_s * 1000).astype(np.int64),
            account=account,
            visit=rng.integers(0, 1 << 62, n)[of_visit],
            turn=turn,
            event=rng.integers(0, 1 << 62, len(account)),
            attempt=np.zeros(len(account), np.int64),
            failed=np.zeros(len(account), np.bool_),
        )
        return calls.take(calls.time_ms < p.until_ms[account])

    def _with_retries(self, calls: Calls) -> Calls:
        """Some requests fail, and their clients try again."""
        rng = self._faults
        chance = np.full(len(calls.time_ms), FAILURE_SHARE)
        for start_ms, end_ms, share in self._incidents:
            chance[(calls.time_ms >= start_ms) & (calls.time_ms < end_ms)] = share
        failed = rng.random(len(chance)) < chance
        where = np.flatnonzero(failed)
        naive = self.population.naive[calls.account[where]]
        most = np.where(naive, NAIVE_RETRIES, SDK_RETRIES)
        retries = np.minimum(rng.geometric(1 - chance[where]), most)
        gives_up = rng.random(len(where)) < chance[where] ** most
        again = np.repeat(np.arange(len(where)), retries)
        first = np.repeat(np.cumsum(retries) - retries, retries)
        attempt = np.arange(len(again)) - first + 1
        wait_s = np.where(naive[again], 0.3, 0.5 * 2.0 ** (attempt - 1))
        wait_s *= 0.75 + 0.5 * rng.random(len(again))
        waited_s = np.cumsum(wait_s)
        before = np.where(first > 0, waited_s[np.maximum(first - 1, 0)], 0.0)
        source = calls.take(where[again])
        retried = source._replace(
            time_ms=source.time_ms + ((waited_s - before) * 1000).astype(np.int64),
            attempt=attempt,
            failed=(attempt < retries[again]) | gives_up[again],
        )
        return _joined([calls._replace(failed=failed), retried])


def is_campaign(population: Population, calls: Calls) -> NDArray[np.bool_]:
    """Which requests belong to a campaign. Truth: for scoring only."""
    return np.asarray(population.campaign[calls.account] != NOBODY)
