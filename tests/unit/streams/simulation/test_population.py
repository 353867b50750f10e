import numpy as np
import pytest

from schemas.errors import InvalidSetting
from streams.simulation.attackers import HEAVY, TEMPLATED, Campaign
from streams.simulation.habits import DAYS, HABITS
from streams.simulation.identity import COUNTRIES, NOBODY, digests, tls_fingerprint
from streams.simulation.population import Population
from streams.simulation.scenario import Scenario, from_toml
from streams.simulation.text.writers import WRITERS


def test_habits_are_complete():
    assert sum(habit.share for habit in HABITS) == pytest.approx(1)
    assert all(habit.writer in WRITERS for habit in HABITS)
    assert all(len(day) == 24 for day in DAYS.values())
    assert sum(share for *_, share in COUNTRIES) == pytest.approx(1)


def test_shares_of_habits():
    population = Population(Scenario(accounts=20_000, seed=3))
    for number, habit in enumerate(HABITS):
        share = (population.habit[: population.benign] == number).mean()
        assert share == pytest.approx(habit.share, abs=0.012)


def test_a_habit_left_out_does_not_occur():
    population = Population(Scenario(accounts=3000, without=("person", "evaluation")))
    names = {HABITS[i].name for i in population.habit[: population.benign]}
    assert names == {habit.name for habit in HABITS} - {"person", "evaluation"}


def test_the_heavy_tail_of_applications_is_heavy_and_capped():
    population = Population(Scenario(accounts=20_000, most_visits_per_day=5_000))
    assistants = population.habit == [habit.name for habit in HABITS].index("assistant")
    rates = np.sort(population.visits_per_day[assistants])
    assert rates.max() == 5_000
    top = rates[-len(rates) // 10 :]
    assert top.sum() > 0.6 * rates.sum()  # a tenth of the customers send most of the requests


def test_ids_are_unique_and_say_nothing():
    population = Population(Scenario(accounts=2000, campaigns=(HEAVY, TEMPLATED)))
    ids = [population.account_id(row) for row in range(population.size)]
    assert len(set(ids)) == len(ids)
    assert all(len(id) == len(ids[0]) for id in ids)


def test_truth_knows_every_account_once():
    hydra = Campaign(name="hydra", text="tasks", accounts=30, requests_per_day=25.6)
    population = Population(Scenario(accounts=100, campaigns=(HEAVY, hydra)))
    truth = population.truth()
    assert {name: len(ids) for name, ids in truth.campaigns.items()} == {"heavy": 1, "hydra": 30}
    attackers = {id for ids in truth.campaigns.values() for id in ids}
    assert len(attackers) == 31
    assert len(truth.habits) == 100
    assert not attackers & set(truth.habits)


def test_innocent_accounts_share_identities_too():
    identity = Population(Scenario(accounts=20_000, campaigns=())).identity
    for column in (identity.payment, identity.network, identity.email_domain):
        _, counts = np.unique(column, return_counts=True)
        assert counts.max() > 1
    _, sizes = np.unique(identity.network, return_counts=True)
    assert sizes.max() > 100  # a campus or a VPN exit
    individuals = identity.organisation == NOBODY
    _, cards = np.unique(identity.payment[individuals], return_counts=True)
    assert 0.01 < (cards - 1).sum() / individuals.sum() < 0.1  # households


def test_whoever_shares_a_network_shares_provider_and_country():
    identity = Population(Scenario(accounts=5_000, campaigns=())).identity
    _, first, inverse = np.unique(identity.network, return_index=True, return_inverse=True)
    assert (identity.asn == identity.asn[first][inverse]).all()
    assert (identity.country == identity.country[first][inverse]).all()


def test_a_campaign_shares_what_it_declares_and_nothing_else():
    hydra = Campaign(
        name="hydra", text="tasks", accounts=200, requests_per_day=25.6, share={"payment": 5}, age_days=2
    )
    population = Population(Scenario(accounts=1000, campaigns=(hydra,)))
    mine = population.campaign == 0
    identity = population.identity
    assert len(np.unique(identity.payment[mine])) <= 5
    for column in (identity.device, identity.network):
        assert len(np.unique(column[mine])) == 200
        assert not set(column[mine]) & set(column[~mine])
    age_ms = population.from_ms[mine] - identity.created_ms[mine]
    assert (age_ms >= 0).all()
    assert (age_ms <= 2 * 86_400_000).all()


def test_the_accounts_of_a_campaign_write_from_one_seed():
    hydra = Campaign(name="hydra", text="pipeline", accounts=3, requests_per_day=10)
    population = Population(Scenario(accounts=10, campaigns=(HEAVY, hydra)))
    assert len({population.voice(row) for row in (11, 12, 13)}) == 1
    assert len({population.voice(row).seed for row in range(12)}) == 12


def test_digests_have_the_form_the_schema_asks_for():
    five = np.array([5])
    assert digests("payment", 1, five) != digests("payment", 2, five) != digests("device", 2, five)
    assert tls_fingerprint(0).startswith("ja4:t13d1516h2_")


def test_scenarios_are_read_from_toml():
    scenario = from_toml(
        """
        accounts = 50
        seed = 4
        [[campaigns]]
        name = "hydra"
        text = "tasks"
        accounts = 20
        requests_per_day = 25.6
        share = { payment = 3 }
        """
    )
    assert scenario.campaigns[0].share == {"payment": 3}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("accounts = 0", "scenario.accounts"),
        ("accounts = 5\nmood = 1", "scenario"),
        (
            "accounts = 5\n[[campaigns]]\nname='x'\ntext='poem'\nrequests_per_day=1",
            "scenario.campaigns[0].text",
        ),
        ("accounts =", "scenario"),
    ],
)
def test_a_wrong_scenario_names_the_field(text, field):
    with pytest.raises(InvalidSetting) as error:
        from_toml(text)
    assert error.value.setting == field
