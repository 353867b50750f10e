"""When one account sends: epoch milliseconds, ascending, from a seeded generator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.evaluation.material import Client
from streams.simulation.arrivals import Renewals

Times = NDArray[np.int64]
Generator = np.random.Generator

DAY_MS = 86_400_000
SLOT_MS = 600_000
"""ServeGen's slot."""


def renewals(
    per_day: float, start_ms: int, end_ms: int, rng: Generator, *, cv: float = 1.0, weibull: bool = False
) -> Times:
    """A renewal process: Poisson at cv 1, a timer near 0, bursts above 1."""
    process = Renewals(np.array([cv]), np.array([weibull]), rng)
    span = np.array([start_ms / 1000]), np.array([end_ms / 1000])
    found = process.advance(*span, np.array([per_day / 86_400]))
    return np.sort((found.time_s * 1000).astype(np.int64))


def sittings(visits_per_day: float, turns: float, start_ms: int, end_ms: int, rng: Generator) -> Times:
    """A person: visits in the waking hours, each with some requests a minute or two apart."""
    count = rng.poisson(visits_per_day * (end_ms - start_ms) / DAY_MS)
    days = -(-(end_ms - start_ms) // DAY_MS)
    hour = rng.beta(3.0, 2.5, count) * 16 + 7
    begin = start_ms + rng.integers(0, days, count) * DAY_MS + (hour * 3_600_000).astype(np.int64)
    times = [
        one + np.cumsum(np.r_[0, rng.lognormal(4.5, 0.9, size - 1) * 1000]).astype(np.int64)
        for one, size in zip(begin.tolist(), rng.geometric(1 / turns, count).tolist(), strict=True)
    ]
    found = np.sort(np.concatenate(times)) if times else np.empty(0, np.int64)
    return found[(found >= start_ms) & (found < end_ms)]


def customer(client: Client, per_day: float, start_ms: int, end_ms: int, rng: Generator) -> Times:
    """The arrivals of a ServeGen customer, scaled to a mean volume and begun on one of its days."""
    process = Renewals(np.array([client.cv]), np.array([client.weibull]), rng)
    slots = len(client.rate)
    first = int(rng.integers(0, max(slots // 144, 1))) * 144
    times = []
    for number, at_ms in enumerate(range(start_ms, end_ms, SLOT_MS)):
        rate = per_day / 86_400 * float(client.rate[(first + number) % slots])
        if rate > 0:
            until = min(at_ms + SLOT_MS, end_ms)
            slot = process.advance(np.array([at_ms / 1000]), np.array([until / 1000]), np.array([rate]))
            times.append(slot.time_s)
    found = np.concatenate(times) if times else np.empty(0)
    return np.sort((found * 1000).astype(np.int64))


def merged(*parts: Times) -> tuple[Times, NDArray[np.intp]]:
    """Times of all parts together, and which part each comes from."""
    times = np.concatenate(parts)
    origin = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    order = np.argsort(times, kind="stable")
    return times[order], origin[order]
