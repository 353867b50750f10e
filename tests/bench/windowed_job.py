"""Job (a), the same in every engine: requests and tokens per account and minute, busy minutes flagged.

For every account and event-time minute: the number of requests and the sum of input and output tokens. A
closed minute with more than `FLAG_ABOVE` requests is written to the engine's output topic. Event time is
Kafka's record timestamp; a record may be `LATENESS_S` late. State is durable, as the engine's own
documentation recommends.

Only the standard library: this module is imported in the environments of all engines.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

WINDOW_S = 60
LATENESS_S = 10
FLAG_ABOVE = 5
CLOSER = "closer"
"""Accounts that start so send one request to each partition, long after everybody else: event time passes
the last minute also in engines that close a window only when a later record comes. They are not counted."""


@dataclass(frozen=True)
class Arguments:
    """What an engine's program is told: JSON as its last argument."""

    bootstrap: str
    topic: str
    output: str
    """Topic of flagged windows."""
    events: int
    """Records to read, closers included."""
    partitions: int
    scratch: str
    """Empty folder for state."""

    def dump(self) -> str:
        return json.dumps(vars(self))


def arguments() -> Arguments:
    """Of this process."""
    return Arguments(**json.loads(sys.argv[-1]))


def mark(what: str, **more: object) -> None:
    """Tell the bench: ``first`` and ``last`` at these records, ``version`` of the engine, ``windows``."""
    os.write(1, json.dumps({"mark": what, **more}).encode() + b"\n")  # Faust takes `print` for its log


def flagged(account_id: str, minute: int, requests: int, tokens: int) -> dict[str, object]:
    """An output record. `minute` counts from the epoch."""
    return {"account_id": account_id, "minute": minute, "requests": requests, "tokens": tokens}


def checksum(windows: Iterable[tuple[str, int, int, int]]) -> str:
    """One value for a set of flagged windows (account, minute, requests, tokens), whatever their order."""
    lines = sorted({",".join(map(str, window)) for window in windows})
    return blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()
