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

from collections import Counter

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.features import DIMENSIONS
from streams.fingerprint import Fingerprint, Fingerprinter
from streams.simulation.calls import Calls
from streams.simulation.population import Population, Voice
from streams.simulation.text.writers import WRITERS

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
_START = 1 << 14
_encode = msgspec.json.Encoder().encode


class Content:
    """The bank. Sources are written when first drawn from.

    Args:
        fingerprinter: makes the fingerprints.
        fragments: keep each row as JSON as well.

    Attributes:
        vectors: int8 (rows, 256).
        fingerprints: of each row.
        fragments: JSON members of each row without braces, where asked for.
    """

    def __init__(
        self, population: Population, fingerprinter: Fingerprinter, *, fragments: bool = False
    ) -> None:
        self._population = population
        self._fingerprinter = fingerprinter
        self.vectors: NDArray[np.int8] = np.zeros((_START, DIMENSIONS), np.int8)
        self.fingerprints: list[Fingerprint] = []
        self.fragments: list[str] | None = [] if fragments else None
        self._sources: dict[tuple[Voice, int], tuple[int, int]] = {}
        """Source and turn to first row and how many there are."""
        n = population.size
        # places of an account's rows: in its shared or usual voice, and in its own words; -1: not yet asked
        self._usual = _Places(n)
        self._own = _Places(n)

    def __len__(self) -> int:
        return len(self.fingerprints)

    def rows(self, calls: Calls) -> Ints:
        """int64 (n,): the row of the bank that each call says."""
        p, found = self._population, np.empty(len(calls.account), np.int64)
        aside = p.is_aside(calls.account, calls.event, calls.time_ms)
        for places, mine in ((self._usual, ~aside), (self._own, aside)):
            account = calls.account[mine]
            for row in np.unique(account[places.size[account, 0] < 0]).tolist():
                voice = p.voice(row) if places is self._usual else p.own_voice(row)
                for number, (first, size) in enumerate(self._of(row, voice)):
                    places.first[row, number], places.size[row, number] = first, size
            follows = np.minimum(calls.turn[mine], 1)
            which = 2 * (calls.visit[mine] >> 20 & 1) + follows
            size = places.size[account, which]
            found[mine] = places.first[account, which] + (calls.event[mine] >> 24) % size
        return found

    def _of(self, row: int, voice: Voice) -> list[tuple[int, int]]:
        """First row and size for (visit of one kind, first message), (..., following), (other kind, ...)."""
        first = self._population.scenario.seed << 32
        if voice.writer in CHARACTERS and not voice.shared:
            most, lot = CHARACTERS[voice.writer], (row * 0x9E3779B97F4A7C15) >> 20
            characters = [first + (1 << 29) + one for one in (lot % most, (lot >> 20) % most)]
            return [
                self._source(Voice(voice.writer, seed), CHARACTER_PROMPTS // (1 + turn), turn)
                for seed in characters
                for turn in (0, 1)
            ]
        if voice.shared:
            return [self._source(voice, GROUP_PROMPTS * voice.templates, 0)] * 4
        usual = Voice(voice.writer, first + row % APPLICATIONS)
        return [self._source(usual, APPLICATION_PROMPTS, 0), self._source(usual, APPLICATION_PROMPTS, 1)] * 2

    def _source(self, voice: Voice, prompts: int, turn: int) -> tuple[int, int]:
        """First row and size."""
        turn = turn if voice.writer in FREE_WRITERS else 0
        if (voice, turn) not in self._sources:
            self._sources[voice, turn] = self._write(voice, prompts, turn)
        return self._sources[voice, turn]

    def _write(self, voice: Voice, prompts: int, turn: int) -> tuple[int, int]:
        write, made = WRITERS[voice.writer], []
        lot = (voice.seed * 0x9E3779B97F4A7C15 >> 24) & 0xFFFFFF
        for number in range(prompts):
            event = number + lot * voice.templates << 16
            said = write(voice.seed_of(event), lot + number // 3, turn, event)
            made.append(self._fingerprinter.fingerprint(said.prompt, said.system))
        free = voice.writer in FREE_WRITERS
        heads, tails = (Counter(getattr(one, name) for one in made if not free) for name in _EDGES)
        first = len(self.fingerprints)
        while first + prompts > len(self.vectors):
            self.vectors = np.concatenate([self.vectors, np.zeros_like(self.vectors)])
        for number, one in enumerate(made, first):
            kept = msgspec.structs.replace(
                one,
                template_hash=one.template_hash if heads[one.template_hash] > 1 else None,
                template_tail_hash=one.template_tail_hash if tails[one.template_tail_hash] > 1 else None,
            )
            self.fingerprints.append(kept)
            self.vectors[number] = np.frombuffer(kept.prompt_embedding or bytes(DIMENSIONS), np.int8)
            if self.fragments is not None:
                self.fragments.append(_encode(kept)[1:-1].decode())
        return first, prompts


_EDGES = ("template_hash", "template_tail_hash")


class _Places:
    """Where the rows of each account's sources lie."""

    def __init__(self, accounts: int) -> None:
        self.first = np.zeros((accounts, 4), np.int32)
        self.size = np.full((accounts, 4), -1, np.int32)

