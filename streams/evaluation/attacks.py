"""Attackers that a single account can show: A1, A3, A4, A6 of DESIGN section 1, evasions E1, E2, E4, E5."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from streams.evaluation import families, schedules
from streams.evaluation.cast import Request, Role, Stage, said, usage
from streams.evaluation.schedules import Generator
from streams.simulation.text.attacks import ATTACK_TEXTS
from streams.simulation.text.code import PROJECTS, coding
from streams.simulation.text.grammar import Dice, capitalised
from streams.simulation.text.writers import WRITERS, Message

MOST_QUERIES = 1500
"""Simulated queries of a slow attacker; a heavy one sends `MOST_HEAVY`. Enough for the targets: what is not
found by then counts as not found."""
MOST_HEAVY = 4000

HARVEST: dict[str, Any] = {"max_tokens": 4096, "temperature": 1.0}
_PROJECTS = sorted(PROJECTS)

Write = Callable[[int], Message]
Text = Callable[[Stage, int, Generator], Write]
"""``(stage, account number, generator)`` to what the account writes, by number of the query."""


def teacher(stage: Stage, number: int, rng: Generator) -> Write:
    """The fixed teacher template with three seeds."""
    seed, material = int(rng.integers(1 << 40)), stage.material
    return lambda place: Message(
        families.teacher_query(material.template, material.examples, Dice(seed, place))
    )


def maths(wrapper: str | None, stage: Stage, number: int, rng: Generator) -> Write:
    """Tasks in one wrapper, in twelve (``*``), or bare (``None``)."""
    tasks = stage.material.tasks
    start = int(rng.integers(len(tasks)))

    def write(place: int) -> Message:
        task = tasks[(start + place) % len(tasks)]
        if wrapper is None:
            return Message(task)
        frame = families.WRAPPERS[place % len(families.WRAPPERS)] if wrapper == "*" else wrapper
        return Message(frame.format(task))

    return write


def simulated(kind: str, stage: Stage, number: int, rng: Generator) -> Write:
    """A campaign of `streams.simulation.text.attacks` with wording of its own for every account."""
    campaign, write = int(rng.integers(1 << 40)), ATTACK_TEXTS[kind]
    return lambda place: Message(write(campaign, Dice(campaign, place)))


def coding_tasks(stage: Stage, number: int, rng: Generator) -> Write:
    """Software tasks over all kinds of projects, without a template."""
    seed = int(rng.integers(1 << 40))

    def write(place: int) -> Message:
        dice = Dice(seed, place)
        return Message(capitalised(coding(dice.pick(_PROJECTS)).write("task", dice)))

    return write


def attack(
    text: Text,
    stage: Stage,
    number: int,
    rng: Generator,
    *,
    per_day: tuple[float, float],
    cv: float = 1.0,
    output_tokens: float = 900.0,
    most: int = MOST_QUERIES,
) -> Iterator[Request]:
    """An account that only collects, at a rate between two limits."""
    write = text(stage, number, rng)
    rate = float(np.exp(rng.uniform(*np.log(per_day))))
    times = schedules.renewals(rate, stage.when(rng), stage.end_ms, rng, cv=cv)[:most]
    yield from said(
        times, write, lambda m: usage(m, rng, output_tokens=output_tokens, **HARVEST), attack=True
    )


def agentic(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """A4: traces of coding agents: orders, then tool results, long answers with tools declared."""
    rate = float(rng.uniform(100, 600))
    times = schedules.renewals(rate, stage.when(rng), stage.end_ms, rng)[:MOST_QUERIES]
    seed, limit = int(rng.integers(1 << 40)), int(rng.choice([1024, 2048, 4096]))

    def write(place: int) -> Message:
        dice = Dice(seed, place)
        symbol = "agent_step" if place % 5 else "agent_first"
        return Message(coding(Dice(seed, place // 5).pick(_PROJECTS)).write(symbol, dice))

    def settle(message: Message) -> dict[str, Any]:
        return usage(message, rng, output_tokens=1500, max_tokens=limit, temperature=1.0, tool_count=12)

    yield from said(times, write, settle, attack=True)


def jittered(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """E1: a templated pipeline with the gaps of a ServeGen customer."""
    clients, write = stage.material.clients, teacher(stage, number, rng)
    client = clients[int(rng.integers(len(clients)))]
    times = schedules.customer(client, 80, stage.when(rng), stage.end_ms, rng)[:MOST_QUERIES]
    yield from said(times, write, lambda m: usage(m, rng, output_tokens=900, **HARVEST), attack=True)


def warmed_up(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """E4: ordinary use from the first day of calibration on, then a templated pipeline."""
    begins_ms, who = stage.when(rng, 0.3, 0.5), int(rng.integers(1 << 40))
    before = schedules.sittings(5, 3, stage.start_ms, begins_ms, rng)
    yield from said(
        before,
        lambda place: WRITERS["person"](who, place // 3, place % 3, place),
        lambda message: usage(message, rng, output_tokens=250),
    )
    after = schedules.renewals(150, begins_ms, stage.end_ms, rng)[:MOST_QUERIES]
    write = teacher(stage, number, rng)
    yield from said(after, write, lambda m: usage(m, rng, output_tokens=900, **HARVEST), attack=True)


def covered(share: float, text: Text, stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """E5: `share` of all requests are ordinary people's, the rest a pipeline's, 200 a day together."""
    start_ms, write = stage.when(rng), text(stage, number, rng)
    cover = schedules.renewals(200 * share, start_ms, stage.end_ms, rng)
    hidden = schedules.renewals(200 * (1 - share), start_ms, stage.end_ms, rng)
    times, collects = schedules.merged(cover, hidden)
    asked = 0
    for place, (time_ms, own) in enumerate(zip(times.tolist(), collects.tolist(), strict=True)):
        if own:
            message = write(asked)
            asked += 1
            yield Request(time_ms, message, usage(message, rng, output_tokens=900, **HARVEST), attack=True)
        else:
            who = int(rng.integers(1 << 40))
            message = WRITERS["person"](who, place, 0, place)
            yield Request(time_ms, message, usage(message, rng, output_tokens=250))


def _role(name: str, accounts: int, script: Callable[..., Iterator[Request]], about: str) -> Role:
    return Role(name, "attack", accounts, script, about, age_days=3.0)


_ONE, _MANY, _BARE = (partial(maths, wrapper) for wrapper in (families.WRAPPER, "*", None))
_HEAVY = (0.2 * 86_400, 5 * 86_400)
_SLOW = (30.0, 300.0)

ATTACKS: tuple[Role, ...] = (
    _role(
        "a1_heavy_template", 4, partial(attack, teacher, per_day=_HEAVY, cv=0.1, most=MOST_HEAVY),
        "0.2 to 5 a second, teacher template",
    ),
    _role(
        "a1_heavy_tasks", 6,
        partial(attack, partial(simulated, "tasks"), per_day=_HEAVY, cv=0.1, most=MOST_HEAVY),
        "0.2 to 5 a second, diverse tasks without a template",
    ),
    _role("templated", 30, partial(attack, teacher, per_day=_SLOW), "teacher template, slow"),
    _role(
        "templated_own_words", 30, partial(attack, partial(simulated, "pipeline"), per_day=_SLOW),
        "a self-instruction template worded anew for every account, slow",
    ),
    _role("a3_reasoning_one_wrapper", 30, partial(attack, _ONE, per_day=_SLOW), "maths in one wrapper"),
    _role("a4_agentic_coding", 30, agentic, "agent orders and tool results, long answers"),
    _role(
        "a4_coding_tasks", 30, partial(attack, coding_tasks, per_day=_SLOW),
        "software tasks, no template (untemplated narrow)",
    ),
    _role(
        "a6_grading", 30, partial(attack, partial(simulated, "grading"), per_day=_SLOW, output_tokens=300.0),
        "judge prompts, worded anew for every account",
    ),
    _role(
        "narrow_bare_maths", 30, partial(attack, _BARE, per_day=_SLOW),
        "maths, no wrapper (untemplated narrow)",
    ),
    _role(
        "diverse_bare_tasks", 30, partial(attack, partial(simulated, "tasks"), per_day=_SLOW),
        "tasks of all kinds, no template",
    ),
    _role("e1_jittered", 30, jittered, "teacher template, gaps of a ServeGen customer"),
    _role("e2_paraphrased", 30, partial(attack, _MANY, per_day=_SLOW), "maths in twelve wrappers"),
    _role("e4_warm_up", 30, warmed_up, "days of ordinary use, then the teacher template"),
    *(
        _role(
            f"e5_cover_{share:.0%}".rstrip("%"), 20, partial(covered, share, teacher),
            f"teacher template behind {share:.0%} ordinary requests",
        )
        for share in (0.5, 0.75, 0.9, 0.95)
    ),
    _role(
        "e5_cover_50_bare_maths", 20, partial(covered, 0.5, _BARE),
        "bare maths behind 50 % ordinary requests",
    ),
)  # fmt: skip
