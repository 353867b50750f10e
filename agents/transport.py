"""The run transport: Faust's Kafka driver, handing over one message per run of records.

Stock Faust spends 60-80 us of asyncio machinery on every record. Here one Faust message is a *run*:
consecutive records of one partition, as fetched, undecoded. Everything else stays Faust's: the consumer
group, rebalancing, flow control, agents, the commit timer.

Rules that make it safe:

- Agents iterate ``stream.noack().events()`` and call ``event.ack()`` when state and output of the run are
  acknowledged by Kafka. What is committed is the acknowledged *prefix* of the runs delivered, in delivery
  order, so offsets that are missing (compaction, transaction markers) need no book-keeping.
- Whatever moves the position (seek, rebalance) forgets all runs delivered and all records fetched before.
- Before partitions are given away, runs in hand are finished, flushed (`RunTransport.drain`) and committed.
  Stock Faust drops its acknowledgements first, which replays everything since the last commit.

Within a topic the partition whose next record is oldest goes first, and for `aligned_topics` a run is cut
before it gets `align_ms` ahead of the other partitions. Otherwise a backfill at full speed would read one
partition far ahead of the rest, and the rest would look late. What was produced together is read together.

Written for faust-streaming 0.15.3, mode 0.7 and aiokafka 0.14, which `pyproject.toml` pins.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from time import monotonic
from typing import Any, NamedTuple

import aiokafka
from aiokafka import ConsumerRecord, TopicPartition
from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, AppT
from faust.types.tuples import ConsumerMessage, ack_lock
from mode.utils.futures import notify

FETCH_WAIT_MS = 100
"""Longest wait of the broker for new data. While it waits for partitions at their end, aiokafka sends it no
request for those that have data, so this bounds how long a partition with data can stand still."""

PARTITION_FETCH_BYTES = 4 * 1024 * 1024
"""A run is at most what one fetch brings: some 3,000 requests. In runs of a quarter of that, a request costs
a plane half as much again."""

IDLE_S = 0.25
"""Longest fetch. A rebalance waits for the fetch under way before it moves the position."""
GRACE_S = 0.1
"""How long the other partitions of a topic wait for one that has data we do not hold yet."""
PATIENCE_S = 5.0
"""A partition that did not answer within `GRACE_S` is waited for again after this long."""
FINISH_S = 15.0
"""How long partitions that are being taken away wait for the runs in hand."""


class Run(ConsumerMessage):  # type: ignore[misc]
    """Consecutive records of one partition as one Faust message.

    `value` is the ``list[ConsumerRecord]``; `offset` and `timestamp` are those of the last record.
    """

    def __init__(self, tp: TP, records: list[ConsumerRecord], generation_id: int) -> None:
        last = records[-1]
        super().__init__(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000, last.timestamp_type,
            None, None, records, None, 0, 0, tp, generation_id=generation_id,
        )  # fmt: skip
        self.length = len(records)
        """Number of records; stays when an agent empties `value` to free memory early."""


class RunSchema(Schema):  # type: ignore[misc]
    """Hands a run on undecoded: the event's value is the list of records."""

    def compile(self, app: AppT, **_: Any) -> Callable[..., Awaitable[Any]]:
        create_event = app.create_event

        async def decode(run: Run, *, propagate: bool = False) -> Any:
            return create_event(None, run.value, None, run)

        return decode


class Progress(NamedTuple):
    """How far one partition has come."""

    committed: int | None
    """Next offset the group would start from; `None` before the first commit seen here."""
    fetched: int | None
    """Offset after the last record fetched."""
    end: int | None
    """Offset after the last record in Kafka, as of the last fetch."""
    in_hand: int
    """Records fetched, or delivered and not yet acknowledged."""


class RunConsumerThread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    """The thread that talks to Kafka, with a consumer set up for runs and for our security settings."""

    def _create_worker_consumer(self, transport: RunTransport) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        self._assignor = self.app.assignor  # sticky: most state stays where it is when a worker joins
        return aiokafka.AIOKafkaConsumer(
            **transport.client_options,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
        )

    def highwater(self, tp: TP) -> int | None:
        """End of what may be read: before transactions that are still open. `None` while not known."""
        consumer = self._ensure_consumer()
        return consumer.last_stable_offset(tp) if consumer._subscription.is_assigned(tp) else None

    def reached(self, tp: TP) -> int | None:
        """Offset up to which everything was handed out by aiokafka, or holds no record at all."""
        assignment = self._ensure_consumer()._subscription.subscription.assignment
        state = assignment.state_value(TopicPartition(*tp)) if assignment is not None else None
        return state.position if state is not None and state.has_valid_position else None

    @property
    def is_member(self) -> bool:
        """False once the group has thrown this worker out: its partitions are somebody else's already."""
        return self._consumer is not None and self._consumer._coordinator.generation >= 0


class RunConsumer(driver.Consumer):  # type: ignore[misc]
    """Fetches records, hands over runs, commits the acknowledged prefix."""

    transport: RunTransport
    _thread: RunConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._fetched: defaultdict[TP, list[ConsumerRecord]] = defaultdict(list)
        self._delivered: defaultdict[TP, deque[Run]] = defaultdict(deque)
        self._next_offset: dict[TP, int] = {}
        self._passed: dict[TP, int] = {}
        """Offset of a partition when nothing of it was in hand: beyond all records and trailing gaps."""
        self._starving_since: dict[TP, float] = {}
        self._last_topic = ""
        self._position = asyncio.Lock()
        """Held while fetching and while seeking, so that no fetch returns records from before a seek."""

    def _new_consumer_thread(self) -> RunConsumerThread:
        return RunConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # ---- fetching and handing over

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Run]]:
        """Fetch, then yield runs until a partition should be fetched again."""
        generation = self.app.consumer_generation_id
        await self._fetch(timeout)
        while self.flow_active and not self.should_stop and generation == self.app.consumer_generation_id:
            tp = self._oldest()
            if tp is None:
                return
            records = self._fetched[tp]
            length = self._cut(tp, records)
            run = Run(tp, records[:length], generation)
            del records[:length]
            self._delivered[tp].append(run)
            self._last_topic = tp.topic
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, run

    async def _fetch(self, timeout_s: float) -> None:
        """Add to `_fetched` what Kafka has for partitions of which little is held."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        async with self._position:
            readable = self._readable()
            if not self.flow_active or not readable:
                await asyncio.sleep(GRACE_S)
                return
            wanted = {tp for tp in readable if len(self._fetched[tp]) < self.transport.run_records}
            held = any(self._fetched[tp] for tp in readable)
            gracious = held and self._oldest() is None
            if gracious:
                # the other topics go on being read: a raw topic that always waits for some partition of its
                # own would else keep the requests that are made of it unread
                aligned = self.transport.aligned_topics
                wanted = {tp for tp in wanted if tp.topic not in aligned or not self._fetched[tp]}
            if not wanted:
                return
            wait_s = GRACE_S if gracious else 0 if held else min(timeout_s, IDLE_S)
            records: Mapping[TP, list[ConsumerRecord]] = await self._getmany(wanted, wait_s)
            if not self.flow_active:
                return  # a seek to the committed offsets comes before the flow is resumed
            for tp, fetched in records.items():
                self._fetched[tp] += fetched
                self._next_offset[tp] = fetched[-1].offset + 1
            if not records:
                self._note_passed(wanted)

    def _note_passed(self, partitions: Iterable[TP]) -> None:
        """Markers of transactions after the last record are never delivered, but lag until committed."""
        for tp in partitions:
            if not self._fetched[tp] and not self._delivered[tp] and (offset := self._thread.reached(tp)):
                self._passed[tp] = offset

    def _readable(self) -> set[TP]:
        """Partitions neither paused nor revoked. A full agent queue pauses none: it blocks the delivery."""
        readable: set[TP] = self._get_active_partitions() | self._buffered_partitions
        return readable

    def _starving(self, topic: str) -> bool:
        """Whether to wait for a partition of `topic` that has records in Kafka, but none here."""
        now, wait = monotonic(), False
        for tp in self._readable():
            if tp.topic != topic:
                continue
            end = self.highwater(tp)
            if self._fetched[tp] or (end is not None and end <= self._next_offset.get(tp, 0)):
                self._starving_since.pop(tp, None)
            else:
                since = self._starving_since.setdefault(tp, now)
                wait = wait or (now - since) % PATIENCE_S < GRACE_S
        return wait

    def _oldest(self) -> TP | None:
        """Partition to hand over next: topics take turns, in a topic the oldest record goes first."""
        ready: dict[str, list[TP]] = defaultdict(list)
        for tp in self._readable():
            if self._fetched[tp]:
                ready[tp.topic].append(tp)
        for topic in sorted(ready, key=lambda name: (name <= self._last_topic, name)):
            if topic not in self.transport.aligned_topics or not self._starving(topic):
                return min(ready[topic], key=lambda tp: (self._fetched[tp][0].timestamp, tp.partition))
        return None

    def _cut(self, tp: TP, records: list[ConsumerRecord]) -> int:
        """Number of records of the next run."""
        length = min(len(records), self.transport.run_records)
        if tp.topic in self.transport.aligned_topics:
            heads = (
                held[0].timestamp
                for other, held in self._fetched.items()
                if held and other.topic == tp.topic and other != tp
            )
            horizon_ms = min(heads, default=records[length - 1].timestamp) + self.transport.align_ms
            if records[length - 1].timestamp > horizon_ms:
                length = max(1, bisect_right(records, horizon_ms, 0, length, key=attrgetter("timestamp")))
        return length

    # ---- acknowledging and committing

    def ack(self, message: Run) -> bool:
        """Mark a run as done; called by ``event.ack()``."""
        with ack_lock:
            if message.acked:
                return False
            message.acked = True
            self._unacked_messages.discard(message)
            self._n_acked += 1
        notify(self._waiting_for_ack)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: a missing offset is covered by the run that follows it."""

    def _filter_tps_with_pending_acks(self, topics: Iterable[Any] | None = None) -> Iterator[TP]:
        known = {*self._delivered, *self._passed}
        return (tp for tp in known if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        runs, offset = self._delivered[tp], self._passed.get(tp)
        while runs and runs[0].acked:
            offset = runs.popleft().offset + 1
        return offset

    def progress(self) -> dict[TP, Progress]:
        """How far each assigned partition has come."""
        return {
            tp: Progress(
                committed=self._committed_offset[tp],
                fetched=self._next_offset.get(tp),
                end=self.highwater(tp),
                in_hand=len(self._fetched[tp]) + sum(run.length for run in self._delivered[tp]),
            )
            for tp in self.assignment()
        }

    # ---- moving the position

    def _forget(self, partitions: Iterable[TP]) -> None:
        for tp in list(partitions):
            self._fetched.pop(tp, None)
            self._delivered.pop(tp, None)
            self._next_offset.pop(tp, None)
            self._passed.pop(tp, None)
            self._starving_since.pop(tp, None)

    async def perform_seek(self) -> None:
        """Go back to the committed offsets everywhere; where there are none, to the beginning."""
        async with self._position:
            self._forget({*self._fetched, *self._delivered, *self._next_offset, *self._passed})
            await super().perform_seek()
            # aiokafka leaves the position of the others where it is: what was fetched before would be lost
            fresh = [TopicPartition(*tp) for tp in self.assignment() if not self._read_offset[tp]]
            if fresh:
                await self._thread.seek_to_beginning(*fresh)
            self._next_offset.update({tp: offset for tp, offset in self._read_offset.items() if offset})

    async def seek(self, partition: TP, offset: int) -> None:
        """Go to an offset of one partition."""
        async with self._position:
            self._forget([partition])
            await super().seek(partition, offset)
            self._next_offset[partition] = offset

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Go to an offset of each partition and wait until Kafka has confirmed."""
        async with self._position:
            self._forget(partitions)
            await super().seek_wait(partitions)
            self._next_offset.update(partitions)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish what is in hand before anybody else may start on it."""
        if not self.should_stop and self._thread.is_member:
            try:
                await self.finish()
            except Exception as error:
                await self.crash(error)
        self._forget(revoked)
        await super().on_partitions_revoked(revoked)

    async def finish(self) -> None:
        """Hand over no more runs; wait until those in hand are acknowledged, and commit them."""
        self.stop_flow()
        self.app.flow_control.suspend()
        try:
            async with asyncio.timeout(FINISH_S):
                while any(run.tracked and not run.acked for runs in self._delivered.values() for run in runs):
                    await self.transport.drain()
                    await asyncio.sleep(0.005)
        except TimeoutError:
            self.log.warning("runs in hand were not finished in %s s; the next owner repeats them", FINISH_S)
        while self._commit_fut is not None:  # `commit` would only join the one under way, and commit nothing
            await self.maybe_wait_for_commit_to_finish()
        await self.commit()


class RunProducer(driver.Producer):  # type: ignore[misc]
    """Faust's own producer. The fleet writes through `agents.outbox`; this one only has to connect."""

    def _settings_extra(self) -> Mapping[str, Any]:
        options: Mapping[str, Any] = self.transport.client_options
        return options


async def _nothing() -> None:
    pass


class RunTransport(driver.Transport):  # type: ignore[misc]
    """Set on an app with ``app.transport = RunTransport(app, ...)``; all its topics then come in runs.

    Args:
        client_options: aiokafka client arguments: ``bootstrap_servers`` and security.
        run_records: most records in one run.
        aligned_topics: topics whose partitions are kept together, by when their records were produced.
        align_ms: how far a run may get ahead of the oldest record held of its topic.
    """

    Consumer = RunConsumer
    Producer = RunProducer

    drain: Callable[[], Awaitable[None]] = staticmethod(_nothing)
    """Called, repeatedly, while runs in hand are waited for: flush now what the agents would flush later."""

    def __init__(
        self,
        app: AppT,
        client_options: Mapping[str, Any],
        *,
        run_records: int = 4000,
        aligned_topics: Iterable[str] = (),
        align_ms: int = 30_000,
    ) -> None:
        super().__init__(list(app.conf.broker), app)
        self.client_options = dict(client_options)
        self.run_records = run_records
        self.aligned_topics = frozenset(aligned_topics)
        self.align_ms = align_ms
