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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams import capability, language
from streams.ragged import starts, sums
from streams.structure import BRACKET, FOREIGN, GROUP, OPERATOR, character_classes, signs, structure
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
# One cached row: signs, cues, votes. Side by side, so that one sum is taken of all three.
_CUES = slice(GROUP, GROUP + capability.COLUMNS)
_VOTES = slice(_CUES.stop, _CUES.stop + len(language.LANGUAGES))


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
        # the last row stays zero: no word
        self._rows = np.zeros((WORD_CACHE + 1, _VOTES.stop), np.float32)
        self._hashes = np.zeros(WORD_CACHE + 1, np.uint64)
        self._short = np.zeros(WORD_CACHE + 1, np.float32)
        # Weight of each word of one prompt in each group; only the row of short words differs.
        self._weights = np.zeros((4, LIMIT_CHARS), np.float32)
        self._weights[0] = 1.0
        self._weights[3, :FIRST_WORDS] = 1.0

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
            every += [WORD_CACHE] * missing
            sizes.append(len(said) + missing)
        if self._index.unlearnt:
            self._learn()
        classes = character_classes(texts)
        groups, speech = self._projected(np.array(each, np.intp), np.array(counts))
        groups[:, 1] = structure(texts, classes)
        lengths = np.sqrt(np.vecdot(groups, groups))
        groups *= (_FACTORS / np.maximum(lengths, 1.0))[:, :, None]
        np.minimum(groups, 127.0, out=groups)
        np.maximum(groups, -127.0, out=groups)
        spoken, shown = speech.tolist(), classes.tolist()  # calls of numpy's cost more than what they do here
        return Measured(
            vectors=np.rint(groups).astype(np.int8),
            word_hashes=self._hashes.take(np.array(every, np.intp)),
            sizes=sizes,
            distinct=counts,
            cues=[row[_CUES] for row in spoken],
            votes=[row[_VOTES] for row in spoken],
            code_marks=[row[BRACKET] + row[OPERATOR] for row in shown],
            foreign_chars=[row[FOREIGN] for row in shown],
        )

    def _projected(
        self, index: NDArray[np.intp], counts: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Sums over the distinct words of each prompt: of signs by group, that of structure left out, and of
        whole rows."""
        rows = self._rows.take(index, axis=0)
        if len(counts) == 1:  # as gateways do it; a product of matrices takes a third of the time
            weights = self._weights[:, : len(index)]
            weights[2] = self._short.take(index)
            whole = weights @ rows
            return whole[None, :, :GROUP].astype(np.float64), whole[:1]
        speech = sums(rows, counts)
        place = np.arange(len(index)) - np.repeat(starts(counts), counts)
        groups = np.zeros((len(counts), 4, GROUP))
        groups[:, 0] = speech[:, :GROUP]
        groups[:, 2] = sums(rows[:, :GROUP] * self._short.take(index)[:, None], counts)
        groups[:, 3] = sums(rows[place < FIRST_WORDS, :GROUP], np.minimum(counts, FIRST_WORDS))
        return groups, speech

    def _learn(self) -> None:
        """Fill the rows of the words that these prompts brought."""
        words = self._index.unlearnt
        digests = b"".join(
            blake2b(word.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()
            for word in words
        )
        pairs = np.frombuffer(digests, "<u8").reshape(-1, 2)
        rows = slice(len(self._index) - len(words), len(self._index))
        self._hashes[rows] = pairs[:, 0]
        self._short[rows] = [len(word) <= SHORT_LETTERS and word.isalpha() for word in words]
        self._rows[rows, :GROUP] = signs(pairs[:, 1])
        self._rows[rows, GROUP:] = 0.0
        for position, word in enumerate(words, rows.start):
            if word in self._cues:
                self._rows[position, _CUES] = self._cues[word]
            if word in self._votes:
                self._rows[position, _VOTES] = self._votes[word]
        words.clear()


class _WordIndex(dict[str, int]):
    """Word to its row; an unknown word gets the next row on the way (cheaper than asking first)."""

    def __init__(self) -> None:
        self.unlearnt: list[str] = []

    def __missing__(self, word: str) -> int:
        if len(word) > WORD_CHARS:
            return self[word[:WORD_CHARS]]
        position = self[word] = len(self)
        self.unlearnt.append(word)
        return position
