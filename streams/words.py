"""From raw text to bounded, folded words. Language-agnostic: no dictionary, no model.

Two foldings, each idempotent:

* `fold`: NFKC, case fold, invisible characters dropped, white space collapsed. Same text, same fold.
* `split`: the words of a folded text, numbers masked, so that numbered slots of a template agree.

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

_UNSPACED = (
    "\u0e01-\u0e5b\u0e81-\u0edf\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED_CHAR = re.compile(f"([{_UNSPACED}])")
# Every branch begins with a plain 0, which lets the search skip ahead; `\b` in front would not.
_NUMBERS = re.compile(r"0(?<!\w0)0*(?: +0+)*(?!\w)|0+")
_ANY_DIGIT = re.compile(r"\d")
# Letters lowered, digits masked, everything else a break: one table does what a pattern would do slower.
_ASCII_WORDS = "".join(
    "0" if c.isdigit() else c.lower() if c.isalpha() else " " for c in map(chr, range(128))
).encode().ljust(256)
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]+"
)


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
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    # Case folding can undo a composition; the second pass settles it.
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(unicodedata.normalize("NFKC", text).split())


@cache
def _unicode_word() -> re.Pattern[str]:
    """Letters, digits and the combining marks that Indic or Arabic words hold and ``\\w`` lacks."""
    marks = "".join(
        chr(c) for c in range(0x300, 0x10000) if unicodedata.category(chr(c)) in ("Mn", "Mc")
    )
    return re.compile(f"[\\w{marks}]+")


def split(folded: str) -> list[str]:
    """Words of a folded text. Numbers, and rows of numbers, become ``0``.

    >>> split("let's add 1,250.75 and 3 (snake_case) to v12 2x")
    ['let', 's', 'add', '0', 'and', '0', 'snake', 'case', 'to', 'v0', '0x']
    >>> split(fold("東京 Tower は333m"))
    ['東', '京', 'tower', 'は', '0m']
    """
    if folded.isascii():
        spaced = folded.encode().translate(_ASCII_WORDS).decode()
    else:
        spaced = _UNSPACED_CHAR.sub(r" \1 ", _ANY_DIGIT.sub("0", folded.replace("_", " ")))
        spaced = " ".join(_unicode_word().findall(spaced))
    words = (_NUMBERS.sub("0", spaced) if "0" in spaced else spaced).split()
    if len(words) > LIMIT_CHARS:  # some characters fold to eighteen
        del words[HEAD_CHARS:-TAIL_CHARS]
    return words


def is_unspaced(words: list[str]) -> bool:
    """Whether most words are single characters, as in a script without spaces.

    >>> is_unspaced(split("请帮我写一首诗")), is_unspaced(["write", "a", "poem"])
    (True, False)
    """
    return 2 * sum(map(len, words)) < 3 * len(words)
