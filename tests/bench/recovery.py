"""Time and memory to get account state back: ``python -m tests.bench.recovery --json OUT``

State of so many accounts, as the planes themselves write it, lies in the changelog; a worker is started and
restores all of it. Shown against the number of accounts. From `DIFFERENT` accounts on the same state is
repeated under other keys. With ``--local-state`` the worker keeps copies on its disk, and is started again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agents.local_copy import identity
from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka
from schemas.topics import ACCOUNT_STATE
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from tests.bench import preload
from tests.bench.fleet_process import FleetProcess
from tests.bench.measure import cores
from tests.bench.workload import Record, Workload

RUN = 4000
EVENTS_PER_ACCOUNT = 2
DIFFERENT = 50_000
PARTITIONS = 8


def changelog(workload: Workload, accounts: int) -> Iterator[Record]:
    """State records of a plane for each partition that has taken the workload; so many accounts in all."""
    planes = [AccountPlane(DetectionConfig(), number) for number in range(workload.partitions)]
    waiting: list[list[Record]] = [[] for _ in planes]
    offsets = [0] * len(planes)

    def take(partition: int) -> None:
        run, waiting[partition] = waiting[partition], []
        first = offsets[partition]
        offsets[partition] += len(run)
        plane = planes[partition]
        plane.process([plane.decode(one.value) for one in run], range(first, first + len(run)))

    for record in workload.records():
        waiting[record.partition].append(record)
        if len(waiting[record.partition]) == RUN:
            take(record.partition)
    for partition, plane in enumerate(planes):
        take(partition)
        yield Record(partition, *identity(), 0, [])
        *states, shared = [(key, value) for key, value in plane.take_changes() if value is not None]
        for number in range(-(-accounts // workload.partitions)):
            key, value = states[number % len(states)]
            again = b"~%d" % (number // len(states)) if number >= len(states) else b""
            yield Record(partition, key + again, value, 0, [])
        yield Record(partition, *shared, 0, [])


def told(log: Path) -> float | None:
    """Seconds the worker says it took, last, to restore account state."""
    for line in reversed(log.read_text(errors="replace").splitlines()):
        if " restored" in line and line.startswith("{"):
            entry = json.loads(line)
            if entry.get("topic", ACCOUNT_STATE.name) == ACCOUNT_STATE.name:
                return float(entry["seconds"])
    return None


def restore(accounts: int, folder: Path, local_state: bool) -> Iterator[dict[str, Any]]:
    """Rows: for a start from the changelog and, with state on the disk, for a second one from there."""
    different = min(accounts, DIFFERENT)
    workload = Workload(events=EVENTS_PER_ACCOUNT * different, accounts=different, every_account=True)
    with EmbeddedKafka(folder / "bus", heap_mb=512) as kafka:
        connection = Connection(bootstrap=kafka.bootstrap)
        asyncio.run(preload.create(connection, PARTITIONS))
        written = asyncio.run(preload.load(connection, changelog(workload, accounts), ACCOUNT_STATE.name))
        for source in ("changelog", "disk")[: 1 + local_state]:
            with FleetProcess(
                connection, folder / "worker", PARTITIONS, name="recovery", one_core=False,
                local_state=local_state,
            ) as worker:  # fmt: skip
                ready_s = worker.wait_until_running()
                status, rss_mb, cpu = worker.status, worker.peak_rss_mb, worker.cpu_s
            yield {
                "from": source,
                "accounts": status.accounts if status else 0,
                "records": written,
                "restore_s": told(folder / "worker" / "worker.log"),
                "start_to_running_s": round(ready_s, 2),
                "cpu_s": round(cpu, 1),
                "peak_rss_mb": round(rss_mb),
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--accounts", default="100000,300000,1000000", help="comma-separated")
    parser.add_argument("--local-state", action="store_true", help="and from copies on the disk")
    parser.add_argument("--quick", action="store_true", help="10,000 accounts, to see that it works")
    args = parser.parse_args()
    os.sched_setaffinity(0, set().union(*cores()))
    rows = []
    for accounts in [10_000] if args.quick else map(int, args.accounts.split(",")):
        with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as name:
            for row in restore(accounts, Path(name), args.local_state):
                rows.append(row)
                Console(stderr=True).print(row)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    shown = Table(title="account state restored by one worker, on all cores")
    for name in rows[0]:
        shown.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        shown.add_row(*(f"{value:,}" if isinstance(value, int | float) else value for value in row.values()))
    Console().print(shown)


if __name__ == "__main__":
    main()
