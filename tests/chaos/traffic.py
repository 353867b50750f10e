"""Requests with something to find in them, the same for the same seed."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from schemas.event import RequestEvent

START = datetime(2026, 11, 23, tzinfo=UTC)


def traffic(seed: int, count: int, hours: float = 4.0, accounts: int = 300) -> list[RequestEvent]:
    """Ordinary accounts, and two that fill a template day and night. In order of time."""
    rng = random.Random(seed)
    events = []
    for number in range(count):
        attack = rng.random() < 0.25
        account = f"farm-{rng.randrange(2)}" if attack else f"acct-{int(accounts * rng.random() ** 2)}"
        events.append(
            RequestEvent(
                schema_version=1,
                event_id=f"e{seed}-{number}",
                time=START + timedelta(hours=hours * number / count),
                account_id=account,
                request_model="m-1",
                input_tokens=rng.randrange(900, 1000) if attack else rng.randrange(10, 4000),
                output_tokens=rng.randrange(10, 2000),
                fingerprint_id="test/k1",
                prompt_hash=_digest(rng.getrandbits(60)),
                template_hash=_digest(7 if attack else rng.getrandbits(60)),
                template_tail_hash=_digest(8 if attack else rng.getrandbits(60)),
            )
        )
    return events


def _digest(value: int) -> str:
    return f"hmac-sha256:{value:016x}"
