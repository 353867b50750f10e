"""What each detector must fire on, and what all of them must stay silent on.

A scenario is a generator of one account's events. Every detector in the registry needs an entry in
`FIRES`; the suite fails for a detector without one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec

from schemas.event import RequestEvent
from streams.fingerprint import Fingerprinter
from streams.simulation.text import attacks, writers
from streams.simulation.text.grammar import Dice

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


def habit(seed: int) -> Iterator[RequestEvent]:
    """A writer who begins every second prompt with the same words, for days."""
    rng = random.Random(seed)
    head, at_s = digest(rng), 0.0
    for number in range(300):
        at_s += rng.expovariate(1 / 600)
        yield event("habit", number, at_s, rng, **({"template_hash": head} if rng.random() < 0.5 else {}))


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


def curriculum(seed: int) -> Iterator[RequestEvent]:
    """Code, tool use, proofs and grading in turn, and never a chat."""
    rng = random.Random(seed)
    classes, weights = ("coding", "agentic", "reasoning", "grading"), (20, 28, 25, 27)
    at_s = 0.0
    for number in range(600):
        at_s += rng.expovariate(1 / 300)
        topic = rng.choices(classes, weights)[0]
        yield event("curriculum", number, at_s, rng, prompt_topic=topic)


def interrogation(seed: int) -> Iterator[RequestEvent]:
    """A week of ordinary use, then every prompt demands the whole chain of thought in several ways."""
    rng = random.Random(seed)
    at_s = 0.0
    for number in range(500):
        at_s += rng.expovariate(1 / 600)
        score = rng.choice((0.97, 0.98, 0.99)) if number >= 200 else rng.choice((0.0, 0.0, 0.0, 0.35))
        yield event("interrogation", number, at_s, rng, reasoning_elicitation=score)


def squeeze(seed: int) -> Iterator[RequestEvent]:
    """Four sampled answers with probabilities to every question, each cut at a generous limit."""
    rng = random.Random(seed)
    at_s = 0.0
    settings = {"max_tokens": 4096, "temperature": 1.0, "choice_count": 4, "logprobs": True}
    for number in range(700):
        at_s += rng.expovariate(1 / 300)
        tokens = {"input_tokens": rng.randrange(50, 200), "output_tokens": rng.choice((900, 4096))}
        yield event("squeeze", number, at_s, rng, **settings, **tokens)


def migration(seed: int) -> Iterator[RequestEvent]:
    """A new model appears on the second day; one account among 900 moves everything at once."""
    rng = random.Random(seed)
    released_s = 26 * 3600.0
    times = [(rng.uniform(0, released_s), f"user-{number}") for number in range(900)]
    times += [(rng.uniform(86_400, released_s + 2 * 3600), f"user-{number}") for number in range(900)]
    times += [(released_s + rng.uniform(5 * 3600, 6 * 3600), f"user-{number}") for number in range(900)]
    times += [(rng.uniform(0, released_s), "mover") for _ in range(100)]
    times += [(released_s + rng.uniform(0, 6 * 3600), "mover") for _ in range(20_000)]
    for number, (at_s, account) in enumerate(sorted(times)):
        model = "model-b" if account == "mover" and at_s >= released_s else "model-a"
        yield event(account, number, at_s, rng, request_model=model)


def stampede(seed: int) -> Iterator[RequestEvent]:
    """Signed up at midnight, 1,500 requests an hour from one o'clock."""
    rng = random.Random(seed)
    created = {"account_created_at": START}
    for number, at_s in enumerate(sorted(rng.uniform(3600, 5 * 3600) for _ in range(8_000))):
        yield event("stampede", number, at_s, rng, **created)


def programmer(seed: int) -> Iterator[RequestEvent]:
    """The user of a coding assistant: code from morning to evening, sometimes with long answers."""
    rng = random.Random(seed)
    at_s = 0.0
    for number in range(1500):
        at_s += rng.expovariate(1 / 90)
        topic = rng.choices(("coding", "agentic", "chat"), (80, 12, 8))[0]
        limit = {"max_tokens": 8192, "output_tokens": int(rng.lognormvariate(6, 0.8))}
        yield event("programmer", number, at_s, rng, prompt_topic=topic, **limit)


def tutor(seed: int) -> Iterator[RequestEvent]:
    """A maths tutor: every prompt asks to show the work step by step."""
    rng = random.Random(seed)
    at_s = 0.0
    for number in range(1500):
        at_s += rng.expovariate(1 / 120)
        score = rng.choices((0.85, 0.5, 0.0), (70, 20, 10))[0]
        asks = {"prompt_topic": "reasoning", "reasoning_elicitation": score}
        yield event("tutor", number, at_s, rng, end_user_id=f"pupil-{rng.randrange(200)}", **asks)


def novelist(seed: int) -> Iterator[RequestEvent]:
    """Somebody who has long texts written from short notes, sampled warmly, two drafts each."""
    rng = random.Random(seed)
    at_s = 0.0
    settings = {"max_tokens": 4096, "temperature": 1.0, "choice_count": 2, "prompt_topic": "chat"}
    for number in range(400):
        at_s += rng.expovariate(1 / 900)
        answer = min(4096, int(rng.lognormvariate(7, 0.7)))
        tokens = {"input_tokens": rng.randrange(60, 300), "output_tokens": answer}
        yield event("novelist", number, at_s, rng, **settings, **tokens)


def launch(seed: int) -> Iterator[RequestEvent]:
    """Launch day: a tenth of all accounts move to the new model, some of them busy ones."""
    rng = random.Random(seed)
    released_s = 26 * 3600.0
    times = []
    for number in range(150):
        moves_s = released_s + rng.uniform(0, 12 * 3600) if number % 10 == 0 else 1e9
        at_s, mean_s = rng.uniform(0, 7200), 200.0 if number % 50 == 0 else 12_000.0
        while at_s < released_s + 12 * 3600:
            times.append((at_s, f"user-{number}", "model-b" if at_s >= moves_s else "model-a"))
            at_s += rng.expovariate(1 / mean_s)
    for number, (at_s, account, model) in enumerate(sorted(times)):
        yield event(account, number, at_s, rng, request_model=model)


def newcomer(seed: int) -> Iterator[RequestEvent]:
    """A new customer who tries things for a day, then connects a small product."""
    rng = random.Random(seed)
    at_s = 300.0
    for number in range(900):
        at_s += rng.expovariate(1 / (900 if at_s < 86_400 else 60))
        yield event("newcomer", number, at_s, rng, account_created_at=START)


def anything(seed: int) -> Iterator[RequestEvent]:
    """Noise: every setting, length, topic and model of every request drawn for itself, at random times."""
    rng = random.Random(seed)
    at_s = 0.0
    topics = ("chat", "other", "translation", "coding", "reasoning")
    for number in range(2000):
        at_s += rng.expovariate(1 / 120)
        yield event(
            "anything",
            number,
            at_s,
            rng,
            request_model=f"model-{rng.randrange(4)}",
            temperature=rng.choice((None, rng.random())),
            max_tokens=rng.choice((None, rng.randrange(256, 16_384))),
            status="failure" if rng.random() < 0.02 else "success",
            prompt_topic=rng.choice(topics),
            prompt_chars=int(rng.lognormvariate(5, 1.5)),
            prompt_embedding=rng.randbytes(256),
            reasoning_elicitation=rng.choice((0.0, 0.0, 0.0, round(rng.random(), 2))),
        )


def stranger(seed: int) -> Iterator[RequestEvent]:
    """Among seventy ordinary accounts, one that sends thousands of tiny requests an hour for huge answers."""
    rng = random.Random(seed)
    people = [person(seed * 100 + number, 2.4, f"p-{number}") for number in range(70)]
    calls = [(one.time, one) for events in people for one in events]
    for number in range(70):
        one = event(f"p-{number}", 10**6, 2.5 * 86_400 + number, rng)
        calls.append((one.time, one))
    for number in range(9000):
        at_s = 150_000 + number * 4.0 + rng.uniform(0, 3)
        tokens = {"input_tokens": 3, "output_tokens": 16_000}
        status = "failure" if rng.random() < 0.5 else "success"
        one = event("stranger", number, at_s, rng, status=status, **tokens)
        calls.append((one.time, one))
    yield from (one for _, one in sorted(calls, key=lambda call: call[0]))


@cache
def fingerprinter() -> Fingerprinter:
    return Fingerprinter(b"a secret of the conformance suite", "k1")


def written(account: str, number: int, at_s: float, rng: random.Random, prompt: str) -> RequestEvent:
    """One request with real content."""
    return event(account, number, at_s, rng, **msgspec.structs.asdict(fingerprinter().fingerprint(prompt)))


def conveyor(seed: int) -> Iterator[RequestEvent]:
    """A pipeline with three examples in a fixed wrapper, drawn at random from a pool."""
    rng = random.Random(seed)
    at_s = 0.0
    for number in range(150):
        at_s += rng.expovariate(1 / 500)
        yield written("conveyor", number, at_s, rng, attacks.pipeline(seed, Dice(seed, number)))


def press(seed: int) -> Iterator[RequestEvent]:
    """A few hundred different numbers in one short mould."""
    rng = random.Random(seed)
    at_s = 0.0
    for number in range(250):
        at_s += rng.expovariate(1 / 500)
        text = f"What is {rng.randrange(100, 999)} times {rng.randrange(100, 999)} in words, please?"
        yield written("press", number, at_s, rng, text)


def talkers(seed: int) -> Iterator[RequestEvent]:
    """Thirty people who talk about a few lasting interests, each in a style of their own."""
    rng = random.Random(seed)
    calls = []
    for account in range(30):
        at_s = rng.uniform(0, 50_000)
        for visit in range(rng.randrange(1, 12)):
            for turn in range(rng.randrange(1, 7)):
                message = writers.person(account, visit, turn, rng.getrandbits(30))
                calls.append((at_s, f"talker-{account}", message.prompt))
                at_s += rng.expovariate(1 / 120)
            at_s += rng.expovariate(1 / 9000)
    for number, (at_s, account, text) in enumerate(sorted(calls)):
        yield written(account, number, at_s, rng, text)


Scenario = Callable[[int], Iterator[RequestEvent]]

FIRES: dict[str, Scenario] = {
    "burst": eruption,
    "cadence": clockwork,
    "capability": curriculum,
    "coverage": press,
    "drift": takeover,
    "harvest": squeeze,
    "novelty": stranger,
    "pivot": migration,
    "ramp": stampede,
    "reasoning": interrogation,
    "shift": conveyor,
    "template": templated,
}

SILENT: dict[str, Scenario] = {
    "person": person,
    "constant": constant,
    "application": application,
    "habit": habit,
    "retries": retries,
    "programmer": programmer,
    "tutor": tutor,
    "novelist": novelist,
    "launch": launch,
    "newcomer": newcomer,
    "talkers": talkers,
    "anything": anything,
}
