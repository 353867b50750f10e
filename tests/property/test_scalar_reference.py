"""The vectorised account plane against the obvious one: one event after another, plain Python objects."""

from __future__ import annotations

from collections import Counter, deque
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import RequestEvent
from streams.account_plane import AccountPlane
from streams.account_table import RECENT_EVENTS
from streams.batch import TOPICS
from streams.config import DetectionConfig
from streams.detectors import cadence, capability, harvest, reasoning, template
from streams.hashing import hash64
from streams.windows import HOUR_MS, HOURS
from tests.property.events import START, StreamShape, make_stream

CONFIG = DetectionConfig(max_accounts_per_partition=64)
MEMORY = min(
    template.MEMORY_PROMPTS, cadence.MEMORY_GAPS, capability.MEMORY_PROMPTS, harvest.MEMORY_REQUESTS,
    reasoning.MEMORY_PROMPTS,
)  # fmt: skip
"""Below it nothing is halved yet, and the state is what has been counted."""


class Account:
    """What the plane's row of one account should hold."""

    def __init__(self) -> None:
        self.events = self.completed = self.newest_hour = 0
        self.recent: deque[str] = deque(maxlen=RECENT_EVENTS)
        self.hours: dict[int, Counter[str]] = {}
        self.last_ms: int | None = None
        self.gaps: list[int] = []
        self.last_prompt: str | None = None
        self.heads: Counter[int] = Counter()
        self.prompts = 0
        self.topics: Counter[str] = Counter()
        self.cusum = 0
        self.pressed: list[int] = []

    def take(self, event: RequestEvent) -> None:
        if event.event_id in self.recent:
            return
        self.recent.append(event.event_id)
        self.events += 1
        self.completed += event.status == "success"
        hour = event.time_ms // HOUR_MS
        self.newest_hour = max(self.newest_hour, hour)
        if hour > self.newest_hour - HOURS:
            bucket = self.hours.setdefault(hour, Counter())
            bucket["requests"] += 1
            bucket["failures"] += event.status != "success"
            bucket["input"] += event.input_tokens
            bucket["output"] += event.output_tokens
        if self.last_ms is not None:
            self.gaps.append(min(abs(event.time_ms - self.last_ms), cadence.LONGEST_GAP_MS))
        self.last_ms = event.time_ms
        if event.prompt_hash != self.last_prompt:
            self.prompts += 1
            self.heads[self._bucket(event.template_hash, event, template.BUCKETS)] += 1
        self.last_prompt = event.prompt_hash
        if event.prompt_topic is not None:
            self.topics[event.prompt_topic] += 1
        if event.reasoning_elicitation is not None:
            score = round(1000 * event.reasoning_elicitation)
            band = sum(score >= lower for lower in reasoning.BANDS)
            self.cusum = max(0, self.cusum + int(reasoning.STEPS[band]))
            self.pressed = [*self.pressed, score] if self.cusum else []

    @staticmethod
    def _bucket(digest: str | None, event: RequestEvent, buckets: int) -> int:
        salt = hash64(event.fingerprint_id or "") & 0xFFFFFFFF
        return (hash64(digest or "", salt) >> 40) % buckets

    def as_row(self) -> dict[str, Any]:
        kept = {hour: bucket for hour, bucket in self.hours.items() if hour > self.newest_hour - HOURS}
        return {
            "events": self.events,
            "completed": self.completed,
            **{
                name: {hour: bucket[name] for hour, bucket in kept.items() if bucket[name]}
                for name in ("requests", "failures", "input", "output")
            },
            "gaps": (len(self.gaps), sum(self.gaps), sum(gap**2 for gap in self.gaps)),
            "heads": {bucket: count for bucket, count in self.heads.items() if count},
            "prompts": self.prompts,
            "topics": {name: count for name, count in self.topics.items() if count},
            "elicitation": (self.cusum, sum(self.pressed), len(self.pressed)),
        }


def row_of(plane: AccountPlane, key: str) -> dict[str, Any]:
    """The same of the plane's row."""
    row = plane.table.rows[plane.table.slots[key]]
    head = int(row["hour_head"])
    hour_of = {place: head - (head - place) % HOURS for place in range(HOURS)}

    def ring(name: str) -> dict[int, int]:
        return {hour_of[place]: int(row[name][place]) for place in np.flatnonzero(row[name])}

    def histogram(counts: Any) -> dict[int, int]:
        return {int(place): int(counts[place]) for place in np.flatnonzero(counts)}

    ticks, pressed = row["cadence"], row["reasoning"]
    topics = histogram(row["capability"]["counts"])
    return {
        "events": int(row["events"]),
        "completed": int(row["completed"]),
        **{name: ring(f"hour_{name}") for name in ("requests", "failures", "input", "output")},
        "gaps": (int(ticks["gaps"]), int(ticks["sum_ms"]), int(ticks["squares_ms2"])),
        "heads": histogram(row["template"]["heads"]),
        "prompts": int(row["template"]["total"]),
        "topics": {TOPICS[place]: count for place, count in topics.items()},
        "elicitation": (int(pressed["cusum"]), int(pressed["scores"]), int(pressed["prompts"])),
    }


def enriched(events: list[RequestEvent], seed: int) -> list[RequestEvent]:
    """With topics and elicitation; some out of order, some repeated."""
    rng = np.random.default_rng(seed)
    stream = []
    for event in events:
        late = timedelta(hours=int(rng.integers(0, 60))) if rng.random() < 0.05 else timedelta()
        changed = msgspec.structs.replace(
            event,
            time=max(event.time - late, START),
            prompt_topic=str(rng.choice(TOPICS)) if rng.random() < 0.8 else None,
            reasoning_elicitation=float(rng.choice([0.0, 0.45, 0.7, 0.9])) if rng.random() < 0.8 else None,
            prompt_hash=event.prompt_hash if rng.random() < 0.9 else f"hmac-sha256:{'0' * 32}",
        )
        stream += [changed] * (1 + (rng.random() < 0.05))
    return stream


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(1, MEMORY - 20),
    hours=st.sampled_from([0.5, 9.0, 120.0]),
    data=st.data(),
)
def test_columns_are_what_one_event_after_another_gives(seed: int, size: int, hours: float, data) -> None:
    events = enriched(make_stream(StreamShape(seed=seed, events=size, hours=hours)), seed)
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=5))
    plane, accounts = AccountPlane(CONFIG), dict[str, Account]()
    edges = [0, *sorted(set(cuts)), len(events)]
    for first, last in pairwise(edges):
        plane.process(events[first:last], range(first, last))
    for event in events:
        accounts.setdefault(event.account_key, Account()).take(event)
    got = {key: row_of(plane, key) for key in plane.table.slots}
    assert got == {key: account.as_row() for key, account in accounts.items()}
