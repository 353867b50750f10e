"""The records a plane fails on are found, all others applied once and in order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sift import MOST_BAD, sift


class Fragile:
    """Sums up; fails half-way on bad numbers."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.held: list[int] = []
        self.spoilt = False

    def feed(self, numbers: Sequence[int]) -> list[int]:
        assert not self.spoilt, "used after it had failed"
        for number in numbers:
            if number in self.bad:
                self.spoilt = True
                raise ZeroDivisionError(number)
            self.held.append(number)
        return list(numbers)


@given(size=st.integers(1, 300), data=st.data())
async def test_bad_records_are_left_out(size: int, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(0, size - 1), min_size=1, max_size=MOST_BAD))
    made: list[Fragile] = []

    def anew() -> Fragile:
        made.append(Fragile(bad))
        return made[-1]

    plane, outputs, found = await sift(anew, Fragile.feed, range(size), ValueError())
    good = [number for number in range(size) if number not in bad]
    assert plane.held == [number for output in outputs for number in output] == good
    assert [number for number, _ in found] == sorted(bad)
    assert all(isinstance(problem, ZeroDivisionError) for _, problem in found)
    assert len(made) <= (len(bad) + 1) * (size.bit_length() + 2)


async def test_a_plane_that_fails_on_everything_is_said_so() -> None:
    first = ValueError("first")
    with pytest.raises(ValueError, match="first"):
        await sift(lambda: Fragile(set(range(100))), Fragile.feed, range(100), first)
