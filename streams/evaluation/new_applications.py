"""Users of new applications, each with an account of his own: a form that many unrelated accounts fill in.

What they send looks like one pipeline spread over many accounts (DESIGN section 1). An application begins
during the test and its users join over some hours; their cards and ages are their own, most of what they send
is the application's form, and the rest is theirs. Where users send records under the application's system
prompt there is no form, and nothing else. All numbers are ours, not measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np

from schemas.finding import utc_from_ms
from streams.evaluation import schedules
from streams.evaluation.cast import Request, Stage, usage
from streams.evaluation.schedules import DAY_MS, Generator
from streams.simulation import parameters
from streams.simulation.text.applications import application
from streams.simulation.text.writers import WRITERS, Message

USERS = (20, 500)
"""Least and most of an application; sizes between are equally likely on a logarithmic scale."""
JOINS_OVER_MS = 12 * 3_600_000
"""Mean time after the application's start at which somebody sends his first request."""
VISITS_PER_DAY, VISITS_SIGMA, TURNS = 3.0, 0.9, 2.5
OWN_SHARE = 0.4
"""Largest share of own words in what somebody sends."""
NEW_SHARE = 0.5
"""Of accounts that are made for the application; the others are up to `OLDEST_DAYS` old."""
OLDEST_DAYS = 400.0

Sort = Literal["plain", "system", "house", "records"]
"""What else an application shows: nothing, a system prompt, one organisation of all its users; or a system
prompt instead of a form."""

ABOUT_OWN_WORDS = (
    "Improve the wording of my text and keep its meaning. My text: {}",
    "{}\n\nRewrite this for a friendly e-mail to a customer.",
    "Tone: professional\nLength: medium\nAudience: colleagues\nRequest: {}",
    "I am using the study planner. My question for today is below, please answer for a beginner.\n\n{}",
    "[coach] goal of the week: stay curious\n[coach] note of the member: {}\n[coach] write back warmly.",
    "Turn these keywords into a short post with two hashtags => {}",
)
"""Forms around what people write themselves; the other half of the applications takes records."""


class NewApplication(NamedTuple):
    """One of them."""

    name: str
    text_seed: int
    form: str | None
    """Around its users' own words; `None`: an application that takes records."""
    system: str | None
    starts_ms: int
    answer_tokens: float
    settings: dict[str, Any]


def _sized(stage: Stage, sort: Sort, number: int) -> int:
    """Which application an account belongs to: its number, the same in every share of the world."""
    rng = np.random.default_rng([stage.seed, *sort.encode()])
    place, last = -1, 0
    while last <= number:
        last += round(np.exp(rng.uniform(*np.log(USERS))))
        place += 1
    return place


def _made(stage: Stage, sort: Sort, place: int) -> NewApplication:
    rng = np.random.default_rng([stage.seed, place, *sort.encode()])
    seed = int(rng.integers(1 << 40))
    if sort == "records":
        form, system = None, application(seed, "job").system
    else:
        while (application(seed, "processor").system is None) == (sort == "system") or (
            application(seed, "processor").frame == "{}"
        ):
            seed += 1
        form = ABOUT_OWN_WORDS[place // 2 % len(ABOUT_OWN_WORDS)] if place % 2 else None
        system = application(seed, "processor").system
    length = parameters.CLIENT_OUTPUT
    temperature = (None, None, None, 0.3, 0.7, 1.0)[int(rng.integers(6))]
    return NewApplication(
        name=f"{sort}-{stage.seed}-{place}",
        text_seed=seed,
        form=form,
        system=system,
        starts_ms=stage.when(rng, 0.0, 0.4),
        answer_tokens=float(np.clip(np.exp(rng.normal(length.mu, length.sigma)), 1, 4000)),
        settings={
            "max_tokens": (None, None, 1024, 2048)[int(rng.integers(4))],
            **({} if temperature is None else {"temperature": temperature}),
        },
    )


def user(stage: Stage, number: int, rng: Generator, *, sort: Sort) -> Iterator[Request]:
    """Somebody who uses a new application by an account of his own."""
    app = _made(stage, sort, _sized(stage, sort, number))
    who = int(rng.integers(1 << 40))
    from_ms = app.starts_ms + int(rng.exponential(JOINS_OVER_MS))
    age_days = rng.random() if rng.random() < NEW_SHARE else rng.uniform(1.0, OLDEST_DAYS)
    owner = {
        "account_created_at": utc_from_ms(from_ms - int(age_days * DAY_MS)),
        "organization_id": f"org-{app.name}" if sort == "house" else None,
    }
    visits = VISITS_PER_DAY * np.exp(VISITS_SIGMA * rng.standard_normal())
    own_share = rng.uniform(0.0, 0.0 if sort == "records" else OWN_SHARE)
    records = WRITERS["job" if sort == "records" else "processor"]
    times = schedules.sittings(visits, TURNS, stage.test_ms, stage.end_ms, rng)
    begun = [from_ms] if from_ms < stage.end_ms else []
    for place, time_ms in enumerate(begun + times[times > from_ms].tolist()):
        spoken = WRITERS["person"](who, place // 3, place % 3, (who << 12) + place)
        if rng.random() < own_share:
            yield Request(time_ms, spoken, {**usage(spoken, rng, output_tokens=250), **owner})
            continue
        if app.form is None:
            message = records(app.text_seed, place, 0, (who << 12) + place)
        else:
            message = Message(app.form.replace("{}", spoken.prompt), app.system)
        spread = parameters.CLIENT_OUTPUT_WITHIN
        fields = usage(message, rng, output_tokens=app.answer_tokens, spread=spread, **app.settings)
        yield Request(time_ms, message, {**fields, **owner})
