"""`CommonSystems`: system prompts that are nobody's own, such as "You are a helpful assistant."

A constant system prompt shows an application (`streams.purpose`): somebody has written down what it is for.
One that `SYSTEM_USES` owners send, each around a form of his own (`streams.forms`), shows nothing: it is a
library's example, or a client that everybody runs, whose users `streams.visits` lets ask somewhat faster.
Users of one application share its form as well, or write alike (`streams.fellow_users`). Counted are accounts
of which some detector was surprised in that hour, since of the others nothing has to be excused.

Of one partition only, judged by hours up to ``h - DELAY_HOURS``, and exact after a crash for the same
reason as `streams.calibration`, in whose marks they are kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streams.account_table import AccountTable
from streams.calibration import Marks, within
from streams.delayed import Delayed

Tags = NDArray[np.uint32]

SYSTEM_USES = 3
CONSTANT_SHARE = 0.9
"""Of an account's requests under the system prompt of the one before, from which on it is what the account
is for."""


def constant(table: AccountTable, slots: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which accounts send one system prompt throughout, (m,), by `streams.detectors.template`."""
    return _carried(table, slots, CONSTANT_SHARE)


def at_times(table: AccountTable, slots: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which do not go throughout without one, (m,); one that changes with every request does not count."""
    return _carried(table, slots, 1 - CONSTANT_SHARE)


def _carried(table: AccountTable, slots: NDArray[np.intp], share: float) -> NDArray[np.bool_]:
    if "template" not in (table.dtype.names or ()):
        return np.zeros(len(slots), np.bool_)
    seen = table.rows["template"][slots]
    carried: NDArray[np.bool_] = seen["with_system"] > share * np.maximum(seen["total"], 1)
    return carried


def sent(table: AccountTable, slots: NDArray[np.intp]) -> Tags:
    """The system prompt that each account sent last, (m,), by `streams.detectors.template`; 0: none."""
    if "template" not in (table.dtype.names or ()):
        return np.zeros(len(slots), np.uint32)
    last: Tags = table.rows["template"]["last_system"][slots]
    return last


class CommonSystems:
    """System prompts of several owners, by hour.

    Args:
        marks: of `Calibration`, kept up to date by it.
    """

    def __init__(self, marks: Mapping[int, Marks]) -> None:
        self._marks = marks
        self._known = Delayed(self._build)

    def common(self, systems: Tags, hours: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these, sent in these hours, are nobody's own, (m,)."""
        found = np.zeros(len(systems), np.bool_)
        for hour in set(hours.tolist()):
            here = hours == hour
            found[here] = np.isin(systems[here], self._known.before(hour))
        return found

    def _build(self, last: int) -> Tags:
        uses: dict[int, dict[int, int]] = {}
        for slot, marks in self._marks.items():
            filled = within(marks.forms, last)
            # an account without a form, or without an organisation, is one by itself
            use = filled[max(filled)] if filled else ~slot
            for system in set(within(marks.systems, last).values()):
                owners = uses.setdefault(system, {})
                # the least, so that it does not depend on the order of rows
                owners[use] = min(marks.owner or ~slot, owners.get(use, marks.owner or ~slot))
        shared = [system for system, each in uses.items() if len(set(each.values())) >= SYSTEM_USES]
        return np.array(sorted(shared), np.uint32)
