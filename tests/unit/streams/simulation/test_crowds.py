import numpy as np
import pytest

from schemas.errors import InvalidSetting
from streams.simulation.attackers import Campaign
from streams.simulation.calls import CallStream
from streams.simulation.crowds import Crowd
from streams.simulation.identity import NOBODY
from streams.simulation.population import NEW_MODEL, Population
from streams.simulation.scenario import Scenario, base_of, fields, from_toml
from streams.simulation.usage import MODEL_NAMES, drawn

APPS = Crowd(
    name="apps", groups=4, accounts=(20, 60), habit="developer", writer="assistant", starts_after=(0.5, 0.9),
    joins_over_h=3, new_accounts=0.5, share={"network": 2},
)  # fmt: skip
OFFICE = Crowd(name="office", accounts=(50, 50), organisation=True, share={"payment": 1}, one_source=False)
LAUNCH = Crowd(name="launch", accounts=(40, 40), visits_per_day=60.0, pivots=0.5, one_setting=True)
SCENARIO = Scenario(accounts=300, duration_s=2 * 86_400, crowds=(APPS, OFFICE, LAUNCH), campaigns=())


@pytest.fixture(scope="module")
def population() -> Population:
    return Population(SCENARIO)


def test_a_crowd_of_many_groups_appears_while_the_world_runs(population):
    mine = population.crowd == 0
    sizes = np.unique(population.group[mine], return_counts=True)[1]
    assert len(sizes) == 4
    assert sizes.min() >= 20
    assert sizes.max() <= 60
    half_ms = SCENARIO.start_ms + SCENARIO.duration_s * 500
    assert (population.from_ms[mine] >= half_ms).all()
    assert not (population.campaign[mine] != NOBODY).any()
    for group in np.unique(population.group[mine]):
        network = population.identity.network[population.group == group]
        assert len(np.unique(network)) <= 2
    new = population.identity.created_ms[mine] > SCENARIO.start_ms
    assert 0.3 < new.mean() < 0.7


def test_a_group_shares_what_it_declares(population):
    office = population.crowd == 1
    assert len(np.unique(population.identity.payment[office])) == 1
    assert len(np.unique(population.identity.organisation[office])) == 1
    voices = {population.voice(row) for row in np.flatnonzero(office).tolist()}
    assert len(voices) == 50
    app = np.flatnonzero(population.crowd == 0)
    assert len({population.voice(row) for row in app.tolist()}) == 4
    launch = population.crowd == 2
    assert len(np.unique(population.max_tokens[launch])) == 1


def test_who_pivots_uses_the_new_model_after_its_release(population):
    rng = np.random.default_rng(0)
    before = after = moved = 0
    for calls in CallStream(population):
        calls = calls.take(population.crowd[calls.account] == 2)
        new = drawn(population, calls, rng).model == MODEL_NAMES.index(NEW_MODEL)
        late = calls.time_ms >= population.pivots_from_ms[calls.account]
        before += int(new[~late].sum())
        after, moved = after + int(late.sum()), moved + int(new[late].sum())
    assert before == 0
    assert moved / after == pytest.approx(0.5, abs=0.1)


def test_truth_names_crowds(population):
    crowds = population.truth().crowds
    assert sorted(set(crowds.values())) == ["apps", "launch", "office"]
    assert len(crowds) == population.benign - SCENARIO.accounts


def test_scaling_keeps_shares():
    hydra = Campaign(name="hydra", text="tasks", accounts=25_000, requests_per_day=25.6)
    world = Scenario(accounts=975_000, scale=0.02, crowds=(APPS, OFFICE), campaigns=(hydra,)).scaled()
    assert (world.accounts, world.campaigns[0].accounts) == (19_500, 500)
    assert world.crowds[0].groups == 1
    assert world.crowds[0].accounts == APPS.accounts
    assert world.crowds[1].accounts == (30, 30)
    assert world.campaigns[0].requests_per_day == 25.6


def test_a_scenario_begins_from_another():
    text = 'base = "hydra"\naccounts = 7'
    assert base_of(text) == "hydra"
    assert base_of("accounts = 7") is None
    assert from_toml(text, {"accounts": 5, "seed": 9}) == Scenario(accounts=7, seed=9)
    assert fields(text) == {"accounts": 7}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("accounts = 5\n[[crowds]]\nname='x'\naccounts=[1,2]\nhabit='poet'", "scenario.crowds[0].habit"),
        ("accounts = 5\n[[crowds]]\nname='x'\naccounts=[1,2]\nwriter='poet'", "scenario.crowds[0].writer"),
        ("accounts = 5\n[[crowds]]\nname='x'\naccounts=[0,2]", "scenario.crowds[0].accounts[0]"),
    ],
)
def test_a_wrong_crowd_names_the_field(text, field):
    with pytest.raises(InvalidSetting) as error:
        from_toml(text)
    assert error.value.setting == field
