"""The watermark of a whole run is the watermark of its events one by one."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import watermark
from streams.origins import Origin, origin_array
from streams.watermark import Watermark

origins = st.builds(Origin, st.sampled_from([0, 7, 2**32 - 1]), st.integers(0, 2), st.integers(0, 12))
events = st.lists(st.tuples(st.none() | origins, st.integers(0, 100_000)), max_size=60)


@settings(max_examples=200, deadline=None)
@given(before=events, run=events, idle=st.booleans(), trace=st.sampled_from([1, 8, 1 << 22]))
def test_a_run_is_its_events_one_by_one(before, run, idle: bool, trace: int) -> None:
    single, whole = Watermark(lateness_ms=2000), Watermark(lateness_ms=2000)
    for mark in (single, whole):
        for origin, time_ms in before:
            mark.admit(origin, time_ms)
            _ = mark.time_ms
        if idle:
            mark.set_idle(7, 1)
            mark.set_idle(2**32 - 1, 0)
            _ = mark.time_ms
    expected = [(single.admit(origin, time_ms), single.time_ms) for origin, time_ms in run]
    places = origin_array([origin for origin, _ in run], len(run))
    largest, watermark._LARGEST_TRACE = watermark._LARGEST_TRACE, trace
    try:
        new, after = whole.admit_run(places, np.array([time_ms for _, time_ms in run], np.int64))
    finally:
        watermark._LARGEST_TRACE = largest
    assert list(zip(new.tolist(), after.tolist(), strict=True)) == expected
    assert msgspec.to_builtins(whole, str_keys=False) == msgspec.to_builtins(single, str_keys=False)
