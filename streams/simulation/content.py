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

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.fingerprint import Fingerprint, Fingerprinter
from streams.simulation.calls import Calls
from streams.simulation.population import Population, Voice
from streams.simulation.text.writers import WRITERS, Message

Ints = NDArray[np.int64]

CHARACTERS: dict[str, int] = {"person": 600, "developer": 300, "completion": 150, "agent": 150}
"""Writers whose sources are characters, and how many of these there are."""
CHARACTER_PROMPTS = 24
"""First messages of a character, and half as many that follow."""
APPLICATION_PROMPTS = 16
APPLICATIONS = 1_000
"""Products of a kind that single accounts run; beyond so many accounts several run the same, with one system
prompt and one template, as whatever is freely to be had is run by many. It bounds what has to be written."""
GROUP_PROMPTS = 256
"""Prompts of one source that many accounts share; of each of its wordings."""
FREE_WRITERS = frozenset({*CHARACTERS, "assistant"})
"""Writers without a template, whose following messages are not like their first."""
_encode = msgspec.json.Encoder().encode


class Source(NamedTuple):
    """Some prompts of one writer."""

    voice: Voice
    turn: int
    prompts: int

    def say(self) -> list[Message]:
        """Prompts and system prompts; the same ones always."""
        writer, said = WRITERS[self.voice.writer], []
        lot = (self.voice.seed * 0x9E3779B97F4A7C15 >> 24) & 0xFFFFFF
        for number in range(self.prompts):
            event = number + lot * self.voice.templates << 16
            said.append(writer(self.voice.seed_of(event), lot + number // 3, self.turn, event))
        return said

    def kept(self, made: Sequence[Fingerprint]) -> list[Fingerprint]:
        """Fingerprints of what it says, with the templates that recur in it and are none of free words."""
        free = self.voice.writer in FREE_WRITERS
        heads, tails = (Counter(getattr(one, name) for one in made if not free) for name in _EDGES)
        return [
            msgspec.structs.replace(
                one,
                template_hash=one.template_hash if heads[one.template_hash] > 1 else None,
                template_tail_hash=one.template_tail_hash if tails[one.template_tail_hash] > 1 else None,
            )
            for one in made
        ]


def written(fingerprinter: Fingerprinter, sources: Sequence[Source]) -> list[list[Fingerprint]]:
    """Fingerprints of all that each source says. Fingerprinted together: one by one takes longer."""
    made = iter(fingerprinter.fingerprint_all([words for one in sources for words in one.say()]))
    return [one.kept(list(islice(made, one.prompts))) for one in sources]


def endings(fingerprinter: Fingerprinter, sources: Sequence[Source]) -> list[list[bytes]]:
    """The same as the end of a JSON line: what a fingerprint knows, from a comma to the line feed."""
    return [[_ending(one) for one in made] for made in written(fingerprinter, sources)]


def _ending(made: Fingerprint) -> bytes:
    known = {name: value for name, value in msgspec.structs.asdict(made).items() if value is not None}
    return b",%b\n" % _encode(known)[1:]


Row = TypeVar("Row")
Write = Callable[[Sequence[Source]], Iterable[Sequence[Row]]]
"""What `written` or `endings` gives of some sources. It may be begun at once and be waited for where it is
iterated."""


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
        self._sources: dict[Source, int] = {}
        """First row of each."""
        self._promised = 0
        """Rows of all of them."""
        self._begun: deque[Iterator[Sequence[Row]]] = deque()
        """What is being written, in the order of its rows."""
        n = population.size
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
        p, new = self._population, []
        for places, account in parts:
            for row in np.unique(account[places.size[account, 0] < 0]).tolist():
                voice = p.voice(row) if places is self._usual else p.own_voice(row)
                for number, source in enumerate(self._of(row, voice)):
                    if source not in self._sources:
                        self._sources[source] = self._promised
                        self._promised += source.prompts
                        new.append(source)
                    places.first[row, number] = self._sources[source]
                    places.size[row, number] = source.prompts
        if new:
            self._begun.append(iter(self._write(new)))

    def _of(self, row: int, voice: Voice) -> list[Source]:
        """Of (visit of one kind, first message), (..., following), (other kind, ...)."""
        first = self._population.scenario.seed << 32
        if voice.writer in CHARACTERS and not voice.shared:
            most, lot = CHARACTERS[voice.writer], (row * 0x9E3779B97F4A7C15) >> 20
            characters = [first + (1 << 29) + one for one in (lot % most, (lot >> 20) % most)]
            return [
                _source(Voice(voice.writer, seed), CHARACTER_PROMPTS // (1 + turn), turn)
                for seed in characters
                for turn in (0, 1)
            ]
        if voice.shared:
            return [_source(voice, GROUP_PROMPTS * voice.templates, 0)] * 4
        usual = Voice(voice.writer, first + row % APPLICATIONS)
        return [_source(usual, APPLICATION_PROMPTS, 0), _source(usual, APPLICATION_PROMPTS, 1)] * 2


def _source(voice: Voice, prompts: int, turn: int) -> Source:
    return Source(voice, turn if voice.writer in FREE_WRITERS else 0, prompts)


_EDGES = ("template_hash", "template_tail_hash")


class _Places:
    """Where the rows of each account's sources lie."""

    def __init__(self, accounts: int) -> None:
        self.first = np.zeros((accounts, 4), np.int32)
        self.size = np.full((accounts, 4), -1, np.int32)
