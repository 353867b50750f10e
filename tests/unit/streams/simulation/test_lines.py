from collections import Counter
from functools import partial

import msgspec
import numpy as np
import pytest

from schemas.event import RequestEvent, decode_event
from streams.fingerprint import Fingerprint, Fingerprinter
from streams.simulation import constants
from streams.simulation.attackers import Campaign
from streams.simulation.calls import Calls, CallStream
from streams.simulation.content import APPLICATIONS, Content
from streams.simulation.crowds import Crowd
from streams.simulation.habits import HABITS
from streams.simulation.lines import Lines
from streams.simulation.population import Population
from streams.simulation.scenario import Scenario
from streams.simulation.sources import Source, endings, written
from streams.simulation.traffic import Traffic

PRINTER = Fingerprinter(b"a secret of this test", "k1")
HYDRA = Campaign(name="hydra", text="pipeline", accounts=12, requests_per_day=60, cover=0.3, starts_after=0.1)
APP = Crowd(name="app", accounts=(10, 10), writer="processor", habit="developer", own_share=0.2)
SCENARIO = Scenario(accounts=60, seed=3, duration_s=12 * 3600, crowds=(APP,), campaigns=(HYDRA,))


def events(stream: Lines) -> list[RequestEvent]:
    return [decode_event(line) for part in stream for line in part.lines]


def test_lines_are_the_records_of_the_slower_writer():
    traffic = Traffic(SCENARIO, text=False)
    wanted = [decode_event(record.value) for record in traffic]
    assert len(wanted) > 300
    assert events(Lines(traffic)) == wanted


@pytest.fixture(scope="module")
def said() -> tuple[Population, list[RequestEvent]]:
    traffic = Traffic(SCENARIO, text=False)
    content = Content(traffic.population, partial(endings, PRINTER))
    return traffic.population, events(Lines(traffic, content))


def test_content_adds_fingerprints_and_nothing_else(said):
    _, found = said
    names = ("fingerprint_id", "prompt_embedding", "prompt_hash", "prompt_chars")
    assert all(getattr(event, name) is not None for event in found for name in names)
    bare = events(Lines(Traffic(SCENARIO, text=False)))
    fingerprints = msgspec.structs.fields(type(found[0]))
    kept = [field.name for field in fingerprints if getattr(bare[0], field.name) is not None]
    assert [[getattr(one, name) for name in kept] for one in found] == [
        [getattr(one, name) for name in kept] for one in bare
    ]


def test_who_writes_the_bank_changes_nothing(said):
    """Sources can be written in other processes, all that a slice asks for at once."""
    asked = []

    def write(sources):
        asked.append(len(sources))
        return endings(PRINTER, sources[::-1])[::-1]

    traffic = Traffic(SCENARIO, text=False)
    content = Content(traffic.population, write)
    assert events(Lines(traffic, content)) == said[1]
    assert max(asked) > 1


def test_what_accounts_always_send_is_kept_of_a_bounded_number(monkeypatch):
    traffic = Traffic(SCENARIO, text=False)
    wanted = [bytes(part.data) for part in Lines(traffic)]
    monkeypatch.setattr(constants, "KEPT_ACCOUNTS", 8)
    traffic, kept = Traffic(SCENARIO, text=False), []
    for number, part in enumerate(Lines(traffic)):
        assert bytes(part.data) == wanted[number]
        kept.append(len(traffic.constants))
    assert len(kept) == len(wanted)
    assert max(kept) < traffic.population.size / 2


def test_accounts_of_a_source_share_a_template_and_others_do_not(said):
    population, found = said
    rows = {population.account_id(row): row for row in range(population.size)}
    heads: dict[str, set[int]] = {}
    for event in found:
        if event.template_hash:
            heads.setdefault(event.template_hash, set()).add(rows[event.account_id])
    groups = Counter()
    for accounts in heads.values():
        campaigns, crowds = population.campaign[list(accounts)], population.crowd[list(accounts)]
        if len(accounts) > 1:
            assert len({*zip(campaigns.tolist(), crowds.tolist(), strict=True)}) == 1
            groups["hydra" if campaigns[0] == 0 else "app"] += 1
    assert groups["hydra"] >= 1


def test_cover_is_a_persons_words_in_the_declared_share():
    population = Population(SCENARIO)
    content = Content(population, partial(written, PRINTER))
    inside = aside = 0
    for calls in CallStream(population):
        mine = calls.take(population.campaign[calls.account] == 0)
        heads = [content.kept[row].template_hash for row in content.rows(mine).tolist()]
        is_aside = population.is_aside(mine.account, mine.event, mine.time_ms)
        aside += int(is_aside.sum())
        inside += len(heads)
        assert all(head is None for head, out in zip(heads, is_aside.tolist(), strict=True) if out)
        assert all(head for head, out in zip(heads, is_aside.tolist(), strict=True) if not out)
    assert aside / inside == pytest.approx(0.3, abs=0.1)


def test_the_same_seed_gives_the_same_content():
    def said() -> list[Fingerprint]:
        population = Population(SCENARIO)
        content = Content(population, partial(written, PRINTER))
        first = next(calls for calls in CallStream(population) if len(calls.time_ms) > 5)
        return [content.kept[row] for row in content.rows(first).tolist()]

    assert said() == said()


def test_warm_up_sends_ordinary_words_before_the_start():
    patient = msgspec.structs.replace(HYDRA, starts_after=0.8, warm_up_days=0.3, cover=0.0)
    population = Population(msgspec.structs.replace(SCENARIO, campaigns=(patient,)))
    mine = population.campaign == 0
    starts_ms = population.scenario.start_ms + int(0.8 * population.scenario.duration_s * 1000)
    assert (population.from_ms[mine] < starts_ms).all()
    assert (population.identity.created_ms[mine] <= population.from_ms[mine]).all()
    account = np.flatnonzero(mine)
    before, after = (np.full(len(account), starts_ms + step) for step in (-1, 1))
    event = np.full(len(account), 12345)
    assert population.is_aside(account, event, before).all()
    assert not population.is_aside(account, event, after).any()


def test_beyond_a_thousand_accounts_several_run_the_same_product():
    others = tuple(habit.name for habit in HABITS if habit.name != "processor")
    population = Population(Scenario(accounts=APPLICATIONS + 2, without=others, campaigns=()))
    content = Content(population, partial(written, PRINTER))
    account = np.array([0, 1, APPLICATIONS, APPLICATIONS + 1])
    same = np.full(4, 12345)
    time_ms = np.full(4, population.scenario.start_ms)
    calls = Calls(time_ms, account, same << 30, np.zeros(4, int), same << 30, np.zeros(4, int), same < 0)
    first, second, *again = content.rows(calls).tolist()
    assert again == [first, second]
    assert first != second


def test_the_bank_gives_every_account_the_words_of_its_voice():
    """Sources are found by column, voices one by one."""
    office = Crowd(name="office", accounts=(9, 9), writer="assistant", one_source=False)
    scenario = msgspec.structs.replace(SCENARIO, accounts=400, crowds=(APP, office))
    population = Population(scenario)
    content = Content(population, lambda sources: [[one] * one.prompts for one in sources])
    rows = np.arange(population.size)
    said: list[tuple[int, Source]] = []
    for event in (0, 0xFFFF):  # in its own words where it has others, and in those it shares
        still = np.zeros(len(rows), np.int64)
        time_ms = np.full(len(rows), scenario.end_ms)
        calls = Calls(time_ms, rows, still, still, still + event, still, still > 0)
        aside = population.is_aside(calls.account, calls.event, calls.time_ms).tolist()
        found = [content.kept[place] for place in content.rows(calls).tolist()]
        for row, own, source in zip(rows.tolist(), aside, found, strict=True):
            voice = population.own_voice(row) if own else population.voice(row)
            assert source.voice.writer == voice.writer
            assert source.voice == voice or not voice.shared
            said.append((row, source))
    assert len({source.voice.writer for _, source in said}) > 5
    assert any(source.voice.shared for _, source in said)
