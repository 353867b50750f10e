"""Sources hold the watermark back, repeats are refused, memory is bounded."""

from __future__ import annotations

from streams.origins import Origin
from streams.watermark import MAX_SOURCES, NOTHING, Watermark


def test_nothing_before_the_first_event() -> None:
    assert Watermark(lateness_ms=1000).time_ms == NOTHING


def test_the_slowest_source_decides() -> None:
    mark = Watermark(lateness_ms=1000)
    mark.admit(Origin(1, 0, 0), 100_000)
    mark.admit(Origin(1, 1, 0), 20_000)
    assert mark.time_ms == 19_000
    mark.admit(Origin(1, 1, 1), 60_000)
    assert mark.time_ms == 59_000


def test_it_never_goes_back() -> None:
    mark = Watermark(lateness_ms=0)
    mark.admit(Origin(1, 0, 0), 50_000)
    assert mark.time_ms == 50_000
    mark.admit(Origin(1, 1, 0), 10_000)
    assert mark.time_ms == 50_000


def test_an_idle_source_counts_again_once_it_speaks() -> None:
    mark = Watermark(lateness_ms=0)
    mark.admit(Origin(1, 0, 0), 10_000)
    mark.admit(Origin(1, 1, 0), 90_000)
    mark.set_idle(1, 0)
    assert mark.time_ms == 90_000
    mark.admit(Origin(1, 0, 1), 95_000)
    mark.admit(Origin(1, 1, 1), 99_000)
    assert mark.time_ms == 95_000


def test_a_repeated_offset_is_refused_per_source() -> None:
    mark = Watermark(lateness_ms=0)
    admitted = [mark.admit(Origin(1, 0, offset), 1) for offset in (3, 4, 3, 4, 5)]
    assert admitted == [True, True, False, False, True]
    assert mark.admit(Origin(2, 0, 3), 1)


def test_sources_are_bounded() -> None:
    mark = Watermark(lateness_ms=0)
    for number in range(MAX_SOURCES + 10):
        mark.admit(Origin(1, number, 0), number)
    assert len(mark.sources) == MAX_SOURCES
