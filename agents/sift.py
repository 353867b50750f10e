"""`sift`: finds the few records that a plane fails on, and applies all others.

A plane that has failed half-way is of no more use, so every failure costs making it anew. The search halves
the records that are left: about log2(n) failures for each bad record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

P = TypeVar("P")
R = TypeVar("R")
Output = TypeVar("Output")

MOST_BAD = 10
"""With more of them in one run it is not the records that are bad."""


async def sift(
    anew: Callable[[], P],
    feed: Callable[[P, Sequence[R]], Output],
    records: Sequence[R],
    error: Exception,
) -> tuple[P, list[Output], list[tuple[R, Exception]]]:
    """Apply records to a plane, in order, without those that it fails on.

    Args:
        anew: makes the plane as it was before the records.
        feed: applies some of them; the same whether they come at once or one after another.
        error: what it failed with on all of them.

    Returns:
        The plane, its outputs in order, and each bad record with what it led to.

    Raises:
        Exception: `error`, when more than `MOST_BAD` records are bad: the plane itself must be.
    """
    good: list[R] = []
    bad: list[tuple[R, Exception]] = []
    rest = list(records)
    size = len(rest) // 2 or 1
    while True:
        plane = anew()
        outputs = [feed(plane, good)] if good else []
        await asyncio.sleep(0)  # each round may take seconds; the worker must show that it lives
        try:
            while rest:
                outputs.append(feed(plane, rest[:size]))
                good += rest[:size]
                del rest[:size]
        except Exception as problem:
            if size > 1:
                size = (min(size, len(rest)) + 1) // 2  # it is among these
                continue
            bad.append((rest.pop(0), problem))
            if len(bad) > MOST_BAD:
                raise error from problem
            size = len(rest) or 1
        else:
            return plane, outputs, bad
