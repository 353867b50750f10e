"""What detectors count and learn from all accounts does not depend on batching, interleaving or crashes."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import pairwise

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.event import RequestEvent
from streams.account_plane import AccountPlane
from streams.batch import TOPICS
from streams.config import DetectionConfig
from streams.detectors.capability import Capability
from streams.detectors.harvest import Harvest
from streams.detectors.pivot import Pivot
from streams.detectors.ramp import Ramp
from streams.detectors.reasoning import Reasoning
from tests.property.events import START, StreamShape, make_stream

CONFIG = DetectionConfig(max_accounts_per_partition=64)
HOURS = 60.0


def plane() -> AccountPlane:
    return AccountPlane(CONFIG, detectors=[Capability(), Reasoning(), Harvest(), Pivot(), Ramp()])


def rich_stream(seed: int, events: int) -> list[RequestEvent]:
    """Sixty hours with topics, elicitation, sampling settings, sign-ups, and two releases on day two."""
    rng = random.Random(seed)
    rich = []
    for event in make_stream(StreamShape(seed=seed, events=events, hours=HOURS, templated=False)):
        hour = (event.time - START).total_seconds() / 3600
        models = ["model-a", *["model-b"] * 3 * (hour > 26), *["model-c"] * 5 * (hour > 40)]
        number = int(event.account_id.removeprefix("acct-"))
        rich.append(
            msgspec.structs.replace(
                event,
                request_model=rng.choice(models),
                prompt_topic=rng.choice([*TOPICS, None]),
                reasoning_elicitation=rng.choice([None, 0.0, 0.35, 0.7, 0.98]),
                max_tokens=rng.choice([None, 1000, 4096]),
                temperature=rng.choice([None, 0.0, 1.0]),
                choice_count=rng.choice([None, 1, 4]),
                logprobs=rng.choice([None, True]),
                account_created_at=START - timedelta(days=number) if rng.random() < 0.3 else None,
            )
        )
    return rich


def state(of: AccountPlane) -> tuple[dict[str, bytes], dict[str, bytes]]:
    rows = {key: of.table.rows[slot].tobytes() for key, slot in of.table.slots.items()}
    return rows, {detector.name: detector.shared() for detector in of.detectors}


def fed(events: list[RequestEvent], cuts: list[int]) -> AccountPlane:
    fresh, edges = plane(), [0, *sorted(set(cuts)), len(events)]
    for first, last in pairwise(edges):
        fresh.process(events[first:last], range(first, last))
    return fresh


seeds, sizes = st.integers(0, 10_000), st.integers(100, 400)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, size=sizes, data=st.data())
def test_any_split_leaves_the_same_state(seed: int, size: int, data: st.DataObject) -> None:
    events = rich_stream(seed, size)
    cuts = data.draw(st.lists(st.integers(0, size), max_size=20))
    assert state(fed(events, cuts)) == state(fed(events, []))


@settings(max_examples=8, deadline=None)
@given(seed=seeds, size=sizes)
def test_order_of_accounts_within_lateness_does_not_matter(seed: int, size: int) -> None:
    events = rich_stream(seed, size)
    rng = random.Random(seed)
    delay = {event.account_id: rng.uniform(0, CONFIG.lateness_s - 1) for event in events}
    shuffled = sorted(events, key=lambda event: event.time + timedelta(seconds=delay[event.account_id]))
    straight, mixed = plane(), plane()
    straight.process(events)
    mixed.process(shuffled)
    straight.close_windows()
    mixed.close_windows()
    assert state(mixed) == state(straight)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, size=sizes, data=st.data())
def test_a_crash_with_a_torn_flush_changes_nothing(seed: int, size: int, data: st.DataObject) -> None:
    """Accounts are restored up to two days ahead of what the partition has learned."""
    events = rich_stream(seed, size)
    flushed = data.draw(st.integers(size // 2, size))
    crashed = data.draw(st.integers(flushed, min(size, flushed + size // 2)))
    doomed = fed(events[:flushed], [])
    changelog = doomed.take_changes()
    doomed.process(events[flushed:crashed], range(flushed, crashed))
    torn = doomed.take_changes()
    changelog += torn[: data.draw(st.integers(0, len(torn)))]
    heir = plane()
    heir.restore(changelog)
    heir.process(events[flushed:], range(flushed, size))
    assert state(heir) == state(fed(events, []))


def test_detectors_learn_something_here() -> None:
    """The stream of this file reaches what the tests above compare."""
    full = fed(rich_stream(1, 400), [])
    shared = {detector.name: detector.shared() for detector in full.detectors}
    capability, pivot = full.detectors[0], full.detectors[3]
    assert isinstance(capability, Capability)
    assert isinstance(pivot, Pivot)
    assert capability.mix._votes
    assert pivot.releases._state.adopted
    assert any(full.table.rows["pivot"]["moved"] > 0)
    assert any(full.table.rows["reasoning"]["cusum"] > 0)
    assert any(full.table.rows["ramp"]["created_hour"] > 0)
    assert len(shared["pivot"]) > 50
