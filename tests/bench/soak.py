"""Half an hour at half load: memory, lag and commits stay flat. ``python -m tests.bench.soak --rate N``

Exit code 1 where they do not: memory grows by more than `GROWTH_MB` from the second quarter to the last, lag
ends above `LAG_S` seconds of load, or nothing is committed for `STALL_S` although records wait.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.fleet_process import FleetProcess
from tests.bench.load import Load
from tests.bench.worker_under_load import worker_under_load

SAMPLE_S = 5.0
GROWTH_MB = 50
LAG_S = 5.0
STALL_S = 15.0


async def watch(worker: FleetProcess, load: Load, samples: list[dict[str, Any]]) -> None:
    """Sample the worker until cancelled."""
    started = time.monotonic()
    while True:
        await asyncio.sleep(SAMPLE_S)
        status = worker.status
        if status is not None:
            samples.append(
                {
                    "s": round(time.monotonic() - started, 1),
                    "rss_mb": round(worker.rss_mb, 1),
                    "lag": status.requests_lag,
                    "sent": load.sent,
                    "events": status.events,
                    "accounts": status.accounts,
                    "findings": status.findings,
                }
            )


async def run(worker: FleetProcess, load: Load, duration_s: float) -> list[dict[str, Any]]:
    """Load for a while; gives the samples."""
    samples: list[dict[str, Any]] = []
    watching = asyncio.create_task(watch(worker, load, samples))
    await load.run(duration_s)
    watching.cancel()
    return samples


def verdict(samples: list[dict[str, Any]], rate: float) -> dict[str, Any]:
    """What the samples say."""
    quarter = max(len(samples) // 4, 1)
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    growth_mb = median(one["rss_mb"] for one in last) - median(one["rss_mb"] for one in second)
    lags = [one["lag"] for one in samples if one["lag"] is not None]
    committed = [(one["s"], one["sent"] - one["lag"]) for one in samples if one["lag"] is not None]
    stall_s, since = 0.0, committed[0] if committed else (0.0, 0)
    for now in committed:
        if now[1] > since[1]:
            since = now
        stall_s = max(stall_s, now[0] - since[0])
    last_lag = median(one["lag"] for one in last if one["lag"] is not None) if lags else None
    flat = growth_mb <= GROWTH_MB and last_lag is not None and last_lag <= LAG_S * rate and stall_s <= STALL_S
    return {
        "seconds": samples[-1]["s"],
        "events": samples[-1]["events"],
        "events_per_s": rate,
        "rss_mb": median(one["rss_mb"] for one in last),
        "rss_growth_mb": round(growth_mb, 1),
        "lag_records": {"worst": max(lags, default=None), "last_quarter": last_lag},
        "longest_without_commit_s": round(stall_s, 1),
        "findings": samples[-1]["findings"],
        "accounts": samples[-1]["accounts"],
        "flat": flat,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="OUT")
    parser.add_argument("--rate", type=float, default=2000.0, help="events per second: half the maximum")
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--quick", action="store_true", help="40 s, to see that it works")
    args = parser.parse_args()
    seconds = 40.0 if args.quick else args.seconds
    with worker_under_load("soak", args.rate, probes_per_s=0.2) as running:
        samples = asyncio.run(run(running.worker, running.load, seconds))
    result = verdict(samples, args.rate)
    if args.json:
        args.json.write_text(json.dumps({**result, "samples": samples}, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    raise SystemExit(not result["flat"])


if __name__ == "__main__":
    main()
