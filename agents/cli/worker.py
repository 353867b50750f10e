"""``stillwatch worker``: one process of the detection fleet. Start as many as there are cores."""

from __future__ import annotations

import asyncio
import os
import sys

import structlog
import uvloop

from agents.cli.options import Config
from agents.cli.terminal import err, error_panel, exit_code
from agents.logs import configure_logs
from agents.settings import Settings, load
from schemas.errors import StillwatchError

log = structlog.get_logger(__name__)


def worker(config: Config = None) -> None:
    """Run a detection worker until SIGTERM or Ctrl-C.

    Workers with the same [bold]fleet.application_id[/bold] share the partitions of the raw and requests
    topics. One that is stopped hands its work over in order; one that dies is taken over within
    [bold]fleet.session_timeout_s[/bold].
    """
    settings = load(config)
    configure_logs(settings.log_level)
    # Faust's consumer thread makes its own loop by the policy
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    from agents.fleet import Fleet  # takes a second to import, which other commands need not spend

    fleet = Fleet(settings)

    def ready() -> None:
        log.info("worker ready", pid=os.getpid(), partitions=sorted(fleet.table.planes))

    code = 0
    try:
        await fleet.run(ready)
    except StillwatchError as error:
        log.critical("worker ends", reason=str(error), error=type(error).__name__)
        err.print(error_panel(error))
        code = exit_code(error)
    # Neither Faust's threads nor its tasks may be waited for: they may wait for a bus that is gone.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
