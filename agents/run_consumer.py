"""`RunConsumer`: fetches records, hands them over in runs, commits what is acknowledged.

Rules that make it safe:

- Agents iterate ``stream.noack().events()`` and call ``event.ack()`` when state and output of the run are
  acknowledged by Kafka.
- Whatever moves the position (seek, rebalance) forgets all runs delivered and all records fetched before.
- Before partitions are given away, runs in hand are finished, flushed (``RunTransport.drain``) and committed.
  Stock Faust drops its acknowledgements first, which replays everything since the last commit.

Which run comes next, and what of it is done, is in `agents.run_queue`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ack_lock
from mode.utils.futures import notify

from agents.consumer_thread import RunConsumerThread
from agents.run_queue import GRACE_S, RunQueue
from agents.runs import Run

IDLE_S = 0.25
"""Longest fetch. A rebalance waits for the fetch under way before it moves the position."""
FINISH_S = 15.0
"""How long partitions that are being taken away wait for the runs in hand."""
DELETED = "were deleted before they were read"
"""In the log, where records are lost."""


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


class RunConsumer(driver.Consumer):  # type: ignore[misc]
    """Fetches records, hands over runs, commits the acknowledged prefix."""

    _thread: RunConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        transport = self.transport
        self.runs = RunQueue(
            transport.run_records, transport.aligned_topics, transport.align_ms, end=self.highwater
        )
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
            tp = self.runs.next(self._readable())
            if tp is None:
                return
            run = self.runs.take(tp, generation)
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            yield tp, run

    async def _fetch(self, timeout_s: float) -> None:
        """Get what Kafka has for partitions of which little is held."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        async with self._position:
            readable = self._readable()
            if not self.flow_active or not readable:
                await asyncio.sleep(GRACE_S)
                return
            wanted = self.runs.wanting(readable)
            held = self.runs.holds(readable)
            gracious = held and self.runs.next(readable) is None
            if gracious:
                wanted = self.runs.wanting_to_align(wanted)
            if not wanted:
                return
            wait_s = GRACE_S if gracious else 0 if held else min(timeout_s, IDLE_S)
            records: Mapping[TP, list[ConsumerRecord]] = await self._getmany(wanted, wait_s)
            passed = {} if records else {tp: at for tp in wanted if (at := self._thread.reached(tp))}
            await self._note_lost({tp: found[0].offset for tp, found in records.items()} | passed)
            if not self.flow_active:
                return  # a seek to the committed offsets comes before the flow is resumed
            self.runs.add(records)
            self.runs.note_passed(passed)

    async def _note_lost(self, reached: Mapping[TP, int]) -> None:
        """Tell of records that Kafka has deleted before anybody here read them.

        Offsets are also missing where a transaction ended, so Kafka is asked where the log begins. What is
        not committed before the next rebalance may be told again.
        """
        gaps = {tp: at for tp in reached if (at := self.runs.fetched_to(tp)) is not None and at < reached[tp]}
        if not gaps:
            return
        try:
            begins = await self.earliest_offsets(*gaps)
        except KafkaError as error:
            self.log.warning("not known whether records of %s are lost: %r", sorted(gaps), error)
            return
        for tp, offset in gaps.items():
            if begins[tp] > offset:
                self.log.error("%s records of %s %s: lengthen retention", begins[tp] - offset, tp, DELETED)
                self.transport.lost(tp.topic, begins[tp] - offset)

    def _readable(self) -> set[TP]:
        """Partitions neither paused nor revoked. A full agent queue pauses none: it blocks the delivery."""
        readable: set[TP] = self._get_active_partitions() | self._buffered_partitions
        return readable

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
        return (tp for tp in self.runs.known() if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self.runs.done(tp)

    def progress(self) -> dict[TP, Progress]:
        """How far each assigned partition has come."""
        return {
            tp: Progress(
                committed=self._committed_offset[tp],
                fetched=self.runs.fetched_to(tp),
                end=self.highwater(tp),
                in_hand=self.runs.in_hand(tp),
            )
            for tp in self.assignment()
        }

    # ---- moving the position

    async def perform_seek(self) -> None:
        """Go back to the committed offsets everywhere; where there are none, to the beginning."""
        async with self._position:
            self.runs.forget()
            await super().perform_seek()
            # aiokafka leaves the position of the others where it is: what was fetched before would be lost
            fresh = [TopicPartition(*tp) for tp in self.assignment() if not self._read_offset[tp]]
            if fresh:
                await self._thread.seek_to_beginning(*fresh)
            self.runs.goes_on_at({tp: offset for tp, offset in self._read_offset.items() if offset})

    async def seek(self, partition: TP, offset: int) -> None:
        """Go to an offset of one partition."""
        async with self._position:
            self.runs.forget([partition])
            await super().seek(partition, offset)
            self.runs.goes_on_at({partition: offset})

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        """Go to an offset of each partition and wait until Kafka has confirmed."""
        async with self._position:
            self.runs.forget(partitions)
            await super().seek_wait(partitions)
            self.runs.goes_on_at(partitions)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Finish what is in hand before anybody else may start on it."""
        if not self.should_stop and self._thread.is_member:
            try:
                await self.finish()
            except Exception as error:
                await self.crash(error)
        self.runs.forget(revoked)
        await super().on_partitions_revoked(revoked)

    async def finish(self) -> None:
        """Hand over no more runs; wait until those in hand are acknowledged, and commit them."""
        self.stop_flow()
        self.app.flow_control.suspend()
        try:
            async with asyncio.timeout(FINISH_S):
                while self.runs.unfinished():
                    await self.transport.drain()
                    await asyncio.sleep(0.005)
        except TimeoutError:
            self.log.warning("runs in hand were not finished in %s s; the next owner repeats them", FINISH_S)
        while self._commit_fut is not None:  # `commit` would only join the one under way, and commit nothing
            await self.maybe_wait_for_commit_to_finish()
        await self.commit()
