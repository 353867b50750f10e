"""`Supervisor`: child processes started in order, watched, restarted, and stopped in order.

A service's end is never overlooked: while starting it fails the start, with the end of its log; later it
is restarted, and after too many restarts everything is given up with that log.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import structlog

from infra.child_process import ChildProcess
from schemas.errors import Fatal

log = structlog.get_logger(__name__)

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POLL_S = 0.1
RESTARTS = 5
"""A service that ends more often than this within `RESTART_WINDOW_S` has something that no restart mends."""
RESTART_WINDOW_S = 600.0
LONGEST_PAUSE_S = 10.0
LAST_LINES = 8


def command(name: str, *arguments: str) -> list[str]:
    """Arguments that run ``stillwatch <name>`` with the Python of this process."""
    return [sys.executable, "-c", "from agents.cli import main; main()", name, *arguments]


@dataclass
class Service:
    """One program to keep running.

    Attributes:
        ready: whether the process of that id serves now.
        log: file of its output; the one before a restart is kept as ``<log>.1``.
    """

    name: str
    argv: Sequence[str]
    ready: Callable[[int], bool]
    log: Path
    process: ChildProcess | None = None
    ends: deque[float] = field(default_factory=deque)
    """When it ended by itself, monotonic seconds, within the window."""

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    def last_words(self) -> str:
        """End of its log, for an error message."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        end = "\n".join(line[:300] for line in text.splitlines()[-LAST_LINES:])
        return f"{end}\n(whole log: {self.log})"


class Supervisor:
    """Keeps services running.

    Args:
        logs: folder of their logs; created.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self.services: list[Service] = []

    async def start(self, name: str, argv: Sequence[str], ready: Callable[[int], bool]) -> Service:
        """Start one service and wait until it is ready.

        Raises:
            Fatal: it ended, or was not ready in time; carries the end of its log.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        service = Service(name, argv, ready, self._logs / f"{name}.log")
        self.services.append(service)
        await self._launch(service)
        return service

    async def _launch(self, service: Service) -> None:
        if service.log.exists():
            service.log.replace(service.log.with_name(service.log.name + ".1"))
        process = service.process = ChildProcess(service.argv, output=service.log)
        deadline = monotonic() + START_TIMEOUT_S
        while not service.ready(process.pid):
            if process.exit_code is not None:
                raise Fatal(
                    f"{service.name} ended while starting (code {process.exit_code}).\n{service.last_words()}"
                )
            if monotonic() > deadline:
                raise Fatal(
                    f"{service.name} was not ready after {START_TIMEOUT_S:g} s.\n{service.last_words()}"
                )
            await asyncio.sleep(POLL_S)

    def ended(self) -> list[Service]:
        """Services that should run and do not."""
        return [s for s in self.services if s.process is not None and s.process.exit_code is not None]

    async def watch(self, restarted: Callable[[Service], None] = lambda _: None) -> None:
        """Restart what ends, with growing pauses. Runs until cancelled.

        Raises:
            Fatal: a service ended too often, or does not come up again.
        """
        while True:
            for service in self.ended():
                await self._revive(service)
                restarted(service)
            await asyncio.sleep(POLL_S)

    async def _revive(self, service: Service) -> None:
        assert service.process is not None
        code, now = service.process.exit_code, monotonic()
        service.ends.append(now)
        while service.ends[0] < now - RESTART_WINDOW_S:
            service.ends.popleft()
        if len(service.ends) > RESTARTS:
            raise Fatal(
                f"{service.name} ended {len(service.ends)} times within {RESTART_WINDOW_S / 60:g} minutes, "
                f"last with code {code}.\n{service.last_words()}"
            )
        pause_s = min(0.5 * 2 ** (len(service.ends) - 1), LONGEST_PAUSE_S)
        log.warning("service ended; restarting", service=service.name, code=code, pause_s=pause_s)
        await asyncio.sleep(pause_s)
        await self._launch(service)

    async def stop(self) -> None:
        """Stop all services, the last started first; those of a kind (``worker-1``, ``worker-2``) together.

        SIGTERM, then SIGKILL after `STOP_TIMEOUT_S`. Returns when none runs any more.
        """
        while self.services:
            kind = _kind(self.services[-1])
            together = [service for service in self.services if _kind(service) == kind]
            self.services = [s for s in self.services if s not in together]
            processes = [s.process for s in together if s.process is not None]
            for process in processes:
                process.signal(signal.SIGTERM)
            await asyncio.gather(*(asyncio.to_thread(p.stop, STOP_TIMEOUT_S) for p in processes))


def _kind(service: Service) -> str:
    return service.name.rstrip("-0123456789")
