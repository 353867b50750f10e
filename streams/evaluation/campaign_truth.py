"""`CampaignTruth`: who attacked and who was there, noted hour by hour: what alarms are scored against."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from streams.evaluation.campaign_evidence import Hour
from streams.evaluation.campaign_score import Attack, World
from streams.simulation.identity import NOBODY
from streams.simulation.population import Population


class CampaignTruth:
    """Notes on the hours of a simulated world that have passed."""

    def __init__(self, population: Population) -> None:
        self._population = population
        self._days: Counter[str | None] = Counter()
        self._answers: dict[int, Counter[int]] = {}
        """Campaign to hour to answers."""
        self._starts: dict[int, int] = {}
        """Campaign to the hour of its first attack request."""
        self._owned = np.zeros(population.size, np.bool_)
        self._seen_today = np.zeros(population.size, np.bool_)

    def note(self, hour: Hour) -> None:
        """Take an hour; they come in order."""
        if hour.hour % 24 == 0:
            self.close_day()
        self._seen_today[hour.rows] = True
        calls, campaign = hour.calls, self._population.campaign[hour.calls.account]
        attack: NDArray[np.bool_] = (campaign != NOBODY) & ~hour.aside
        self._owned[calls.account[campaign != NOBODY]] = True
        for number in np.unique(campaign[attack]).tolist():
            self._starts.setdefault(number, hour.hour)
            answered = int((campaign[attack & ~calls.failed] == number).sum())
            self._answers.setdefault(number, Counter())[hour.hour] = answered

    def close_day(self) -> None:
        """Count the account-days of the day so far."""
        population, crowds = self._population, self._population.scenario.crowds
        seen = np.flatnonzero(self._seen_today[: population.benign])
        for crowd, count in zip(*np.unique(population.crowd[seen], return_counts=True), strict=True):
            self._days[None if crowd == NOBODY else crowds[int(crowd)].name] += int(count)
        self._seen_today[:] = False

    @property
    def attackers(self) -> int:
        """Accounts of campaigns that have sent any request."""
        return int(self._owned.sum())

    def world(self) -> World:
        """What has been true so far, days that have ended."""
        population, scenario = self._population, self._population.scenario
        name = population.account_id
        attacks = []
        for number, starts in sorted(self._starts.items()):
            rows = np.flatnonzero((population.campaign == number) & self._owned)
            hours = self._answers[number]
            attacks.append(
                Attack(
                    name=scenario.campaigns[number].name,
                    accounts=frozenset(name(row) for row in rows.tolist()),
                    start_hour=starts,
                    answer_hours=np.repeat(list(hours), list(hours.values())),
                )
            )
        lines = (None, *dict.fromkeys(crowd.name for crowd in scenario.crowds))
        return World(
            attacks=tuple(attacks),
            crowd_of={
                name(row): scenario.crowds[int(population.crowd[row])].name
                for row in range(scenario.accounts, population.benign)
            },
            allowed=frozenset(crowd.name for crowd in scenario.crowds if crowd.allowed),
            account_days={line: self._days[line] for line in lines},
        )
