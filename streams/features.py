"""The 256-d feature vector of a prompt, int8, additive over prompts and accounts.

Four groups of 64 dimensions, each L2-normalised by itself:

====== ================ ======= ==========================================================
dims   group            weight  what is hashed
====== ================ ======= ==========================================================
0-63   words            1       every distinct word
64-127 structure        2       length, lines, shares of character classes, first and last
                                character, layout marks (lists, code fences, ...)
128-191 short words     1       those of at most three letters: mostly function words
192-255 first words     1       the first six of them
====== ================ ======= ==========================================================

A word's 64 random signs are the bits of a keyed hash of it, so a group is a sign projection of the set of
words: inner products are kept up to a relative error of about 1/sqrt(64) (SOURCE: D. Achlioptas,
"Database-friendly random projections", 2003; K. Weinberger et al., "Feature hashing", 2009). Structure is
not secret, see `streams.structure`. No inverse document frequency and no random Fourier features: both cost
power on diverse prompts. No model, no download.

`SCALE` turns a stored byte back into a number: ``x = int8 / SCALE``; group lengths are then 1, 2, 1, 1.
All sums are exact integers before the one division, so a vector is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams import capability, language
from streams.ragged import starts, sums
from streams.structure import (
    BRACKET,
    FOREIGN,
    GROUP,
    OPERATOR,
    ROWS,
    STATES,
    character_classes,
    signs,
    states,
)
from streams.words import LIMIT_CHARS

DIMENSIONS = 4 * GROUP
SCALE = 128.0
LENGTH_SQUARED = 4.0
"""Of the group of structure."""
FIRST_WORDS = 6
SHORT_LETTERS = 3

WORD_CACHE = 32_768
"""Words remembered with their projection, about 500 bytes each; the cache starts anew when it is full."""

WORD_CHARS = 32
"""Longer words (base64, hashes) are told apart by their first characters, so that the cache stays small."""

_FACTORS = np.array([1.0, 2.0, 1.0, 1.0]) * SCALE
_HIGHEST, _LOWEST, _ONE = np.array(127.0), np.array(-127.0), np.array(1.0)
# One row of a word: signs, then its speech: cues, votes, whether it is short. One sum is taken of all.
_CUES = slice(capability.COLUMNS)
_VOTES = slice(_CUES.stop, _CUES.stop + len(language.LANGUAGES))
_SHORT = GROUP + _VOTES.stop
_FIRST_WORD = len(ROWS)
"""The row of the first word; before it stand those of `streams.structure`."""
_NOTHING = _FIRST_WORD + WORD_CACHE
"""The row that stays zero."""


class Measured(NamedTuple):
    """What one pass over some prompts yields."""

    vectors: NDArray[np.int8]
    """(n, 4, `GROUP`)."""
    word_hashes: NDArray[np.uint64]
    """Keyed 64-bit hash of each word, in order, those of all prompts; a prompt with fewer words than were
    asked for ends in zeros."""
    sizes: list[int]
    """How many of these each prompt has."""
    distinct: list[int]
    """Number of distinct words of each."""
    cues: list[list[float]]
    """`streams.capability.word_cues` summed over distinct words."""
    votes: list[list[float]]
    """`streams.language.votes` summed over distinct words."""
    code_marks: list[int]
    foreign_chars: list[int]


class FeatureMap:
    """Feature vectors under one key. Keeps a bounded cache of words; not thread-safe.

    Args:
        key: secret of the word hashes, 16 to 64 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cues = capability.word_cues()
        self._votes = language.votes()
        self._index = _WordIndex()
        self._rows = np.zeros((_NOTHING + 1, _SHORT + 1), np.float32)
        self._rows[:_FIRST_WORD, :GROUP] = ROWS
        self._hashes = np.zeros(_NOTHING + 1, np.uint64)
        # Weight in each group of each row of a prompt alone: states end at column `STATES`, words begin.
        # Only that of short words differs from prompt to prompt.
        self._weights = np.zeros((4, STATES + LIMIT_CHARS), np.float32)
        self._weights[0, STATES:] = 1.0
        self._weights[1, :STATES] = 1.0
        self._weights[3, STATES : STATES + FIRST_WORDS] = 1.0

    def __reduce__(self) -> tuple[type[FeatureMap], tuple[bytes]]:
        """Without its cache: a pickle has some bytes instead of megabytes."""
        return FeatureMap, (self._key,)

    def measure(self, texts: Sequence[str], words: Sequence[Sequence[str]], fewest: int) -> Measured:
        """Everything the cache of words helps with, in one pass.

        Args:
            texts: raw (excerpted) prompts.
            words: the folded words of each, at most `LIMIT_CHARS` together.
            fewest: least number of word hashes of a prompt that has any words.
        """
        if len(self._index) + LIMIT_CHARS > WORD_CACHE:
            self._index.clear()
        row_of = self._index.__getitem__
        every: list[int] = []
        each: list[int] = []
        counts, sizes = [], []
        for said in words:
            # A word counts once however often it comes: counts follow the length and the topic of a text,
            # which vary within one source; which words it uses at all varies less.
            once = dict.fromkeys(said)
            counts.append(len(once))
            each += map(row_of, once)
            every += map(row_of, said)
            missing = max(fewest - len(said), 0) if said else 0
            every += [_NOTHING] * missing
            sizes.append(len(said) + missing)
        if self._index.unlearnt:
            self._learn()
        classes = character_classes(texts).tolist()
        layouts = list(map(states, texts, classes))
        project = self._alone if len(texts) == 1 else self._together
        groups, speech = project(each, counts, layouts)
        lengths = np.sqrt(np.vecdot(groups, groups))
        groups *= (_FACTORS / np.maximum(lengths, _ONE))[:, :, None]
        np.minimum(groups, _HIGHEST, out=groups)
        np.maximum(groups, _LOWEST, out=groups)
        spoken = speech.tolist()  # calls of numpy's cost more than what they do here
        return Measured(
            vectors=np.rint(groups).astype(np.int8),
            word_hashes=self._hashes.take(every),
            sizes=sizes,
            distinct=counts,
            cues=[row[_CUES] for row in spoken],
            votes=[row[_VOTES] for row in spoken],
            code_marks=[row[BRACKET] + row[OPERATOR] for row in classes],
            foreign_chars=[row[FOREIGN] for row in classes],
        )

    def _alone(
        self, words: list[int], counts: list[int], layouts: list[list[int]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """`_together` of one prompt, as gateways do it: one product of matrices takes a third of the time."""
        rows = self._rows.take(layouts[0] + words, axis=0)
        weights = self._weights[:, STATES - len(layouts[0]) : STATES + len(words)]
        weights[2] = rows[:, _SHORT]
        whole = weights @ rows
        return whole[None, :, :GROUP].astype(np.float64), whole[:1, GROUP:]

    def _together(
        self, words: list[int], counts: list[int], layouts: list[list[int]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Unnormalised groups of each prompt (n, 4, `GROUP`), and sums over its distinct words
        of the other columns.

        Args:
            words: rows of the distinct words, those of all prompts.
            counts: how many of them each prompt has.
            layouts: `streams.structure.states` of each.
        """
        rows = self._rows.take(words, axis=0)
        sizes = np.array(counts)
        speech = sums(rows, sizes)
        place = np.arange(len(rows)) - np.repeat(starts(sizes), sizes)
        groups = np.zeros((len(counts), 4, GROUP))
        groups[:, 0] = speech[:, :GROUP]
        groups[:, 1] = sums(ROWS.take(list(chain(*layouts)), axis=0), np.array(list(map(len, layouts))))
        groups[:, 2] = sums(rows[:, :GROUP] * rows[:, _SHORT, None], sizes)
        groups[:, 3] = sums(rows[place < FIRST_WORDS, :GROUP], np.minimum(sizes, FIRST_WORDS))
        return groups, speech[:, GROUP:]

    def _learn(self) -> None:
        """Fill the rows of the words that these prompts brought."""
        words = self._index.unlearnt
        digests = b"".join(
            blake2b(word.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()
            for word in words
        )
        pairs = np.frombuffer(digests, "<u8").reshape(-1, 2)
        end = _FIRST_WORD + len(self._index)
        rows = slice(end - len(words), end)
        self._hashes[rows] = pairs[:, 0]
        self._rows[rows, :GROUP] = signs(pairs[:, 1])
        self._rows[rows, GROUP:] = 0.0
        self._rows[rows, _SHORT] = [len(word) <= SHORT_LETTERS and word.isalpha() for word in words]
        for position, word in enumerate(words, rows.start):
            speech = self._rows[position, GROUP:]
            if word in self._cues:
                speech[_CUES] = self._cues[word]
            if word in self._votes:
                speech[_VOTES] = self._votes[word]
        words.clear()


class _WordIndex(dict[str, int]):
    """Word to its row; an unknown word gets the next row on the way (cheaper than asking first)."""

    def __init__(self) -> None:
        self.unlearnt: list[str] = []

    def __missing__(self, word: str) -> int:
        if len(word) > WORD_CHARS:
            return self[word[:WORD_CHARS]]
        position = self[word] = _FIRST_WORD + len(self)
        self.unlearnt.append(word)
        return position
