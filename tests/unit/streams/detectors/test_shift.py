"""Who writes this and that among accounts that write otherwise: with a client, or as many behind one key."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pytest
from msgspec.structs import asdict

from schemas.event import RequestEvent
from streams.account_plane import AccountPlane
from streams.common_systems import SYSTEM_USES
from streams.config import DetectionConfig
from streams.detectors.shift import STRUCTURE, Shift
from streams.features import DIMENSIONS, SCALE
from streams.fingerprint import Fingerprinter
from streams.population import Sample
from streams.purpose import PURPOSE_NATS
from streams.simulation.text.attacks import ATTACK_TEXTS
from streams.simulation.text.grammar import Dice
from streams.simulation.text.writers import WRITERS
from tests.conformance.scenarios import START, event

CLIENT = "You are a helpful assistant."
ACCOUNTS, RECORDS, PROMPTS, MANY = 400, 30, 110, 250
TURNS = 8
"""Of a visit."""
ALERT_NATS = 15.0
PRINTER = Fingerprinter(b"secret", "k1")


def population(writers: Sequence[str]) -> list[Sample]:
    """Accounts that write as these do in turns: what is usual."""
    samples = []
    for number in range(ACCOUNTS):
        write = WRITERS[writers[number % len(writers)]]
        records = [write(number, place // TURNS, place % TURNS, place).prompt for place in range(RECORDS)]
        made = PRINTER.fingerprint_all([(record, None) for record in records])
        vectors = np.array([np.frombuffer(one.prompt_embedding, np.int8) for one in made])
        structure = vectors.reshape(RECORDS, DIMENSIONS)[:, STRUCTURE]
        samples.append(
            Sample(
                hour=int(START.timestamp()) // 3600 - 3 - number // 100, rank=number, noise=1 / RECORDS,
                mean=(structure.mean(axis=0) / SCALE).astype("<f4").tobytes(),
                prompt=structure[-1].tobytes(),
            )
        )  # fmt: skip
    return samples


@pytest.fixture(scope="module")
def applications() -> list[Sample]:
    """Accounts of one purpose each: what is usual where hardly anybody else is."""
    return population(("assistant", "processor", "processor"))


@pytest.fixture(scope="module")
def agents() -> list[Sample]:
    return population(("agent",))


def account(
    name: str,
    systems: Sequence[str | None],
    write: Callable[[int], str],
    prompts: int = PROMPTS,
    after_h: float = 5.0,
) -> list[RequestEvent]:
    """One prompt every two minutes, under these system prompts in turn."""
    rng = random.Random(name)
    made = [asdict(PRINTER.fingerprint(write(n), systems[n % len(systems)])) for n in range(prompts)]
    return [event(name, n, 3600 * after_h + 120 * n, rng, **one) for n, one in enumerate(made)]


def agent(place: int) -> str:
    """What an agent sends for a developer: tasks, and what its tools answer."""
    return WRITERS["agent"](21, place // 8, place % 8, 21 ^ place).prompt


def pipeline(seed: int) -> Callable[[int], str]:
    return lambda place: ATTACK_TEXTS["pipeline"](seed, Dice(seed, place))


def customers(place: int) -> str:
    """Of a gateway that resells: each request another's, a developer's or an agent's in turn."""
    who = random.Random(place).getrandbits(40)
    return WRITERS[("developer", "agent")[place % 2]](who, place, 0, who ^ place).prompt


def tasks(place: int) -> str:
    """Exercises in one wrapper."""
    return ATTACK_TEXTS["reasoning"](3, Dice(3, place))


class Judged(NamedTuple):
    nats: float
    """After an account's last prompt."""
    reason: str


def judged(usual: list[Sample], one: list[RequestEvent]) -> Judged:
    plane = AccountPlane(DetectionConfig())
    (shift,) = (detector for detector in plane.detectors if isinstance(detector, Shift))
    for slot, sample in enumerate(usual, 1000):
        shift.population.add(slot, sample)
    # the client's prompt is nobody's own
    others = [account(f"other-{n}", (CLIENT,), pipeline(50 + n), after_h=0.0) for n in range(SYSTEM_USES)]
    plane.process(sorted((sent for mine in (one, *others) for sent in mine), key=lambda sent: sent.time))
    slots = np.array([plane.table.slots[f"default:{one[0].account_id}"]])
    context = plane.context(plane.table.rows["last_ms"][slots] // 3_600_000)
    reason = shift.explain(plane.table, int(slots[0]), context).reason
    return Judged(float(shift.score(plane.table, slots, context)[0]), reason)


def said(usual: list[Sample], one: list[RequestEvent]) -> float:
    return judged(usual, one).nats


def test_who_writes_this_and_that_with_a_client_is_no_source(applications: list[Sample]) -> None:
    assert said(applications, account("agent", (CLIENT,), agent)) == PURPOSE_NATS
    assert said(applications, account("agent", (None,), agent)) > ALERT_NATS


def test_who_writes_one_thing_with_it_is_one(applications: list[Sample]) -> None:
    assert said(applications, account("tasks", (CLIENT,), tasks)) > ALERT_NATS


def test_nor_is_it_this_and_that_where_people_go_on_about_things_and_he_does_not() -> None:
    assert said([], account("agent", (CLIENT,), agent)) > ALERT_NATS


def test_a_key_with_many_customers_of_whom_some_use_a_client_is_no_source(agents: list[Sample]) -> None:
    assert said(agents, account("key", (None, CLIENT), customers, MANY)) == PURPOSE_NATS
    assert said(agents, account("key", (None,), customers, MANY)) > ALERT_NATS


def test_a_pipeline_that_sends_a_system_prompt_now_and_then_is_one(agents: list[Sample]) -> None:
    assert said(agents, account("tasks", (None, CLIENT), tasks)) > ALERT_NATS


def test_nor_do_customers_explain_a_system_prompt_that_changes(agents: list[Sample]) -> None:
    changing = [f"You are assistant number {n}." for n in range(7)]
    assert said(agents, account("key", changing, customers, MANY)) > ALERT_NATS


def test_the_reason_says_what_was_seen(agents: list[Sample]) -> None:
    list_of_one = judged([], account("tasks", (None,), tasks)).reason
    assert "are built alike (similarity 0." in list_of_one
    assert "do not go on from one to the next as people's do, but as if taken from a list" in list_of_one
    assert "shipped prior only" in list_of_one
    various = judged(agents, account("key", (None,), customers, MANY)).reason
    assert "are as various as people's (similarity 0." in various
    assert "without drift, as if drawn at random from one source" in various
    assert f"{ACCOUNTS} accounts of this partition" in various
    in_turn = judged(agents, account("both", (None,), lambda n: tasks(n) if n < 60 else customers(n))).reason
    assert in_turn.endswith("and drift no less than people's")
