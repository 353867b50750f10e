"""A real fleet for tests: own broker, worker processes, and what one process would have said."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from agents.status import WorkerStatus, read_statuses
from infra.kafka import admin
from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka
from schemas.event import RequestEvent, encode_event
from schemas.finding import Finding
from schemas.partitioning import partition_for
from schemas.profile import AccountWindow, decode_profile
from schemas.topics import PROFILES, RAW_NATIVE, Topic
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.plane_output import PlaneOutput

SETTINGS = """
[bus]
partitions = {partitions}
[fleet]
idle_source_s = 2
idle_close_s = 2
{fleet}
"""


@dataclass
class Worker:
    """One ``stillwatch worker`` process."""

    process: subprocess.Popen[bytes]
    log: Path
    frozen: bool = False
    """Stopped by SIGSTOP."""

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """As a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout_s: float = 30) -> int:
        """SIGTERM; its exit code. Fails with the end of its log when it does not end."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            log = self.log.read_text()[-3000:]
            raise AssertionError(f"a worker did not end within {timeout_s} s of SIGTERM\n{log}") from None


@dataclass
class TestFleet:
    """Broker, topics and settings of one fleet, and its workers."""

    __test__ = False

    broker: EmbeddedKafka
    partitions: int = 4
    workers: list[Worker] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        return self.broker.folder.parent

    @property
    def connection(self) -> Connection:
        return Connection(bootstrap=self.broker.bootstrap)

    @property
    def settings_file(self) -> Path:
        return self.folder / "stillwatch.toml"

    async def prepare(self, fleet: str = "session_timeout_s = 5", *, topics: bool = True) -> None:
        """Settings file, with these lines in its ``[fleet]`` table, and topics."""
        data_dir = f'data_dir = "{self.folder}"\n'
        settings = SETTINGS.format(partitions=self.partitions, fleet=fleet)
        self.settings_file.write_text(data_dir + settings)
        if topics:
            await admin.create_topics(self.connection, self.partitions)

    def start_worker(self) -> Worker:
        """One more worker; returns at once."""
        log = self.folder / f"worker-{len(self.workers)}.log"
        command = [sys.executable, "-c", "from agents.cli import main; main()"]
        process = subprocess.Popen(
            [*command, "worker", "--config", str(self.settings_file)],
            stdout=log.open("wb"), stderr=subprocess.STDOUT, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self.workers.append(Worker(process, log))
        return self.workers[-1]

    def statuses(self) -> list[WorkerStatus]:
        """Of the workers that run."""
        alive = {worker.pid for worker in self.workers if worker.process.poll() is None}
        return [status for status in read_statuses(self.folder) if status.pid in alive]

    async def until(self, condition: Callable[[list[WorkerStatus]], bool], timeout_s: float = 90) -> None:
        """Wait for something to be true of the workers' statuses."""
        try:
            async with asyncio.timeout(timeout_s):
                while not condition(self.statuses()):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{self.statuses()}\n{self.logs()}") from None

    def logs(self) -> str:
        """Ends of all workers' logs, for a failure's message."""
        return "\n".join(f"--- {worker.log}\n{worker.log.read_text()[-3000:]}" for worker in self.workers)

    @property
    def running(self) -> list[Worker]:
        """Workers whose process has not ended."""
        return [worker for worker in self.workers if worker.process.poll() is None]

    def close(self) -> None:
        """End all that still runs."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()


async def feed(
    connection: Connection, events: Sequence[RequestEvent], per_s: float = 1e9, topic: Topic = RAW_NATIVE
) -> None:
    """Send events as a gateway would: keyed by account."""
    options = {**connection.client_options(), "acks": "all", "enable_idempotence": True}
    producer = AIOKafkaProducer(**options, linger_ms=5)
    await producer.start()
    try:
        begin = asyncio.get_running_loop().time()
        for number, event in enumerate(events):
            await producer.send(topic.name, encode_event(event), key=event.account_key.encode())
            if number % 100 == 0:
                early_s = begin + number / per_s - asyncio.get_running_loop().time()
                await asyncio.sleep(max(0, early_s))
        await producer.flush()
    finally:
        await producer.stop()


async def read_topic(connection: Connection, topic: Topic) -> list[ConsumerRecord]:
    """Every record of a topic, partition by partition."""
    consumer = AIOKafkaConsumer(topic.name, **connection.client_options(), enable_auto_commit=False)
    await consumer.start()
    try:
        places = [TopicPartition(topic.name, n) for n in consumer.partitions_for_topic(topic.name) or ()]
        consumer.unsubscribe()
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        records: list[ConsumerRecord] = []
        while [place for place in places if await consumer.position(place) < ends[place]]:
            for fetched in (await consumer.getmany(timeout_ms=200)).values():
                records += fetched
        return sorted(records, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()


def last_revisions(profiles: Iterable[AccountWindow]) -> dict[tuple[str, object], AccountWindow]:
    """The highest revision of each window."""
    best: dict[tuple[str, object], AccountWindow] = {}
    for profile in profiles:
        key = (profile.account_key, profile.window_start)
        if key not in best or profile.revision > best[key].revision:
            best[key] = profile
    return best


async def windows_complete(connection: Connection, requests: int, timeout_s: float = 90) -> None:
    """Wait until the closed windows on the bus hold this many requests."""
    counted = -1
    try:
        async with asyncio.timeout(timeout_s):
            while counted != requests:
                records = await read_topic(connection, PROFILES)
                windows = last_revisions(decode_profile(record.value) for record in records)
                counted = sum(window.requests for window in windows.values())
                await asyncio.sleep(0.3)
    except TimeoutError:
        raise AssertionError(f"windows hold {counted} of {requests} requests") from None


def replayed(
    events: Iterable[RequestEvent], partitions: int, config: DetectionConfig | None = None
) -> PlaneOutput:
    """What one process says about the same events: one plane per partition, no Kafka, no crash."""
    shares: list[list[RequestEvent]] = [[] for _ in range(partitions)]
    for event in events:
        shares[partition_for(event.account_key.encode(), partitions)].append(event)
    output = PlaneOutput()
    for number, share in enumerate(shares):
        plane = AccountPlane(config or DetectionConfig(), number)
        output.extend(plane.process(share))
        output.extend(plane.close_windows())
    return output


def without_repeats(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings by (id, sequence). A crash may repeat a message, but only word for word."""
    seen: dict[tuple[str, int], Finding] = {}
    for finding in findings:
        key = (finding.finding_id, finding.sequence)
        if key not in seen:
            seen[key] = finding
            yield finding
        assert seen[key] == finding, f"two versions of {key}:\n{seen[key]}\n{finding}"


def by_step(findings: Iterable[Finding], **fields: object) -> dict[tuple[str, int], Finding]:
    """Findings by (id, sequence), with these fields replaced."""
    replaced = (msgspec.structs.replace(finding, **fields) for finding in findings)
    return {(finding.finding_id, finding.sequence): finding for finding in replaced}
