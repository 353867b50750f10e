import tracemalloc
from collections import Counter, defaultdict
from itertools import islice

import msgspec
import numpy as np
import orjson
import pytest

from schemas.adapters.native import read
from schemas.event import RequestEvent
from streams.simulation.attackers import HEAVY, TEMPLATED, Campaign
from streams.simulation.calls import NAIVE_RETRIES, SDK_RETRIES, CallStream, is_campaign
from streams.simulation.habits import HABITS
from streams.simulation.population import Population
from streams.simulation.scenario import Scenario
from streams.simulation.traffic import Traffic

DAY_S = 86_400
QUIET = {"campaigns": (), "incidents_per_day": 0.0}


def habit_number(name: str) -> int:
    return [habit.name for habit in HABITS].index(name)


def all_calls(scenario: Scenario):
    population = Population(scenario)
    return population, list(CallStream(population))


@pytest.fixture(scope="module")
def records():
    scenario = Scenario(accounts=150, seed=11, duration_s=6 * 3600, most_visits_per_day=1500)
    return scenario, list(Traffic(scenario))


def test_records_are_native_events_with_text(records):
    scenario, sent = records
    for record in sent[::7]:
        event = read(record.value)
        assert event.prompt
        assert event.time_ms == record.time_ms
        assert record.key.decode() == event.account_key
        assert scenario.start_ms <= event.time_ms < scenario.end_ms


def test_every_field_is_one_that_the_schema_knows(records):
    known = {field.name for field in msgspec.structs.fields(RequestEvent)} | {"prompt", "system_prompt"}
    assert all(set(orjson.loads(record.value)) <= known for record in records[1][::50])


def test_time_never_goes_back_and_ids_never_repeat(records):
    times = [record.time_ms for record in records[1]]
    assert times == sorted(times)
    ids = [orjson.loads(record.value)["event_id"] for record in records[1]]
    assert len(set(ids)) == len(ids)


def test_the_truth_is_beside_the_events_not_inside(records):
    scenario, sent = records
    words = [campaign.name for campaign in scenario.campaigns] + ["campaign", "attack", "habit"]
    for record in sent:
        fields = orjson.loads(record.value)
        text = fields.pop("prompt") + fields.pop("system_prompt", "")
        assert text is not None
        assert not any(word in str(fields) for word in words)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others():
    scenario = Scenario(accounts=40, seed=5, duration_s=3600)
    traffic = Traffic(scenario)
    first = list(traffic)
    assert first == list(traffic) == list(Traffic(scenario))
    other = list(Traffic(msgspec.structs.replace(scenario, seed=6)))
    assert not {record.value for record in first} & {record.value for record in other}


def test_text_changes_nothing_but_text_and_the_tokens_it_needs():
    scenario = Scenario(accounts=40, seed=5, duration_s=3600)
    for with_text, without in zip(Traffic(scenario), Traffic(scenario, text=False), strict=True):
        fields, bare = orjson.loads(with_text.value), orjson.loads(without.value)
        for name in ("prompt", "system_prompt", "input_tokens"):
            fields.pop(name, None)
            bare.pop(name, None)
        assert fields == bare


def test_visits_come_at_the_declared_rate():
    """Over a whole day, whatever the hour profile and burstiness; wander has mean 1."""
    population, slices = all_calls(Scenario(accounts=6000, seed=2, duration_s=DAY_S, **QUIET))
    first = np.concatenate([calls.account[(calls.turn == 0) & (calls.attempt == 0)] for calls in slices])
    counts = np.bincount(first, minlength=population.size)
    # accounts that sign up during the day send less
    old = population.identity.created_ms < population.scenario.start_ms
    for name, tolerance in (("person", 0.03), ("developer", 0.04), ("completion", 0.06)):
        mine = (population.habit == habit_number(name)) & old
        assert counts[mine].sum() == pytest.approx(population.visits_per_day[mine].sum(), rel=tolerance)


def test_conversations_have_the_fitted_tail():
    population, slices = all_calls(Scenario(accounts=4000, seed=2, duration_s=2 * DAY_S, **QUIET))
    person = habit_number("person")
    turns = Counter()
    for calls in slices:
        turns.update(calls.visit[population.habit[calls.account] == person].tolist())
    lengths = np.array(list(turns.values()))
    assert (lengths >= 2).mean() == pytest.approx(2**-2.311, abs=0.02)
    assert (lengths >= 4).mean() == pytest.approx(4**-2.311, abs=0.01)


def test_people_keep_their_hours():
    population, slices = all_calls(Scenario(accounts=3000, seed=4, duration_s=DAY_S, **QUIET))
    account = np.concatenate([calls.account for calls in slices])
    time_ms = np.concatenate([calls.time_ms for calls in slices])
    developers = population.habit[account] == habit_number("developer")
    local_hour = (time_ms // 3_600_000 + population.zone_h[account])[developers] % 24
    counts = np.bincount(local_hour, minlength=24)
    assert counts[9:17].sum() > 8 * counts[0:7].sum()


def test_campaigns_keep_to_their_declaration():
    scenario = Scenario(accounts=50, seed=8, duration_s=DAY_S, incidents_per_day=0)
    population, slices = all_calls(scenario)
    times = defaultdict(list)
    for calls in slices:
        mine = is_campaign(population, calls) & (calls.attempt == 0)
        for account, time_ms in zip(calls.account[mine].tolist(), calls.time_ms[mine].tolist(), strict=True):
            times[account].append(time_ms)
    heavy, templated = np.array(times[50]), np.array(times[51])
    assert heavy.min() >= scenario.start_ms + 0.4 * scenario.duration_s * 1000
    assert len(heavy) == pytest.approx(0.6 * HEAVY.requests_per_day, rel=0.02)
    assert len(templated) == pytest.approx(0.5 * TEMPLATED.requests_per_day, rel=0.15)
    gaps = np.diff(heavy)
    assert gaps.std() / gaps.mean() == pytest.approx(HEAVY.cv, abs=0.02)


def test_retries_repeat_the_request_and_know_when_to_stop():
    scenario = Scenario(accounts=400, seed=9, duration_s=DAY_S, incidents_per_day=40.0, campaigns=())
    population, slices = all_calls(scenario)
    attempts = defaultdict(list)
    for calls in slices:
        columns = (calls.event, calls.attempt, calls.failed, calls.account)
        for event, attempt, failed, account in zip(*(c.tolist() for c in columns), strict=True):
            attempts[event].append((attempt, failed, account))
    longest = Counter()
    for chain in attempts.values():
        assert [attempt for attempt, *_ in chain] == list(range(len(chain)))
        assert all(failed for _, failed, _ in chain[:-1])
        naive = bool(population.naive[chain[0][2]])
        longest[naive] = max(longest[naive], len(chain) - 1)
    assert longest[False] == SDK_RETRIES
    assert SDK_RETRIES < longest[True] <= NAIVE_RETRIES
    again = [chain for chain in attempts.values() if len(chain) > 1]
    assert again


def test_a_retry_says_the_same_words():
    scenario = Scenario(accounts=100, seed=9, duration_s=6 * 3600, incidents_per_day=40.0, campaigns=())
    prompts = defaultdict(set)
    failures = Counter()
    for record in Traffic(scenario):
        event = read(record.value)
        prompts[event.event_id.partition(".")[0]].add(event.prompt)
        failures[event.status] += 1
        if event.status == "failure":
            assert event.output_tokens == 0
            assert event.error_type
    assert failures["failure"] > 20
    assert all(len(texts) == 1 for texts in prompts.values())


def test_memory_does_not_grow_with_the_span():
    def peak(days: int) -> int:
        tracemalloc.start()
        try:
            scenario = Scenario(accounts=2000, seed=1, duration_s=days * DAY_S, **QUIET)
            for _ in CallStream(Population(scenario)):
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(4) < 1.6 * peak(1)


def test_slices_shrink_as_the_world_grows():
    small = CallStream(Population(Scenario(accounts=100, **QUIET)))
    large = CallStream(Population(Scenario(accounts=200_000, **QUIET)))
    assert large.slice_s < small.slice_s
    for calls in islice(large, 3):
        assert len(calls.time_ms) < 150_000


def test_a_hydra_is_only_a_declaration():
    hydra = Campaign(
        name="hydra",
        text="reasoning",
        accounts=60,
        requests_per_day=25.6,
        starts_after=0,
        share={"payment": 4},
    )
    traffic = Traffic(Scenario(accounts=20, seed=3, duration_s=DAY_S, campaigns=(hydra,)))
    members = set(traffic.truth().campaigns["hydra"])
    counts, cards = Counter(), set()
    for record in traffic:
        event = read(record.value)
        if event.account_id in members:
            counts[event.account_id] += 1
            cards.add(event.payment_hash)
    assert len(counts) == 60
    assert counts.total() == pytest.approx(60 * 25.6, rel=0.15)
    assert len(cards) <= 4
