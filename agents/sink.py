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
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
)
from aiokafka.structs import OffsetAndMetadata

from agents.lane import Batch, Lane, plan
from agents.settings import Settings
from agents.sink_metrics import SinkMetrics
from agents.sql_endpoint import SqlEndpoint
from agents.store_writer import FIRST_PAUSE_S, LONGEST_PAUSE_S, Refused, StoreWriter
from infra.clickhouse import dsn as dsns
from infra.clickhouse import migrate
from infra.clickhouse.feeds import FEEDS
from infra.clickhouse.store import Store, open_store
from infra.kafka.connection import Connection
from infra.kafka.diagnosis import diagnosis
from schemas.dead_letter import dead_letter, encode_dead_letter
from schemas.errors import BusUnavailable, StoreUnavailable
from schemas.finding import utc_from_ms
from schemas.topics import DEAD_LETTERS, REQUESTS

log = structlog.get_logger(__name__)

BUFFER_BYTES = 64 * 1024 * 1024
"""Read and not yet stored, all partitions together."""
BATCHES_AT_ONCE = 2
"""While the store takes one, the next is made into columns."""
FETCH_WAIT_MS = 100
REVOKE_PATIENCE_S = 5.0
"""On a rebalance, what is not stored within this is left to the next owner."""
STOP_PATIENCE_S = 10.0
REPORT_S = 30.0
DEAD_LETTER_BYTES = 2 * 1024 * 1024


class Sink(ConsumerRebalanceListener):
    """One sink.

    Args:
        settings: all settings.
        connection: the bus.
    """

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self._settings = settings
        self._connection = connection
        self._group = f"{settings.fleet.application_id}-sink"
        self._lanes: dict[TopicPartition, Lane] = {}
        self._stopping = asyncio.Event()
        self._assigned = asyncio.Event()
        self._round: asyncio.Task[None] | None = None
        self._failure: Exception | None = None
        self._slots = asyncio.Semaphore(BATCHES_AT_ONCE)
        self.metrics = SinkMetrics()
        self._consumer: AIOKafkaConsumer
        self._producer: AIOKafkaProducer
        self._admin: AIOKafkaAdminClient
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
            self._writer = StoreWriter(store, self._note_rows, self.metrics.retries.inc)
            stack.push_async_callback(self._writer.close)
            if isinstance(store.dsn, dsns.EmbeddedDsn):
                await self._start_endpoint(stack)
            try:
                await self._start_clients(stack)
                await self._work(ready)
            except KafkaError as error:
                raise BusUnavailable(await diagnosis(self._connection) or repr(error)) from error

    async def _open_store(self) -> Store | None:
        """The store, migrated; waits for a server that is not up yet. `None`: told to stop meanwhile."""
        attempt = 0
        while True:
            try:
                return await asyncio.to_thread(self._prepare_store)
            except StoreUnavailable as error:
                pause_s = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)
                log.warning("store unavailable", reason=str(error), retry_in_s=pause_s)
            try:
                await asyncio.wait_for(self._stopping.wait(), pause_s)
                return None
            except TimeoutError:
                attempt += 1

    def _prepare_store(self) -> Store:
        store = open_store(self._settings.store_dsn)
        try:
            for migration in migrate.migrate(store):
                log.info("migration applied", migration=str(migration))
            migrate.set_retention(store, self._settings.store.requests_ttl_days)
        except BaseException:
            store.close()
            raise
        log.info("store open", dsn=str(store.dsn), version=store.version)
        return store

    async def _start_endpoint(self, stack: AsyncExitStack) -> None:
        settings = self._settings
        endpoint = SqlEndpoint(
            settings.store_dsn, settings.data_dir / "sink", settings.sink.sql_port, self.metrics.registry
        )
        stack.push_async_callback(endpoint.stop)
        log.info("sql endpoint", url=(await endpoint.start()).url)

    async def _start_clients(self, stack: AsyncExitStack) -> None:
        options = self._connection.client_options()
        session_ms = int(self._settings.fleet.session_timeout_s * 1000)
        self._admin = AIOKafkaAdminClient(**options)
        await self._admin.start()
        stack.push_async_callback(self._admin.close)
        self._producer = AIOKafkaProducer(
            **options, enable_idempotence=True, max_request_size=DEAD_LETTER_BYTES
        )
        await self._producer.start()
        stack.push_async_callback(self._producer.stop)
        self._consumer = AIOKafkaConsumer(
            **options,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=session_ms,
            heartbeat_interval_ms=session_ms // 3,
            max_partition_fetch_bytes=4 * 1024 * 1024,
            metadata_max_age_ms=10_000,  # topics made after our start are found within this
        )
        await self._consumer.start()
        stack.push_async_callback(self._consumer.stop)
        self._consumer.subscribe(list(FEEDS), listener=self)  # now, or `start` would wait for every topic

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
        self._consumer.pause(*(full - self._consumer.paused()))
        self._consumer.resume(*(self._consumer.paused() - full))
        # Asked even when all is paused: a consumer that does not ask is put out of its group. In a rebalance
        # the answer takes as long as the slowest member.
        blocked = len(full) == len(self._lanes) > 0
        answer = asyncio.create_task(self._consumer.getmany(timeout_ms=0 if blocked else FETCH_WAIT_MS))
        await asyncio.wait({answer, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            return
        now_s = asyncio.get_running_loop().time()
        for tp, records in answer.result().items():
            # Without a lane: just being revoked, or assigned and about to be sought back.
            if (lane := self._lanes.get(tp)) is not None:
                lane.add(records, now_s)
        if blocked and self._round is not None:
            await asyncio.wait({self._round, stopping}, timeout=FETCH_WAIT_MS / 1000)

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
            if not await self._commit({batch.tp: (batch.first, plan(batch)) for batch in batches}):
                return
            try:
                async with asyncio.TaskGroup() as group:
                    for batch in batches:
                        group.create_task(self._store(batch))
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None
            await self._commit({batch.tp: (batch.last + 1, "") for batch in batches})

    async def _store(self, batch: Batch) -> None:
        async with self._slots:
            await self._bury(await self._writer.write(batch))

    async def _commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> bool:
        """Commit; `False` where a partition is no longer ours, and with it nobody's loss."""
        try:
            await self._consumer.commit(dict(offsets))
        except (CommitFailedError, IllegalStateError) as error:
            log.info("partitions moved on before their commit", reason=str(error))
            return False
        return True

    async def _bury(self, refused: Iterable[Refused]) -> None:
        """Send records that cannot be stored to the dead letters; returns when Kafka has them."""
        sent = []
        for record, error in refused:
            self.metrics.refused.labels(record.topic).inc()
            place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            if record.topic == DEAD_LETTERS.name:  # or it would come back for ever; it stays in its topic
                log.error("a dead letter cannot be stored", reason=str(error), **place)
                continue
            letter = dead_letter(
                error, record.value or b"", stage="sink", time=utc_from_ms(record.timestamp), **place
            )
            key = f"{record.topic}-{record.partition}-{record.offset}".encode()
            sent.append(self._send(key, encode_dead_letter(letter)))
        await asyncio.gather(*sent)

    async def _send(self, key: bytes, value: bytes) -> None:
        """Write to the dead letters, however long Kafka takes. Repeated after a timeout: the key tells."""
        while True:
            try:
                await self._producer.send_and_wait(DEAD_LETTERS.name, value, key=key)
                return
            except (KafkaConnectionError, KafkaTimeoutError) as error:
                log.warning("bus unavailable", reason=repr(error))
                await asyncio.sleep(1.0)

    async def _settle(self, patience_s: float) -> None:
        """Store what is held, within `patience_s`; what is not then is still in Kafka."""
        try:
            async with asyncio.timeout(patience_s):
                if self._round is not None and not self._round.done():
                    await self._round
                while held := [lane for lane in self._lanes.values() if lane.is_whole]:
                    await self._write(held)
        except TimeoutError:
            log.warning("left to be read again", records=sum(map(len, self._lanes.values())))
        except (KafkaError, BusUnavailable) as error:
            log.warning("left to be read again", reason=repr(error))

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        try:
            if self._failure is None and not self._stopping.is_set():
                await self._settle(REVOKE_PATIENCE_S)
        except Exception as error:  # the client would only log it
            self._failure = error
        self._lanes.clear()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        places = sorted(assigned)
        try:
            known = await self._committed(places)
            begins = await self._consumer.beginning_offsets([tp for tp in places if tp not in known])
        except Exception as error:  # the client would only log it
            self._failure = error
            return
        # From here on nothing awaits: what was fetched before has no lane and is fetched again from here.
        sink = self._settings.sink
        for tp in places:
            entry = known.get(tp)
            begin = entry.offset if entry else begins[tp]
            self._consumer.seek(tp, begin)
            planned = entry.metadata if entry else ""
            self._lanes[tp] = Lane(
                tp, begin=begin, plan=planned, batch_rows=sink.batch_rows, flush_s=sink.flush_s
            )
        log.info("partitions", count=len(places))
        if places:
            self._assigned.set()

    async def _committed(self, places: list[TopicPartition]) -> dict[TopicPartition, OffsetAndMetadata]:
        """Offset and plan of each partition that has them. The consumer itself gives offsets alone."""
        if not places:  # the protocol takes "none" for "all"
            return {}
        entries = await self._admin.list_consumer_group_offsets(self._group, partitions=places)
        return {tp: entry for tp, entry in entries.items() if entry.offset >= 0}

    def _note_rows(self, table: str, count: int) -> None:
        self.metrics.rows.labels(table).inc(count)

    def _report(self) -> None:
        ends = {tp: self._consumer.highwater(tp) for tp in self._lanes}
        lag = sum(max(0, end - self._lanes[tp].begin) for tp, end in ends.items() if end is not None)
        self.metrics.lag.set(lag)
        self.metrics.buffered_bytes.set(self._buffered())
        log.info("sink", lag_records=lag, buffered_bytes=self._buffered())
