"""The account plane does not depend on batching, interleaving or crashes."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.finding import Finding
from schemas.profile import AccountWindow
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.origins import Origin
from streams.plane_output import PlaneOutput
from tests.property.events import START, StreamShape, make_stream

CONFIG = DetectionConfig(max_accounts_per_partition=64, episode_quiet_s=1800)

shapes = st.builds(StreamShape, seed=st.integers(0, 10_000), events=st.integers(240, 320))


def run(plane: AccountPlane, events, cuts=(), offsets=True) -> PlaneOutput:
    """Feed events in runs that end at `cuts`."""
    output = PlaneOutput()
    edges = [0, *sorted(set(cuts)), len(events)]
    for first, last in pairwise(edges):
        output.extend(plane.process(events[first:last], range(first, last) if offsets else None))
    return output


def latest(profiles: list[AccountWindow]) -> dict[tuple, AccountWindow]:
    """Highest revision of every window, as the store keeps it."""
    best: dict[tuple, AccountWindow] = {}
    for profile in profiles:
        key = (profile.account_key, profile.window_start)
        if key not in best or profile.revision >= best[key].revision:
            best[key] = profile
    return best


def told(findings: list[Finding]) -> dict[tuple[str, int], bytes]:
    return {(finding.finding_id, finding.sequence): msgspec.json.encode(finding) for finding in findings}


@settings(max_examples=12, deadline=None)
@given(shape=shapes, data=st.data())
def test_any_split_into_runs_gives_the_same(shape: StreamShape, data: st.DataObject) -> None:
    events = make_stream(shape)
    cuts = data.draw(st.lists(st.integers(0, len(events)), max_size=12))
    whole = run(AccountPlane(CONFIG), events)
    split = run(AccountPlane(CONFIG), events, cuts)
    assert told(split.findings) == told(whole.findings)
    assert split.profiles == whole.profiles
    assert whole.findings, "the templated account must be found, or this test shows nothing"


@settings(max_examples=10, deadline=None)
@given(shape=shapes, data=st.data())
def test_order_of_accounts_within_lateness_does_not_matter(shape: StreamShape, data: st.DataObject) -> None:
    """Each account keeps its order; accounts slide against each other by less than the lateness."""
    events = make_stream(shape)
    rng = random.Random(data.draw(st.integers(0, 999)))
    delay = {event.account_id: rng.uniform(0, CONFIG.lateness_s - 1) for event in events}
    shuffled = sorted(events, key=lambda event: event.time + timedelta(seconds=delay[event.account_id]))
    straight, mixed = AccountPlane(CONFIG), AccountPlane(CONFIG)
    expected, got = run(straight, events), run(mixed, shuffled)
    expected.extend(straight.close_windows())
    got.extend(mixed.close_windows())
    assert told(got.findings) == told(expected.findings)
    assert latest(got.profiles) == latest(expected.profiles)
    assert mixed.stats()["late_events"] == 0


@settings(max_examples=10, deadline=None)
@given(shape=shapes, data=st.data())
def test_a_crash_at_any_moment_changes_nothing(shape: StreamShape, data: st.DataObject) -> None:
    """Flush, crash with the last flush torn at any record, restore, replay from the committed offset."""
    events = make_stream(shape)
    flushed = data.draw(st.integers(0, len(events)))
    crashed = data.draw(st.integers(flushed, len(events)))
    reference = AccountPlane(CONFIG)
    expected = run(reference, events)
    expected.extend(reference.close_windows())

    doomed = AccountPlane(CONFIG)
    output = run(doomed, events[:flushed])
    changelog = doomed.take_changes()
    output.extend(doomed.process(events[flushed:crashed], range(flushed, crashed)))
    torn = doomed.take_changes()
    changelog += torn[: data.draw(st.integers(0, len(torn)))]

    heir = AccountPlane(CONFIG)
    heir.restore(changelog)
    output.extend(heir.process(events[flushed:], range(flushed, len(events))))
    output.extend(heir.close_windows())
    assert told(output.findings) == told(expected.findings)
    assert latest(output.profiles) == latest(expected.profiles)
    assert heir.stats() == reference.stats()
    assert dict(heir_rows(heir)) == dict(heir_rows(reference))


def heir_rows(plane: AccountPlane):
    for key, slot in plane.table.slots.items():
        yield key, plane.table.rows[slot].tobytes()


@settings(max_examples=15, deadline=None)
@given(shape=shapes, data=st.data())
def test_repeated_raw_records_count_once(shape: StreamShape, data: st.DataObject) -> None:
    """INGEST crashed and produced a stretch again: same origins, new offsets."""
    events = make_stream(shape)
    rng = random.Random(data.draw(st.integers(0, 999)))
    origins = [Origin(1, rng.randrange(3), number) for number in range(len(events))]
    first = data.draw(st.integers(0, len(events) - 1))
    last = data.draw(st.integers(first, len(events)))
    twice = [*range(last), *range(first, len(events))]
    once, repeated = AccountPlane(CONFIG), AccountPlane(CONFIG)
    expected = once.process(events, range(len(events)), origins)
    got = repeated.process(
        [events[n] for n in twice], range(len(twice)), [origins[n] for n in twice]
    )
    expected.extend(once.close_windows())
    got.extend(repeated.close_windows())
    assert told(got.findings) == told(expected.findings)
    assert latest(got.profiles) == latest(expected.profiles)
    assert repeated.stats()["duplicate_events"] == last - first


@settings(max_examples=15, deadline=None)
@given(shape=shapes)
def test_windows_hold_every_event_once(shape: StreamShape) -> None:
    events = make_stream(shape)
    plane = AccountPlane(CONFIG)
    output = run(plane, events)
    output.extend(plane.close_windows())
    expected: Counter[tuple] = Counter()
    for event in events:
        hour = event.time.replace(minute=0, second=0, microsecond=0)
        expected[event.account_key, hour, "requests"] += 1
        expected[event.account_key, hour, "input"] += event.input_tokens
        expected[event.account_key, hour, "failures"] += event.status == "failure"
    windows = latest(output.profiles).values()
    got: Counter[tuple] = Counter()
    for window in windows:
        got[window.account_key, window.window_start, "requests"] = window.requests
        got[window.account_key, window.window_start, "input"] = window.input_tokens
        got[window.account_key, window.window_start, "failures"] = window.failures
    assert +got == +expected


def test_an_event_id_sent_twice_counts_once() -> None:
    events = make_stream(StreamShape(seed=3, events=40))
    plane = AccountPlane(CONFIG)
    plane.process([event for event in events for _ in range(2)])
    assert plane.stats()["events"] == len(events)
    assert plane.stats()["duplicate_events"] == len(events)


def test_accounts_are_bounded_and_evictions_counted() -> None:
    config = DetectionConfig(max_accounts_per_partition=100)
    plane = AccountPlane(config)
    base = make_stream(StreamShape(seed=5, events=1))[0]
    events = [
        msgspec.structs.replace(
            base, event_id=str(n), account_id=f"one-off-{n}", time=START + timedelta(seconds=n)
        )
        for n in range(1000)
    ]
    for first in range(0, 1000, 50):
        plane.process(events[first : first + 50])
        assert len(plane.table) <= 100
    assert plane.stats()["evicted_accounts"] >= 900
    tombstones = [key for key, value in plane.take_changes() if value is None]
    assert len(tombstones) == plane.stats()["evicted_accounts"]
    assert "default:one-off-999" in plane.table.slots


def test_a_late_event_reissues_its_window() -> None:
    events = make_stream(StreamShape(seed=11, events=300, hours=5))
    late = msgspec.structs.replace(events[0], event_id="late", time=START + timedelta(minutes=1))
    plane = AccountPlane(CONFIG)
    output = run(plane, events, offsets=False)
    output.extend(plane.process([late]))
    output.extend(plane.close_windows())
    window = latest(output.profiles)[late.account_key, START]
    expected = sum(
        event.account_key == late.account_key and event.time < START + timedelta(hours=1) for event in events
    )
    assert window.requests == expected + 1
    assert plane.stats()["late_events"] == 1


def test_state_of_other_parameters_is_refused() -> None:
    from schemas.errors import IncompatibleState

    plane = AccountPlane(CONFIG)
    plane.process(make_stream(StreamShape(seed=1, events=50)))
    other = AccountPlane(DetectionConfig(max_accounts_per_partition=64, lateness_s=120))
    with pytest.raises(IncompatibleState):
        other.restore(plane.take_changes())
