"""Coverage: many different prompts that all lie in few places.

The layout of a prompt (`streams.features`, structure) falls into one of 65,536 cells: the signs of its first
16 dimensions. An account's different prompts and the cells they fell into are counted by two bitmaps, 64
bytes, merged by OR and the same however a stream is cut. People reach ``1.4 n^0.77`` cells with n prompts,
whatever they write about; task lists stay in fewer, and templates in fewer still.

What it is worth, measured on 784 real accounts and ten kinds of attack: with 64 prompts most templates reach
0.4 to 2 fewer (in logarithms) than is usual, bare task lists 0.6, which one person in fifty does as well.
That supports other evidence and accuses nobody: it never alerts by itself and weighs little. **The other
direction has no power**: a task list goes on reaching new cells of words in its second half as in its first
(0.94 to 1.01 of them), but so do real people (0.98).

Cells of fixed signs are a locality-sensitive hash. They are counted by linear counting, which is what
HyperLogLog does while its registers are not full: at 128 prompts 32 bytes of registers err by 18 %, and these
by 5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.finding import Feature
from streams.account_table import AccountTable
from streams.detectors.detector import Context, Detector, DetectorMetadata, Evidence, Scores, Slots
from streams.detectors.shift import MIN_CHARS, STRUCTURE
from streams.purpose import COLD_SHARE, application, shown
from streams.segment import Segment

CELL_SIGNS = 16
BITS = 256
WORDS = BITS // 64
FIBONACCI = np.uint64(0x9E3779B97F4A7C15)
"""2^64 / golden ratio: multiplied by it, neighbouring cells get distant bits. SOURCE: D. Knuth, The Art of
Computer Programming 3, 6.4."""

MIN_PROMPTS = 24
MEMORY_PROMPTS = 128
"""Both bitmaps start anew when they hold this many prompts, so that a change of habit shows."""

USUAL_LOG, USUAL_EXPONENT = 0.333, 0.771
"""Cells of people: ``exp(0.333) n^0.771``, fitted to 784 accounts of real conversations."""
TAIL = ((-1.4, 6.9), (-0.94, 5.8), (-0.7, 4.6), (-0.45, 3.0), (-0.27, 1.6), (-0.1, 0.0))
"""Logarithm of cells over usual cells to nats: as often as the lowest value at any look of an account with
`MIN_PROMPTS` was below, of 419 such. It says no more than the rarest of them allows."""

_TAIL = np.array(TAIL).T

METADATA = DetectorMetadata(
    name="coverage",
    version="1",
    title="Many different prompts are laid out in few ways",
    description=__doc__,
    kind="statistical",
    nature="content",
    alone=False,
    weight=0.5,
    techniques=("AML.T0024.002", "AML.T0040"),
    runbook=(
        "Read the lengths and topics of the account's `requests`: do all come in the same form?",
        "See which other detectors have evidence: this one only adds to theirs.",
    ),
    false_positives=(
        "A person who asks for one thing in one form all day",
        "A single-purpose application without end-user ids",
    ),
    references=(
        "M. Charikar: Similarity estimation techniques from rounding algorithms (STOC 2002)",
        "K.-Y. Whang et al.: A linear-time probabilistic counting algorithm (ACM TODS 15, 1990)",
        "P. Flajolet et al.: HyperLogLog (AofA 2007), section 4: linear counting in its small range",
    ),
)


def counted(bitmap: NDArray[np.uint64]) -> Scores:
    """How many different things set the bits of each bitmap (m, `WORDS`), (m,).

    >>> one_in_ten = np.full((1, WORDS), 0x0004_0100_4010_0401, np.uint64)
    >>> counted(one_in_ten).round(1).tolist()
    [25.2]
    """
    empty = 1 - np.bitwise_count(bitmap).sum(axis=1, dtype=np.float64) / BITS
    number: Scores = -BITS * np.log(np.maximum(empty, 1 / BITS))
    return number


def fewer(cells: Scores, prompts: Scores) -> Scores:
    """Logarithm of cells over those people reach with so many prompts, (m,)."""
    usual = USUAL_LOG + USUAL_EXPONENT * np.log(np.maximum(prompts, 1.0))
    found: Scores = np.log(np.maximum(cells, 1.0)) - usual
    return found


class Coverage(Detector):
    """Cells reached by an account's different prompts."""

    metadata = METADATA
    columns = np.dtype([("prompts", "<u8", (WORDS,)), ("cells", "<u8", (WORDS,))])

    def update(self, table: AccountTable, segment: Segment) -> None:
        mine, slots = self.mine(table), segment.slots
        found = np.bitwise_or.reduceat(_bits(segment), segment.starts, axis=0)
        mine["prompts"][slots] |= found[:, :WORDS]
        mine["cells"][slots] |= found[:, WORDS:]

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        mine = self.mine(table)
        prompts = counted(mine["prompts"][slots])
        nats = np.zeros(len(slots))
        ready = np.flatnonzero(prompts >= MIN_PROMPTS)
        if not len(ready):
            return nats
        nats[ready] = np.interp(fewer(counted(mine["cells"][slots[ready]]), prompts[ready]), *_TAIL)
        high = np.flatnonzero(nats > 0)
        if len(high):
            nats[high[_innocent(table, slots[high], context.at(high))]] = 0.0
        old = slots[prompts >= MEMORY_PROMPTS]
        if len(old):
            for name in ("prompts", "cells"):
                mine[name][old] = 0
        return nats

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        row = self.mine(table)[[slot]]
        prompts, cells = counted(row["prompts"]), counted(row["cells"])
        usual = float((cells / np.exp(fewer(cells, prompts)))[0])
        return Evidence(
            reason=f"about {prompts[0]:,.0f} different prompts are laid out in about {cells[0]:,.0f} ways; "
            f"people have {usual:,.0f}",
            features=(Feature(name="layout_cells", value=float(cells[0]), baseline=usual, contribution=0.0),),
        )


def _bits(segment: Segment) -> NDArray[np.uint64]:
    """uint64 (k, 2 `WORDS`): one bit for each event's prompt and one for its cell; none where neither
    counts."""
    batch = segment.batch
    bits = np.zeros((len(segment), 2 * WORDS), np.uint64)
    places = np.flatnonzero(segment.take(batch.has_features & (batch.prompt_chars >= MIN_CHARS)))
    events = segment.index[places]
    signs = batch.features[events, STRUCTURE.start : STRUCTURE.start + CELL_SIGNS] >= 0
    cells = np.packbits(signs, axis=1).view(">u2")[:, 0].astype(np.uint64)
    for first, hashes in ((0, batch.prompt_hash[events]), (WORDS, cells * FIBONACCI)):
        bit = hashes >> np.uint64(64 - BITS.bit_length() + 1)
        bits[places, first + (bit // np.uint64(64)).astype(np.intp)] = np.uint64(1) << bit % np.uint64(64)
    return bits


def _innocent(table: AccountTable, slots: Slots, context: Context) -> NDArray[np.bool_]:
    """Applications and evaluations, single-purpose by design, (m,)."""
    system, serves = application(table, slots, context)
    cold = np.zeros(len(slots), np.bool_)
    if "template" in (table.dtype.names or ()):
        seen = table.rows["template"][slots]
        cold = seen["cold"] > COLD_SHARE * seen["total"]
    innocent: NDArray[np.bool_] = system | serves | shown(table, slots, cold)
    return innocent
