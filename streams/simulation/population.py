"""`Population`: every simulated account as a row of columns, drawn once from the scenario's seed.

About 250 bytes an account. Benign accounts come first, those of campaigns after them; account ids are
hashes, so neither an id nor its order tells which is which. `Population.truth` does, and nothing else.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.simulation import parameters
from streams.simulation.attackers import recruited
from streams.simulation.habits import FEWEST_END_USERS, HABITS
from streams.simulation.identity import COUNTRIES, NOBODY, identities
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

OTHER_MODEL_SHARE = 0.08
"""Share of an account's requests that go to another model than its usual one."""


class Truth(msgspec.Struct, frozen=True):
    """What only the simulation knows. Never part of an event."""

    campaigns: dict[str, tuple[str, ...]]
    """Campaign name to its account ids."""
    habits: dict[str, str]
    """Account id to the benign habit behind it, for accounts that were asked about."""


class Population:
    """All accounts of a scenario.

    Attributes:
        size: number of accounts.
        benign: the first `benign` rows belong to no campaign.
        habit: index into `HABITS`, or `NOBODY` for an account of a campaign.
        campaign: index into the scenario's campaigns, or `NOBODY`.
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
        draws = [np.random.default_rng(s) for s in np.random.SeedSequence([scenario.seed, 1]).spawn(3)]
        n = scenario.accounts
        self.benign = n
        shares = np.array([0.0 if h.name in scenario.without else h.share for h in HABITS])
        self.habit = draws[0].choice(len(HABITS), n, p=shares / shares.sum()).astype(np.int64)
        benign_identity = identities(self.habit, scenario.start_ms, scenario.end_ms, draws[1])
        members, self.identity = recruited(
            scenario.campaigns, benign_identity, scenario.start_ms, scenario.end_ms, draws[2]
        )
        self.size = n + len(members)
        self.campaign = np.concatenate([np.full(n, NOBODY), members])
        self.habit = np.concatenate([self.habit, np.full(len(members), NOBODY)])
        self.zone_h = np.array([zone for _, zone, _ in COUNTRIES])[self.identity.country]
        self._draw(draws[0])
        self._enlist()

    def _draw(self, rng: np.random.Generator) -> None:
        """Habits of all rows as if benign; `_enlist` then overwrites those of campaigns."""
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

    def _enlist(self) -> None:
        """Give the rows of each campaign what its declaration says."""
        span_ms = self.scenario.end_ms - self.scenario.start_ms
        for number, campaign in enumerate(self.scenario.campaigns):
            mine = np.flatnonzero(self.campaign == number)
            self.visits_per_day[mine] = campaign.requests_per_day
            self.cv[mine], self.weibull[mine], self.wander[mine] = campaign.cv, False, 0.0
            self.input_mu[mine] = np.log(campaign.input_tokens)
            self.output_mu[mine] = np.log(campaign.output_tokens)
            self.temperature[mine] = np.nan if campaign.temperature is None else campaign.temperature
            self.max_tokens[mine] = campaign.max_tokens or 0
            self.model[mine] = campaign.model % len(MODELS)
            self.end_users[mine] = self.tools[mine] = 0
            self.naive[mine] = False
            self.from_ms[mine] = self.scenario.start_ms + int(campaign.starts_after * span_ms)
            self.until_ms[mine] = self.scenario.start_ms + int(campaign.ends_after * span_ms)

    def account_id(self, row: int) -> str:
        """Id of an account: a hash, stable for a seed."""
        data = f"{self.scenario.seed}/{row}".encode()
        return "acct-" + blake2b(data, digest_size=6).hexdigest()

    def text_seed(self, row: int) -> int:
        """Seed of what an account writes. The accounts of a campaign share one, hence their template."""
        campaign = int(self.campaign[row])
        return (self.scenario.seed << 32) + (row if campaign == NOBODY else (1 << 31) + campaign)

    def writer(self, row: int) -> str:
        """Key of `text.writers.WRITERS` for an account."""
        campaign = int(self.campaign[row])
        if campaign == NOBODY:
            return HABITS[int(self.habit[row])].writer
        return f"attack-{self.scenario.campaigns[campaign].text}"

    def truth(self) -> Truth:
        """Which accounts belong to which campaign, and the habit of every benign one."""
        campaigns: dict[str, list[str]] = {campaign.name: [] for campaign in self.scenario.campaigns}
        for row in range(self.benign, self.size):
            campaigns[self.scenario.campaigns[int(self.campaign[row])].name].append(self.account_id(row))
        return Truth(
            campaigns={name: tuple(ids) for name, ids in campaigns.items()},
            habits={self.account_id(row): HABITS[int(self.habit[row])].name for row in range(self.benign)},
        )
