"""Attackers: accounts that belong to a campaign, declared by what the campaign wants.

A campaign's accounts run on the same machinery as everybody else's; only its declaration differs. Two
ready ones follow DESIGN's A1 (a single heavy account) and a templated pipeline; a hydra is the same
declaration with many accounts, few requests each and its own choice of what they share.

Evasions are fields of the declaration: jittered timing (`cv`, `volume_sigma`, `day`), paraphrase
(`templates`, or ``tasks``, which have none), one proxy per account (no ``network`` in `share`), warm-up with
ordinary traffic (`warm_up_days`) and cover traffic (`cover`).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from streams.simulation.crowds import FRESH, KINDS, Shared, strangers
from streams.simulation.habits import Day
from streams.simulation.identity import DAY_MS, Identities

Positive = Annotated[float, Meta(gt=0)]
HOUR_MS = 3_600_000
CAMPAIGN = 8 * FRESH
"""Identifiers of campaigns lie beyond those of crowds."""


class Campaign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One operator who collects answers."""

    name: str
    text: Literal["pipeline", "reasoning", "grading", "tasks", "agentic"]
    """Key of `text.attacks.ATTACK_TEXTS`."""
    templates: Annotated[int, Meta(ge=1, le=1000)] = 1
    """Different wordings of its template; each request takes one."""
    accounts: Annotated[int, Meta(ge=1)] = 1
    requests_per_day: Positive
    """Of one account."""
    starts_after: Annotated[float, Meta(ge=0, le=1)] = 0.4
    """Share of the simulated span that passes before its first request."""
    ends_after: Annotated[float, Meta(ge=0, le=1)] = 1.0
    cv: Positive = 1.0
    """Of the gaps between an account's requests: 1 is jittered like chance, near 0 a timer."""
    volume_sigma: Annotated[float, Meta(ge=0)] = 0.0
    """Spread of the log of daily volumes over its accounts."""
    day: Day = "flat"
    """Hours it keeps, by its accounts' local time."""
    cover: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of its requests that are a person's ordinary words. `requests_per_day` counts them in."""
    warm_up_days: Annotated[float, Meta(ge=0)] = 0.0
    """For so long before its start its accounts send ordinary words only."""
    pivots: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """Share of its requests that go to the new model from its release on."""
    model: Annotated[int, Meta(ge=0)] = 0
    """Index into `population.MODELS`."""
    temperature: float | None = 1.0
    max_tokens: int | None = 4096
    input_tokens: Positive = 300.0
    output_tokens: Positive = 900.0
    """Medians."""
    age_days: Annotated[float, Meta(ge=0)] = 3.0
    """Before its accounts' first request (warm-up included), they were made within this many days."""
    sign_up_h: Annotated[float, Meta(ge=0)] | None = None
    """All of them were made within so many hours, `age_days` before; `None`: evenly over those days."""
    joins_over_h: Annotated[float, Meta(ge=0)] = 0.0
    """Mean time after the start at which an account sends its first request."""
    share: dict[Shared, Annotated[int, Meta(ge=1)]] = {}
    """How many different cards (devices, networks, domains) its accounts spread over; one each where a
    kind is not named."""


HEAVY = Campaign(
    name="heavy",
    text="tasks",
    requests_per_day=86_400.0,
    cv=0.05,
    model=1,
    output_tokens=1200.0,
)
"""A1: one account that works through a task list, one request a second (the published cases lie between
0.2 and 5), paced by a client-side rate limit as collection scripts are."""

TEMPLATED = Campaign(
    name="templated",
    text="pipeline",
    requests_per_day=2_000.0,
    cv=1.0,
    starts_after=0.5,
    output_tokens=1500.0,
)
"""One account that fills a self-instruction template; its volume is nothing special."""


def recruited(
    campaigns: tuple[Campaign, ...],
    benign: Identities,
    start_ms: int,
    end_ms: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Identities]:
    """Accounts of all campaigns: (campaign index of each, their identities).

    Everything that a campaign does not share looks like a random benign account's: same countries, same
    providers, same clients (the residential-proxy picture).
    """
    campaign = np.repeat(np.arange(len(campaigns)), [c.accounts for c in campaigns]).astype(np.int64)
    identity = strangers(benign, len(campaign), CAMPAIGN, rng)
    for number, declared in enumerate(campaigns):
        mine = np.flatnonzero(campaign == number)
        for kind, distinct in declared.share.items():
            values = (number << 20) + rng.integers(0, distinct, len(mine))
            getattr(identity, kind)[mine] = CAMPAIGN + (1 + KINDS.index(kind)) * FRESH + values
        first_ms = start_ms + declared.starts_after * (end_ms - start_ms) - declared.warm_up_days * DAY_MS
        before_ms = rng.random(len(mine)) * declared.age_days * DAY_MS
        if declared.sign_up_h is not None:
            oldest_ms = declared.age_days * DAY_MS
            before_ms = np.maximum(oldest_ms - rng.random(len(mine)) * declared.sign_up_h * HOUR_MS, 0.0)
        identity.created_ms[mine] = (first_ms - before_ms).astype(np.int64)
    return campaign, identity
