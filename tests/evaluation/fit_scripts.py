"""Fits `streams.structure_prior.SCRIPTS`: ``python -m tests.evaluation.fit_scripts FOLDER``

FOLDER holds the public collections; used are the short English prompts of real people. Each is written once
more letter by letter in another script, and once with a sign for every three letters and without spaces, as
in Chinese. What its structure moves by, on average, says what changes when the script does and nothing else.
Nothing is random, and no language but English is needed: that of a test can be any other.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from agents.prompt_collections import Collections
from streams import structure_prior
from streams.detectors.shift import MIN_CHARS, STRUCTURE
from streams.features import SCALE
from streams.fingerprint import Fingerprinter

MOST_CHARS = 120
_CYRILLIC = str.maketrans(
    {letter: chr(0x430 + place) for place, letter in enumerate(ascii_lowercase)}
    | {letter: chr(0x410 + place) for place, letter in enumerate(ascii_uppercase)}
)
_WIDE = str.maketrans({".": "。", ",": "，", "?": "？", "!": "！", ":": "："})


def lettered(text: str) -> str:
    """The text in Cyrillic letters."""
    return text.translate(_CYRILLIC)


def unspaced(text: str) -> str:
    """The text in Chinese signs."""
    signs = re.sub("[A-Za-z]+", lambda word: "字" * -(-len(word.group()) // 3), text)
    return re.sub("(?<=[字.,?!:]) ", "", signs).translate(_WIDE)


def moved(texts: list[str], rewrite: Callable[[str], str]) -> NDArray[np.float64]:
    """Mean movement of the structure group, (64,)."""
    printer = Fingerprinter(b"any: this group of features does not depend on it", "k1")

    def structure(text: str) -> NDArray[np.float64]:
        found = np.frombuffer(printer.fingerprint(text).prompt_embedding, np.int8)
        return found[STRUCTURE] / SCALE

    moves = np.array([structure(rewrite(text)) - structure(text) for text in texts])
    mean: NDArray[np.float64] = moves.mean(axis=0)
    return mean


if __name__ == "__main__":
    everything = {text for _, text in Collections(Path(sys.argv[1])).benign()}
    used = sorted(text for text in everything if text.isascii() and MIN_CHARS <= len(text) <= MOST_CHARS)
    packed = structure_prior.pack_scripts(np.stack([moved(used, lettered), moved(used, unspaced)]))
    print(f"{len(used):,} prompts")
    print("\n".join(f"    {packed[place : place + 100]!r}" for place in range(0, len(packed), 100)))
