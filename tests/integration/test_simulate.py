"""`simulate --to-bus`: the records of a folder, on the raw topic of a real broker, keyed by account."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agents.settings import Settings
from agents.simulation import EVENTS, Words, to_bus, to_folder
from infra.kafka import admin
from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka
from schemas.adapters.native import read
from schemas.errors import Fatal
from schemas.partitioning import partition_for
from schemas.topics import RAW_NATIVE
from streams.simulation.scenario import Scenario
from tests.integration.fleet import read_topic

pytestmark = pytest.mark.integration

WORLD = Scenario(accounts=40, duration_s=7200, campaigns=())


async def test_records_reach_the_raw_topic_as_a_folder_would_hold_them(
    kafka_factory: Callable[..., EmbeddedKafka], make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    broker = kafka_factory()
    connection = Connection(bootstrap=broker.bootstrap)
    settings = make_settings(bus={"url": f"kafka://{broker.bootstrap}", "partitions": 3})
    with pytest.raises(Fatal, match="topics create"):
        await to_bus(WORLD, Words.NONE, settings)
    await admin.create_topics(connection, 3, topics=[RAW_NATIVE])
    heard: list[int] = []
    sent = await to_bus(WORLD, Words.TEXT, settings, lambda so_far: heard.append(so_far.records))
    to_folder(WORLD, Words.TEXT, settings, tmp_path)
    lines = (tmp_path / EVENTS).read_bytes().splitlines()
    records = await read_topic(connection, RAW_NATIVE)
    assert sent.records == len(lines) == len(records) == heard[-1] > 50
    assert sorted(record.value for record in records) == sorted(lines)
    for record in records:
        assert record.key.decode() == read(record.value).account_key
        assert record.partition == partition_for(record.key, 3)
