"""What each detector must fire on, and what all of them must stay silent on.

A scenario is a generator of one account's events. Every detector in the registry needs an entry in
`FIRES`; the suite fails for a detector without one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from schemas.event import RequestEvent

START = datetime(2026, 11, 1, tzinfo=UTC)


def event(account: str, number: int, at_s: float, rng: random.Random, **fields: object) -> RequestEvent:
    """One request with unrelated content, unless `fields` say otherwise."""
    values: dict[str, object] = {
        "schema_version": 1,
        "event_id": f"{account}-{number}",
        "time": START + timedelta(seconds=round(at_s, 3)),
        "account_id": account,
        "request_model": "model-a",
        "input_tokens": int(rng.lognormvariate(5, 1)),
        "output_tokens": int(rng.lognormvariate(5.5, 0.8)),
        "fingerprint_id": "test/k1",
        "prompt_hash": digest(rng),
        "template_hash": digest(rng),
        "template_tail_hash": digest(rng),
    }
    return RequestEvent(**{**values, **fields})  # type: ignore[arg-type]


def digest(rng: random.Random) -> str:
    return f"hmac-sha256:{rng.getrandbits(64):016x}"


def person(seed: int, days: float = 2.0, account: str = "person") -> Iterator[RequestEvent]:
    """An ordinary user: a few sittings a day, exponential gaps inside a sitting."""
    rng = random.Random(seed)
    at_s, number = rng.uniform(0, 7200), 0
    while at_s < days * 86_400:
        for _ in range(rng.randrange(1, 12)):
            yield event(account, number, at_s, rng)
            number += 1
            at_s += rng.expovariate(1 / 60)
        at_s += rng.expovariate(1 / 10_000)


def constant(seed: int) -> Iterator[RequestEvent]:
    """A health check: one short request a minute, always the same."""
    rng = random.Random(seed)
    same = {"prompt_hash": digest(rng), "template_hash": digest(rng), "template_tail_hash": digest(rng)}
    for number in range(2000):
        yield event("constant", number, number * 60.0, rng, input_tokens=10, output_tokens=5, **same)


def application(seed: int) -> Iterator[RequestEvent]:
    """A chat product: many end users, one template, one system prompt, day and night."""
    rng = random.Random(seed)
    head, system, at_s = digest(rng), digest(rng), 0.0
    for number in range(3000):
        at_s += rng.expovariate(1 / 20)
        user = f"user-{rng.randrange(400)}"
        yield event("app", number, at_s, rng, template_hash=head, system_hash=system, end_user_id=user)


def retries(seed: int) -> Iterator[RequestEvent]:
    """A client that repeats one failing request."""
    rng = random.Random(seed)
    same = {"prompt_hash": digest(rng), "template_hash": digest(rng), "template_tail_hash": digest(rng)}
    for number in range(60):
        yield event("retry", number, rng.uniform(0, 600), rng, status="failure", **same)


def templated(seed: int) -> Iterator[RequestEvent]:
    """A pipeline that fills one template, slowly and unevenly."""
    rng = random.Random(seed)
    head, at_s = digest(rng), 0.0
    for number in range(60):
        at_s += rng.expovariate(1 / 3000)
        yield event("templated", number, at_s, rng, template_hash=head)


def clockwork(seed: int) -> Iterator[RequestEvent]:
    """A loop that sends every two seconds, with 2 % jitter."""
    rng = random.Random(seed)
    at_s = 0.0
    for number in range(3000):
        at_s += rng.gauss(2.0, 0.04)
        yield event("clockwork", number, at_s, rng)


def eruption(seed: int) -> Iterator[RequestEvent]:
    """Thirty steady requests an hour for a day, then thirty thousand in one hour."""
    rng = random.Random(seed)
    number = 0
    for hour in range(26):
        for at_s in sorted(rng.uniform(0, 3600) for _ in range(rng.randrange(27, 34))):
            yield event("eruption", number, hour * 3600 + at_s, rng)
            number += 1
    for at_s in sorted(rng.uniform(0, 3600) for _ in range(30_000)):
        yield event("eruption", number, 26 * 3600 + at_s, rng)
        number += 1


def takeover(seed: int) -> Iterator[RequestEvent]:
    """Two days of short questions, then long answers, failures and forty times the rate."""
    rng = random.Random(seed)
    number = 0
    for hour in range(60):
        busy = hour >= 48
        for at_s in sorted(rng.uniform(0, 3600) for _ in range(240 if busy else rng.randrange(5, 8))):
            tokens = (6000, 4000) if busy else (60, 40)
            status = "failure" if busy and rng.random() < 0.2 else "success"
            yield event(
                "takeover",
                number,
                hour * 3600 + at_s,
                rng,
                status=status,
                input_tokens=tokens[0],
                output_tokens=tokens[1],
            )
            number += 1


Scenario = Callable[[int], Iterator[RequestEvent]]

FIRES: dict[str, Scenario] = {
    "burst": eruption,
    "cadence": clockwork,
    "drift": takeover,
    "template": templated,
}

SILENT: dict[str, Scenario] = {
    "person": person,
    "constant": constant,
    "application": application,
    "retries": retries,
}
