"""What stands at the start of an account's lines is what the population says of it."""

from datetime import datetime

import msgspec
import numpy as np
import pytest

from streams.simulation import constants
from streams.simulation.attackers import Campaign
from streams.simulation.constants import Constants, described
from streams.simulation.habits import HABITS
from streams.simulation.identity import CLIENTS, COUNTRIES, NOBODY
from streams.simulation.population import Population
from streams.simulation.scenario import Scenario

HYDRA = Campaign(name="hydra", text="pipeline", accounts=9, requests_per_day=20, temperature=0.7)
SCENARIO = Scenario(accounts=800, seed=11, duration_s=3600, campaigns=(HYDRA,), tenant_id='a "quoted" tenant')


@pytest.fixture(scope="module")
def population() -> Population:
    return Population(SCENARIO)


@pytest.fixture(scope="module")
def members(population):
    made = described(population, np.arange(population.size)).to_pylist()
    assert all(one.endswith(",") for one in made)
    return [msgspec.json.decode(one[:-1] + "}") for one in made]


def test_numbers_and_names_are_the_accounts(population, members):
    who = population.identity
    for row, said in enumerate(members):
        attacks = population.campaign[row] != NOBODY
        plans = ("pro",) if attacks else (HABITS[population.habit[row]].plans[population.plan[row]],)
        created = datetime.fromisoformat(said["account_created_at"])
        assert said["tenant_id"] == SCENARIO.tenant_id
        assert said["account_id"] == population.account_id(row)
        assert said["account_plan"] in plans
        assert said["account_verified"] == who.verified[row]
        assert round(created.timestamp() * 1000) == who.created_ms[row]
        assert said["client_country"] == COUNTRIES[who.country[row]][0]
        assert said["user_agent"] == CLIENTS[who.client[row]]


def test_what_an_account_lacks_is_left_out(population, members):
    who = population.identity
    absent = {
        "organization_id": who.organisation == NOBODY,
        "device_hash": np.array([not CLIENTS[client].startswith("Mozilla") for client in who.client]),
        "temperature": np.isnan(population.temperature),
        "max_tokens": population.max_tokens == 0,
        "tool_count": population.tools == 0,
    }
    for name, lacks in absent.items():
        assert [name not in said for said in members] == lacks.tolist()
        assert 0 < lacks.sum() < len(members)
    for name, values in (("max_tokens", population.max_tokens), ("temperature", population.temperature)):
        assert all(said[name] == value for said, value in zip(members, values, strict=True) if name in said)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("payment_hash", "payment"),
        ("device_hash", "device"),
        ("client_network_hash", "network"),
        ("email_domain_hash", "email_domain"),
        ("organization_id", "organisation"),
    ],
)
def test_equal_identities_and_no_others_are_equal(population, members, name, column):
    values = getattr(population.identity, column).tolist()
    pairs = {(value, said[name]) for value, said in zip(values, members, strict=True) if name in said}
    assert len(pairs) == len({value for value, _ in pairs}) == len({said for _, said in pairs})


def test_accounts_are_the_same_whoever_asks_beside_them(population, monkeypatch):
    """In any order and number, and when too many were kept."""
    monkeypatch.setattr(constants, "KEPT_ACCOUNTS", 50)
    rng, kept = np.random.default_rng(0), Constants(population)
    whole = described(population, np.arange(population.size)).to_pylist()
    for _ in range(20):
        account = rng.integers(0, population.size, 40)
        found, place = kept.of(account)
        assert found.take(place).to_pylist() == [whole[row] for row in account.tolist()]
        assert len(kept) <= 50 + 40
