"""`Population`: every simulated account as a row of columns, drawn once from the scenario's seed.

About 300 bytes an account. Single benign accounts come first, then those of crowds, then those of campaigns;
account ids are hashes, so neither an id nor its order tells which is which. `Population.truth` does, and
nothing else.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.simulation import parameters
from streams.simulation.attackers import HOUR_MS, recruited
from streams.simulation.crowds import gathered, habit_of
from streams.simulation.habits import DAYS, FEWEST_END_USERS, HABITS
from streams.simulation.identity import COUNTRIES, DAY_MS, NOBODY, Identities, identities
from streams.simulation.scenario import Scenario

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MODELS: tuple[tuple[str, float], ...] = (
    ("tern-medium-3", 0.45),
    ("tern-large-3", 0.25),
    ("tern-small-3", 0.22),
    ("tern-reason-2", 0.08),
)
"""Model and share of accounts whose usual model it is. Invented names."""
NEW_MODEL = "tern-large-4"
"""Comes out at `Scenario.release_ms`."""

OTHER_MODEL_SHARE = 0.08
"""Share of an account's requests that go to another model than its usual one."""


class Voice(NamedTuple):
    """Source of an account's words."""

    writer: str
    """Key of `text.writers.WRITERS`."""
    seed: int
    templates: int = 1
    """Different wordings it has of its template; each request takes one."""
    shared: bool = False
    """With other accounts."""

    def seed_of(self, event: int) -> int:
        """Seed for the writer of one request.

        >>> Voice("person", 7).seed_of(12345)
        7
        """
        return self.seed + ((event >> 16) % self.templates << 48)


class Truth(msgspec.Struct, frozen=True):
    """What only the simulation knows. Never part of an event."""

    campaigns: dict[str, tuple[str, ...]]
    """Campaign name to its account ids."""
    habits: dict[str, str]
    """Account id to the benign habit behind it."""
    crowds: dict[str, str] = {}
    """Account id to the name of the benign crowd it belongs to."""


class Population:
    """All accounts of a scenario.

    Attributes:
        size: number of accounts.
        benign: the first `benign` rows belong to no campaign.
        habit: index into `HABITS`, or `NOBODY` for an account of a campaign.
        campaign: index into the scenario's campaigns, or `NOBODY`.
        crowd, group: index into the scenario's crowds and number of the group over all crowds, or `NOBODY`.
        day: place in `DAYS` of the hours it keeps.
        aside: share of its requests in its own words, where others come from a source it shares.
        aside_until_ms: until then all of them are.
        pivots, pivots_from_ms: share of requests that go to the new model, and from when on.
        visits_per_day, cv, weibull, wander: arrival process of its visits.
        zone_h: hours from UTC.
        from_ms, until_ms: when it sends at all.
        gap_mu: log of its median gap between requests of one visit, seconds.
        input_mu, output_mu: log of its median tokens.
        temperature: NaN where the client sends none; `max_tokens`: 0 likewise.
        model: index into `MODELS`; end_users: 0 where it serves none; tools: most tools declared.
        naive: its client repeats a failed request at once.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        # one independent stream per purpose: a change in one of them leaves the others alone
        draws = [np.random.default_rng(s) for s in np.random.SeedSequence([scenario.seed, 1]).spawn(4)]
        n = scenario.accounts
        shares = np.array([0.0 if h.name in scenario.without else h.share for h in HABITS])
        self.habit = draws[0].choice(len(HABITS), n, p=shares / shares.sum()).astype(np.int64)
        start_ms, end_ms = scenario.start_ms, scenario.end_ms
        single = identities(self.habit, start_ms, end_ms, draws[1])
        members, recruits = recruited(scenario.campaigns, single, start_ms, end_ms, draws[2])
        crowds = gathered(scenario.crowds, single, start_ms, end_ms, draws[3])
        in_crowd = len(crowds.crowd)
        self.benign = n + in_crowd
        together = zip(single, crowds.identity, recruits, strict=True)
        self.identity = Identities._make(map(np.concatenate, together))
        self.size = self.benign + len(members)
        habits = np.array([habit_of(one) for one in scenario.crowds], np.int64)
        nobody = np.full(self.size, NOBODY)
        self.campaign, self.crowd, self.group = nobody, nobody.copy(), nobody.copy()
        self.campaign[self.benign :] = members
        self.crowd[n : self.benign], self.group[n : self.benign] = crowds.crowd, crowds.group
        self.habit = np.concatenate([self.habit, habits[crowds.crowd], np.full(len(members), NOBODY)])
        self.zone_h = np.array([zone for _, zone, _ in COUNTRIES])[self.identity.country]
        self._draw(draws[0])
        self.from_ms[n : self.benign] = crowds.from_ms
        self._gather(draws[3])
        self._enlist(draws[2])

    def _draw(self, rng: np.random.Generator) -> None:
        """Habits of all rows as if single; `_gather` and `_enlist` then overwrite what is declared."""
        n, scenario = self.size, self.scenario
        habits = [HABITS[i] for i in range(len(HABITS))]
        which = np.where(self.habit == NOBODY, 0, self.habit)

        def of(values: list[float]) -> Floats:
            return np.array(values, np.float64)[which]

        def log_normal(values: list[tuple[float, float]]) -> Floats:
            table = np.array(values)
            return np.asarray(table[which, 0] + table[which, 1] * rng.standard_normal(n), np.float64)

        visits = np.exp(log_normal([h.visits_per_day for h in habits]))
        self.visits_per_day = np.minimum(visits, scenario.most_visits_per_day)
        self.cv = np.exp(log_normal([h.cv for h in habits]))
        self.weibull = rng.random(n) >= parameters.GAMMA_SHARE
        self.wander = of([h.wander for h in habits])
        self.gap_mu = of([h.run.gap_s.mu for h in habits])
        self.gap_mu += of([h.run.gap_varies_by_account for h in habits]) * rng.standard_normal(n)
        self.input_mu = log_normal([h.input_tokens for h in habits])
        self.output_mu = log_normal([h.output_tokens for h in habits])
        temperatures = [[np.nan if t is None else t for t in h.temperatures] for h in habits]
        limits = [[t or 0 for t in h.max_tokens] for h in habits]
        self.temperature, self.max_tokens = np.full(n, np.nan), np.zeros(n, np.int64)
        self.end_users, self.plan = np.zeros(n, np.int64), np.zeros(n, np.int64)
        for number, habit in enumerate(habits):
            mine = np.flatnonzero(which == number)
            self.temperature[mine] = rng.choice(temperatures[number], len(mine))
            self.max_tokens[mine] = rng.choice(limits[number], len(mine))
            self.plan[mine] = rng.integers(0, len(habit.plans), len(mine))
            if habit.end_users is not None:
                users = habit.end_users.mu + habit.end_users.sigma * rng.standard_normal(len(mine))
                self.end_users[mine] = np.exp(np.minimum(users, 15.0)).astype(np.int64) + FEWEST_END_USERS
        self.tools = np.ceil(of([float(h.tools) for h in habits]) * rng.random(n)).astype(np.int64)
        self.naive = rng.random(n) < of([h.naive_retries for h in habits])
        self.model = rng.choice(len(MODELS), n, p=[share for _, share in MODELS]).astype(np.int64)
        self.from_ms = np.maximum(self.identity.created_ms, scenario.start_ms)
        self.until_ms = np.full(n, scenario.end_ms)
        names = list(DAYS)
        self.day = np.array([names.index(h.day) for h in habits])[which]
        self.aside, self.pivots = np.zeros(n), np.zeros(n)
        self.aside_until_ms, self.pivots_from_ms = np.zeros(n, np.int64), np.full(n, scenario.release_ms)

    def _gather(self, rng: np.random.Generator) -> None:
        """Give the rows of each crowd what its declaration says."""
        for number, crowd in enumerate(self.scenario.crowds):
            mine = np.flatnonzero(self.crowd == number)
            habit = HABITS[habit_of(crowd)]
            if crowd.visits_per_day is not None or crowd.visits_sigma is not None:
                usual = habit.visits_per_day
                mu = usual.mu if crowd.visits_per_day is None else np.log(crowd.visits_per_day)
                sigma = usual.sigma if crowd.visits_sigma is None else crowd.visits_sigma
                visits = np.exp(mu + sigma * rng.standard_normal(len(mine)))
                self.visits_per_day[mine] = np.minimum(visits, self.scenario.most_visits_per_day)
            if crowd.cv is not None:
                self.cv[mine], self.wander[mine] = crowd.cv, 0.0
            if crowd.day is not None:
                self.day[mine] = list(DAYS).index(crowd.day)
            if crowd.one_setting and len(mine):
                _, first = np.unique(self.group[mine], return_index=True)
                leader = mine[first][self.group[mine] - self.group[mine[0]]]
                for column in (self.temperature, self.max_tokens, self.tools, self.model):
                    column[mine] = column[leader]
            self.naive[mine] |= crowd.naive
            self.aside[mine] = crowd.own_share
            self.pivots[mine] = crowd.pivots
            self.pivots_from_ms[mine] += (rng.random(len(mine)) * DAY_MS).astype(np.int64)

    def _enlist(self, rng: np.random.Generator) -> None:
        """Give the rows of each campaign what its declaration says."""
        span_ms = self.scenario.end_ms - self.scenario.start_ms
        for number, campaign in enumerate(self.scenario.campaigns):
            mine = np.flatnonzero(self.campaign == number)
            spread = np.exp(campaign.volume_sigma * rng.standard_normal(len(mine)))
            self.visits_per_day[mine] = campaign.requests_per_day * spread
            self.day[mine] = list(DAYS).index(campaign.day)
            self.aside[mine], self.pivots[mine] = campaign.cover, campaign.pivots
            self.cv[mine], self.weibull[mine], self.wander[mine] = campaign.cv, False, 0.0
            self.input_mu[mine] = np.log(campaign.input_tokens)
            self.output_mu[mine] = np.log(campaign.output_tokens)
            self.temperature[mine] = np.nan if campaign.temperature is None else campaign.temperature
            self.max_tokens[mine] = campaign.max_tokens or 0
            self.model[mine] = campaign.model % len(MODELS)
            self.end_users[mine] = self.tools[mine] = 0
            self.naive[mine] = False
            starts_ms = self.scenario.start_ms + int(campaign.starts_after * span_ms)
            warm_up_ms = int(campaign.warm_up_days * DAY_MS)
            self.from_ms[mine] = max(starts_ms - warm_up_ms, self.scenario.start_ms)
            if campaign.joins_over_h:
                later_ms = rng.exponential(1.0, len(mine)) * campaign.joins_over_h * HOUR_MS
                self.from_ms[mine] += later_ms.astype(np.int64)
            self.aside_until_ms[mine] = starts_ms if warm_up_ms else 0
            self.until_ms[mine] = self.scenario.start_ms + int(campaign.ends_after * span_ms)

    def account_id(self, row: int) -> str:
        """Id of an account: a hash, stable for a seed."""
        data = f"{self.scenario.seed}/{row}".encode()
        return "acct-" + blake2b(data, digest_size=6).hexdigest()

    def is_aside(self, account: Ints, event: Ints, time_ms: Ints) -> NDArray[np.bool_]:
        """Which requests are in the account's own words although it has a source it shares."""
        lot = (event & 0xFFFF) / 65_536
        return np.asarray((lot < self.aside[account]) | (time_ms < self.aside_until_ms[account]))

    def voice(self, row: int) -> Voice:
        """What an account writes as a rule. The accounts of a campaign or of one application share it."""
        campaign, crowd, first = int(self.campaign[row]), int(self.crowd[row]), self.scenario.seed << 32
        if campaign != NOBODY:
            declared = self.scenario.campaigns[campaign]
            return Voice(f"attack-{declared.text}", first + (1 << 31) + campaign, declared.templates, True)
        if crowd == NOBODY:
            return self.own_voice(row)
        writer = self.scenario.crowds[crowd].writer or HABITS[int(self.habit[row])].writer
        if self.scenario.crowds[crowd].one_source:
            return Voice(writer, first + (1 << 30) + int(self.group[row]), shared=True)
        return Voice(writer, first + row)

    def own_voice(self, row: int) -> Voice:
        """What it writes where `is_aside` holds: ordinary words of its habit; of a person, if it attacks."""
        habit = int(self.habit[row])
        return Voice("person" if habit == NOBODY else HABITS[habit].writer, (self.scenario.seed << 32) + row)

    def truth(self) -> Truth:
        """Which accounts belong to which campaign, and the habit of every benign one."""
        campaigns: dict[str, list[str]] = {campaign.name: [] for campaign in self.scenario.campaigns}
        for row in range(self.benign, self.size):
            campaigns[self.scenario.campaigns[int(self.campaign[row])].name].append(self.account_id(row))
        return Truth(
            campaigns={name: tuple(ids) for name, ids in campaigns.items()},
            habits={self.account_id(row): HABITS[int(self.habit[row])].name for row in range(self.benign)},
            crowds={
                self.account_id(row): self.scenario.crowds[int(self.crowd[row])].name
                for row in range(self.scenario.accounts, self.benign)
            },
        )
