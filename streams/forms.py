"""`Forms`: people who ask by hand, or fill in a form, are no pipeline.

A prompt from a public list, a translator in the browser, a product that everybody runs under a key of his
own: their users pour words into one mould, as a pipeline does. Content says "same source", not "fraud". So
of an account that asks as a person does (`streams.visits`), detectors of *content* may say no more than of
others that show an innocent purpose (`streams.purpose`), and evidence of another nature must join it, where

- it asks **so seldom** that it may be by hand, and rests, or has not been awake for long; somewhat faster
  where others send its one system prompt as well (`streams.common_systems`), as those of a client do that
  many run;
- or **others fill in the same form**: `FORM_ACCOUNTS` accounts that have rested, or as many of one
  organisation, or a crowd. A *form* is a head or a tail of prompts that was also that of the prompt before.

Who has been found is nobody's excuse. An operator gains by this only where each of his accounts keeps a
person's hours, pace and visits. Whether such accounts are one operator's is then for the link and campaign
planes to judge, which see how even and how sleepless they are. Who sits down for the first time and does not
get up for an hour may be found.

Of one partition only, as everything that accounts share, and as old as it (`streams.delayed`). Exact after a
crash for the same reason as `streams.calibration`, in whose marks forms are kept: at most one an hour of two
days, of accounts that fill in any.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams import links
from streams.account_table import AccountTable
from streams.batch import EventBatch
from streams.calibration import Calibration, keep_newest, within
from streams.common_systems import CommonSystems, constant, sent
from streams.delayed import Delayed
from streams.purpose import PURPOSE_NATS
from streams.segment import Segment
from streams.visits import LEVELS, Visits, by_hand, come_and_go, in_visits, rested

Floats = NDArray[np.float64]
Slots = NDArray[np.intp]
Tags = NDArray[np.uint32]

FORM_ACCOUNTS = 3
"""Few, because a new product's users are spread over all partitions. Who makes three himself gains what busy
people may send, for accounts that keep a person's visits alone."""
CROWD_ACCOUNTS = 32
"""So many need not have rested yet, nor `FORM_ACCOUNTS` of one organisation: a new product's first users have
had no time to, a crowd that is one operator's is what group planes see first, and the accounts of one
organisation name a customer who can be asked."""
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


class Forms:
    """Forms that many fill in, by hour.

    Args:
        calibration: keeps the marks of accounts.
        systems: which system prompts are nobody's own.
        content: bool (d,), which score columns are about what is asked.
    """

    def __init__(
        self, calibration: Calibration, systems: CommonSystems, content: NDArray[np.bool_]
    ) -> None:
        self._calibration, self._systems, self._content = calibration, systems, content
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
        shared = constant(table, slots) & self._systems.common(sent(table, slots), hours)
        for number in np.flatnonzero(loud & levels.any(axis=0)).tolist():
            visits = LEVELS[int(levels[:, number].argmax())]
            slot, hour = int(slots[number]), int(hours[number])
            alone = by_hand(table, slot, hour, visits, bool(shared[number]))
            excused[number] = alone or self._known(slot, hour, visits)
        capped = excused[:, None] & self._content
        return np.where(capped, np.minimum(nats, PURPOSE_NATS), nats)

    def _known(self, slot: int, hour: int, visits: Visits) -> bool:
        """The account fills in known forms, mostly."""
        marks = self._calibration.marks.get(slot)
        lately = {} if marks is None else within(marks.forms, hour)
        if not lately or not in_visits(lately, hour, visits.hours):
            return False
        known = int(np.isin(list(lately.values()), self.known.before(hour)).sum())
        return known >= KNOWN_SHARE * len(lately)

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
