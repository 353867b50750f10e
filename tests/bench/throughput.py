"""Events per second from Kafka, ours beside peers: ``python -m tests.bench.throughput --json OUT``.

One run on one machine: a real Kafka of our own holds the same events for everybody; each engine then runs
alone in a process of its own on one core, the broker on the others. Measured from the first to the last
record processed, with durable state and output on. What each engine flags must be exactly what it should.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka
from schemas.topics import PROFILES, REQUESTS
from tests.bench import peers, preload
from tests.bench.measure import EngineFailed, Measured, cores, run_engine
from tests.bench.windowed_job import WINDOW_S, Arguments, checksum
from tests.bench.workload import Workload

ENGINES = ("stillwatch", *peers.PEERS)
JOBS = [("windowed", engine) for engine in ENGINES] + [("full", "stillwatch")]
PARTITIONS = 8
EVENTS_PER_S = 1_667
"""Of event time: a million requests in ten minutes."""
TIMEOUT_S = 1800
console = Console(stderr=True)


class Bench:
    """One Kafka, filled once, and the runs on it."""

    def __init__(self, workload: Workload, folder: Path) -> None:
        self.workload = workload
        self.folder = folder
        shutil.rmtree(folder / "bus", ignore_errors=True)
        os.sched_setaffinity(0, cores()[1])  # of this process and of the broker it starts
        self.kafka = EmbeddedKafka(folder / "bus", heap_mb=512)
        self.flagged = checksum(workload.flagged())

    def __enter__(self) -> Bench:
        self.kafka.start()
        self.connection = Connection(bootstrap=self.kafka.bootstrap)
        console.print(f"writing {self.workload.events:,} events")
        asyncio.run(preload.preload(self.connection, self.workload))
        return self

    def __exit__(self, *_: object) -> None:
        self.kafka.stop()

    def run(self, job: str, engine: str) -> dict[str, Any]:
        """One engine; gives its row. Raises `EngineFailed`, also where its windows are wrong."""
        console.print(f"running {engine}, {job}")
        name = f"bench-{job}-{engine}"
        scratch = self.folder / name
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        partitions = self.workload.partitions
        if engine == "stillwatch":
            asyncio.run(preload.renew(self.connection, partitions))
        else:
            asyncio.run(preload.make_topic(self.connection, name, partitions))
        arguments = Arguments(
            bootstrap=self.connection.bootstrap, topic=REQUESTS.name, output=name,
            events=self.workload.records_in_all, partitions=partitions, scratch=str(scratch),
        )  # fmt: skip
        measured = run_engine(
            peers.command(engine, job, console.print), arguments.dump(), self.workload.events, TIMEOUT_S,
            self.folder / f"{name}.log",
        )  # fmt: skip
        if job == "windowed":
            self._check(name, engine, measured)
        console.print({key: value for key, value in measured.marks.items() if value})
        return {
            "job": job,
            "engine": engine,
            "version": measured.marks["version"]["text"],
            "events": self.workload.events,
            "events_per_s": round(measured.events_per_s, 1),
            "cpu_us_per_event": round(measured.cpu_us_per_event, 3),
            "peak_rss_mb": round(measured.peak_rss_mb, 1),
        }

    def _check(self, name: str, engine: str, measured: Measured) -> None:
        told = measured.marks.get("windows", {}).get("checksum")
        if told is None:
            topic = PROFILES.name if engine == "stillwatch" else name
            values = asyncio.run(preload.read_all(self.connection, topic, self.workload.partitions))
            told = checksum(_window(value) for value in values)
        if told != self.flagged:
            raise EngineFailed(f"{engine} flagged other windows than it should ({told}, not {self.flagged})")


def _window(value: dict[str, Any]) -> tuple[str, int, int, int]:
    """Flagged window of an output record, the peers' or our own profile."""
    if "minute" in value:
        return value["account_id"], value["minute"], value["requests"], value["tokens"]
    minute = int(datetime.fromisoformat(value["window_start"]).timestamp()) // WINDOW_S
    return value["account_id"], minute, value["requests"], value["output_tokens"]


def table(rows: list[dict[str, Any]]) -> Table:
    """For people. The ratio is our events/s on the same job over theirs."""
    ours = {row["job"]: row["events_per_s"] for row in rows if row["engine"] == "stillwatch"}
    shown = Table(title="one core each; first to last record, state and output durable")
    for name in ("job", "engine", "events/s", "CPU us/event", "peak RSS MB", "ours / theirs"):
        shown.add_column(name, justify="left" if name in ("job", "engine") else "right", no_wrap=True)
    for row in rows:
        ratio = f"{ours[row['job']] / row['events_per_s']:.1f}" if row["job"] in ours else ""
        shown.add_row(
            row["job"], row["version"], f"{row['events_per_s']:,.0f}", f"{row['cpu_us_per_event']:.1f}",
            f"{row['peak_rss_mb']:,.0f}", ratio,
        )  # fmt: skip
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the results to this file")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--engines", default=",".join(ENGINES), help="comma-separated; default all")
    parser.add_argument("--jobs", default="windowed,full", help="comma-separated; default both")
    parser.add_argument("--quick", action="store_true", help="100,000 events of 10,000 accounts, ours alone")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="work in this folder and keep its logs")
    args = parser.parse_args()
    if args.quick:
        args.events, args.accounts, args.engines = 100_000, 10_000, "stillwatch"
    engines, jobs = args.engines.split(","), args.jobs.split(",")
    wanted = [(job, engine) for job, engine in JOBS if engine in engines and job in jobs]
    span_s = max(60, round(args.events / EVENTS_PER_S))
    workload = Workload(
        events=args.events, accounts=args.accounts, partitions=PARTITIONS, span_s=span_s
    )
    folder = args.keep or Path(tempfile.mkdtemp(prefix="stillwatch-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    rows, failed = [], []
    try:
        with Bench(workload, folder) as bench:
            for job, engine in wanted:
                try:
                    rows.append(bench.run(job, engine))
                except EngineFailed as error:
                    failed.append(f"{job}, {engine}: {error}")
    finally:
        if not args.keep:
            shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    Console().print(table(rows))
    for line in failed:
        console.print(line, style="red", markup=False)
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
