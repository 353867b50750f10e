"""Who uses a client that others use, among accounts that write unlike all of its users."""

from __future__ import annotations

import random
from collections.abc import Callable

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
APPLICATIONS, RECORDS, PROMPTS = 400, 30, 110
ALERT_NATS = 15.0
PRINTER = Fingerprinter(b"secret", "k1")


@pytest.fixture(scope="module")
def applications() -> list[Sample]:
    """Accounts of one purpose each: what is usual where hardly anybody else is."""
    samples = []
    for number in range(APPLICATIONS):
        write = WRITERS["assistant" if number % 3 == 0 else "processor"]
        records = [write(number, place, 0, place).prompt for place in range(RECORDS)]
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


def account(
    name: str, system: str | None, write: Callable[[int], str], after_h: float = 0.0
) -> list[RequestEvent]:
    """`PROMPTS`, one every two minutes."""
    rng = random.Random(name)
    made = [asdict(PRINTER.fingerprint(write(place), system)) for place in range(PROMPTS)]
    return [event(name, place, 3600 * after_h + 120 * place, rng, **one) for place, one in enumerate(made)]


def agent(place: int) -> str:
    """What an agent sends for a developer: tasks, and what its tools answer."""
    return WRITERS["agent"](21, place // 8, place % 8, 21 ^ place).prompt


def pipeline(seed: int) -> Callable[[int], str]:
    return lambda place: ATTACK_TEXTS["pipeline"](seed, Dice(seed, place))


def tasks(place: int) -> str:
    """Exercises in one wrapper."""
    return ATTACK_TEXTS["reasoning"](3, Dice(3, place))


def said(applications: list[Sample], one: list[RequestEvent]) -> float:
    """Nats of an account after its last prompt."""
    plane = AccountPlane(DetectionConfig())
    (shift,) = (detector for detector in plane.detectors if isinstance(detector, Shift))
    for slot, sample in enumerate(applications, 1000):
        shift.population.add(slot, sample)
    # the client's prompt is nobody's own
    others = [account(f"other-{n}", CLIENT, pipeline(50 + n)) for n in range(SYSTEM_USES)]
    plane.process(sorted((sent for mine in (one, *others) for sent in mine), key=lambda sent: sent.time))
    slots = np.array([plane.table.slots[f"default:{one[0].account_id}"]])
    hours = plane.table.rows["last_ms"][slots] // 3_600_000
    return float(shift.score(plane.table, slots, plane.context(hours))[0])


def test_who_writes_this_and_that_with_a_client_is_no_source(applications: list[Sample]) -> None:
    assert said(applications, account("agent", CLIENT, agent, after_h=5.0)) == PURPOSE_NATS
    assert said(applications, account("agent", None, agent, after_h=5.0)) > ALERT_NATS


def test_who_writes_one_thing_with_it_is_one(applications: list[Sample]) -> None:
    assert said(applications, account("tasks", CLIENT, tasks, after_h=5.0)) > ALERT_NATS


def test_nor_is_it_this_and_that_where_people_go_on_about_things_and_he_does_not() -> None:
    assert said([], account("agent", CLIENT, agent, after_h=5.0)) > ALERT_NATS
