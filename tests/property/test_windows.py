"""Bucket rings against the obvious dictionary."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams import windows

SIZE = 6
ROWS = 4
DTYPE = np.dtype([("head", "<i4"), ("amount", "<u2", (SIZE,))])

addition = st.tuples(st.integers(0, ROWS - 1), st.integers(0, 40), st.integers(0, 9))
additions = st.lists(st.lists(addition, min_size=1, max_size=12), max_size=12)


def blank() -> np.ndarray:
    rows = np.zeros(ROWS, DTYPE)
    rows["head"] = windows.EMPTY
    return rows


def apply(rows: np.ndarray, batch: list[tuple[int, int, int]]) -> None:
    slots = np.array([slot for slot, _, _ in batch], np.intp)
    units = np.array([unit for _, unit, _ in batch], np.int64)
    amounts = np.array([amount for _, _, amount in batch], np.float64)
    distinct = np.unique(slots)
    newest = np.array([units[slots == slot].max() for slot in distinct])
    windows.roll(rows, ("amount",), "head", distinct, newest)
    order = np.argsort(slots, kind="stable")
    order = order[windows.inside(rows["head"], slots[order], units[order], SIZE)]
    windows.add(rows, {"amount": amounts[order]}, slots[order], units[order])


@given(additions)
def test_ring_equals_dictionary(batches: list[list[tuple[int, int, int]]]) -> None:
    rows = blank()
    heads = dict.fromkeys(range(ROWS), windows.EMPTY)
    expected: dict[tuple[int, int], int] = defaultdict(int)
    for batch in batches:
        apply(rows, batch)
        for slot, unit, _ in batch:
            heads[slot] = max(heads[slot], unit)
        for slot, unit, amount in batch:
            if unit > heads[slot] - SIZE:
                expected[slot, unit] += amount
    for slot in range(ROWS):
        for unit in range(-3, 45):
            inside = heads[slot] - SIZE < unit <= heads[slot]
            got = windows.at(rows["amount"], rows["head"], np.array([slot]), np.array([unit]))[0]
            assert got == (expected[slot, unit] if inside else 0)


@given(additions)
def test_span_sums_what_at_sees(batches: list[list[tuple[int, int, int]]]) -> None:
    rows = blank()
    for batch in batches:
        apply(rows, batch)
    slots = np.arange(ROWS)
    spanned = windows.span(rows["amount"], rows["head"], slots, np.full(ROWS, 10), np.full(ROWS, 20))
    units = np.arange(10, 21)
    each = [
        int(windows.at(rows["amount"], rows["head"], np.full(len(units), slot), units).sum())
        for slot in range(ROWS)
    ]
    assert spanned.sum(axis=1).tolist() == each


def test_buckets_saturate_instead_of_wrapping() -> None:
    rows = blank()
    for _ in range(3):
        apply(rows, [(0, 5, 9)] * 4000)
    assert windows.at(rows["amount"], rows["head"], np.array([0]), np.array([5]))[0] == 65_535
