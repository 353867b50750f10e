"""`HourMarks`: up to which hour every source has told everything."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.evidence import NO_MORE, HourMark

NEVER = -(2**31)
"""Hour before the first mark."""


class HourMarks:
    """Last mark of each source.

    >>> marks = HourMarks(range(2))
    >>> marks.note(HourMark(0, 7)); marks.complete == NEVER
    True
    >>> marks.note(HourMark(1, NO_MORE)); marks.complete
    7
    >>> marks.note(HourMark(0, 5)); marks.complete
    7
    """

    def __init__(self, sources: Iterable[int]) -> None:
        self.hours: dict[int, int] = dict.fromkeys(sources, NEVER)

    def note(self, mark: HourMark) -> None:
        """Silence may end; an hour, once marked, stays so."""
        known = self.hours.get(mark.source, NEVER)
        self.hours[mark.source] = mark.hour if known == NO_MORE else max(known, mark.hour)

    @property
    def complete(self) -> int:
        """Hours up to this one are complete."""
        return min(self.hours.values())
