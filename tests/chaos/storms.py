"""Twenty storms during 300,000 requests each, as a table: ``python -m tests.chaos.storms``."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.kafka.embedded import EmbeddedKafka
from tests.chaos.storm import ACTIONS, Outcome, storm

FREEZE_S = 30.0


def row(seed: int, outcome: Outcome | None, problem: str, took_s: float) -> list[str]:
    """One storm, for people."""
    if outcome is None:
        return [str(seed), *[""] * len(ACTIONS), "", "", problem, f"{took_s:.0f}"]
    times = [str(outcome.actions[name]) for name in ACTIONS]
    checked = outcome.checked
    return [str(seed), *times, f"{checked.windows:,}", str(checked.findings), "equal", f"{took_s:.0f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--requests", type=int, default=300_000, help="of each storm")
    parser.add_argument("--feed-s", type=float, default=75, help="time over which they are sent")
    args = parser.parse_args()
    table = Table(title=f"storms during {args.requests:,} requests, beside one undisturbed process")
    names = ["seed", *ACTIONS, "windows", "findings", "result", "s"]
    for name in names:
        table.add_column(name, justify="left" if name == "result" else "right")
    failed = 0
    progress = Console(stderr=True)
    for seed in range(args.first, args.first + args.seeds):
        began = time.monotonic()
        outcome, problem = None, ""
        with tempfile.TemporaryDirectory(prefix="stillwatch-storm-") as folder:
            broker = EmbeddedKafka(Path(folder) / "kafka")
            broker.start()
            try:
                outcome = asyncio.run(storm(broker, seed, args.requests, args.feed_s, FREEZE_S))
            except Exception as error:  # whatever it is, the other seeds and the table still come
                problem = repr(error).splitlines()[0][:60]
                progress.print(str(error)[-6000:], markup=False)
        failed += outcome is None
        cells = row(seed, outcome, problem, time.monotonic() - began)
        table.add_row(*cells)
        progress.print(dict(zip(names, cells, strict=True)))
    Console().print(table)
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
