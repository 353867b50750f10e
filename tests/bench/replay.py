"""Throughput of a replay, without Kafka: ``python -m tests.bench.replay --json OUT``

A file of raw native records through INGEST and all planes, in this process, on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from agents.replay import Outputs, Replay
from agents.settings import load
from tests.bench.measure import cores, peak_rss_mb
from tests.bench.workload import Workload


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--quick", action="store_true", help="30,000 events, to see that it works")
    args = parser.parse_args()
    os.sched_setaffinity(0, cores()[0])
    workload = Workload(events=30_000 if args.quick else args.events)
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as name:
        file, config = Path(name) / "events.jsonl", Path(name) / "stillwatch.toml"
        config.touch()
        with file.open("wb") as lines:
            lines.writelines(record.value + b"\n" for record in workload.records())
        replay = Replay(load(config, data_dir=Path(name)), "native", Outputs())
        cpu, wall = time.process_time(), time.perf_counter()
        done = replay.run([file])
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    result = {
        "events": done.events,
        "events_per_s": round(done.events / wall, 1),
        "cpu_us_per_event": round(cpu * 1e6 / done.events, 2),
        "peak_rss_mb": round(peak_rss_mb(os.getpid())),
        "findings": len(done.raised),
    }
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
