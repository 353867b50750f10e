"""Our own fleet, one worker: the windowed job, or every account detector (``full``)."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib.metadata import version
from pathlib import Path

import uvloop

from agents.fleet import Fleet
from agents.logs import configure_logs
from agents.settings import Settings, load
from tests.bench.window_plane import WindowPlane
from tests.bench.windowed_job import Arguments, arguments, mark

LOOK_S = 0.002


def settings_of(args: Arguments) -> Settings:
    """A fleet on the bench's broker, everything else at its default."""
    config = Path(args.scratch) / "stillwatch.toml"
    config.touch()
    return load(
        config,
        data_dir=Path(args.scratch),
        bus={"url": f"kafka://{args.bootstrap}", "partitions": args.partitions},
        fleet={"application_id": args.output},
    )


async def follow(fleet: Fleet, events: int) -> None:
    """Mark the first record, and the last once its state and output are acknowledged."""
    while not any(plane.applied_offset >= 0 for plane in fleet.table.planes.values()):
        await asyncio.sleep(LOOK_S)
    mark("first")
    while True:
        await asyncio.sleep(LOOK_S)
        applied = sum(plane.applied_offset + 1 for plane in fleet.table.planes.values())
        if applied == events and not any(lane.changed for lane in fleet.accounts.lanes.values()):
            break
    while fleet.outbox.pending_bytes:
        await asyncio.sleep(LOOK_S)
    mark("last")
    stats = [plane.stats() for plane in fleet.table.planes.values()]
    total = {name: sum(one[name] for one in stats) for name in stats[0]}
    mark("stats", findings=fleet.accounts.findings, **total)
    mark("end")
    fleet.stop()


async def main(job: str, args: Arguments) -> None:
    new_plane = (lambda _: WindowPlane()) if job == "windowed" else None
    fleet = Fleet(settings_of(args), new_plane=new_plane)  # type: ignore[arg-type]
    following = asyncio.create_task(follow(fleet, args.events))
    await fleet.run()
    await following


if __name__ == "__main__":
    configure_logs("warning")
    mark("version", text=f"stillwatch {version('stillwatch')}")
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(main(sys.argv[1], arguments()))
    os._exit(0)
