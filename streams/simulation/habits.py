"""Kinds of benign accounts and what they do. **Ours, not measured**: no public trace has accounts.

What a trace could tell is taken from `parameters`; shares, visits a day and request settings below are
our own picture of an API's customers and must be quoted as such beside any figure made with them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from streams.simulation import parameters
from streams.simulation.fit import LogNormal

Day = Literal["customers", "office", "evening", "night", "flat"]

DAYS: dict[Day, tuple[float, ...]] = {
    "customers": parameters.DAY_PROFILE,
    "office": (
        0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.6, 1.8, 2.6, 2.8, 2.7,
        1.9, 2.5, 2.7, 2.5, 2.1, 1.4, 0.7, 0.5, 0.4, 0.4, 0.3, 0.2,
    ),
    "evening": (
        0.5, 0.3, 0.2, 0.1, 0.1, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0,
        1.1, 1.0, 1.0, 1.1, 1.2, 1.4, 1.7, 2.1, 2.5, 2.6, 2.1, 1.0,
    ),
    "night": (
        3.0, 4.0, 4.5, 4.0, 2.5, 1.5, 0.6, 0.2, 0.1, 0.1, 0.1, 0.1,
        0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.8, 1.2, 1.8,
    ),
    "flat": (1.0,) * 24,
}  # fmt: skip
"""Rate by local hour of the day; normalised to mean 1 where used."""


class Run(msgspec.Struct, frozen=True):
    """Requests of one visit."""

    length: LogNormal | None
    """Number of requests; `None`: the turns of a conversation, `parameters.TURN_TAIL`."""
    gap_s: LogNormal
    """Seconds between them."""
    gap_varies_by_account: float = 0.0
    """Sigma of the median gap across accounts."""


_ALONE = Run(length=LogNormal(0.0, 0.0), gap_s=LogNormal(0.0, 0.0))
_TALK = Run(length=None, gap_s=parameters.THINK_S)
_JOB = Run(length=LogNormal(4.4, 1.0), gap_s=LogNormal(0.5, 0.5), gap_varies_by_account=1.0)


FEWEST_END_USERS = 12
"""A product has at least these; an in-house tool that nobody else uses is ``inline-batch``."""


class Habit(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of account."""

    name: str
    share: float
    """Of all benign accounts."""
    writer: str
    """Key of `text.writers.WRITERS`."""
    visits_per_day: LogNormal
    """Across accounts."""
    day: Day
    cv: LogNormal = LogNormal(0.0, 0.3)
    """Burstiness of visits, across accounts."""
    wander: float = 0.0
    """Sigma of the hourly movement of its rate."""
    run: Run = _ALONE
    input_tokens: LogNormal = parameters.CHAT_INPUT
    """Median input, across accounts."""
    input_within: float = 0.5
    output_tokens: LogNormal = parameters.CHAT_OUTPUT
    output_within: float = 0.6
    temperatures: tuple[float | None, ...] = (None, None, None, 0.7, 1.0)
    max_tokens: tuple[int | None, ...] = (None, None, 1024, 2048, 4096)
    stream_share: float = 0.8
    tools: int = 0
    """Most tools declared in a request."""
    end_users: LogNormal | None = None
    """End users behind the account, on top of `FEWEST_END_USERS`; `None`: the account's owner alone."""
    operator: Literal["individual", "organisation"] = "individual"
    client: Literal["browser", "sdk"] = "sdk"
    plans: tuple[str, ...] = ("free", "pro")
    naive_retries: float = 0.0
    """Share of these accounts whose client repeats a failed request at once and without end."""


HABITS: tuple[Habit, ...] = (
    Habit(
        name="person", share=0.46, writer="person", day="evening", run=_TALK, client="browser",
        visits_per_day=LogNormal(1.1, 0.9), plans=("free", "free", "pro"), temperatures=(None,),
        input_within=0.7,
    ),
    Habit(
        name="developer", share=0.19, writer="developer", day="office", visits_per_day=LogNormal(1.6, 0.9),
        run=Run(length=LogNormal(0.9, 0.9), gap_s=parameters.THINK_S), client="browser",
        plans=("free", "pro", "pro", "team"), input_within=0.9, max_tokens=(None, 4096, 8192),
    ),
    Habit(
        name="completion", share=0.05, writer="completion", day="office", visits_per_day=LogNormal(1.2, 0.6),
        run=Run(length=LogNormal(3.0, 0.8), gap_s=LogNormal(3.2, 1.1)), plans=("pro", "team"),
        input_tokens=LogNormal(parameters.COMPLETION_INPUT.mu, 0.6), input_within=1.2,
        output_tokens=LogNormal(parameters.COMPLETION_OUTPUT.mu, 0.3), output_within=0.8,
        temperatures=(0.0, 0.2), max_tokens=(64, 128, 256),
    ),
    Habit(
        name="agent", share=0.06, writer="agent", day="office", visits_per_day=LogNormal(0.7, 0.8),
        run=Run(length=LogNormal(2.5, 0.9), gap_s=LogNormal(2.2, 0.8)), plans=("pro", "team", "enterprise"),
        input_tokens=LogNormal(8.5, 0.6), output_tokens=LogNormal(5.3, 0.5), tools=20,
        temperatures=(None, 0.0, 1.0), max_tokens=(8192, 16384), naive_retries=0.1,
    ),
    Habit(
        name="assistant", share=0.10, writer="assistant", day="customers", run=_TALK, wander=1.0,
        visits_per_day=LogNormal(4.0, parameters.CLIENT_RATE_LOG_SIGMA), cv=parameters.CLIENT_CV,
        end_users=LogNormal(4.5, 1.5), operator="organisation", plans=("team", "enterprise"),
        temperatures=(0.0, 0.3, 0.7, 1.0, None), max_tokens=(256, 512, 1024, None),
    ),
    Habit(
        name="processor", share=0.08, writer="processor", day="customers", wander=parameters.WANDER.sigma,
        visits_per_day=LogNormal(4.6, parameters.CLIENT_RATE_LOG_SIGMA), cv=parameters.CLIENT_CV,
        input_tokens=parameters.CLIENT_INPUT, input_within=parameters.CLIENT_INPUT_WITHIN,
        output_tokens=parameters.CLIENT_OUTPUT, output_within=parameters.CLIENT_OUTPUT_WITHIN,
        end_users=LogNormal(4.0, 1.5), operator="organisation", plans=("team", "enterprise"),
        temperatures=(0.0, 0.0, 0.2, 0.7), max_tokens=(64, 256, 512, 1024), stream_share=0.1,
        naive_retries=0.15,
    ),
    Habit(
        name="batch", share=0.04, writer="job", day="night", visits_per_day=LogNormal(0.3, 0.5),
        cv=LogNormal(-1.0, 0.4), operator="organisation", plans=("team", "enterprise"), run=_JOB,
        input_tokens=parameters.CLIENT_INPUT, input_within=parameters.CLIENT_INPUT_WITHIN,
        output_tokens=parameters.CLIENT_OUTPUT, output_within=parameters.CLIENT_OUTPUT_WITHIN,
        temperatures=(0.0, 0.0, 0.3), max_tokens=(256, 512, 2048), stream_share=0.0, naive_retries=0.1,
    ),
    Habit(
        name="inline-batch", share=0.01, writer="processor", day="night", visits_per_day=LogNormal(0.3, 0.5),
        cv=LogNormal(-1.0, 0.4), operator="organisation", plans=("team", "enterprise"), run=_JOB,
        input_tokens=parameters.CLIENT_INPUT, input_within=parameters.CLIENT_INPUT_WITHIN,
        output_tokens=parameters.CLIENT_OUTPUT, output_within=parameters.CLIENT_OUTPUT_WITHIN,
        temperatures=(0.0, 0.0, 0.3), max_tokens=(256, 512, 2048), stream_share=0.0, naive_retries=0.1,
    ),
    Habit(
        name="evaluation", share=0.01, writer="evaluation", day="office", visits_per_day=LogNormal(-0.7, 0.5),
        run=Run(length=LogNormal(5.7, 0.5), gap_s=LogNormal(0.0, 0.6), gap_varies_by_account=0.5),
        input_tokens=LogNormal(5.0, 0.3), output_tokens=LogNormal(3.0, 1.0), operator="organisation",
        temperatures=(0.0,), max_tokens=(16, 512, 1024), stream_share=0.0, plans=("pro", "team"),
    ),
)  # fmt: skip
"""Shares sum to 1. The last three are honest and look like attackers: ``batch`` sends records in nightly
jobs for nobody's eyes, ``inline-batch`` the same with the instruction inside each message, ``evaluation``
measures a model on test questions."""
