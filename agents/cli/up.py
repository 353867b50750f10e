"""``stillwatch up``: everything on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Annotated

import structlog
import typer

from agents.cli.options import Config
from agents.cli.terminal import err, out
from agents.logs import configure_logs
from agents.settings import Settings, load
from agents.stack import Stack
from agents.status import WorkerStatus, read_statuses
from schemas.topics import RAW_FORMATS

log = structlog.get_logger(__name__)

REPORT_S = 30.0
DEFAULT_WORKERS = max(1, (os.cpu_count() or 2) // 2)
"""Bus and store need the other cores."""


def up(
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = DEFAULT_WORKERS,
    config: Config = None,
) -> None:
    """Run bus, store and workers on this machine until Ctrl-C.

    With the default settings that is an embedded Apache Kafka, an embedded ClickHouse and
    [bold]--workers[/bold] detection workers, all below [bold]data_dir[/bold]. Parts that the settings put
    elsewhere are used and not started. A worker or sink that dies is restarted.
    """
    settings = load(config)
    configure_logs(settings.log_level)
    asyncio.run(_run(Stack(settings, config, workers, lambda text: err.print(f"[dim]{text}[/]"))))


async def _run(stack: Stack) -> None:
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    work = asyncio.create_task(_serve(stack))
    asked = asyncio.create_task(interrupted.wait())
    await asyncio.wait((work, asked), return_when=asyncio.FIRST_COMPLETED)
    # from now on a second Ctrl-C ends this process at once, and with it, by the kernel, its children
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)
    err.print("[dim]stopping[/]")
    work.cancel()
    result, _ = await asyncio.gather(work, _cancelled(asked), return_exceptions=True)
    await stack.stop()
    if isinstance(result, Exception):
        raise result
    err.print("[dim]stopped[/]")


async def _cancelled(task: asyncio.Task[bool]) -> None:
    task.cancel()


async def _serve(stack: Stack) -> None:
    await stack.start()
    _greet(stack)
    await asyncio.gather(stack.watch(), _report(stack.settings))


def _greet(stack: Stack) -> None:
    """Where things are and what to do next."""
    settings = stack.settings
    bootstrap, topic = stack.connection.bootstrap, RAW_FORMATS["native"].name
    out.print(f"[green]up[/]: Kafka at {bootstrap}, store {settings.store_dsn}")
    out.print(f"logs in {settings.data_dir / 'logs'}")
    out.print(f"send events, one JSON object each, to topic [bold]{topic}[/bold], or")
    out.print("  stillwatch replay FILE --format native --to-bus")
    out.print('  stillwatch sql "SELECT * FROM findings_current ORDER BY time DESC LIMIT 20"')
    out.print("Ctrl-C stops everything.")


async def _report(settings: Settings) -> None:
    """A line now and then, for whoever looks at the terminal."""
    while True:
        await asyncio.sleep(REPORT_S)
        statuses = read_statuses(settings.data_dir)
        log.info("running", workers=len(statuses), **totals(statuses))


def totals(statuses: list[WorkerStatus]) -> dict[str, int]:
    """Sums over workers, and the fleet's lag (which every worker knows as a whole)."""
    return {
        "events": sum(s.events for s in statuses),
        "events_per_s": round(sum(s.events_per_s for s in statuses)),
        "accounts": sum(s.accounts for s in statuses),
        "open_findings": sum(s.open_findings for s in statuses),
        "lag": max((s.raw_lag or 0) + (s.requests_lag or 0) for s in statuses) if statuses else 0,
    }
