"""`Content`: what accounts write, as fingerprints, fast: drawn from a bank instead of written anew each time.

Writing and fingerprinting a prompt costs about a hundred microseconds. Here every *source* of words writes
a few dozen real prompts once (through the same writers and the same `Fingerprinter`), and each request draws
one of them. Sources are an application, a campaign's template, or a character: accounts of people take turns
between two characters of a few hundred, so that many share interests and few share both.

What this does to the data: an account repeats itself after some dozens of requests, and different people's
prompts can be equal. So a template (the first words) is kept where it recurs within an application or a
campaign, as a real one does, and left out of free words: two drawings from the bank would join strangers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from streams.simulation.calls import Calls
from streams.simulation.habits import HABITS
from streams.simulation.identity import NOBODY
from streams.simulation.population import Population, Voice
from streams.simulation.sources import CHARACTERS, Row, Source, Write
from streams.simulation.text.writers import WRITERS

Ints = NDArray[np.int64]

CHARACTER_PROMPTS = 24
"""First messages of a character, and half as many that follow."""
APPLICATION_PROMPTS = 16
APPLICATIONS = 1_000
"""Products of a kind that single accounts run; beyond so many accounts several run the same, with one system
prompt and one template, as whatever is freely to be had is run by many. It bounds what has to be written."""
GROUP_PROMPTS = 256
"""Prompts of one source that many accounts share; of each of its wordings."""


class Content(Generic[Row]):
    """The bank. Sources are written when first drawn from, all at once that a slice of time asks for.

    Args:
        write: how sources are written; says what is kept of a prompt.

    Attributes:
        kept: of each prompt, in the order in which they were asked for.
    """

    def __init__(self, population: Population, write: Write[Row]) -> None:
        self._population = population
        self._write = write
        self.kept: list[Row] = []
        self._known: dict[tuple[str, int], list[tuple[int, int]]] = {}
        """First row and number of rows of the sources of a group, of a writer's application or character."""
        self._promised = 0
        """Rows of all of them."""
        self._begun: deque[Iterator[Sequence[Row]]] = deque()
        """What is being written, in the order of its rows."""
        self._new: list[Source] = []
        n = population.size
        self._own_writer = _OF_HABIT[population.habit]
        self._usual_writer = self._own_writer.copy()
        together = population.campaign != NOBODY
        for number, crowd in enumerate(population.scenario.crowds):
            mine = population.crowd == number
            if crowd.writer:
                self._usual_writer[mine] = _WRITERS.index(crowd.writer)
            if crowd.one_source:
                together |= mine
        self._leader = _leaders(together, population)
        # places of an account's rows: in its shared or usual voice, and in its own words; -1: not yet asked
        self._usual = _Places(n)
        self._own = _Places(n)

    def __len__(self) -> int:
        return len(self.kept)

    def rows(self, calls: Calls) -> Ints:
        """int64 (n,): the row of the bank that each call says."""
        rows, size = self.ask(calls)
        self.have(size)
        return rows

    def ask(self, calls: Calls) -> tuple[Ints, int]:
        """The same rows, and how many the bank must `have` before they are looked at: what nobody has said
        before is begun to be written."""
        p, found = self._population, np.empty(len(calls.account), np.int64)
        aside = p.is_aside(calls.account, calls.event, calls.time_ms)
        parts = ((self._usual, ~aside), (self._own, aside))
        self._place([(places, calls.account[mine]) for places, mine in parts])
        for places, mine in parts:
            account = calls.account[mine]
            follows = np.minimum(calls.turn[mine], 1)
            which = 2 * (calls.visit[mine] >> 20 & 1) + follows
            size = places.size[account, which]
            found[mine] = places.first[account, which] + (calls.event[mine] >> 24) % size
        return found, self._promised

    def have(self, size: int) -> None:
        """Wait until the bank has so many rows."""
        while len(self) < size:
            for made in self._begun.popleft():
                self.kept += made

    def _place(self, parts: Sequence[tuple[_Places, Ints]]) -> None:
        """Find the sources of accounts that ask for the first time, and begin to write those that are new."""
        for places, account in parts:
            rows = np.unique(account[places.size[account, 0] < 0])
            if places is self._usual:
                leader = self._leader[rows]
                shared = leader != NOBODY
                self._put("group", places, rows[shared], leader[shared], _ALL, self._of_group)
                rows = rows[~shared]
            writers = (self._usual_writer if places is self._usual else self._own_writer)[rows]
            for number in np.unique(writers).tolist():
                self._put_alone(places, rows[writers == number], _WRITERS[number])
        if self._new:
            self._begun.append(iter(self._write(self._new)))
            self._new = []

    def _put_alone(self, places: _Places, rows: Ints, writer: str) -> None:
        """Accounts with a source of their own: two characters, or a product that single accounts run."""
        if writer not in CHARACTERS:
            self._put(writer, places, rows, rows % APPLICATIONS, _ALL, partial(self._of_application, writer))
            return
        lots = [row * 0x9E3779B97F4A7C15 >> 20 for row in rows.tolist()]
        for columns, shift in ((_ALL[:2], 0), (_ALL[2:], 20)):
            characters = np.array([(lot >> shift) % CHARACTERS[writer] for lot in lots], np.int64)
            self._put(writer, places, rows, characters, columns, partial(self._of_character, writer))

    def _put(
        self,
        kind: str,
        places: _Places,
        rows: Ints,
        numbers: Ints,
        columns: Sequence[int],
        sources: Callable[[int], list[Source]],
    ) -> None:
        """Sources of each number, one for each column, to the accounts that have it."""
        distinct, of_row = np.unique(numbers, return_inverse=True)
        if not len(distinct):
            return
        found = np.array([self._rows_of(kind, number, sources) for number in distinct.tolist()], np.int32)
        for place, column in enumerate(columns):
            places.first[rows, column], places.size[rows, column] = found[of_row, place].T

    def _rows_of(
        self, kind: str, number: int, sources: Callable[[int], list[Source]]
    ) -> list[tuple[int, int]]:
        """First row and number of rows of each of these sources, which are to be written if they are new.
        Equal ones are of one kind and number: what a writer without turns says first and later."""
        if (kind, number) not in self._known:
            asked = sources(number)
            first: dict[Source, int] = {}
            for one in asked:
                if one not in first:
                    first[one] = self._promised
                    self._promised += one.prompts
                    self._new.append(one)
            self._known[kind, number] = [(first[one], one.prompts) for one in asked]
        return self._known[kind, number]

    def _of_group(self, leader: int) -> list[Source]:
        voice = self._population.voice(leader)
        return [Source.of(voice, GROUP_PROMPTS * voice.templates, 0)] * 4

    def _of_character(self, writer: str, number: int) -> list[Source]:
        voice = Voice(writer, (self._population.scenario.seed << 32) + (1 << 29) + number)
        return [Source.of(voice, CHARACTER_PROMPTS // (1 + turn), turn) for turn in (0, 1)]

    def _of_application(self, writer: str, number: int) -> list[Source]:
        voice = Voice(writer, (self._population.scenario.seed << 32) + number)
        return [Source.of(voice, APPLICATION_PROMPTS, turn) for turn in (0, 1)] * 2


def _leaders(together: NDArray[np.bool_], population: Population) -> Ints:
    """Of accounts that write together, the first of their campaign or group; `NOBODY` of others."""
    rows, leader = np.flatnonzero(together), np.full(population.size, NOBODY)
    numbers = np.where(population.campaign == NOBODY, population.group, -1 - population.campaign)[rows]
    _, first, of_row = np.unique(numbers, return_index=True, return_inverse=True)
    leader[rows] = rows[first][of_row]
    return leader


_WRITERS = list(WRITERS)
_OF_HABIT = np.array([_WRITERS.index(writer) for writer in (*(habit.writer for habit in HABITS), "person")])
"""Who writes an account's own words: a person's, where it attacks."""
_ALL = (0, 1, 2, 3)
"""Columns of `_Places`: visits of one kind, first message and following ones, and of the other."""


class _Places:
    """Where the rows of each account's sources lie."""

    def __init__(self, accounts: int) -> None:
        self.first = np.zeros((accounts, 4), np.int32)
        self.size = np.full((accounts, 4), -1, np.int32)
