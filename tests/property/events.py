"""Random but plausible request streams for property tests."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from schemas.event import RequestEvent

START = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StreamShape:
    """How a test stream looks."""

    seed: int
    accounts: int = 12
    events: int = 600
    hours: float = 9.0
    templated: bool = True
    """Whether one account fills a template."""


def digest(value: int) -> str:
    return f"hmac-sha256:{value:016x}"


def make_stream(shape: StreamShape) -> list[RequestEvent]:
    """Events in time order; account 0 is templated, account 1 ticks like a clock."""
    rng = random.Random(shape.seed)
    span_s = shape.hours * 3600
    times = sorted(rng.uniform(0, span_s) for _ in range(shape.events))
    events = []
    for number, at_s in enumerate(times):
        account = min(int(rng.paretovariate(0.9)) - 1, shape.accounts - 1)
        templated = shape.templated and account == 0
        events.append(
            RequestEvent(
                schema_version=1,
                event_id=f"e{shape.seed}-{number}",
                time=START + timedelta(seconds=round(at_s, 3)),
                account_id=f"acct-{account}",
                request_model=f"model-{rng.randrange(3)}",
                input_tokens=rng.randrange(1, 4000),
                output_tokens=rng.randrange(1, 2000),
                status="failure" if rng.random() < 0.05 else "success",
                fingerprint_id="test/k1",
                prompt_hash=digest(rng.getrandbits(60)),
                template_hash=digest(7 if templated else rng.getrandbits(60)),
                template_tail_hash=digest(rng.getrandbits(60)),
            )
        )
    return events
