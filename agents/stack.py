"""`Stack`: the whole of Stillwatch on one machine: bus, topics, sink, workers.

What is set to be elsewhere (``bus.url = "kafka://..."``, ``store.dsn = "http://..."``) is used and not
started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from agents import bus
from agents.settings import Settings
from agents.status import read_statuses, remove_status
from agents.supervisor import Service, Supervisor, command
from infra.kafka import admin
from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka

Progress = Callable[[str], None]


class Stack:
    """Bus, sink and workers as child processes of this one; they end with it, however it ends.

    Args:
        settings: of all parts.
        config: settings file the parts read as well; ``None``: the default one.
        workers: how many.
        progress: told in a few words what is being started.
    """

    def __init__(
        self, settings: Settings, config: Path | None, workers: int, progress: Progress = lambda _: None
    ) -> None:
        self.settings = settings
        self._options = ["--config", str(config)] if config is not None else []
        self._workers = workers
        self._progress = progress
        self._kafka: EmbeddedKafka | None = None
        self.supervisor = Supervisor(settings.data_dir / "logs")

    @property
    def connection(self) -> Connection:
        """To the bus; after `start`."""
        return bus.connection(self.settings)

    @property
    def owns_bus(self) -> bool:
        """Whether the bus is our own broker."""
        return self._kafka is not None

    async def start(self) -> None:
        """Start all parts, each when what it rests on is ready. On any failure what runs is stopped.

        Raises:
            StillwatchError: a part does not start; says which and why.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        settings = self.settings
        if bus.is_embedded(settings):
            self._kafka = EmbeddedKafka(
                settings.data_dir, heap_mb=settings.bus.embedded_heap_mb, progress=self._progress
            )
            await asyncio.to_thread(self._kafka.start)
        self._progress("creating topics")
        await admin.create_topics(self.connection, settings.bus.partitions, settings.bus.replication)
        self._progress("starting the sink")
        sink_log = settings.data_dir / "logs" / "sink.log"
        await self.supervisor.start(
            "sink", command("sink", *self._options), lambda _: _says(sink_log, "sink ready")
        )
        for number in range(1, self._workers + 1):
            self._progress(f"starting worker {number} of {self._workers}")
            await self.supervisor.start(
                f"worker-{number}", command("worker", *self._options), self._worker_runs
            )

    def _worker_runs(self, pid: int) -> bool:
        return any(s.pid == pid and s.state == "running" for s in read_statuses(self.settings.data_dir))

    async def watch(self, restarted: Callable[[Service], None] = lambda _: None) -> None:
        """Keep the parts running until cancelled.

        Raises:
            Fatal: a part cannot be kept running, or the embedded broker ended.
        """
        await asyncio.gather(self.supervisor.watch(restarted), self._watch_bus())

    async def _watch_bus(self) -> None:
        while self._kafka is not None:
            if not self._kafka.running:
                # Its data is intact: the address stays, and clients reconnect by themselves.
                await asyncio.to_thread(self._kafka.start)
            await asyncio.sleep(1.0)

    async def stop(self) -> None:
        """Stop workers, then the sink (which stores what they left), then the bus."""
        pids = [service.pid for service in self.supervisor.services]
        await self.supervisor.stop()
        for pid in pids:
            if pid is not None:
                remove_status(self.settings.data_dir, pid)
        if self._kafka is not None:
            await asyncio.to_thread(self._kafka.stop)
            self._kafka = None


def _says(file: Path, words: str) -> bool:
    return file.exists() and words in file.read_text(errors="replace")
