"""A context-free grammar that writes text from a seed.

Rules map a symbol to alternatives; an alternative is literal text with ``<symbol>`` references. The
same seed always gives the same text, so traffic can be written lazily and repeated exactly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Rules = Mapping[str, Sequence[str]]
Alternatives: TypeAlias = "list[list[str | Alternatives]]"

_MASK = (1 << 64) - 1
_REFERENCE = re.compile(r"<([a-z_]+)>")


class Dice:
    """Small seeded source of choices: a 64-bit linear congruential generator with a mixed seed.

    `random.Random` costs more to seed than a whole prompt costs to write. Constants: Knuth's MMIX
    multiplier; the seed passes the splitmix64 finaliser so that neighbouring seeds differ.
    """

    __slots__ = ("_state",)

    def __init__(self, *seeds: int) -> None:
        state = 0x9E3779B97F4A7C15
        for seed in seeds:
            state = (state ^ seed) * 0xBF58476D1CE4E5B9 & _MASK
            state ^= state >> 27
            state = state * 0x94D049BB133111EB & _MASK
            state ^= state >> 31
        self._state = state

    def below(self, n: int) -> int:
        """Uniform integer in ``[0, n)``; `n` at most 2**31."""
        self._state = state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return (state >> 33) % n

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        self._state = state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return (state >> 33) < probability * 0x80000000

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, uniformly."""
        return options[self.below(len(options))]

    def sample(self, options: Sequence[T], n: int) -> list[T]:
        """`n` different options, or all of them where there are fewer."""
        rest = list(options)
        return [rest.pop(self.below(len(rest))) for _ in range(min(n, len(rest)))]


class Grammar:
    """Compiled rules. Rules of the same name in several sets add up.

    >>> Grammar({"greeting": ["hello <who>"]}, {"who": ["world"]}).write("greeting", Dice(1))
    'hello world'

    Raises:
        KeyError: from the constructor, where a rule refers to a symbol that no rule defines.
    """

    def __init__(self, *rules: Rules) -> None:
        self._rules: dict[str, Alternatives] = {symbol: [] for part in rules for symbol in part}
        for part in rules:
            for symbol, alternatives in part.items():
                self._rules[symbol].extend(self._compiled(symbol, text) for text in alternatives)

    def _compiled(self, symbol: str, text: str) -> list[str | Alternatives]:
        parts: list[str | Alternatives] = []
        # splitting at one group alternates literal, reference, literal, ...
        for i, piece in enumerate(_REFERENCE.split(text)):
            if i % 2 == 0:
                if piece:
                    parts.append(piece)
            elif piece in self._rules:
                parts.append(self._rules[piece])
            else:
                raise KeyError(f"<{piece}>, used by {symbol!r}, is not defined")
        return parts

    def write(self, symbol: str, dice: Dice) -> str:
        """Text of one random derivation of `symbol`."""
        out: list[str] = []
        _expand(self._rules[symbol], dice, out)
        return "".join(out)


def _expand(alternatives: Alternatives, dice: Dice, out: list[str]) -> None:
    for part in dice.pick(alternatives):
        if isinstance(part, str):
            out.append(part)
        else:
            _expand(part, dice, out)


def capitalised(text: str) -> str:
    """`text` with its first letter in upper case.

    >>> capitalised("how do I begin?")
    'How do I begin?'
    """
    return text[:1].upper() + text[1:]


def lines(block: str) -> list[str]:
    r"""Alternatives written one a line; ``\n`` inside one stands for a line break of the text.

    >>> lines("one\n  two, \\n three ")
    ['one', 'two, \n three']
    """
    stripped = (line.strip() for line in block.splitlines())
    return [line.replace("\\n", "\n") for line in stripped if line]


def phrases(block: str) -> list[str]:
    """Alternatives separated by ``;``, over any number of lines.

    >>> phrases("red; dark blue;")
    ['red', 'dark blue']
    """
    return [" ".join(phrase.split()) for phrase in block.split(";") if phrase.strip()]
