"""`Sink`: from the topics to the store. A process and a consumer group of its own.

Its own group, so that a store that is down delays what analysts see and never what detectors do. A plain
consumer and not Faust, because it has no state, no tables and no joins, and must do what Faust keeps to
itself: hold a partition's records until their batch is in the store, commit an offset together with where
the batch begun there will end, and pause fetching for as long as the store is away.

Delivery. Records reach the store at least once, and are counted once:

1. The offsets of a batch are committed after the store has taken all of it.
2. Before that, its range is committed as the plan (`agents.lane`), so that after a crash the same batch is
   cut again, has the same token, and is dropped by the store where it was already in.
3. Where even that fails (the store has forgotten the token), rows of the same identity replace one another:
   the ``*_current`` views count each once.

Back-pressure: what is read and not stored is bounded, per partition and in all; beyond it, fetching pauses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from agents.lane import Batch, Lane, plan
from agents.settings import Settings
from agents.sink_bus import Commit, SinkBus
from agents.sink_metrics import SinkMetrics
from agents.sql_endpoint import SqlEndpoint
from agents.store_writer import FIRST_PAUSE_S, LONGEST_PAUSE_S, StoreWriter
from infra.clickhouse import dsn as dsns
from infra.clickhouse.feeds import FEEDS
from infra.clickhouse.migrate import open_current
from infra.clickhouse.store import Store
from infra.kafka.connection import Connection
from infra.kafka.diagnosis import diagnosis
from schemas.errors import BusUnavailable, StoreUnavailable
from schemas.topics import PROFILES, REQUESTS

log = structlog.get_logger(__name__)

BUFFER_BYTES = 64 * 1024 * 1024
"""Read and not yet stored, all partitions together."""
BULK = {REQUESTS.name, PROFILES.name}
FEW_ROWS = 1000
"""Of the bulk topics. An insert into `requests` costs as much as a thousand rows of it (16 ms against 16 us),
and eight partitions of a quiet fleet would make eight of them a second."""
BATCHES_AT_ONCE = 2
"""While the store takes one, the next is made into columns."""
FETCH_WAIT_MS = 100
REVOKE_PATIENCE_S = 5.0
"""On a rebalance, what is not stored within this is left to the next owner."""
STOP_PATIENCE_S = 10.0
REPORT_S = 30.0


class Sink(ConsumerRebalanceListener):
    """One sink.

    Args:
        settings: all settings.
        connection: the bus.
    """

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self.metrics = SinkMetrics()
        self._settings = settings
        self._connection = connection
        self._lanes: dict[TopicPartition, Lane] = {}
        self._stopping = asyncio.Event()
        self._assigned = asyncio.Event()
        self._round: asyncio.Task[None] | None = None
        self._slots = asyncio.Semaphore(BATCHES_AT_ONCE)
        self._failure: Exception | None = None
        self._bus: SinkBus
        self._writer: StoreWriter

    def stop(self) -> None:
        """Ask `run` to store what it holds, and return."""
        self._stopping.set()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Run until `stop`.

        Args:
            ready: called once, when this sink has its first partitions.

        Raises:
            Fatal: the store's schema or rights do not fit, or its directory is in use.
            BusUnavailable: no broker answers.
        """
        async with AsyncExitStack() as stack:
            store = await self._open_store()
            if store is None:
                return
            log.info("store open", dsn=str(store.dsn), version=store.version)
            self._writer = StoreWriter(store, self._note_rows, self.metrics.retries.inc)
            stack.push_async_callback(self._writer.close)
            if isinstance(store.dsn, dsns.EmbeddedDsn):
                await self._start_endpoint(stack)
            group = f"{self._settings.fleet.application_id}-sink"
            timeout_s = self._settings.fleet.session_timeout_s
            self._bus = SinkBus(self._connection, group, timeout_s, self.metrics.note_lost)
            stack.push_async_callback(self._bus.stop)
            try:
                await self._bus.start(FEEDS, self)
                await self._work(ready)
            except KafkaError as error:
                raise BusUnavailable(await diagnosis(self._connection) or repr(error)) from error

    async def _open_store(self) -> Store | None:
        """The store, migrated; waits for a server that is not up yet. `None`: told to stop meanwhile."""
        dsn, days = self._settings.store_dsn, self._settings.store.requests_ttl_days
        attempt = 0
        while True:
            try:
                note = lambda change: log.info("store", change=change)  # noqa: E731
                return await asyncio.to_thread(open_current, dsn, days, note)
            except StoreUnavailable as error:
                pause_s = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)
                log.warning("store unavailable", reason=str(error), retry_in_s=pause_s)
            try:
                await asyncio.wait_for(self._stopping.wait(), pause_s)
                return None
            except TimeoutError:
                attempt += 1

    async def _start_endpoint(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        endpoint = SqlEndpoint(
            settings.store_dsn, settings.data_dir / "sink", settings.sink.sql_port, self.metrics.registry
        )
        stack.push_async_callback(endpoint.stop)
        log.info("sql endpoint", url=(await endpoint.start()).url)

    async def _work(self, ready: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        reported_s = loop.time()
        told = False
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while not stopping.done():
                self._raise_failures()
                await self._fetch(stopping)
                self._start_round()
                if not told and self._assigned.is_set():
                    told = True
                    ready()
                if loop.time() - reported_s >= REPORT_S:
                    reported_s = loop.time()
                    self._report()
            await self._settle(STOP_PATIENCE_S)
            self._raise_failures()
        finally:
            stopping.cancel()
            if self._round is not None:
                self._round.cancel()

    def _raise_failures(self) -> None:
        if self._round is not None and self._round.done() and not self._round.cancelled():
            self._round.result()
        if self._failure is not None:
            raise self._failure

    async def _fetch(self, stopping: asyncio.Task[bool]) -> None:
        """Read on, as far as there is room."""
        full = {tp for tp, lane in self._lanes.items() if lane.is_full}
        if self._buffered() >= BUFFER_BYTES:
            full = set(self._lanes)
        self._bus.hold(full)
        # Asked even when all is held: a consumer that does not ask is put out of its group.
        blocked = len(full) == len(self._lanes) > 0
        reading = asyncio.create_task(self._read(0 if blocked else FETCH_WAIT_MS))
        await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            reading.cancel()
            return
        reading.result()
        if blocked and self._round is not None:
            await asyncio.wait({self._round, stopping}, timeout=FETCH_WAIT_MS / 1000)

    async def _read(self, timeout_ms: int) -> None:
        """Take what has been fetched. In one step with the client: no rebalance may come between."""
        fetched = await self._bus.read(timeout_ms)
        now_s = asyncio.get_running_loop().time()
        for tp, records in fetched.items():
            # Without a lane: just being revoked, or assigned and about to be rewound.
            if (lane := self._lanes.get(tp)) is not None:
                lane.add(records, now_s)

    def _buffered(self) -> int:
        return sum(lane.bytes for lane in self._lanes.values())

    def _start_round(self) -> None:
        """Write what is due, unless a write is under way."""
        if self._round is not None and not self._round.done():
            return
        now_s = asyncio.get_running_loop().time()
        due = [lane for lane in self._lanes.values() if lane.is_due(now_s)]
        if due:
            self._round = asyncio.create_task(self._write(due))

    async def _write(self, lanes: Iterable[Lane]) -> None:
        """One batch of each lane, planned, stored and committed."""
        now_s = asyncio.get_running_loop().time()
        # Requests last: they are many, and a finding should not wait for them.
        batches = [lane.cut(now_s) for lane in sorted(lanes, key=lambda lane: lane.tp.topic == REQUESTS.name)]
        with self.metrics.round_seconds.time():
            if not await self._bus.commit({batch.tp: Commit(batch.first, plan(batch)) for batch in batches}):
                return
            try:
                async with asyncio.TaskGroup() as group:
                    for batch in batches:
                        group.create_task(self._store(batch))
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            await self._bus.commit({batch.tp: Commit(batch.last + 1, "") for batch in batches})

    async def _store(self, batch: Batch) -> None:
        async with self._slots:
            refused = await self._writer.write(batch)
            if refused:
                self.metrics.refused.labels(batch.tp.topic).inc(len(refused))
                log.warning("refused", records=len(refused), batch=batch.token, first=str(refused[0].error))
                await self._bus.bury(refused)

    async def _settle(self, patience_s: float) -> None:
        """Store what is held, within `patience_s`; what is not then is still in Kafka."""
        try:
            async with asyncio.timeout(patience_s):
                if self._round is not None and not self._round.done():
                    await self._round
                while held := [lane for lane in self._lanes.values() if lane.is_whole]:
                    await self._write(held)
        except (TimeoutError, KafkaError) as error:
            held_records = sum(map(len, self._lanes.values()))
            log.warning("left to be read again", records=held_records, reason=repr(error))

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        try:
            if self._failure is None and not self._stopping.is_set():
                await self._settle(REVOKE_PATIENCE_S)
        except Exception as error:  # the client would only log it
            self._failure = error
        self._lanes.clear()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        try:
            commits = await self._bus.rewind(assigned)
        except Exception as error:  # the client would only log it
            self._failure = error
            return
        # In one step with the rewind: what was read before has no lane, what is read from now on has one.
        rows, flush_s = self._settings.sink.batch_rows, self._settings.sink.flush_s
        for tp, commit in commits.items():
            few = FEW_ROWS if tp.topic in BULK else 0
            self._lanes[tp] = Lane(
                tp, begin=commit.offset, plan=commit.plan, batch_rows=rows, flush_s=flush_s, few_rows=few
            )
        log.info("partitions", count=len(commits))
        if commits:
            self._assigned.set()

    def _note_rows(self, table: str, count: int) -> None:
        self.metrics.rows.labels(table).inc(count)

    def _report(self) -> None:
        if not self._lanes:
            log.warning("no partitions: topics are missing (`stillwatch topics create`) or sinks too many")
        ends = {tp: self._bus.end(tp) for tp in self._lanes}
        lag = sum(max(0, end - self._lanes[tp].begin) for tp, end in ends.items() if end is not None)
        self.metrics.lag.set(lag)
        self.metrics.buffered_bytes.set(self._buffered())
        log.info("sink", lag_records=lag, buffered_bytes=self._buffered())
