"""Whether an account asks as a person does: it comes and goes, reads answers, and rests.

Told by when it asks alone, from columns that other modules keep (`streams.detectors.cadence`, the rings of
hours). `LEVELS` go from the plainest visits, of which more are allowed, to so few requests that nothing can
be said. Machines that send at random are told by the variation of their gaps, bursts by gaps too short to
read an answer in, batches by requests of an hour, all that never sleeps by its hours. Real people's request
times with accounts are public nowhere: limits come from simulated visits with the pauses of a public trace.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams import windows
from streams.account_table import AccountTable
from streams.calibration import WINDOW_HOURS

Slots = NDArray[np.intp]

REST_HOURS = 6
"""Longest pause that a machine may have between two hours in which it asks: 25 requests a day around the
clock leave a longer one in one day of twenty."""
AWAKE_HOURS = 18
"""From its first request to its last, an account that comes and goes need not have rested: nobody who began
in the morning has slept by the evening."""


class Visits(NamedTuple):
    """What passes for a person's visits."""

    cv: float
    """Least coefficient of variation of the gaps between requests, those of more than an hour counted as one
    (`streams.detectors.cadence`)."""
    hours: int
    """Most hours of a day in which somebody asks, or fills in a form that others do."""
    requests: int
    """Most of two days, of all kinds."""
    by_hand: int
    """The same of somebody who is not known to fill in a form that others do."""
    awake: int
    """Hours from its first request on in which such a one need not have rested."""
    hourly: int = 30
    """Most requests in the mean of the hours in which somebody asks anything: hardly more than a conversation
    without an end has, with 130 s from one request to the next in the median
    (`streams.simulation.parameters.THINK_S`). By hand `HOUR_REQUESTS`."""


SITTINGS = Visits(cv=0.9, hours=12, requests=120, by_hand=48, awake=0)
"""Simulated: with 15 to 60 requests, 87 to 100 in a hundred of those who send two or three at a time vary
more, and of exponential gaps one in a hundred at 25 a day, 2 to 15 at 50 a day. Those at 25 a day around the
clock fall into 15 different hours, and into 10 of twelve; ten visits of a person into 8. By hand are fewer
than the 25.6 a day of the reported campaigns."""
BEGUN = SITTINGS._replace(cv=1.05, awake=AWAKE_HOURS)
"""Of exponential gaps 12 in a hundred at 80 a day and 22 at 200 vary so much after fifteen requests, and are
found later for it. Chosen on three false alerts about new applications' users (CV 1.06 to 1.18), of four that
were left in 9,100 simulated account-days."""
PLAIN = Visits(cv=1.2, hours=AWAKE_HOURS, requests=480, by_hand=150, awake=AWAKE_HOURS)
"""More for who comes and goes more plainly. Simulated as above: nine in ten of those who send two or three at
a time, and of exponential gaps 3 in a thousand at 50 a day, 2 to 5 in a hundred at 100, 5 to 8 at 300 until
there are 50 of them. Six in a thousand simulated users of an application send more than 150 in two days, one
in ten thousand more than 480; with 90 by hand, three in four false alerts were about these. The price: a
pipeline of one account that keeps visits is found after 150 requests at 100 a day, and at 60 a day never."""
SELDOM = Visits(cv=0.0, hours=SITTINGS.hours, requests=48, by_hand=24, awake=0)
"""Who asks a dozen times a day, or two dozen in a form that others fill in, says little by when he does; a
harvest at this pace is one of many accounts or none."""
LEVELS = (PLAIN, BEGUN, SITTINGS, SELDOM)
HOUR_REQUESTS = 15
"""By hand, in the mean of the hours in which it asks anything. One pause between two batches makes gaps as
uneven as many visits do, but a batch is more in its hour. Of eighteen users of new applications flagged in
one simulated world, nine asked faster in their first hours, as who fills in what others do, or sends their
system prompt, now may (`Visits.hourly`)."""
QUICK_SHARE, QUICK_GAPS = 0.08, 2
"""Most gaps too short to read an answer in (`streams.detectors.cadence`), as a share or this number: of a
person's visits as simulated one in a thousand is, of bursts whose gaps have a CV of 2 one in five. Of people
with 24 requests one in 4,000 has two of them, and one in 500,000 three."""


def in_visits(hours: Iterable[int], last: int, most: int = SITTINGS.hours) -> bool:
    """Whether these hours, of the two days up to `last`, are few enough on both.

    >>> in_visits(range(80, 92), 100), in_visits(range(80, 94), 100)
    (True, False)
    """
    counts = [0, 0]
    for hour in hours:
        age = last - hour
        if 0 <= age < 2 * WINDOW_HOURS:
            counts[age >= WINDOW_HOURS] += 1
    return max(counts) <= most


def rested(hours: Iterable[int]) -> bool:
    """Whether there is a pause between some two of them.

    >>> rested([80, 83, 88]), rested([83, 80, 90])
    (False, True)
    """
    return any(later - earlier > REST_HOURS for earlier, later in pairwise(sorted(hours)))


def come_and_go(table: AccountTable, slots: Slots, visits: Visits) -> NDArray[np.bool_]:
    """Whose requests come several at a time, with pauses between, and not too many, (m,); nobody's without
    `cadence`."""
    if "cadence" not in (table.dtype.names or ()):
        return np.zeros(len(slots), np.bool_)
    seen, rows = table.rows["cadence"][slots], table.rows
    # A client asks again at once for what failed. Quick gaps are forgotten in time and failures are not, so
    # an old account has more leave.
    failed = rows["events"][slots].astype(np.int64) - rows["completed"][slots]
    quick = np.maximum(QUICK_SHARE * seen["gaps"].astype(np.float64), QUICK_GAPS)
    unhurried: NDArray[np.bool_] = seen["quick"] - failed <= quick
    by_hour = rows["hour_requests"][slots].astype(np.int64)
    pace, hours = by_hour.sum(axis=1), (by_hour > 0).sum(axis=1)
    few: NDArray[np.bool_] = (pace <= visits.requests) & (pace <= visits.hourly * hours)
    return few & unhurried & uneven(table, slots, visits.cv)


def uneven(table: AccountTable, slots: Slots, cv: float) -> NDArray[np.bool_]:
    """Between whose requests pauses vary at least so much, (m,); nobody's without `cadence`."""
    if "cadence" not in (table.dtype.names or ()):
        return np.zeros(len(slots), np.bool_)
    seen = table.rows["cadence"][slots]
    # n times the sum of squares over the square of the sum is 1 + CV^2
    gaps, squares = seen["gaps"].astype(np.float64), seen["squares_ms2"].astype(np.float64)
    varied: NDArray[np.bool_] = gaps * squares >= (1 + cv**2) * seen["sum_ms"].astype(np.float64) ** 2
    return varied


def by_hand(table: AccountTable, slot: int, hour: int, visits: Visits, shared: bool) -> bool:
    """Whether an account that comes and goes like this asks so seldom, and sleeps, up to an hour.

    Args:
        shared: others send its system prompt as well: it may ask as fast as who fills in a known form, and
            need not have rested when it has just begun.
    """
    seen = active_hours(table, slot, hour)
    if not seen:  # an event from before all that is remembered
        return False
    new = seen[0] - seen[-1] < (AWAKE_HOURS if shared else visits.awake)
    by_hour = table.rows["hour_requests"][slot]
    pace, hours = by_hour.sum(dtype=np.int64), np.count_nonzero(by_hour)
    hourly = visits.hourly if shared else HOUR_REQUESTS
    few = bool(pace <= min(visits.by_hand, hourly * hours)) and in_visits(seen, hour, visits.hours)
    return few and (new or rested(seen))


def active_hours(table: AccountTable, slot: int, hour: int) -> list[int]:
    """Hours of the two days up to this one in which an account has asked anything, newest first."""
    hours = hour - np.arange(2 * WINDOW_HOURS, dtype=np.int64)
    rows = table.rows
    counts = windows.at(rows["hour_requests"], rows["hour_head"], np.full(len(hours), slot), hours)
    found: list[int] = hours[counts > 0].tolist()
    return found
