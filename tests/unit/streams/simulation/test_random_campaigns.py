"""Campaigns at random settings: within their ranges, different each, and the world as declared."""

from __future__ import annotations

import msgspec
import numpy as np

from agents.scenarios import load
from agents.simulation import sized
from streams.simulation.attackers import Campaign
from streams.simulation.identity import NOBODY
from streams.simulation.population import Population
from streams.simulation.random_campaigns import REQUESTS_PER_DAY, TEXTS, in_words, random_campaigns
from streams.simulation.scenario import Scenario

HOUR_MS = 3_600_000
FARM = Campaign(name="farm", text="pipeline", accounts=400, requests_per_day=25.6, starts_after=0.5)


def test_settings_fill_their_ranges_and_are_drawn_one_by_one() -> None:
    found = random_campaigns(1, 400, 100_000)
    assert {one.text for one in found} == set(TEXTS)
    sizes = np.log([one.accounts for one in found])
    assert np.allclose(np.quantile(sizes, [0.1, 0.5, 0.9]), [2.76, 4.6, 6.45], atol=0.2)
    rates = [one.requests_per_day for one in found]
    assert REQUESTS_PER_DAY[0] <= min(rates) < 10 < 150 < max(rates) <= REQUESTS_PER_DAY[1]
    assert 0.3 < np.mean([one.cover > 0 for one in found]) < 0.5
    assert 0.2 < np.mean([not one.share for one in found]) < 0.3  # 0.7 ** 4
    assert all(distinct <= one.accounts / 2 + 1 for one in found for distinct in one.share.values())
    assert len({in_words(one) for one in found}) == len(found)
    assert abs(np.corrcoef(sizes, np.log(rates))[0, 1]) < 0.15


def test_the_shipped_scenario_has_other_campaigns_for_each_seed() -> None:
    worlds = [sized(load("random"), seed=seed, accounts=5_000) for seed in (0, 1, 0)]
    assert worlds[0] == worlds[2] != worlds[1]
    assert [len(one.campaigns) for one in worlds] == [8, 8, 8]
    assert max(one.accounts for one in worlds[0].campaigns) <= 200  # or they were part of what is ordinary
    crowds = [[one.name for one in world.crowds] for world in (worlds[0], load("hydra"))]
    assert crowds[0] == crowds[1]
    again = msgspec.convert(msgspec.to_builtins(worlds[0]), Scenario)  # as `simulate` writes it
    assert again.drawn() == worlds[0]


def test_accounts_made_in_one_go_that_join_one_by_one() -> None:
    plain, at_once = (Population(_world(one)) for one in (FARM, _like(FARM, age_days=30.0, sign_up_h=6.0)))
    joining = Population(_world(_like(FARM, joins_over_h=10.0)))
    farm = plain.campaign != NOBODY
    start = int(plain.from_ms[farm][0])
    made = (start - at_once.identity.created_ms[farm]) / (24 * HOUR_MS)
    assert made.min() >= 29.75
    assert made.max() <= 30.0
    assert (plain.from_ms[farm] == start).all()
    later = (joining.from_ms[farm] - start) / HOUR_MS
    assert later.min() >= 0
    assert 8 < later.mean() < 12
    for name in ("visits_per_day", "temperature", "model"):  # nothing else is drawn differently
        assert np.array_equal(getattr(plain, name), getattr(joining, name), equal_nan=True)


def _like(campaign: Campaign, **changes: object) -> Campaign:
    return msgspec.structs.replace(campaign, **changes)


def _world(campaign: Campaign) -> Scenario:
    return Scenario(accounts=200, seed=5, duration_s=48 * 3600, campaigns=(campaign,))
