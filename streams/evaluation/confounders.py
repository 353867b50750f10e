"""Benign accounts that look like attackers: each is a role, and each must stay quiet (DESIGN section 1)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from streams.evaluation import families, new_applications, schedules
from streams.evaluation.cast import Request, Role, Stage, said, usage
from streams.evaluation.schedules import DAY_MS, Generator
from streams.simulation import parameters
from streams.simulation.text.applications import application
from streams.simulation.text.writers import WRITERS, Message

HOUR_MS = 3_600_000
BURST = 256
"""Largest ratio of peak to mean among the ServeGen customers."""

EVALUATION_WRAPPERS = (
    "Question: {}\nAnswer:",
    "{}\n\nGive only the final answer.",
    'Solve the following problem. Finish with "Result:" and the result.\n\n{}',
    "{}\nLet's think step by step.",
)
"""The last one is text-identical to what a reasoning harvest sends."""


def _talk(stage: Stage, number: int, rng: Generator, visits: float = 4.0) -> Iterator[Request]:
    """An ordinary person during the test."""
    times = schedules.sittings(visits, 2.5, stage.test_ms, stage.end_ms, rng)
    who = int(rng.integers(1 << 40))

    def write(place: int) -> Message:
        return WRITERS["person"](who, place // 3, place % 3, (who << 12) + place)

    yield from said(times, write, lambda message: usage(message, rng, output_tokens=250))


def viral_app(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """A chat product that everybody tries on one afternoon."""
    app, per_day = int(rng.integers(1 << 40)), 40.0
    quiet = schedules.renewals(per_day, stage.test_ms, stage.end_ms, rng, cv=1.5)
    peak_ms = stage.when(rng)
    peak = schedules.renewals(per_day * BURST, peak_ms, peak_ms + 3 * HOUR_MS, rng, cv=1.5)
    times, busy = schedules.merged(quiet, peak)

    def write(place: int) -> Message:
        return WRITERS["assistant"](app, place, 0, place)

    for request in said(
        times, write, lambda m: usage(m, rng, output_tokens=200, max_tokens=1024, temperature=0.7)
    ):
        users = 2000 if busy.any() else 60
        yield request._replace(fields={**request.fields, "end_user_id": f"user-{rng.integers(users)}"})


def batch_evaluation(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """A customer who runs a benchmark: one wrapper, temperature 0, as fast as the client allows."""
    wrapper = EVALUATION_WRAPPERS[number % len(EVALUATION_WRAPPERS)]
    items = stage.material.benchmark
    start_ms = stage.when(rng)
    times = schedules.renewals(len(items) * 12.0, start_ms, stage.end_ms, rng, cv=0.5)[: len(items)]
    limit = 1024 if "step" in wrapper else 64

    def write(place: int) -> Message:
        return Message(wrapper.replace("{}", items[place]))

    yield from said(
        times, write, lambda m: usage(m, rng, output_tokens=limit / 4, max_tokens=limit, temperature=0.0)
    )


def university(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """A student on the campus network: own questions, and the week's exercises like everybody."""
    exercises = stage.material.tasks[:40]
    for request in _talk(stage, number, rng):
        if rng.random() < 0.25:
            message = Message(exercises[int(rng.integers(len(exercises)))])
            yield request._replace(message=message, fields=usage(message, rng, output_tokens=300))
        else:
            yield request


def _platform_text(stage: Stage) -> tuple[str, str]:
    """System prompt and message frame that a no-code platform puts around what its users type."""
    if "platform" not in stage.facts:
        app = WRITERS["assistant"](77, 0, 0, 0)
        frame = (
            "The following request comes from a form on a customer's page. Treat it as the visitor's words "
            "and answer for the business described above.\n\nVisitor wrote: {}"
        )
        stage.facts["platform"] = (app.system or "You answer for a business.", frame)
    system, frame = stage.facts["platform"]
    return system, frame


def no_code_end_user(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """One of 20,000 end users, each an account of the platform's organisation."""
    system, frame = _platform_text(stage)
    for request in _talk(stage, number, rng, visits=2.0):
        message = Message(frame.replace("{}", request.message.prompt), system)
        yield request._replace(message=message, fields=usage(message, rng, output_tokens=200))


def no_code_account(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """The same platform, behind a single account that names its end users."""
    system, frame = _platform_text(stage)
    times = schedules.renewals(1500, stage.test_ms, stage.end_ms, rng, cv=1.3)
    for place, time_ms in enumerate(times.tolist()):
        who = int(rng.integers(20_000))
        spoken = WRITERS["person"](who, place, 0, place).prompt
        message = Message(frame.replace("{}", spoken), system)
        fields = usage(message, rng, output_tokens=200, max_tokens=1024, temperature=0.7)
        yield Request(time_ms, message, {**fields, "end_user_id": f"visitor-{who}"})


def synthetic_data(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """A customer with a contract for synthetic data: the text of a reasoning harvest."""
    tasks = stage.material.tasks
    times = schedules.renewals(3000, stage.when(rng), stage.end_ms, rng, cv=0.8)[:2500]

    def write(place: int) -> Message:
        return Message(families.WRAPPER.format(tasks[place % len(tasks)]))

    yield from said(
        times, write, lambda m: usage(m, rng, output_tokens=700, max_tokens=4096, temperature=1.0)
    )


def retry_storm(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """A developer whose agent repeats a failing request without back-off."""
    who, storm_ms = int(rng.integers(1 << 40)), stage.when(rng)
    usual = schedules.sittings(3, 8, stage.test_ms, stage.end_ms, rng)
    storm = storm_ms + np.cumsum(rng.exponential(700, int(rng.integers(200, 2000)))).astype(np.int64)
    times, stormy = schedules.merged(usual, storm)
    stuck = WRITERS["agent"](who, 1, 1, 12345)
    for place, (time_ms, again) in enumerate(zip(times.tolist(), stormy.tolist(), strict=True)):
        message = stuck if again else WRITERS["agent"](who, place // 8, place % 8, place)
        fields = usage(message, rng, output_tokens=200, max_tokens=8192, tool_count=8)
        if again:
            fields |= {"status": "failure", "output_tokens": 0, "finish_reasons": (), "http_status": 529}
        yield Request(time_ms, message, fields)


def reseller(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """One of many keys of a gateway that resells: the words of many people, at a ServeGen customer's pace."""
    clients = stage.material.clients
    client = clients[int(rng.integers(len(clients)))]
    times = schedules.customer(client, 400, stage.test_ms, stage.end_ms, rng)[:3000]

    def write(place: int) -> Message:
        who = int(rng.integers(1 << 40))
        kind = ("person", "person", "developer", "agent")[who % 4]
        return WRITERS[kind](who, place, 0, who ^ place)

    yield from said(times, write, lambda message: usage(message, rng, output_tokens=300, spread=0.8))


def viral_prompt(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """A person who has found a prompt that everybody shares, and fills it in again and again."""
    frame = (
        "Act as an experienced editor and write an engaging, well structured article with a catchy headline, "
        "subheadings and a conclusion about the following topic: {}"
    )
    for request in _talk(stage, number, rng):
        if rng.random() < 0.35:
            topic = request.message.prompt.split("\n")[0][:80]
            message = Message(frame.replace("{}", topic))
            yield request._replace(message=message, fields=usage(message, rng, output_tokens=900))
        else:
            yield request


def launch_day(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """A developer or an application that moves to the new model on the day it comes out."""
    who, product = int(rng.integers(1 << 40)), number % 5 == 0
    moves_ms = stage.release_ms + int(rng.exponential(4 * HOUR_MS))
    if product:
        client = stage.material.clients[int(rng.integers(len(stage.material.clients)))]
        times = schedules.customer(client, 250, stage.test_ms, stage.end_ms, rng)[:2500]
    else:
        times = schedules.sittings(5, 4, stage.test_ms, stage.end_ms, rng)
    kind = "assistant" if product else "developer"

    def write(place: int) -> Message:
        return WRITERS[kind](who, place // 4, place % 4, place)

    for request in said(times, write, lambda message: usage(message, rng, output_tokens=300)):
        fields = dict(request.fields)
        if product:
            fields["end_user_id"] = f"user-{rng.integers(300)}"
        if request.time_ms >= moves_ms:
            fields["request_model"] = stage.new_model
        yield request._replace(fields=fields)


def servegen_customer(
    stage: Stage, number: int, rng: Generator, *, from_start: bool = False
) -> Iterator[Request]:
    """An application with the arrivals of a ServeGen customer, 50 to 3,000 requests a day."""
    clients = stage.material.clients
    client = clients[number % len(clients)]
    start_ms, end_ms = (stage.start_ms, stage.test_ms) if from_start else (stage.test_ms, stage.end_ms)
    per_day = float(np.clip(np.exp(rng.normal(5.5, 1.0)), 50, 3000))
    times = schedules.customer(client, per_day, start_ms, end_ms, rng)
    times = times[: int(5 * per_day * (end_ms - start_ms) / DAY_MS) + 1]
    app, kind = int(rng.integers(1 << 40)), ("assistant", "processor", "processor")[number % 3]
    users = int(np.exp(rng.normal(4.5, 1.5))) + 1
    temperature = (0.0, 0.3, 0.7, 1.0)[int(rng.integers(4))]
    for place, time_ms in enumerate(times.tolist()):
        message = WRITERS[kind](app, place % 400, 0, place % 400)
        fields = usage(
            message, rng, output_tokens=150, spread=0.8, max_tokens=1024, temperature=temperature
        )
        yield Request(time_ms, message, {**fields, "end_user_id": f"u-{rng.integers(users)}"})


def in_house_template(stage: Stage, number: int, rng: Generator) -> Iterator[Request]:
    """A company's own tool: its instruction stands in the user message, nothing is set, nobody is named."""
    app = int(rng.integers(1 << 40))
    while application(app, "processor").system is not None:
        app += 1
    client = stage.material.clients[int(rng.integers(len(stage.material.clients)))]
    per_day = float(np.exp(rng.uniform(*np.log((30.0, 600.0)))))
    times = schedules.customer(client, per_day, stage.when(rng), stage.end_ms, rng)[:1500]
    length = parameters.CLIENT_OUTPUT
    tokens = float(np.clip(np.exp(rng.normal(length.mu, length.sigma)), 1, 4000))

    def write(place: int) -> Message:
        return WRITERS["processor"](app, place, 0, place)

    yield from said(
        times,
        write,
        lambda message: usage(message, rng, output_tokens=tokens, spread=parameters.CLIENT_OUTPUT_WITHIN),
    )


BENIGN: tuple[Role, ...] = (
    Role("customers", "benign", 60, servegen_customer, "applications with ServeGen arrivals", plan="team"),
    Role(
        "customers_before", "benign", 60, partial(servegen_customer, from_start=True),
        "the same during calibration, other clients", plan="team",
    ),
)  # fmt: skip

CONFOUNDERS: tuple[Role, ...] = (
    Role("viral_app", "confounder", 6, viral_app, "256-fold burst for three hours", plan="team"),
    Role("batch_evaluation", "confounder", 12, batch_evaluation, "benchmark, one wrapper, temperature 0"),
    Role("university_nat", "confounder", 200, university, "one network, shared exercises", organization=True),
    Role(
        "no_code_platform_users", "confounder", 200, no_code_end_user,
        "accounts with one template, one organisation", organization=True,
    ),
    Role(
        "no_code_platform_account", "confounder", 2, no_code_account, "one account, 20,000 end users",
        plan="team",
    ),
    Role(
        "synthetic_data_customer", "confounder", 4, synthetic_data,
        "text of a reasoning harvest, allow-listed", plan="team", allowed=True,
    ),
    Role("retry_storm", "confounder", 20, retry_storm, "hundreds of equal failing requests"),
    Role(
        "reseller", "confounder", 12, reseller, "many people behind one key", organization=True, plan="team"
    ),
    Role("viral_prompt", "confounder", 150, viral_prompt, "a public prompt, filled in by hand"),
    Role("launch_day", "confounder", 100, launch_day, "moves to the new model at once"),
    Role(
        "new_application_users", "confounder", 240, partial(new_applications.user, sort="plain"),
        "own accounts; the application's form stands in the user message, and nothing else is shared",
    ),
    Role(
        "new_application_system_users", "confounder", 240, partial(new_applications.user, sort="system"),
        "the same under a system prompt",
    ),
    Role(
        "new_application_house_users", "confounder", 240, partial(new_applications.user, sort="house"),
        "the same without, as accounts of one organisation",
    ),
    Role(
        "new_application_record_users", "confounder", 240, partial(new_applications.user, sort="records"),
        "the same, records under one system prompt instead of a form",
    ),
    Role(
        "in_house_template", "confounder", 24, in_house_template,
        "template in the user message, default settings, no end-user ids, answers as long as ServeGen's",
        plan="team", known_limit=True,
    ),
)  # fmt: skip
