"""The 256-d feature vector of a prompt, int8, additive over prompts and accounts.

Four groups of 64 dimensions, each L2-normalised by itself:

====== ================ ======= ==========================================================
dims   group            weight  what is hashed
====== ================ ======= ==========================================================
0-63   words            1       every word
64-127 structure        2       length, lines, shares of character classes, first and last
                                character, layout marks (lists, code fences, roles, ...)
128-191 short words     1       words of at most three letters: mostly function words
192-255 first words     1       the first six words
====== ================ ======= ==========================================================

A word's 64 random signs are the bits of a keyed hash of it, so a group is a sign projection of the bag of
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

WORD_CACHE = 65_536
"""Words remembered with their projection, about 400 bytes each; the cache starts anew when it is full."""

_WEIGHTS = np.array([1.0, 2.0, 1.0, 1.0]) * SCALE
_CUES = slice(GROUP, GROUP + capability.COLUMNS)
_VOTES = slice(_CUES.stop, _CUES.stop + len(language.LANGUAGES))
_ROW = _VOTES.stop

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
    "\n- ", "\n* ", "\n1", "\n#", "\n\n\n", ":\n", "\t", "    ", "```", "**", "###", "\\", "$", "{{", "}",
    "</", "://", "|", "<", "_", "();", "==", "User:", "Assistant:", "Q:", "Input:", "Output:", "\n\n", "...",
)  # fmt: skip

_STEPS = 16
"""A measured quantity falls between two bins; its weight is split over both in sixteenths."""
_BINS = 2 * 24
_QUANTITIES = 4 + _CLASSES


class Measured(NamedTuple):
    """What one pass over a prompt yields."""

    vector: NDArray[np.int8]
    """`DIMENSIONS` values."""
    word_hashes: NDArray[np.uint64]
    """Keyed 64-bit hash of each word, in order."""
    cues: list[float]
    """Summed `streams.capability.word_cues`."""
    votes: list[float]
    """Summed `streams.language.votes`."""
    code_marks: int
    foreign_chars: int


def _signs(hashes: bytes) -> NDArray[np.float32]:
    """Bits to a matrix of -1 and +1, `GROUP` columns."""
    bits = np.unpackbits(np.frombuffer(hashes, np.uint8)).reshape(-1, GROUP)
    return bits.astype(np.float32) * 2 - 1


def _fixed_signs(names: list[str]) -> NDArray[np.float32]:
    return _signs(b"".join(blake2b(name.encode(), digest_size=GROUP // 8).digest() for name in names))


_QUANTITY_SIGNS = _fixed_signs([f"{q}:{b}" for q in range(_QUANTITIES) for b in range(_BINS)])
_QUANTITY_BASE = np.arange(_QUANTITIES) * _BINS
_MARK_SIGNS = _fixed_signs([f"mark:{mark}" for mark in _MARKS]) * _STEPS
_EDGE_SIGNS = _fixed_signs([f"{edge}:{c}" for edge in ("first", "last") for c in range(256)]) * _STEPS


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


def _structure(text: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unnormalised structure group and the counts per character class of a raw text."""
    if text.isascii():
        codes: NDArray[np.generic] = np.frombuffer(text.encode(), np.uint8)
        counts = np.bincount(_classes(128)[codes], minlength=_CLASSES)
    else:
        wide = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        counts = np.bincount(_classes(0x10000)[np.minimum(wide, 0xFFFF)], minlength=_CLASSES)
    size = len(text)
    positions = np.empty(_QUANTITIES)
    # The square root spreads small shares: 1 % and 2 % of digits differ more than 31 % and 32 %.
    positions[:_CLASSES] = np.sqrt(counts * (65536 / max(size, 1)))
    lines = int(counts[_LINE])
    body = text.strip()
    first_line = body.find("\n")
    positions[_CLASSES:] = (
        2 * _log2(size),
        3 * _log2(lines),
        3 * _log2(first_line if first_line >= 0 else len(body)) // 2,
        3 * _log2(len(body) - 1 - body.rfind("\n")) // 2,
    )
    sixteenths = np.minimum(positions.astype(np.int64), _STEPS * (_BINS - 1) - 1)
    bins = (sixteenths >> 4) + _QUANTITY_BASE
    upper = (sixteenths & 15).astype(np.float32)
    total = (_STEPS - upper) @ _QUANTITY_SIGNS[bins] + upper @ _QUANTITY_SIGNS[bins + 1]
    marks = [position for position, mark in enumerate(_MARKS) if mark in text]
    if marks:
        total = total + _MARK_SIGNS[marks].sum(axis=0)
    if body:
        total = total + _EDGE_SIGNS[min(ord(body[0]), 255)] + _EDGE_SIGNS[256 + min(ord(body[-1]), 255)]
    return total, counts


class FeatureMap:
    """Feature vectors under one key. Keeps a bounded cache of words; not thread-safe.

    Args:
        key: secret of the word hashes, 16 to 64 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cues = capability.word_cues()
        self._votes = language.votes()
        self._index = _WordIndex(self)
        self._rows = np.zeros((WORD_CACHE, _ROW), np.float32)
        self._short = np.zeros(WORD_CACHE, np.float32)
        self._hashes = np.zeros(WORD_CACHE, np.uint64)

    def measure(self, text: str, words: list[str]) -> Measured:
        """Everything the cache of words helps with, in one pass.

        Args:
            text: the raw (excerpted) prompt.
            words: its folded words, at most `LIMIT_CHARS`.
        """
        if len(self._index) + LIMIT_CHARS > WORD_CACHE:
            self._index.clear()
        groups = np.zeros((4, GROUP))
        groups[1], counts = _structure(text)
        cues, votes = [0.0] * capability.COLUMNS, [0.0] * len(language.LANGUAGES)
        index = np.array(list(map(self._index.__getitem__, words)), np.intp)
        if words:
            weights = np.zeros((3, len(words)), np.float32)
            weights[0] = 1.0
            weights[1] = self._short[index]
            weights[2, :FIRST_WORDS] = 1.0
            sums = weights @ self._rows[index]
            groups[0], groups[2], groups[3] = sums[:, :GROUP]
            cues, votes = sums[0, _CUES].tolist(), sums[0, _VOTES].tolist()
        lengths = np.sqrt((groups * groups).sum(axis=1))
        factors = _WEIGHTS / np.maximum(lengths, 1.0)
        vector = np.rint(np.clip(groups * factors[:, None], -127, 127)).astype(np.int8)
        code_marks = int(counts[_BRACKET] + counts[_OPERATOR])
        return Measured(
            vector.ravel(), self._hashes[index], cues, votes, code_marks, int(counts[_FOREIGN])
        )

    def _learn(self, word: str) -> int:
        digest = blake2b(word.encode("utf-8", "surrogatepass"), key=self._key, digest_size=8 + GROUP // 8)
        position = len(self._index)
        row = self._rows[position]
        row[:GROUP] = _signs(digest.digest()[8:])
        row[_CUES] = self._cues.get(word, 0.0)
        row[_VOTES] = self._votes.get(word, 0.0)
        self._short[position] = len(word) <= SHORT_LETTERS and word.isalpha()
        self._hashes[position] = int.from_bytes(digest.digest()[:8], "little")
        return position


class _WordIndex(dict[str, int]):
    """Word to its row; an unknown word is learned on the way (cheaper than asking first)."""

    def __init__(self, owner: FeatureMap) -> None:
        self._owner = owner

    def __missing__(self, word: str) -> int:
        position = self._owner._learn(word)
        self[word] = position
        return position
