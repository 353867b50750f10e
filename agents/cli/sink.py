"""``stillwatch sink``: the writer to the ClickHouse store."""

from __future__ import annotations

import asyncio
import os
import signal

import structlog
import uvloop

from agents import bus
from agents.cli.options import Config
from agents.logs import configure_logs
from agents.settings import Settings, load

log = structlog.get_logger(__name__)


def sink(config: Config = None) -> None:
    """Store requests, profiles, findings, verdicts and dead letters until SIGTERM or Ctrl-C.

    With an embedded store this process owns its directory, and answers [bold]stillwatch sql[/bold]. With a
    server, start as many as there are partitions to share. A store that is down delays this process alone.
    """
    settings = load(config)
    configure_logs(settings.log_level)
    uvloop.run(_run(settings))


async def _run(settings: Settings) -> None:
    from agents.sink import Sink  # takes a second to import, which other commands need not spend

    running = Sink(settings, bus.connection(settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.stop)
    await running.run(lambda: log.info("sink ready", pid=os.getpid()))
    log.info("sink stopped")
