"""The structure of a text as one group of 64 numbers: how long it is, of what characters, how laid out.

Not secret: signs are fixed. Each measured quantity falls between two of its bins, whose random signs are
added in proportion; marks of layout and the first and last character have signs of their own. All sums are
exact integers, so a group does not depend on which texts it is computed together with.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from streams.words import LIMIT_CHARS

GROUP = 64

# Character classes.
_LETTER, _UPPER, _DIGIT, _SPACE, _LINE, _STOP, _QUESTION, _COMMA, _COLON = range(9)
_QUOTE, BRACKET, OPERATOR, _DASH, FOREIGN, _SYMBOL = range(9, 15)
CLASSES = 15
_CLASS_OF = {
    _LINE: "\n\r\u2028\u2029",
    _STOP: ".!…。！",
    _QUESTION: "?？¿؟",
    _COMMA: ",;、，；،",
    _COLON: ":：",
    _QUOTE: "\"'`‘’“”„«»「」『』",
    BRACKET: "()[]{}<>（）【】《》",
    OPERATOR: "=+*/\\|&^%$#@~_",
    _DASH: "-–—•·",
}

_MARKS: tuple[str, ...] = (
    "\n- ", "\n* ", "\n1", "\n#", "\n\n", "\n\n\n", ":\n", "\t", "    ", "```", "**", "\\", "{{", "</", "://",
    "|", "_", "...",
)  # fmt: skip

_STEPS = 16
"""A measured quantity falls between two bins; its weight is split over both in sixteenths."""
_BINS = 2 * 24
_LENGTHS = 4
_QUANTITIES = CLASSES + _LENGTHS


def bits(hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The 64 bits of each hash, (n, 64), in the order in which `np.packbits` packs them."""
    return np.unpackbits(hashes.view(np.uint8)).reshape(-1, GROUP)


def signs(hashes: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Bits to -1 and +1, (n, `GROUP`)."""
    return bits(np.ascontiguousarray(hashes)).astype(np.float32) * 2 - 1


def _fixed_signs(names: list[str]) -> NDArray[np.float32]:
    digests = b"".join(blake2b(name.encode(), digest_size=GROUP // 8).digest() for name in names)
    return signs(np.frombuffer(digests, np.uint64))


def _state_rows() -> NDArray[np.float32]:
    """One row per state: quantities in sixteenths of bins, marks, edge characters."""
    bins = _fixed_signs([f"{q}:{b}" for q in range(_QUANTITIES) for b in range(_BINS + 1)])
    bins = bins.reshape(_QUANTITIES, _BINS + 1, 1, GROUP)
    upper = np.arange(_STEPS, dtype=np.float32)[:, None]
    between = (_STEPS - upper) * bins[:, :-1] + upper * bins[:, 1:]
    names = [f"mark:{mark}" for mark in _MARKS]
    names += [f"{edge}:{c}" for edge in ("first", "last") for c in range(256)]
    return np.concatenate([between.reshape(-1, GROUP), _fixed_signs(names) * _STEPS])


ROWS = _state_rows()
"""One row of signs per state, (states, `GROUP`): a text's group is the sum of the rows of its states."""
_SPAN = _BINS * _STEPS
_SHARE_BASE = [number * _SPAN for number in range(CLASSES)]
_MARK_BASE = _QUANTITIES * _SPAN
_FIRST_BASE = _MARK_BASE + len(_MARKS)
_LAST_BASE = _FIRST_BASE + 256
STATES = _QUANTITIES + len(_MARKS) + 2
"""Most states of a text: one of each quantity, every mark, first and last character."""
_PLACED = list(enumerate(_MARKS, _MARK_BASE))
_IN_LINE = [(position, mark) for position, mark in _PLACED if "\n" not in mark]


def _log2(value: int) -> int:
    """Logarithm to base 2 in sixteenths, piecewise linear and exact in integers; 0 for 0."""
    value += 1
    whole = value.bit_length() - 1
    return _STEPS * whole + (value << 4 >> whole) - _STEPS


def _length_states(quantity: int, half_bins: int) -> list[int]:
    """The state of each number of characters that an excerpt can have.

    Args:
        half_bins: how many halves of a bin a doubling takes.
    """
    base = (CLASSES + quantity) * _SPAN
    return [base + min(half_bins * _log2(chars) // 2, _SPAN - 1) for chars in range(LIMIT_CHARS + 2)]


_OF_LENGTH, _OF_BREAKS = _length_states(0, 4), _length_states(1, 6)
_OF_FIRST_LINE, _OF_LAST_LINE = _length_states(2, 3), _length_states(3, 3)


@cache
def _class_table(size: int) -> NDArray[np.uint8]:
    """Character class of every code point below `size`."""
    table = np.full(size, _SYMBOL, np.uint8)
    for code in range(size):
        category = unicodedata.category(chr(code))
        if category[0] in "LM":
            table[code] = FOREIGN if code >= 0x250 else _UPPER if category == "Lu" else _LETTER
        elif category == "Nd":
            table[code] = _DIGIT
        elif category[0] == "Z" or code == 9:
            table[code] = _SPACE
    for character_class, characters in _CLASS_OF.items():
        for character in characters:
            if ord(character) < size:
                table[ord(character)] = character_class
    return table


def character_classes(texts: Sequence[str]) -> NDArray[np.intp]:
    """How many characters of each class each text has, (n, `CLASSES`)."""
    joined = "".join(texts)
    if joined.isascii():
        classes = _class_table(128).take(np.frombuffer(joined.encode(), np.uint8))
    else:
        wide = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        classes = _class_table(0x10000).take(np.minimum(wide, 0xFFFF))
    if len(texts) > 1:
        classes = classes + np.repeat(np.arange(len(texts)) * CLASSES, list(map(len, texts)))
    return np.bincount(classes, minlength=len(texts) * CLASSES).reshape(-1, CLASSES)


def states(text: str, counts: Sequence[int]) -> list[int]:
    """Rows of `ROWS` of which a raw text's unnormalised structure group is the sum, at most `STATES`.

    Args:
        text: of at most `LIMIT_CHARS` and a line break.
        counts: `character_classes` of it.
    """
    # The square root spreads small shares: 1 % and 2 % of digits differ more than 31 % and 32 %.
    whole = 65536.0 / (len(text) or 1)
    shares = [
        base + int(sqrt(count * whole)) if count else base
        for base, count in zip(_SHARE_BASE, counts, strict=True)
    ]
    return shares + _layout(text)


def _layout(text: str) -> list[int]:
    """States of lengths, marks and edge characters."""
    body = text.strip()
    breaks, first_line = text.count("\n"), body.find("\n")
    found = [
        _OF_LENGTH[len(text)],
        _OF_BREAKS[breaks],
        _OF_FIRST_LINE[first_line if first_line >= 0 else len(body)],
        _OF_LAST_LINE[len(body) - 1 - body.rfind("\n")],
    ]
    found += [position for position, mark in (_PLACED if breaks else _IN_LINE) if mark in text]
    if body:
        found += (_FIRST_BASE + min(ord(body[0]), 255), _LAST_BASE + min(ord(body[-1]), 255))
    return found
