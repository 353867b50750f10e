"""Sketches of the runs of words that prompts hold: bottom-k MinHash and SimHash, of many prompts at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.ragged import starts, sums
from streams.structure import GROUP, bits
from streams.words import LIMIT_CHARS

SHINGLE_WORDS = 3
MINHASH_VALUES = 16

_C1, _C2, _C3 = (np.array(c, np.uint64) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_S1, _S2, _S3 = (np.array(s, np.uint64) for s in (30, 27, 31))
_HEX = GROUP // 4
_EACH = np.ones(LIMIT_CHARS, np.float32)


class Shingles:
    """Sketches of the runs of `SHINGLE_WORDS` words of some prompts; of all words of a shorter one.

    Args:
        word_hashes: of all words of all prompts; a prompt of fewer than `SHINGLE_WORDS` ends in zeros.
        sizes: how many of them each prompt has, at least `SHINGLE_WORDS`.

    Attributes:
        minhashes: the `MINHASH_VALUES` smallest hashes of each prompt, ascending, little-endian.
        simhashes: 64 bits of each as hex digits; a bit is set where most of its hashes have it set.
    """

    def __init__(self, word_hashes: NDArray[np.uint64], sizes: Sequence[int]) -> None:
        self.minhashes: list[bytes] = []
        self.simhashes: list[str] = []
        if not len(sizes):
            return
        mixed = _mixed(word_hashes)
        if len(sizes) == 1:  # as gateways do it; the rest takes twice as long
            self._alone(mixed)
        else:
            self._together(mixed, np.array(sizes) - (SHINGLE_WORDS - 1))

    def _alone(self, mixed: NDArray[np.uint64]) -> None:
        """Sketches of one prompt."""
        mixed.sort()
        hashes = mixed[_first_of_equals(mixed)]
        self.minhashes.append(hashes[:MINHASH_VALUES].tobytes())
        votes = _EACH[: len(hashes)] @ bits(hashes).astype(np.float32)
        self.simhashes.append(np.packbits(votes > len(hashes) / 2).tobytes().hex())

    def _together(self, mixed: NDArray[np.uint64], sizes: NDArray[np.intp]) -> None:
        """Sketches of several, of so many runs each."""
        hashes, counts = _distinct(mixed, sizes)
        begin = 0
        for count in counts.tolist():
            self.minhashes.append(hashes[begin : begin + min(count, MINHASH_VALUES)].tobytes())
            begin += count
        votes = sums(bits(hashes).astype(np.float32), counts)
        packed = np.packbits(2 * votes > counts[:, None]).tobytes().hex()
        self.simhashes += (packed[at : at + _HEX] for at in range(0, len(packed), _HEX))


def _mixed(word_hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A hash of each run of words, of those that reach into the next prompt too.

    Steps and constants: SOURCE: G. Steele et al., "Fast splittable pseudorandom number generators"
    (SplitMix64), 2014.
    """
    mixed = word_hashes[:-2] * _C1
    mixed ^= mixed >> _S1
    mixed += word_hashes[1:-1]
    mixed *= _C2
    mixed ^= mixed >> _S2
    mixed += word_hashes[2:]
    mixed *= _C3
    mixed ^= mixed >> _S3
    return mixed


def _distinct(
    mixed: NDArray[np.uint64], sizes: NDArray[np.intp]
) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """Distinct hashes of the runs within each prompt, ascending, and how many each has."""
    begins = starts(sizes)
    within = np.ones(len(mixed), np.bool_)
    ends = begins[1:] + (SHINGLE_WORDS - 1) * np.arange(1, len(sizes))
    for before in range(1, SHINGLE_WORDS):
        within[ends - before] = False
    mixed = mixed[within]
    places = begins.tolist()
    for begin, end in zip(places, [*places[1:], len(mixed)], strict=True):
        mixed[begin:end].sort()
    distinct = _first_of_equals(mixed)
    distinct[begins] = True
    return mixed[distinct], np.add.reduceat(distinct, begins, dtype=np.intp)


def _first_of_equals(ascending: NDArray[np.uint64]) -> NDArray[np.bool_]:
    first = np.empty(len(ascending), np.bool_)
    first[0] = True
    np.not_equal(ascending[1:], ascending[:-1], out=first[1:])
    return first


def minhash_similarity(a: bytes, b: bytes) -> float:
    """Estimated Jaccard similarity of two prompts' shingles, 0 to 1.

    SOURCE: E. Cohen, H. Kaplan, "Summarizing data using bottom-k sketches", 2007.

    >>> minhash_similarity(bytes(8) + b"\\x01" * 8, bytes(8) + b"\\x02" * 8)
    0.5
    """
    left, right = np.frombuffer(a, "<u8"), np.frombuffer(b, "<u8")
    size = max(min(len(left), len(right), MINHASH_VALUES), 1)
    union = np.union1d(left, right)[:size]
    return float(np.isin(union, np.intersect1d(left, right)).sum() / size)


def simhash_distance(a: str, b: str) -> int:
    """Differing bits of two ``simhash64`` digests: 0 equal, about 32 unrelated.

    >>> simhash_distance("simhash64:000000000000000f", "simhash64:0000000000000001")
    3
    """
    return (int(a.partition(":")[2], 16) ^ int(b.partition(":")[2], 16)).bit_count()
