"""Setting idle accounts aside changes nothing: neither what a plane says, nor what it knows."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.event import encode_event
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.plane_output import PlaneOutput
from tests.property.events import StreamShape, make_stream

CONFIG = DetectionConfig(max_accounts_per_partition=512)
RUN = 40


def said(output: PlaneOutput) -> list[str]:
    """What a plane said, whatever the order of accounts."""
    return sorted(map(repr, [*output.findings, *output.profiles, *output.evidence, *output.marks]))


def known(plane: AccountPlane) -> dict[str, tuple[bytes, object]]:
    """Rows and extras by account."""
    plane.table.wake(list(plane.table.aside))
    slots = plane.table.slots
    return {key: (plane.table.rows[slot].tobytes(), repr(plane._extras(slot))) for key, slot in slots.items()}


@pytest.mark.parametrize("seed", range(2))
def test_a_plane_with_few_rows_says_and_knows_the_same(seed: int) -> None:
    stream = make_stream(StreamShape(seed=seed, events=900, hours=70.0))
    plain, small = AccountPlane(CONFIG), AccountPlane(CONFIG)
    small.table.hot = 4
    changelog: dict[bytes, bytes] = {}
    first, second, most_aside = PlaneOutput(), PlaneOutput(), 0
    for start in range(0, len(stream), RUN):
        run = stream[start : start + RUN]
        offsets = range(start, start + len(run))
        first.extend(plain.process(run, offsets))
        values = [encode_event(event) for event in run]
        second.extend(small.process(small.read(values), offsets))
        for key, value in small.take_changes():
            changelog.update({key: value} if value is not None else {})
        most_aside = max(most_aside, len(small.table.aside))
        if start == 10 * RUN:  # a crash: all is restored from the changelog
            small = AccountPlane(CONFIG)
            small.table.hot = 4
            small.restore(changelog.items())
    assert most_aside > 4
    assert plain.stats() == small.stats()
    first.extend(plain.close_windows())
    second.extend(small.close_windows())
    assert said(first) == said(second)
    assert known(plain) == known(small)


def test_memory_stays_bounded_and_evictions_are_counted() -> None:
    stream = make_stream(StreamShape(seed=1, events=400, accounts=60, hours=90.0))
    plane = AccountPlane(DetectionConfig(max_accounts_per_partition=16))
    plane.table.hot = 8
    for start in range(0, len(stream), RUN):
        plane.process(stream[start : start + RUN])
        plane.take_changes()
        assert len(plane.table) <= 16
    assert plane.table.evicted > 0
    assert np.isin(list(plane.table.aside), list(plane.table.slots)).sum() == 0
