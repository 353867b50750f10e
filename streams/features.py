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
not secret and uses fixed signs. No inverse document frequency and no random Fourier features: both cost
power on diverse prompts. No model, no download.

`SCALE` turns a stored byte back into a number: ``x = int8 / SCALE``; group lengths are then 1, 2, 1, 1.
All sums are exact integers before the one division, so a vector is the same on every machine.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams import capability, language
from streams.words import LIMIT_CHARS

GROUP = 64
DIMENSIONS = 4 * GROUP
SCALE = 128.0
FIRST_WORDS = 6
SHORT_LETTERS = 3

WORD_CACHE = 32_768
"""Words remembered with their projection, about 500 bytes each; the cache starts anew when it is full."""

WORD_CHARS = 32
"""Longer words (base64, hashes) are told apart by their first characters, so that the cache stays small."""

_FACTORS = np.array([1.0, 2.0, 1.0, 1.0]) * SCALE
# One cached row: signs, cues, votes. Side by side, so that one product sums all three.
_CUES = slice(GROUP, GROUP + capability.COLUMNS)
_VOTES = slice(_CUES.stop, _CUES.stop + len(language.LANGUAGES))

# Character classes of the structure group.
_LETTER, _UPPER, _DIGIT, _SPACE, _LINE, _STOP, _QUESTION, _COMMA, _COLON = range(9)
_QUOTE, _BRACKET, _OPERATOR, _DASH, _FOREIGN, _SYMBOL = range(9, 15)
_CLASSES = 15
_CLASS_OF = {
    _LINE: "\n\r\u2028\u2029",
    _STOP: ".!…。！",
    _QUESTION: "?？¿؟",
    _COMMA: ",;、，；،",
    _COLON: ":：",
    _QUOTE: "\"'`‘’“”„«»「」『』",
    _BRACKET: "()[]{}<>（）【】《》",
    _OPERATOR: "=+*/\\|&^%$#@~_",
    _DASH: "-–—•·",
}

_MARKS: tuple[str, ...] = (
    "\n- ", "\n* ", "\n1", "\n#", "\n\n", "\n\n\n", ":\n", "\t", "    ", "```", "**", "\\", "{{", "</", "://",
    "|", "_", "...",
)  # fmt: skip

_STEPS = 16
"""A measured quantity falls between two bins; its weight is split over both in sixteenths."""
_BINS = 2 * 24
_QUANTITIES = 4 + _CLASSES


class Measured(NamedTuple):
    """What one pass over a prompt yields."""

    vector: NDArray[np.int8]
    """(4, `GROUP`)."""
    word_hashes: NDArray[np.uint64]
    """Keyed 64-bit hash of each word, in order."""
    distinct: int
    """Number of distinct words."""
    cues: list[float]
    """`streams.capability.word_cues` summed over distinct words."""
    votes: list[float]
    """`streams.language.votes` summed over distinct words."""
    code_marks: int
    foreign_chars: int


def bits(hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The 64 bits of each hash, (n, 64), in the order in which `np.packbits` packs them."""
    return np.unpackbits(hashes.view(np.uint8)).reshape(-1, GROUP)


def _signs(hashes: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Bits to -1 and +1, (n, `GROUP`)."""
    return bits(np.ascontiguousarray(hashes)).astype(np.float32) * 2 - 1


def _fixed_signs(names: list[str]) -> NDArray[np.float32]:
    digests = b"".join(blake2b(name.encode(), digest_size=GROUP // 8).digest() for name in names)
    return _signs(np.frombuffer(digests, np.uint64))


def _structure_rows() -> NDArray[np.float32]:
    """One row per state of a structure feature: quantities in sixteenths of bins, marks, edge characters."""
    bins = _fixed_signs([f"{q}:{b}" for q in range(_QUANTITIES) for b in range(_BINS + 1)])
    bins = bins.reshape(_QUANTITIES, _BINS + 1, 1, GROUP)
    upper = np.arange(_STEPS, dtype=np.float32)[:, None]
    between = (_STEPS - upper) * bins[:, :-1] + upper * bins[:, 1:]
    names = [f"mark:{mark}" for mark in _MARKS]
    names += [f"{edge}:{c}" for edge in ("first", "last") for c in range(256)]
    return np.concatenate([between.reshape(-1, GROUP), _fixed_signs(names) * _STEPS])


_ROWS = _structure_rows()
_SPAN = _BINS * _STEPS
_QUANTITY_BASE = np.arange(_CLASSES) * _SPAN
_LENGTH_BASE = _CLASSES * _SPAN
_MARK_BASE = _QUANTITIES * _SPAN
_FIRST_BASE = _MARK_BASE + len(_MARKS)
_LAST_BASE = _FIRST_BASE + 256
_ONES = np.ones(LIMIT_CHARS, np.float32)


@cache
def _classes(size: int) -> NDArray[np.uint8]:
    """Character class of every code point below `size`."""
    table = np.full(size, _SYMBOL, np.uint8)
    for code in range(size):
        category = unicodedata.category(chr(code))
        if category[0] in "LM":
            table[code] = _FOREIGN if code >= 0x250 else _UPPER if category == "Lu" else _LETTER
        elif category == "Nd":
            table[code] = _DIGIT
        elif category[0] == "Z" or code == 9:
            table[code] = _SPACE
    for character_class, characters in _CLASS_OF.items():
        for character in characters:
            if ord(character) < size:
                table[ord(character)] = character_class
    return table


def _log2(value: int) -> int:
    """Logarithm to base 2 in sixteenths, piecewise linear and exact in integers; 0 for 0."""
    value += 1
    whole = value.bit_length() - 1
    return _STEPS * whole + (value << 4 >> whole) - _STEPS


def _structure(text: str) -> tuple[NDArray[np.float32], list[int]]:
    """Unnormalised structure group and the counts per character class of a raw text."""
    if text.isascii():
        counts = np.bincount(_classes(128).take(np.frombuffer(text.encode(), np.uint8)), minlength=_CLASSES)
    else:
        wide = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        counts = np.bincount(_classes(0x10000).take(np.minimum(wide, 0xFFFF)), minlength=_CLASSES)
    # The square root spreads small shares: 1 % and 2 % of digits differ more than 31 % and 32 %.
    shares = np.sqrt(counts * (65536.0 / (len(text) or 1))).astype(np.intp)
    states: list[int] = (shares + _QUANTITY_BASE).tolist()
    body = text.strip()
    first_line = body.find("\n")
    lengths = (
        2 * _log2(len(text)),
        3 * _log2(text.count("\n")),
        3 * _log2(first_line if first_line >= 0 else len(body)) // 2,
        3 * _log2(len(body) - 1 - body.rfind("\n")) // 2,
    )
    base = _LENGTH_BASE
    for length in lengths:
        states.append(base + min(length, _SPAN - 1))
        base += _SPAN
    states += [position for position, mark in enumerate(_MARKS, _MARK_BASE) if mark in text]
    if body:
        states += (_FIRST_BASE + min(ord(body[0]), 255), _LAST_BASE + min(ord(body[-1]), 255))
    group: NDArray[np.float32] = _ONES[: len(states)] @ _ROWS.take(states, axis=0)
    return group, counts.tolist()


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
        self._rows = np.zeros((WORD_CACHE, _VOTES.stop), np.float32)
        self._hashes = np.zeros(WORD_CACHE, np.uint64)
        self._short = np.zeros(WORD_CACHE, np.float32)
        # Weight of each word in each group; only the row of short words differs between prompts.
        self._weights = np.zeros((4, LIMIT_CHARS), np.float32)
        self._weights[0] = 1.0
        self._weights[3, :FIRST_WORDS] = 1.0

    def measure(self, text: str, words: list[str]) -> Measured:
        """Everything the cache of words helps with, in one pass.

        Args:
            text: the raw (excerpted) prompt.
            words: its folded words, at most `LIMIT_CHARS`.
        """
        if len(self._index) + LIMIT_CHARS > WORD_CACHE:
            self._index.clear()
        row_of = self._index.__getitem__
        # A word counts once however often it comes: counts follow the length and the topic of a text, which
        # vary within one source; which words it uses at all varies less.
        distinct = np.array(list(map(row_of, dict.fromkeys(words))), np.intp)
        if self._index.unlearnt:
            self._learn()
        index = distinct
        if len(distinct) < len(words):
            index = np.array(list(map(row_of, words)), np.intp)
        weights = self._weights[:, : len(distinct)]
        weights[2] = self._short.take(distinct)
        sums = weights @ self._rows.take(distinct, axis=0)
        groups = sums[:, :GROUP].astype(np.float64)
        groups[1], counts = _structure(text)
        lengths = np.sqrt(np.einsum("ij,ij->i", groups, groups))
        groups *= (_FACTORS / np.maximum(lengths, 1.0))[:, None]
        np.minimum(groups, 127.0, out=groups)
        np.maximum(groups, -127.0, out=groups)
        speech: list[float] = sums[0].tolist()
        return Measured(
            vector=np.rint(groups).astype(np.int8),
            word_hashes=self._hashes.take(index),
            distinct=len(distinct),
            cues=speech[_CUES],
            votes=speech[_VOTES],
            code_marks=counts[_BRACKET] + counts[_OPERATOR],
            foreign_chars=counts[_FOREIGN],
        )

    def _learn(self) -> None:
        """Fill the rows of the words that this prompt brought."""
        words = self._index.unlearnt
        digests = b"".join(
            blake2b(word.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()
            for word in words
        )
        pairs = np.frombuffer(digests, "<u8").reshape(-1, 2)
        rows = slice(len(self._index) - len(words), len(self._index))
        self._hashes[rows] = pairs[:, 0]
        self._short[rows] = [len(word) <= SHORT_LETTERS and word.isalpha() for word in words]
        self._rows[rows, :GROUP] = _signs(pairs[:, 1])
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
