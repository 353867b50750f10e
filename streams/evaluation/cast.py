"""Roles: kinds of accounts that an evaluation reports on a line of their own, and the stage they act on.

A role writes all requests of one account. What an account is (age, plan, organisation) is simulated: there
are no public accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from schemas.event import RequestEvent
from schemas.finding import utc_from_ms
from streams.evaluation.material import Material, Shelf
from streams.evaluation.schedules import DAY_MS, Generator, Times
from streams.simulation.population import MODELS
from streams.simulation.text.writers import Message

Purpose = Literal["benign", "confounder", "attack"]
CHARS_PER_TOKEN = 4


class Request(NamedTuple):
    """One request a role asks for."""

    time_ms: int
    message: Message
    fields: dict[str, Any]
    """Settings and usage, by the names of `RequestEvent`."""
    attack: bool = False
    """Counts as a query of the campaign."""


@dataclass(frozen=True)
class Stage:
    """Where and when roles act.

    Attributes:
        start_ms, test_ms, end_ms: calibration begins, the test begins, the test ends.
        release_ms: when `new_model` comes out.
        material: of the test.
        seed: of the run, for what accounts of several shares have in common.
    """

    start_ms: int
    test_ms: int
    end_ms: int
    release_ms: int
    material: Material
    new_model: str = "tern-large-4"
    seed: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    """What accounts of one role share, such as a platform's template; made on first use."""

    def when(self, rng: Generator, first: float = 0.05, last: float = 0.5) -> int:
        """Some moment of the test, between these shares of it."""
        return self.test_ms + int(rng.uniform(first, last) * (self.end_ms - self.test_ms))


Script = Callable[[Stage, int, Generator], Iterator[Request]]
"""``(stage, number of the account within its role, generator)`` to requests in time order."""


@dataclass(frozen=True)
class Role:
    """One kind of account.

    Attributes:
        accounts: how many at scale 1.
        age_days: sign-up lies at most so long before the first request.
        organization: all accounts belong to one.
        allowed: on the allow-list: findings are expected, and suppressed by policy.
        known_limit: nothing in its requests tells it from a pipeline; reported, and left out of totals.
    """

    name: str
    purpose: Purpose
    accounts: int
    script: Script
    about: str
    age_days: float = 400.0
    plan: str = "pro"
    organization: bool = False
    allowed: bool = False
    known_limit: bool = False


def usage(
    message: Message,
    rng: Generator,
    *,
    output_tokens: float,
    spread: float = 0.5,
    max_tokens: int | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Token counts and settings of one request; the answer ends at `max_tokens`."""
    characters = len(message.prompt) + len(message.system or "")
    answer = int(output_tokens * np.exp(spread * rng.standard_normal())) + 1
    cut = max_tokens is not None and answer >= max_tokens
    found: dict[str, Any] = {
        "input_tokens": characters // CHARS_PER_TOKEN + 4,
        "output_tokens": min(answer, max_tokens) if max_tokens else answer,
        "finish_reasons": ("length",) if cut else ("stop",),
        **settings,
    }
    if max_tokens is not None:
        found["max_tokens"] = max_tokens
    return found


def said(
    times: Times,
    write: Callable[[int], Message],
    settle: Callable[[Message], dict[str, Any]],
    *,
    attack: bool = False,
) -> Iterator[Request]:
    """Requests at `times`, written by number and settled by `usage`."""
    for number, time_ms in enumerate(times.tolist()):
        message = write(number)
        yield Request(time_ms, message, settle(message), attack)


class Acted(NamedTuple):
    """What one account of a role did."""

    account_id: str
    events: list[RequestEvent]
    attack_ms: Times
    """Times of its attack queries."""
    answered_ms: Times
    """Times of those that were answered."""


def act(role: Role, stage: Stage, number: int, seed: int, shelf: Shelf) -> Acted:
    """All events of one account of a role."""
    rng = np.random.default_rng([seed, *role.name.encode(), number])
    account_id = f"{role.name}-{seed}-{number}"
    requests = list(role.script(stage, number, rng))
    born_ms = requests[0].time_ms if requests else stage.test_ms
    for request in requests:
        if request.attack:
            born_ms = min(born_ms, request.time_ms)
            break
    model = MODELS[int(rng.integers(0, 3))][0]
    constant: dict[str, Any] = {
        "schema_version": 1,
        "account_id": account_id,
        "account_plan": role.plan,
        "account_created_at": utc_from_ms(born_ms - int(rng.uniform(0.02, 1.0) * role.age_days * DAY_MS)),
        "account_verified": bool(rng.random() < 0.85),
        "organization_id": f"org-{role.name}-{0 if role.organization else number}",
        "request_model": model,
    }
    events = [
        RequestEvent(
            event_id=f"{account_id}-{place}",
            time=utc_from_ms(request.time_ms),
            **{**constant, **shelf.fields(request.message.prompt, request.message.system), **request.fields},
        )
        for place, request in enumerate(requests)
    ]
    attacks = [(r.time_ms, r.fields.get("status", "success") == "success") for r in requests if r.attack]
    return Acted(
        account_id,
        events,
        np.array([time_ms for time_ms, _ in attacks], np.int64),
        np.array([time_ms for time_ms, answered in attacks if answered], np.int64),
    )
