"""The embedded broker as its users meet it: start, crash, restart, and what outlives them."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from infra.kafka import admin, embedded, endpoint
from infra.kafka.broker_config import server_properties
from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka
from schemas.errors import BusUnavailable, InvalidSetting, MissingDependency
from schemas.topics import Topic

pytestmark = pytest.mark.integration

EVENTS = Topic(name="events", key="any", value="any", partitions=2)
PARTITIONS = [TopicPartition(EVENTS.name, number) for number in range(2)]


def to(broker: EmbeddedKafka) -> Connection:
    return Connection(bootstrap=broker.bootstrap)


@asynccontextmanager
async def consumer(broker: EmbeddedKafka, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
    client = AIOKafkaConsumer(
        **to(broker).client_options(),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await client.start()
    try:
        yield client
    finally:
        await client.stop()


async def produce(broker: EmbeddedKafka, values: list[bytes]) -> None:
    """Send, and return when every record is acknowledged."""
    async with AIOKafkaProducer(**to(broker).client_options()) as producer:
        for value in values:
            await producer.send(EVENTS.name, value, key=value)


async def consume(broker: EmbeddedKafka) -> list[bytes]:
    """All values of the topic, sorted."""
    values: list[bytes] = []
    async with consumer(broker) as client:
        client.assign(PARTITIONS)
        wanted = sum((await client.end_offsets(PARTITIONS)).values())
        while len(values) < wanted:
            for records in (await client.getmany(timeout_ms=200)).values():
                values += [record.value for record in records]
    return sorted(values)


async def test_data_outlives_a_stop(kafka_factory: Callable[..., EmbeddedKafka]) -> None:
    broker = kafka_factory()
    address, values = broker.bootstrap, [b"%03d" % number for number in range(200)]
    await admin.create_topics(to(broker), 2, topics=[EVENTS])
    await produce(broker, values)
    assert await consume(broker) == values

    async with consumer(broker, "group") as member:
        member.assign(PARTITIONS)
        await member.commit({PARTITIONS[0]: 17})

    broker.stop()
    assert not broker.running
    assert broker.pid is None
    assert endpoint.read(broker.folder) is None
    assert not (broker.folder / "endpoint.json").exists()

    # In another object, as after a restart of our own process, on a port of the user's choice.
    port = int(address.rpartition(":")[2])
    again = kafka_factory(broker.folder.parent, port=port)
    assert again.bootstrap == address
    assert await consume(again) == values
    async with consumer(again, "group") as member:
        assert await committed(member) == 17
    again.stop()


async def committed(member: AIOKafkaConsumer) -> int | None:
    """Committed offset of the first partition. A broker that has just come back may say "none" until its
    coordinator has caught up; what is still none after a while is lost."""
    for _ in range(60):
        offset: int | None = await member.committed(PARTITIONS[0])
        if offset is not None:
            return offset
        await asyncio.sleep(0.5)
    return None


async def test_acknowledged_records_outlive_a_kill(kafka_factory: Callable[..., EmbeddedKafka]) -> None:
    broker = kafka_factory()
    address = broker.bootstrap
    await admin.create_topics(to(broker), 2, topics=[EVENTS])
    await produce(broker, [b"%04d" % number for number in range(2000)])

    pid = broker.pid
    assert pid is not None
    assert endpoint.read(broker.folder) == endpoint.Endpoint(bootstrap=address, pid=pid)
    os.kill(pid, signal.SIGKILL)
    broker.kill()  # waits until it is gone
    assert not broker.running
    assert (broker.folder / "endpoint.json").exists(), "a crash tidies nothing up"
    assert endpoint.read(broker.folder) is None, "and yet nobody takes the broker for alive"

    broker.start()
    assert broker.bootstrap == address
    assert len(await consume(broker)) == 2000
    broker.stop()


async def test_a_second_broker_keeps_to_itself(
    kafka: Connection,
    kafka_factory: Callable[..., EmbeddedKafka],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also: a folder with a space and an accent, and a cluster id that looks like an option."""
    monkeypatch.setattr(embedded.uuid, "uuid4", lambda: uuid.UUID(bytes=b"\xf8" + bytes(15)))
    monkeypatch.setenv("LC_ALL", "POSIX")
    progress: list[str] = []
    folder = tmp_path / "données 1"
    broker = kafka_factory(folder, progress=progress.append)
    assert progress == ["starting Apache Kafka"]
    assert broker.bootstrap != kafka.bootstrap
    await admin.create_topics(to(broker), 2, topics=[EVENTS])
    assert EVENTS.name in await admin.list_topics(to(broker))
    assert EVENTS.name not in await admin.list_topics(kafka)

    monkeypatch.setattr(embedded, "PATIENCE_S", 0.0)
    with pytest.raises(InvalidSetting, match=r"runs in .* already") as raised:
        EmbeddedKafka(folder).start()
    assert raised.value.setting == "data_dir"
    assert EVENTS.name in await admin.list_topics(to(broker)), "the one that runs is untouched"
    broker.stop()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(InvalidSetting, match=str(port)):
            EmbeddedKafka(tmp_path, port=port).start()
    assert endpoint.read(tmp_path / "kafka") is None


def test_missing_java_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(MissingDependency, match="no `java` in PATH"):
        EmbeddedKafka(tmp_path / "run").start()
    assert not (tmp_path / "run").exists()


def test_a_broker_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = server_properties(tmp_path / "kafka", 20_000, 20_001) | {"num.io.threads": "none"}
    monkeypatch.setattr(embedded, "server_properties", lambda *_: wrong)
    with pytest.raises(BusUnavailable, match=r"num\.io\.threads"):
        EmbeddedKafka(tmp_path).start()
    assert endpoint.read(tmp_path / "kafka") is None


PARENT = """
import signal, sys, threading
from pathlib import Path
from infra.kafka.embedded import EmbeddedKafka

broker = EmbeddedKafka(Path(sys.argv[1]), heap_mb=256)
starter = threading.Thread(target=broker.start)    # the thread that started it ends, the broker must not
starter.start()
starter.join()
print(broker.pid, flush=True)
signal.pause()
"""


def test_broker_ends_with_its_parent_and_the_next_one_may_come(
    tmp_path: Path, kafka_factory: Callable[..., EmbeddedKafka]
) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert endpoint.read(tmp_path / "kafka") is not None
    watch = os.pidfd_open(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    successor = kafka_factory(tmp_path)  # waits for the orphan to let go of the folder
    assert ended(watch)
    assert successor.running
    successor.stop()


def ended(watch: int) -> bool:
    """Whether the process behind a pidfd has ended. One that nobody reaps has, too."""
    readable, _, _ = select.select([watch], [], [], 0)
    os.close(watch)
    return bool(readable)
