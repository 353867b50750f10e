"""`Forms`: people who fill in a form are no pipeline.

A prompt from a public list, a translator in the browser, a product that everybody runs under a key of his
own: their users pour words into one mould, as a pipeline does. Of an account that fills in a *form* (a head
or a tail of prompts that was also that of the prompt before) detectors of *content* may say no more than of
others that show an innocent purpose (`streams.purpose`), and evidence of another nature must join it, where

- it **comes and goes** as people do: several requests at a time and pauses between, but time to read answers,
  in so many hours of a day and so many requests in two at most (`Visits`); or there are too few to say;
- and **others fill in the same form**: `FORM_ACCOUNTS` accounts that have rested, or as many of one
  organisation, or a crowd; or else it asks **so seldom** that it may be by hand, and rests, or has not been
  awake for long.

Who has been found is nobody's excuse. An operator gains by this only where each of his accounts keeps a
person's hours, pace and visits. Whether accounts with one form are one operator's is then for the link and
campaign planes to judge, which see how even and how sleepless they are: a shared template alone never alerts.
The first users of a form, before it is known, may be found.

Of one partition only, as everything that accounts share, and as old as it (`streams.delayed`). Exact after a
crash for the same reason as `streams.calibration`, in whose marks forms are kept: at most one an hour of two
days, of accounts that fill in any.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams import links, windows
from streams.account_table import AccountTable
from streams.batch import EventBatch
from streams.calibration import WINDOW_HOURS, Calibration, keep_newest, within
from streams.delayed import Delayed
from streams.purpose import PURPOSE_NATS
from streams.segment import Segment

Floats = NDArray[np.float64]
Slots = NDArray[np.intp]
Tags = NDArray[np.uint32]

FORM_ACCOUNTS = 4
CROWD_ACCOUNTS = 32
"""So many need not have rested yet, nor `FORM_ACCOUNTS` of one organisation: a new product's first users have
had no time to, a crowd that is one operator's is what group planes see first, and the accounts of one
organisation name a customer who can be asked."""
REST_HOURS = 6
"""Longest pause between two uses of a form that a machine may have: 25 requests a day around the clock leave
a longer one in one day of twenty."""
AWAKE_HOURS = 18
"""From its first request to its last, an account that comes and goes plainly need not have rested: nobody who
began in the morning has slept by the evening."""


class Visits(NamedTuple):
    """What passes for a person's visits."""

    cv: float
    """Least coefficient of variation of the gaps between requests, those of more than an hour counted as one
    (`streams.detectors.cadence`)."""
    hours: int
    """Most hours of a day in which somebody fills in a form."""
    requests: int
    """Most of two days, of all kinds."""
    by_hand: int
    """The same of somebody who fills in a form that nobody else does."""


SITTINGS = Visits(cv=0.9, hours=12, requests=120, by_hand=48)
"""Simulated: with 15 to 60 requests, 87 to 100 in a hundred of those who send two or three at a time vary
more, and of exponential gaps one in a hundred at 25 a day, 2 to 15 at 50 a day. Those at 25 a day around the
clock fall into 15 different hours, and into 10 of twelve; ten visits of a person into 8. By hand are fewer
than the 25.6 a day of the reported campaigns."""
PLAIN = Visits(cv=1.2, hours=AWAKE_HOURS, requests=240, by_hand=120)
"""More for who comes and goes more plainly. Simulated as above: nine in ten of those who send two or three at
a time, and of exponential gaps 3 in a thousand at 50 a day, 2 to 5 in a hundred at 100, 5 to 8 at 300 until
there are 50 of them."""
SELDOM = Visits(cv=0.0, hours=SITTINGS.hours, requests=24, by_hand=24)
"""Who asks a dozen times a day says little by when he does; a harvest at this pace is one of many accounts or
none."""
LEVELS = (PLAIN, SITTINGS, SELDOM)
HOUR_REQUESTS = 15
"""In the mean of the hours in which it asks anything: one in four minutes. One pause between two batches
makes gaps as uneven as many visits do, but a batch is more in its hour."""
QUICK_SHARE = 0.08
"""Most gaps too short to read an answer in (`streams.detectors.cadence`): of a person's visits as simulated
one in a thousand is, of bursts whose gaps have a CV of 2 one in five."""
KNOWN_SHARE = 0.5
"""Of the hours in which an account filled in forms, with known ones: from which on these explain what content
says of it."""

NAME = "forms"
"""Of these columns in the account table."""
COLUMNS = np.dtype(
    [
        ("head", "<u4"),  # of the last prompt; 0: none
        ("tail", "<u4"),
    ]
)


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
    seen = table.rows["cadence"][slots]
    # n times the sum of squares over the square of the sum is 1 + CV^2
    gaps, squares = seen["gaps"].astype(np.float64), seen["squares_ms2"].astype(np.float64)
    varied: NDArray[np.bool_] = gaps * squares >= (1 + visits.cv**2) * seen["sum_ms"].astype(np.float64) ** 2
    unhurried = seen["quick"] <= QUICK_SHARE * gaps
    by_hour = table.rows["hour_requests"][slots].astype(np.int64)
    pace, hours = by_hour.sum(axis=1), (by_hour > 0).sum(axis=1)
    few: NDArray[np.bool_] = (pace <= visits.requests) & (pace <= HOUR_REQUESTS * hours)
    return varied & unhurried & few


class Forms:
    """Forms that many fill in, by hour.

    Args:
        calibration: keeps the marks of accounts.
        content: bool (d,), which score columns are about what is asked.
    """

    def __init__(self, calibration: Calibration, content: NDArray[np.bool_]) -> None:
        self._calibration, self._content = calibration, content
        self.known = Delayed(self._build)
        self._batch: EventBatch | None = None
        self._edges: dict[str, Tags] = {}
        """Of the batch in hand, by column; 0: none."""

    # ---- counting -----------------------------------------------------------------------------------

    def update(self, table: AccountTable, segment: Segment) -> None:
        """Fold a segment into the columns and marks of its accounts."""
        mine: NDArray[Any] = table.rows[NAME]
        slots, form = segment.slots, np.zeros(len(segment), np.uint32)
        for name, tags in self._tags(segment.batch).items():
            now, before = segment.take(tags), segment.previous(tags, mine[name][slots])
            np.copyto(form, now, where=(form == 0) & (now == before))
            mine[name][slots] = tags[segment.last]
        again = np.flatnonzero(form)
        if len(again):
            self._note(table, segment, again, form)

    def _tags(self, batch: EventBatch) -> dict[str, Tags]:
        if batch is not self._batch:
            self._batch = batch
            both = (("head", batch.head_hash), ("tail", batch.tail_hash))
            self._edges = {name: hashes.astype(np.uint32) for name, hashes in both}
        return self._edges

    def _note(self, table: AccountTable, segment: Segment, again: Slots, form: Tags) -> None:
        """Mark the first form of each account and hour that is filled in again."""
        pair = segment.event_slots[again] << 32 | segment.hours[again]
        _, first = np.unique(pair, return_index=True)
        places = again[first]
        slots, hours = segment.event_slots[places], segment.hours[places]
        cohorts, owners = table.rows["cohort"][slots], table.rows[links.NAME]["owner"][slots]
        columns = (slots, hours, form[places], cohorts, owners)
        for slot, hour, tag, cohort, owner in zip(*(column.tolist() for column in columns), strict=True):
            forms = self._calibration.of(slot, cohort, owner).forms
            forms.setdefault(hour, tag)
            keep_newest(forms)

    # ---- judging ------------------------------------------------------------------------------------

    def correct(
        self, nats: Floats, hours: NDArray[np.int64], table: AccountTable, slots: Slots
    ) -> Floats:
        """What scores (m, d) at events of the given hours are worth, by the forms that each account fills
        in."""
        levels = np.stack([come_and_go(table, slots, visits) for visits in LEVELS])
        loud = (nats[:, self._content] > PURPOSE_NATS).any(axis=1)
        excused = np.zeros(len(nats), np.bool_)
        for number in np.flatnonzero(loud & levels.any(axis=0)).tolist():
            visits = LEVELS[int(levels[:, number].argmax())]
            excused[number] = self._explained(table, int(slots[number]), int(hours[number]), visits)
        capped = excused[:, None] & self._content
        return np.where(capped, np.minimum(nats, PURPOSE_NATS), nats)

    def _explained(self, table: AccountTable, slot: int, hour: int, visits: Visits) -> bool:
        """The account fills in known forms, mostly; or any form by hand."""
        marks = self._calibration.marks.get(slot)
        lately = {} if marks is None else within(marks.forms, hour)
        if not lately or not in_visits(lately, hour, visits.hours):
            return False
        known = int(np.isin(list(lately.values()), self.known.before(hour)).sum())
        return known >= KNOWN_SHARE * len(lately) or self._by_hand(table, slot, hour, visits)

    def _by_hand(self, table: AccountTable, slot: int, hour: int, visits: Visits) -> bool:
        active = _active(table, slot, hour)
        new = visits is PLAIN and active[0] - active[-1] < AWAKE_HOURS
        pace = table.rows["hour_requests"][slot].sum(dtype=np.int64)
        return bool(pace <= visits.by_hand) and (new or rested(active))

    def _build(self, last: int) -> Tags:
        """Forms that many fill in, ascending."""
        crowds, resting, houses = Counter[int](), Counter[int](), Counter[tuple[int, int]]()
        for marks in self._calibration.marks.values():
            lately = within(marks.forms, last) if marks.found > last else {}
            if not in_visits(lately, last):
                continue
            filled = set(lately.values())
            crowds.update(filled)
            if rested(lately):
                resting.update(filled)
            if marks.owner:
                houses.update((form, marks.owner) for form in filled)
        known = {form for form, count in crowds.items() if count >= CROWD_ACCOUNTS}
        known |= {form for form, count in resting.items() if count >= FORM_ACCOUNTS}
        known |= {form for (form, _), count in houses.items() if count >= FORM_ACCOUNTS}
        return np.array(sorted(known), np.uint32)


def _active(table: AccountTable, slot: int, hour: int) -> list[int]:
    """Hours of the two days up to this one in which an account has asked anything, newest first."""
    hours = hour - np.arange(2 * WINDOW_HOURS, dtype=np.int64)
    rows = table.rows
    counts = windows.at(rows["hour_requests"], rows["hour_head"], np.full(len(hours), slot), hours)
    found: list[int] = hours[counts > 0].tolist()
    return found
