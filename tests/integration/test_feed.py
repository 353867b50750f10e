"""`replay --to-bus`: every line of a file on the raw topic of a real broker, keyed and dated."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from agents import feed as feeding
from agents.feed import feed
from agents.settings import Settings
from infra.kafka import admin
from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka
from schemas.dead_letter import decode_dead_letter
from schemas.event import encode_event
from schemas.partitioning import partition_for
from schemas.topics import DEAD_LETTERS, RAW_AZURE, RAW_NATIVE, Topic
from tests.malformed_corpus import corpus
from tests.property.events import StreamShape, make_stream

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def broker(kafka_factory: Callable[..., EmbeddedKafka]) -> EmbeddedKafka:
    return kafka_factory()


@pytest.fixture
async def settings(broker: EmbeddedKafka, make_settings: Callable[..., Settings]) -> Settings:
    """Fresh topics of three partitions on the module's broker."""
    cluster = Connection(bootstrap=broker.bootstrap)
    await admin.create_topics(cluster, 3, topics=[RAW_NATIVE, RAW_AZURE, DEAD_LETTERS])
    return make_settings(bus={"url": f"kafka://{broker.bootstrap}", "partitions": 3})


async def everything(settings: Settings, topic: Topic, count: int) -> list[ConsumerRecord]:
    """The first `count` records of a topic, whatever their order."""
    bootstrap = settings.bus.url.removeprefix("kafka://")
    reader = AIOKafkaConsumer(
        topic.name, bootstrap_servers=bootstrap, auto_offset_reset="earliest", max_partition_fetch_bytes=2**24
    )
    records: list[ConsumerRecord] = []
    async with reader:
        while len(records) < count:
            fetched = await reader.getmany(timeout_ms=10_000)
            assert fetched, f"{len(records)} of {count} records came"
            records += [record for run in fetched.values() for record in run]
    return records


async def test_native_lines_keep_bytes_key_order_and_time(settings: Settings, tmp_path: Path) -> None:
    events = make_stream(StreamShape(seed=4, events=800))
    recent = datetime.now(UTC) - timedelta(hours=10) - events[0].time
    lines = []
    for event in events:
        fields = json.loads(encode_event(event))
        fields |= {"time": (event.time + recent).isoformat(), "prompt": "raw"}
        lines.append(json.dumps(fields).encode())
    (tmp_path / "one.jsonl").write_bytes(b"\n".join(lines[::2]))
    (tmp_path / "two.jsonl").write_bytes(b"\n".join(lines[1::2]) + b"\n")
    done = await feed(settings, "native", [tmp_path / "one.jsonl", tmp_path / "two.jsonl"])
    assert (done.events, done.lines, done.rejected) == (800, 800, 0)
    records = await everything(settings, RAW_NATIVE, 800)
    assert sorted(record.value for record in records) == sorted(lines)
    for record in records:
        fields = json.loads(record.value)
        assert record.key == f"default:{fields['account_id']}".encode()
        assert record.partition == partition_for(record.key, 3)
    for partition in range(3):
        times = [json.loads(record.value)["time"] for record in records if record.partition == partition]
        assert times == sorted(times)


async def test_bad_lines_are_sent_too_and_only_what_no_topic_takes_is_refused(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "OVERHEAD_BYTES", RAW_AZURE.max_message_bytes - 500)
    now = datetime.now(UTC) - timedelta(hours=1)
    bad = [s.payload for s in corpus(40, now=now, huge=0) if b"\n" not in s.payload and len(s.payload) < 400]
    good = [f"{now:%Y-%m-%d %H:%M:%S}.000000{digit},1,2".encode() for digit in range(5)]
    lines = [b"TIMESTAMP,ContextTokens,GeneratedTokens", *good, *bad, b"x" * 1000]
    (tmp_path / "file.csv").write_bytes(b"\n".join(lines))
    done = await feed(settings, "azure", [tmp_path / "file.csv"])
    assert (done.skipped, done.rejected, done.events) == (1, 1, len(good) + len(bad))
    records = await everything(settings, RAW_AZURE, len(good) + len(bad))
    assert sorted(record.value for record in records) == sorted([*good, *bad])
    assert sum(record.key.startswith(b"default:acct-") for record in records) == 5
    (letter,) = [decode_dead_letter(record.value) for record in await everything(settings, DEAD_LETTERS, 1)]
    assert (letter.origin_offset, letter.payload, letter.stage) == (len(lines), b"x" * 1000, "feed")
