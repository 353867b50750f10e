"""`Fleet`: one worker process: its parts, how they start, what ends them.

Ends are of two kinds. Asked to stop (SIGTERM, SIGINT), it finishes the runs in hand, writes state, commits
and leaves the group. On any error it cannot decide record by record, it ends at once with the reason:
nothing that is committed is lost, and the next owner repeats the rest.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from agents import bus, memory
from agents.accounts import AccountAgent
from agents.app import build_app, runs_of
from agents.control import ControlReader
from agents.controls import Controls
from agents.groups import CampaignAgent, LinkAgent
from agents.health import Health
from agents.idle import IdleWatch
from agents.ingest import IngestAgent, Reader
from agents.lag import Lag
from agents.local_copy import LocalCopies
from agents.metrics import Metrics
from agents.outbox import Outbox
from agents.readers import reader
from agents.reporter import Reporter
from agents.settings import Settings
from agents.tables import PlaneTable
from agents.watchdog import Lease, LoopGuard
from infra.kafka import admin
from infra.kafka.connection import Connection
from infra.kafka.topic_state import wanted_partitions
from schemas.errors import Fatal, StillwatchError
from schemas.topics import (
    ACCOUNT_STATE,
    ALERTS,
    CAMPAIGN_STATE,
    DEAD_LETTERS,
    EVIDENCE,
    FINDINGS,
    GROUPS,
    LINK_STATE,
    PROFILES,
    RAW_FORMATS,
    REQUESTS,
    Topic,
    co_partitioned,
)
from streams.account_plane import AccountPlane
from streams.campaign_plane import CampaignPlane
from streams.link_plane import LinkPlane

log = structlog.get_logger(__name__)

TICK_S = 0.25
STOP_S = 30.0
"""Longest orderly end."""
WRITTEN = (REQUESTS, PROFILES, FINDINGS, ALERTS, DEAD_LETTERS, EVIDENCE, GROUPS)
"""Topics the workers write by key."""


class Fleet:
    """One worker.

    Args:
        settings: of the fleet.
        connection: to the bus; default from the settings.
        new_plane: makes the plane of a partition; default the account plane, as the settings have it.
    """

    def __init__(
        self,
        settings: Settings,
        connection: Connection | None = None,
        new_plane: Callable[[int], AccountPlane] | None = None,
    ) -> None:
        self.settings = settings
        self._connection = connection or bus.connection(settings)
        options = self._connection.client_options()
        fleet = settings.fleet
        detection = settings.detection_config()
        self._ending: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self._state = "starting"
        self._faust_starts = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.metrics = Metrics()
        self.outbox = Outbox(options)
        self.controls = Controls()
        self._control = ControlReader(options, self.controls)
        said = {"verdicts": self.controls.verdicts, "overrides": self.controls.overrides}
        self.table = PlaneTable(
            options,
            self.outbox,
            new_plane or (lambda number: AccountPlane(detection, number, **said)),
            ACCOUNT_STATE,
            LocalCopies(settings.data_dir / "state" / ACCOUNT_STATE.name) if fleet.local_state else None,
        )
        partitions = settings.bus.partitions
        self.links = PlaneTable(
            options, self.outbox, lambda partition: LinkPlane(detection, partition, partitions), LINK_STATE
        )
        self.campaigns = PlaneTable(
            options,
            self.outbox,
            lambda partition: CampaignPlane(detection, partition, partitions),
            CAMPAIGN_STATE,
        )
        lease = Lease(fleet.session_timeout_s * 0.7)  # a heartbeat comes every quarter
        self._guard = LoopGuard(lease, fleet.commit_stall_s, self._end_now)
        parts: dict[str, Any] = {
            "checkpoint_s": fleet.checkpoint_s, "before_write": lease.check, "failed": self.fail,
        }  # fmt: skip
        common = self.outbox, self.controls, self.metrics
        self.accounts = AccountAgent(self.table, *common, **parts)
        self.link_agent = LinkAgent(self.links, *common, **parts)
        self.campaign_agent = CampaignAgent(self.campaigns, *common, **parts)
        self._owned = (
            (REQUESTS, self.table, self.accounts),
            (EVIDENCE, self.links, self.link_agent),
            (GROUPS, self.campaigns, self.campaign_agent),
        )
        self.ingest = IngestAgent(self._readers(), self.outbox, self.metrics, self.fail)
        read = {topic.name: wanted_partitions(topic, settings.bus.partitions) for topic in self._read()}
        self._lag = Lag(options, fleet.application_id, read)
        self._idle = IdleWatch(
            self.table,
            self.accounts,
            self._lag,
            idle_source_s=fleet.idle_source_s,
            idle_close_s=fleet.idle_close_s,
        )
        groups: dict[str, PlaneTable[Any]] = {"links": self.links, "campaigns": self.campaigns}
        self._reporter = Reporter(
            settings.data_dir, self.table, groups, self.accounts, self._lag, self.metrics
        )
        self.app = build_app(settings, options)
        self.app.transport.drain = self._drain
        self.app.transport.lost = self.metrics.note_lost
        self.app.agent(runs_of(self.app, *RAW_FORMATS.values()), name="ingest")(self.ingest.run)
        self.app.agent(runs_of(self.app, REQUESTS), name="accounts")(self.accounts.run)
        self.app.agent(runs_of(self.app, EVIDENCE), name="links")(self.link_agent.run)
        self.app.agent(runs_of(self.app, GROUPS), name="campaigns")(self.campaign_agent.run)
        self.app.on_rebalance_complete.connect(self._own)
        tables = tuple(table for _, table, _ in self._owned)
        self._health = Health(self.app, self._lag, tables, fleet.commit_stall_s)

    # ---- parts

    @staticmethod
    def _read() -> tuple[Topic, ...]:
        return (*RAW_FORMATS.values(), REQUESTS, EVIDENCE, GROUPS)

    def _readers(self) -> dict[str, Reader]:
        return {topic.name: reader(self.settings, name) for name, topic in RAW_FORMATS.items()}

    # ---- life

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Work until told to stop.

        Args:
            ready: called once, when the first partitions are owned and their state is restored.

        Raises:
            StillwatchError: the process must end now; there may be threads left that never will.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        self._ready = ready
        memory.suit_a_worker()
        log.info("worker begins", pid=os.getpid())
        self._start(self._begin())
        try:
            error = await self._ending
            if error is not None:
                raise error
            stopping = asyncio.create_task(self._stop_in_order())
            # not a time-out inside: a task of Faust's may swallow that it is cancelled
            done, _ = await asyncio.wait({stopping}, timeout=STOP_S)
            if not done:
                raise Fatal(f"the worker could not end in order within {STOP_S:.0f} s")
            stopping.result()
        finally:
            self._guard.stop()
            self._reporter.remove()

    async def _begin(self) -> None:
        """Reach for the bus and start Faust. May take as long as the bus; an end need not wait for it."""
        await self._check_topics()
        if self.settings.fleet.metrics_port:
            self.metrics.serve(self.settings.fleet.metrics_host, self.settings.fleet.metrics_port)
        await self.outbox.start()
        for topic in WRITTEN:
            await self.outbox.learn(topic.name)
        self._guard.start()
        for work in (
            self._control.run(), self._tick(), self._health.watch_app(), self._health.watch_commits(),
            *(agent.checkpoint_regularly(lambda: not self.app.rebalancing) for *_, agent in self._owned),
        ):  # fmt: skip
            self._start(work)
        self._faust_starts = True
        await self.app.start()

    def stop(self) -> None:
        """Ask for an orderly end."""
        if not self._ending.done():
            log.info("worker stops", pid=os.getpid())
            self._ending.set_result(None)

    def fail(self, error: BaseException) -> None:
        """End because of an error."""
        if self._ending.done():
            return
        if not isinstance(error, StillwatchError):
            log.error("unexpected error", exc_info=error)
            error = Fatal(f"unexpected error: {error!r}")
        self._ending.set_result(error)

    async def _stop_in_order(self) -> None:
        self._state = "stopping"
        self._reporter.report(self._state)
        if self._faust_starts:
            await self.app.stop()
        for task in self._tasks:
            task.cancel()
        await self.outbox.stop()
        await self._lag.stop()
        log.info("worker stopped", pid=os.getpid())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._note_failure)
        self._tasks.add(task)

    def _note_failure(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    @staticmethod
    def _end_now(reason: str) -> None:
        log.critical("worker ends", reason=reason)
        os._exit(1)

    async def _check_topics(self) -> None:
        partitions = self.settings.bus.partitions
        wanted = (*self._read(), *WRITTEN, *co_partitioned(), ACCOUNT_STATE)
        states = await admin.describe_topics(self._connection, partitions, tuple(dict.fromkeys(wanted)))
        for name, state in states.items():
            if state is None:
                raise Fatal(f"topic {name} does not exist. Run `stillwatch topics create`")
            for drift in state.drift:
                if drift.breaks:
                    raise drift.error()

    # ---- ownership

    async def _own(self, *_: Any, **__: Any) -> None:
        """Faust has assigned partitions and fetches nothing yet: bring their state here."""
        generation = self.app.consumer_generation_id
        self._state, self._health.assigned = "restoring", True
        await self._control.caught_up.wait()
        complete = True
        for topic, table, agent in self._owned:
            partitions = {tp.partition for tp in self.app.consumer.assignment() if tp.topic == topic.name}
            complete &= await table.assign(
                partitions, lambda: generation == self.app.consumer_generation_id and not self.app.should_stop
            )
            agent.keep_only(set(table.planes))
        if complete:
            memory.keep_for_good()
            self._state = "running"
            self._ready()
            self._ready = lambda: None

    async def _drain(self) -> None:
        await asyncio.gather(self.ingest.drain(), *(agent.drain() for *_, agent in self._owned))

    # ---- watching

    async def _tick(self) -> None:
        """Show often that the loop runs, look around once a second."""
        ticks = 0
        while True:
            self._guard.loop_runs()
            if ticks % round(1 / TICK_S) == 0:
                if self._state == "running" and not self.app.rebalancing:
                    self._idle.look()
                self._reporter.report(self._state)
            ticks += 1
            await asyncio.sleep(TICK_S)
