"""`Health`: notices when a worker only seems to work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

from agents.app import FleetApp
from agents.lag import Lag
from agents.tables import PlaneTable
from agents.watchdog import StallDetector, Work
from schemas.errors import BusUnavailable, Fatal, StillwatchError

APP_S = 0.25
COMMITS_S = 1.0
"""Between two looks."""


class Health:
    """Looks at Faust and at what is committed, and ends with the error that ends the worker.

    Args:
        app: of the worker.
        lag: refreshed here.
        tables: whose restoring counts as work.
        stall_s: longest time without a commit while records wait, and without an answer from the bus.
    """

    def __init__(self, app: FleetApp, lag: Lag, tables: Sequence[PlaneTable[Any]], stall_s: float) -> None:
        self._app = app
        self._lag = lag
        self._tables = tables
        self._stall_s = stall_s
        self.assigned = False
        """Partitions were given to this worker; until then there is no consumer to ask."""

    async def watch_app(self) -> None:
        """Faust marks itself crashed and goes on doing nothing; we do not. Raises `StillwatchError`."""
        while not self._app.crashed:
            await asyncio.sleep(APP_S)
        reason = self._app.crash_reason
        raise reason if isinstance(reason, StillwatchError) else Fatal(f"Faust crashed: {reason!r}")

    async def watch_commits(self) -> None:
        """For ever.

        Raises:
            BusUnavailable: the bus is silent.
            Fatal: records wait and nothing is committed.
        """
        stalls = StallDetector(self._stall_s)
        while True:
            await self._lag.refresh()
            if self._lag.silent_s > self._stall_s:
                raise BusUnavailable(f"the bus has not answered for {self._lag.silent_s:.0f} s")
            if stalled := stalls.look(self._works(), monotonic()):
                raise Fatal(
                    f"nothing was committed for {self._stall_s:.0f} s although records wait: {stalled}"
                )
            await asyncio.sleep(COMMITS_S)

    def _works(self) -> list[Work]:
        if not self.assigned or not self._lag.known:
            return []
        restored = sum(table.restored for table in self._tables)
        return [
            Work(tp, (self._lag.committed(*tp), restored), self._lag.of(*tp) or 0)
            for tp in self._app.consumer.assignment()
        ]
