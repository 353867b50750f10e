"""From event to finding: ``python -m tests.bench.latency --json OUT``

A worker on one core takes a steady load on the requests topic; probes that fill a template are found all the
time. The latency of a finding is the time from the event that completed its evidence (when it was sent) to
the moment a consumer of the findings topic holds it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

import numpy as np
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.kafka.connection import Connection
from schemas.finding import Lifecycle, decode_finding
from schemas.topics import FINDINGS
from tests.bench.worker_under_load import UnderLoad, worker_under_load

WARM_UP_S = 10.0
LAST_FINDINGS_S = 3.0


async def listen(connection: Connection, partitions: int, latencies_s: list[float]) -> None:
    """Collect the latency of each finding of a probe, until cancelled."""
    consumer = AIOKafkaConsumer(**connection.client_options(), auto_offset_reset="latest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(FINDINGS.name, number) for number in range(partitions)])
        async for record in consumer:
            finding = decode_finding(record.value)
            if finding.lifecycle is Lifecycle.CREATE and finding.subject_id.startswith("probe-"):
                latencies_s.append(time.time() - finding.time.timestamp())
    finally:
        await consumer.stop()


async def measure(running: UnderLoad, duration_s: float) -> list[float]:
    """Latencies under the load, without those of the warm-up."""
    latencies_s: list[float] = []
    listening = asyncio.create_task(listen(running.connection, running.partitions, latencies_s))
    sending = asyncio.create_task(running.load.run(WARM_UP_S + duration_s))
    await asyncio.sleep(WARM_UP_S)
    warm = len(latencies_s)
    await sending
    await asyncio.sleep(LAST_FINDINGS_S)
    listening.cancel()
    return latencies_s[warm:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--rate", type=float, default=2000.0, help="events per second: half the maximum")
    parser.add_argument("--probes", type=float, default=5.0, help="accounts to be found, per second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--quick", action="store_true", help="10 s, to see that it works")
    args = parser.parse_args()
    seconds = 10.0 if args.quick else args.seconds
    with worker_under_load("latency", args.rate, args.probes) as running:
        latencies = asyncio.run(measure(running, seconds))
        worker, load = running.worker, running.load
        cpu_share = worker.cpu_s / (time.monotonic() - worker.started)
    p50, p99 = np.percentile(latencies, [50, 99]).tolist() if latencies else (None, None)
    result = {
        "events_per_s": args.rate,
        "findings": len(latencies),
        "p50_s": p50,
        "p99_s": p99,
        "worst_s": max(latencies, default=None),
        "worker_cpu_share": round(cpu_share, 3),
        "load_behind_s": round(load.behind_s, 3),
    }
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
