"""What each detector costs, in µs per event and bytes per account: ``python -m tests.bench.detectors``

One simulated stream goes through the plane with all detectors, as records of the requests topic. The
processor time inside each detector's methods is its cost; making the columns that all of them read is a line
of its own; the rest is the plane's (admission, windows, calibration, fusion). The stream is taken several
times; the median counts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

import agents  # noqa: F401 - keeps linear algebra to one thread, as in a worker, if it comes before NumPy
from schemas.event import RequestEvent, encode_event
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.detectors import registry
from streams.detectors.detector import Detector
from streams.ingest import REPLAY_MAX_FUTURE_S, Ingest
from streams.simulation.scenario import Scenario
from streams.simulation.traffic import Traffic

CONFIG = DetectionConfig(max_accounts_per_partition=50_000)
HOT_STATE_BYTES = 2048
METHODS = ("observe", "update", "score", "learn_hour", "close_hour")
COLUMNS = "columns of a request"
PLANE = "plane itself"


class Cost(msgspec.Struct, frozen=True):
    """Of one detector, of what they share, or of all together."""

    us_per_event: float
    bytes_per_account: int
    shared_bytes: int
    """State that all accounts of a partition share."""
    extra_bytes: int
    """State of accounts outside their rows (river models), at the end of the stream."""


def stream(events: int, seed: int) -> list[RequestEvent]:
    """Fingerprinted events of simulated traffic, attackers among it."""
    scenario = Scenario(
        accounts=max(events // 40, 50), duration_s=43_200, seed=seed, most_visits_per_day=2000.0
    )
    ingest = Ingest("native", secret=b"bench", generation="k1", max_future_s=REPLAY_MAX_FUTURE_S)
    found: list[RequestEvent] = []
    for record in Traffic(scenario):
        event = ingest.read(record.value, now_ms=record.time_ms)
        if event is not None:
            found.append(event)
        if len(found) == events:
            break
    return found


def timed(detector: Detector, spent_s: Counter[str]) -> Detector:
    """The detector, with the processor time of its methods added up under its name."""

    def wrapped(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            start = time.process_time()
            try:
                return method(*args)
            finally:
                spent_s[detector.name] += time.process_time() - start

        return call

    for name in METHODS:
        setattr(detector, name, wrapped(getattr(detector, name)))
    return detector


def one_pass(values: list[bytes], run: int) -> tuple[dict[str, float], AccountPlane]:
    """Microseconds per event by detector name, `COLUMNS` and `PLANE`, and the plane afterwards."""
    spent_s: Counter[str] = Counter()
    plane = AccountPlane(CONFIG, detectors=[timed(kind(), spent_s) for kind in registry.DETECTORS])
    start = time.process_time()
    for first in range(0, len(values), run):
        before = time.process_time()
        batch = plane.read(values[first : first + run])
        spent_s[COLUMNS] += time.process_time() - before
        plane.process(batch)
    spent_s[PLANE] = time.process_time() - start - spent_s.total()
    return {name: 1e6 * seconds / len(values) for name, seconds in spent_s.items()}, plane


def costs(events: list[RequestEvent], run: int, times: int) -> dict[str, Cost]:
    """Name to cost: the columns, the plane itself, each detector, and all together."""
    values = [encode_event(event) for event in events]
    passes = [one_pass(values, run) for _ in range(times)]
    plane = passes[-1][1]
    us = {name: median(each[name] for each, _ in passes) for name in passes[0][0]}
    rows = {detector.name: detector.columns.itemsize for detector in plane.detectors}
    found = {COLUMNS: Cost(us[COLUMNS], 0, 0, 0)}
    found[PLANE] = Cost(us[PLANE], plane.table.row_bytes - sum(rows.values()), 0, 0)
    for detector in plane.detectors:
        extra = sum(len(detector.extras(slot)) for slot in plane.table.slots.values())
        name = detector.name
        found[name] = Cost(us.get(name, 0.0), rows[name], len(detector.shared()), extra)
    found["all together"] = Cost(
        sum(us.values()),
        plane.table.row_bytes,
        sum(cost.shared_bytes for cost in found.values()),
        sum(cost.extra_bytes for cost in found.values()),
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.detectors")
    parser.add_argument("--events", type=int, default=30_000)
    parser.add_argument("--run", type=int, default=2_000, help="events handed to the plane at once")
    parser.add_argument("--times", type=int, default=3, help="passes, the median of which counts")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found = costs(stream(args.events, args.seed), args.run, args.times)
    table = Table(title=f"{args.events:,} events in runs of {args.run:,}", title_justify="left", box=None)
    for number, heading in enumerate(("", "µs/event", "bytes/account", "shared bytes", "extra bytes")):
        table.add_column(heading, justify="right" if number else "left")
    for name, cost in found.items():
        values = (cost.bytes_per_account, cost.shared_bytes, cost.extra_bytes)
        numbers = [f"{cost.us_per_event:.2f}", *(f"{value:,}" for value in values)]
        table.add_row(name, *numbers, style="bold" if name == "all together" else None)
    Console().print(table)
    if args.json:
        args.json.write_text(json.dumps(msgspec.to_builtins(found), indent=1) + "\n", encoding="utf-8")
    if found["all together"].bytes_per_account > HOT_STATE_BYTES:
        sys.exit(f"an account's hot state is above {HOT_STATE_BYTES} bytes")


if __name__ == "__main__":
    main()
