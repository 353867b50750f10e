"""From raw text to bounded, folded words. Language-agnostic: no dictionary, no model.

Two foldings, each idempotent:

* `fold`: NFKC, case fold, invisible characters dropped, white space collapsed. Same text, same fold.
* `split`: the words of a folded text, digits masked, so that numbered slots of a template agree.

Scripts written without spaces (Han, kana, Thai, Lao, Khmer, Burmese) give one word per character.
SOURCE: Unicode UAX #15 (NFKC) and UAX #29 (why those scripts have no word breaks by rule).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

HEAD_CHARS = 6144
TAIL_CHARS = 2048
LIMIT_CHARS = HEAD_CHARS + TAIL_CHARS
"""Most characters of a text ever looked at: its first `HEAD_CHARS` and its last `TAIL_CHARS`."""

WORD_CHARS = 32
"""Longer words (base64, hashes) are cut, so that a cache of words has a bounded entry size."""

_UNSPACED = (
    "\u0e01-\u0e5b\u0e81-\u0edf\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED_CHAR = re.compile(f"([{_UNSPACED}])")
_NUMBER = re.compile(r"[0-9]+(?:[.,:][0-9]+)*")
_ANY_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_ASCII_WORD = re.compile(r"[a-z0]+(?:'[a-z]+)?")
_INVISIBLE = dict.fromkeys([0xAD, 0x34F, 0x61C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F),
                            *range(0x2060, 0x2070), *range(0xFE00, 0xFE10), 0xFEFF])  # fmt: skip


def excerpt(text: str) -> str:
    """`text`, or head and tail of it where it is longer than `LIMIT_CHARS`.

    >>> len(excerpt("x" * 10_000_000)) == LIMIT_CHARS + 1
    True
    """
    if len(text) <= LIMIT_CHARS:
        return text
    return f"{text[:HEAD_CHARS]}\n{text[-TAIL_CHARS:]}"


def fold(text: str) -> str:
    """Folded form in which trivially different texts are equal.

    >>> fold("  Ｓtep\\u200b  BY\\nstep ")
    'step by step'
    """
    if text.isascii():
        return " ".join(text.lower().split())
    text = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).casefold()
    # Case folding can undo a composition; the second pass settles it.
    text = unicodedata.normalize("NFKC", text).casefold().translate(_INVISIBLE)
    return " ".join(unicodedata.normalize("NFKC", text).split())


@cache
def _unicode_word() -> re.Pattern[str]:
    """Letters, digits and the combining marks that Indic or Arabic words hold and ``\\w`` lacks."""
    marks = "".join(
        chr(c) for c in range(0x300, 0x10000) if unicodedata.category(chr(c)) in ("Mn", "Mc")
    )
    letter = f"(?:[^\\W_]|[{marks}])"
    return re.compile(f"{letter}+(?:['’]{letter}+)?")


def split(folded: str) -> list[str]:
    """Words of a folded text; every number becomes ``0``.

    >>> split("let's add 1,250.75 and 3 (snake_case)")
    ["let's", 'add', '0', 'and', '0', 'snake', 'case']
    >>> split(fold("東京 Tower は333m"))
    ['東', '京', 'tower', 'は', '0m']
    """
    if folded.isascii():
        words = _ASCII_WORD.findall(_NUMBER.sub("0", folded))
    else:
        spaced = _UNSPACED_CHAR.sub(r" \1 ", _ANY_NUMBER.sub("0", folded))
        words = _unicode_word().findall(spaced)
    if len(words) > LIMIT_CHARS:  # some characters fold to eighteen
        del words[HEAD_CHARS:-TAIL_CHARS]
    if len(folded) > WORD_CHARS and max(map(len, words), default=0) > WORD_CHARS:
        words = [word[:WORD_CHARS] for word in words]
    return words


def is_unspaced(words: list[str]) -> bool:
    """Whether most words are single characters, as in a script without spaces.

    >>> is_unspaced(split("请帮我写一首诗")), is_unspaced(["write", "a", "poem"])
    (True, False)
    """
    return 2 * sum(map(len, words)) < 3 * len(words)
