"""The account protocol on a small made-up world: its parts, its truth, and the same figures every time."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from agents.account_report import account_facts, account_tables
from schemas.finding import utc_from_ms
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.detectors.cadence import Cadence
from streams.detectors.template import Template
from streams.evaluation import accounts, schedules
from streams.evaluation.account_figures import figures
from streams.evaluation.account_result import POPULATION, ShareResult
from streams.evaluation.accounts import SHARE_ACCOUNTS, Evaluation, Options
from streams.evaluation.cast import Stage, act
from streams.evaluation.figures import level_at, poisson_interval
from streams.evaluation.material import Client, Material, Shelf
from streams.evaluation.schedules import DAY_MS
from streams.evaluation.watch import Watch
from streams.fingerprint import Fingerprinter
from streams.simulation.habits import HABITS
from tests.conformance.scenarios import FIRES

NAMES = (
    "batch_evaluation", "synthetic_data_customer", "retry_storm", "in_house_template", "templated_own_words",
    "e4_warm_up",
)  # fmt: skip
ROLE_OF_SORT = {
    "plain": "new_application_users",
    "system": "new_application_system_users",
    "house": "new_application_house_users",
    "records": "new_application_record_users",
}
CONFIG = DetectionConfig(max_accounts_per_partition=2000)


def words(rng: random.Random, count: int) -> str:
    return " ".join("".join(rng.choices("abcdefghij", k=rng.randrange(2, 9))) for _ in range(count))


@pytest.fixture(scope="module")
def material() -> Material:
    rng = random.Random(0)
    return Material(
        conversations=[[words(rng, 12) for _ in range(3)] for _ in range(20)],
        benchmark=[words(rng, 25) for _ in range(60)],
        tasks=[words(rng, 30) for _ in range(80)],
        template="Come up with tasks. " + words(rng, 60),
        examples=[(words(rng, 8), words(rng, 5), words(rng, 12)) for _ in range(12)],
        clients=[Client(np.abs(np.sin(np.arange(288) / 20 + n)) + 0.1, 1.5, n % 2 == 0) for n in range(8)],
    )


@pytest.fixture(scope="module")
def evaluation(material: Material) -> Evaluation:
    return Evaluation(Options(seed=3, accounts=32, role_scale=0.05, test_days=1), material, b"k", CONFIG)


@pytest.fixture
def few_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "ROLES", tuple(role for role in accounts.ROLES if role.name in NAMES))


def test_halves_share_nothing(material: Material) -> None:
    first, second = material.halves(1)
    for name in ("conversations", "benchmark", "tasks"):
        left, right = ({str(value) for value in getattr(half, name)} for half in (first, second))
        assert not left & right
        assert len(left | right) == len(getattr(material, name))
    assert not {id(client) for client in first.clients} & {id(client) for client in second.clients}


def stage_of(material: Material) -> Stage:
    start_ms = accounts.START_MS
    return Stage(start_ms, start_ms + DAY_MS, start_ms + 3 * DAY_MS, start_ms + DAY_MS * 3 // 2, material)


@pytest.mark.parametrize("role", accounts.ROLES, ids=lambda role: role.name)
def test_every_role_acts_in_time_and_order(role: accounts.Role, material: Material) -> None:
    stage, shelf = stage_of(material), Shelf(Fingerprinter(b"k", "k1"))
    acted = act(role, stage, 0, 1, shelf)
    times = [event.time for event in acted.events]
    assert times
    assert all(a <= b for a, b in pairwise(times))
    assert times[0] >= utc_from_ms(stage.start_ms)
    assert times[-1] <= utc_from_ms(stage.end_ms + DAY_MS // 12)  # a visit or a storm may run over
    assert len({event.event_id for event in acted.events}) == len(times)
    assert all(event.prompt_hash and event.prompt_topic for event in acted.events)
    assert bool(len(acted.attack_ms)) == (role.purpose == "attack")
    assert set(acted.answered_ms.tolist()) <= set(acted.attack_ms.tolist())
    again = act(role, stage_of(material), 0, 1, shelf)
    assert msgspec.json.encode(again.events) == msgspec.json.encode(acted.events)


@pytest.mark.parametrize("sort", ["plain", "system", "house"])
def test_users_of_a_new_application_have_its_form_in_common_and_nothing_else(
    sort: str, material: Material
) -> None:
    role = next(one for one in accounts.ROLES if one.name == ROLE_OF_SORT[sort])
    stage, shelf = stage_of(material), Shelf(Fingerprinter(b"k", "k1"))
    users = [act(role, stage, number, 1, shelf).events for number in range(12)]
    events = [event for mine in users for event in mine]
    assert len({event.account_created_at for event in events}) == sum(map(bool, users))
    forms = Counter(
        value
        for mine in users
        for value in {one for event in mine for one in (event.template_hash, event.template_tail_hash) if one}
    )
    assert forms.most_common(1)[0][1] >= 9
    assert len({event.prompt_hash for event in events}) > 0.9 * len(events)
    assert any(event.system_hash for event in events) == (sort == "system")
    assert {event.organization_id for event in events} == ({"org-house-0-0"} if sort == "house" else {None})


def test_users_who_send_records_have_a_system_prompt_in_common_and_no_form(material: Material) -> None:
    role = next(one for one in accounts.ROLES if one.name == ROLE_OF_SORT["records"])
    stage, shelf = stage_of(material), Shelf(Fingerprinter(b"k", "k1"))
    users = [act(role, stage, number, 1, shelf).events for number in range(12)]
    events = [event for mine in users for event in mine]
    assert {event.system_hash for event in events} == {events[0].system_hash} != {None}
    assert {event.organization_id for event in events} == {None}
    heads = Counter(event.template_hash for event in events if event.template_hash)
    assert max(heads.values(), default=0) < 0.1 * len(events)


def test_schedules_keep_their_rate() -> None:
    rng = np.random.default_rng(5)
    start_ms, end_ms = accounts.START_MS, accounts.START_MS + 10 * DAY_MS
    client = Client(np.ones(288), 1.5, True)
    for times, expected in (
        (schedules.renewals(200, start_ms, end_ms, rng), 2000),
        (schedules.renewals(200, start_ms, end_ms, rng, cv=0.05), 2000),
        (schedules.customer(client, 200, start_ms, end_ms, rng), 2000),
        (schedules.sittings(20, 5, start_ms, end_ms, rng), 1000),
    ):
        assert (np.diff(times) >= 0).all()
        assert start_ms <= times[0]
        assert times[-1] < end_ms
        assert len(times) == pytest.approx(expected, rel=0.25)
    assert np.diff(schedules.renewals(200, start_ms, end_ms, rng, cv=0.05)).std() < 40_000


def test_interval_of_counts() -> None:
    """Garwood's table: 0 of (0, 3.69), 10 of (4.80, 18.39)."""
    assert poisson_interval(0) == pytest.approx((0.0, 3.689), abs=1e-3)
    assert poisson_interval(10) == pytest.approx((4.795, 18.390), abs=1e-3)


def test_a_level_is_passed_as_often_as_asked() -> None:
    null = np.random.default_rng(1).exponential(2.0, 100_000)
    assert (null > level_at(null, 1e-3)).mean() == pytest.approx(1e-3, rel=0.05)
    assert level_at(null[:5000], 1e-5) == pytest.approx(2 * np.log(1e5), rel=0.2)


def test_a_level_of_scores_with_a_ceiling_stays_near_it() -> None:
    rng = np.random.default_rng(2)
    capped = np.where(rng.random(2000) < 0.9, 0.0, rng.uniform(0.0, 8.0, 2000))
    assert 7.5 < level_at(capped, 1e-5, bounded=True) < 9.0 < level_at(capped, 1e-5)
    free = rng.exponential(2.0, 20_000)
    assert level_at(free, 1e-6, bounded=True) == pytest.approx(2 * np.log(1e6), rel=0.25)


def test_watch_sees_what_leads_to_a_finding() -> None:
    plane = AccountPlane(CONFIG, detectors=[Template(), Cadence()])
    watch = Watch(plane, from_ms=0)
    watch.follow()
    findings = plane.process(list(FIRES["template"](1))).findings
    assert findings
    account = findings[0].subject_id
    assert watch.best(account) >= plane.judge.threshold_nats
    assert account in watch.without["cadence"] & watch.alone["template"]
    assert account not in watch.without["template"] | watch.alone["cadence"]
    assert watch.best("nobody") == 0.0


@pytest.mark.usefixtures("few_roles")
def test_a_small_world_from_end_to_end(evaluation: Evaluation) -> None:
    ticks: list[int] = []
    parts = evaluation.options.shares
    shares = [evaluation.share(number, ticks.append) for number in range(parts)]
    assert sum(ticks) > parts * 86_400  # event time passed, in seconds
    result = figures(evaluation.options, shares)
    known_limit = result.benign["in_house_template"]
    assert known_limit.account_days > 0
    counted = sum(line.account_days for line in result.benign.values()) - known_limit.account_days
    assert result.account_days == counted
    assert result.benign[POPULATION].account_days > 20
    assert result.per_million_low <= result.per_million <= result.per_million_high
    allowed = result.benign["synthetic_data_customer"]
    assert allowed.false_alerts == 0
    for name in ("templated_own_words", "e4_warm_up"):
        line = result.attacks[name]
        assert line.accounts == evaluation.options.of(next(r for r in accounts.ROLES if r.name == name))
        assert line.found <= line.accounts
    found = [outcome for share in shares for outcome in share.outcomes]
    for outcome in found:
        assert outcome.leaked <= outcome.queries
        assert outcome.found_after is None or 1 <= outcome.found_after <= outcome.queries
    assert any(outcome.found_after is not None for outcome in found)

    published = json.loads(json.dumps(result.published()))
    assert set(published) == {
        "account_days", "false_alerts_per_million_account_days", "false_alerts", "interval_95",
        "confounders", "others", "known_limits", "attacks",
    }  # fmt: skip
    assert "in_house_template" not in published["confounders"]
    assert published["known_limits"]["in_house_template"]["accounts"] == known_limit.accounts
    assert set(published["confounders"]["retry_storm"]) == {"accounts", "account_days", "false_alerts"}
    assert published["others"][POPULATION]["account_days"] == result.benign[POPULATION].account_days
    assert set(published["attacks"]["e4_warm_up"]) == {
        "accounts", "found", "queries_to_finding_p50", "queries_to_finding_p95", "leaked_p50"
    }  # fmt: skip


@pytest.mark.usefixtures("few_roles")
def test_without_attackers_the_same_innocents_act(evaluation: Evaluation) -> None:
    benign = replace(evaluation, options=msgspec.structs.replace(evaluation.options, attacks=False))
    both, alone = evaluation.share(0), benign.share(0)
    assert alone.account_days == both.account_days
    assert not alone.outcomes
    result = figures(benign.options, [alone])
    assert result.published()["attacks"] == {}
    assert not result.at_rate
    assert not result.at_budget
    titles = [table.title for table in account_tables(result)]
    assert titles == ["Benign accounts in the test"]


def test_a_population_is_of_the_habits_that_are_left(evaluation: Evaluation) -> None:
    others = tuple(habit.name for habit in HABITS if habit.temperatures != (0.0,))
    assert len(others) == len(HABITS) - 1
    options = msgspec.structs.replace(evaluation.options, accounts=400, without=others)
    shelf = Shelf(Fingerprinter(b"k", "k1"))
    events = list(accounts._Crowd(options, 0, *evaluation.stages(), shelf).events())
    assert len({event.account_id for event in events}) > 50
    assert {event.temperature for event in events} == {0.0}


def test_a_report_says_who_was_left_out(evaluation: Evaluation) -> None:
    whole = account_facts(figures(evaluation.options, []))
    part = msgspec.structs.replace(evaluation.options, without=("agent", "batch"), only=("reseller",))
    told = account_facts(figures(part, []))
    assert "Nobody of the population is: agent, batch. " in told
    assert "Of confounders and attackers only: reseller. " in told
    assert "Nobody" not in whole
    assert "only:" not in whole


def test_a_larger_world_has_more_shares_and_no_larger_ones() -> None:
    assert Options(accounts=8).shares == Options(accounts=4 * SHARE_ACCOUNTS).shares == 4
    assert Options(accounts=4 * SHARE_ACCOUNTS + 1).shares == 5
    assert Options(accounts=100 * SHARE_ACCOUNTS).shares == 100


@pytest.mark.usefixtures("few_roles")
def test_a_share_is_the_same_every_time(evaluation: Evaluation) -> None:
    small = replace(evaluation, options=msgspec.structs.replace(evaluation.options, accounts=12))

    def once() -> ShareResult:
        return small.share(1)

    assert msgspec.json.encode(once()) == msgspec.json.encode(once())
