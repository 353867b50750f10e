"""`Delayed`: what accounts share, as it was two hours before; the same whenever it is asked for.

Built from closed hours when an event of a later hour first needs it, so that neither batching nor a crash
changes what an event is judged by (see `streams.baselines`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from streams.baselines import DELAY_HOURS

T = TypeVar("T")

KEPT_VERSIONS = 4
"""Late events ask for the hours before."""


class Delayed(Generic[T]):
    """Versions by hour.

    Args:
        build: what is known from hours up to the given one.

    >>> twice = Delayed(lambda last: 2 * last)
    >>> twice.before(102)
    200
    """

    def __init__(self, build: Callable[[int], T]) -> None:
        self._build = build
        self._known: dict[int, T] = {}

    def before(self, hour: int) -> T:
        """For events of `hour`."""
        known = self._known.get(hour)
        if known is None:
            known = self._known[hour] = self._build(hour - DELAY_HOURS)
            for old in sorted(self._known)[:-KEPT_VERSIONS]:
                del self._known[old]
        return known
