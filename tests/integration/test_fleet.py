"""One worker process against real Kafka: from raw records to requests, dead letters, findings, profiles."""

from __future__ import annotations

import asyncio
import os
import signal
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from agents.ingest import ORIGIN, source_of, unpack_origin
from agents.readers import reader
from agents.settings import load
from infra.kafka import admin
from infra.kafka.embedded import EmbeddedKafka
from infra.ports import free_port
from schemas.control import Suppression, control_key, encode_control
from schemas.dead_letter import decode_dead_letter
from schemas.event import decode_event
from schemas.finding import decode_finding
from schemas.partitioning import partition_for
from schemas.profile import decode_profile
from schemas.topics import (
    ALERTS,
    CONTROL,
    DEAD_LETTERS,
    FINDINGS,
    PROFILES,
    RAW_AZURE,
    RAW_NATIVE,
    REQUESTS,
)
from tests.chaos.traffic import traffic
from tests.integration.fleet import (
    TestFleet,
    by_step,
    feed,
    last_revisions,
    read_topic,
    replayed,
    windows_complete,
    without_repeats,
)

pytestmark = pytest.mark.integration

MALFORMED = [
    b"",
    b"{",
    b"\xff\xfe",
    b'{"schema_version": 1}',
    b'{"schema_version":1,"event_id":"e","account_id":"a","time":"2026-11-23T00:00:00"}',
    b'{"schema_version":1,"event_id":"e","account_id":"a","time":"2026-11-23T00:00:00Z","input_tokens":-1}',
    b"[" * 100_000,
    None,
]

AZURE = [
    b"TIMESTAMP,ContextTokens,GeneratedTokens",
    *(f"2026-11-23 00:00:{second:02d}.0000000,10,20".encode() for second in range(40)),
]
NOW_MS = 1_795_500_000_000


@pytest.fixture
async def fleet(kafka_factory: Callable[..., EmbeddedKafka]) -> AsyncIterator[TestFleet]:
    fleet = TestFleet(kafka_factory())
    yield fleet
    fleet.close()
    fleet.broker.stop()


async def test_raw_records_become_requests_findings_profiles_and_dead_letters(fleet: TestFleet) -> None:
    """Two formats, one of which soon falls silent and must not hold event time back; and bad records."""
    port = free_port()
    await fleet.prepare(f"metrics_port = {port}\nsession_timeout_s = 5")
    events = traffic(seed=3, count=6000)
    azure = reader(load(fleet.settings_file), "azure")
    events += [event for line in AZURE if (event := azure.read(line, now_ms=NOW_MS)) is not None]
    silenced = Suppression(id="known", subject_id="farm-1", until=datetime(2030, 1, 1, tzinfo=UTC))
    producer = AIOKafkaProducer(**fleet.connection.client_options())
    await producer.start()
    await producer.send(CONTROL.name, encode_control(silenced), key=control_key(silenced).encode())
    for number, value in enumerate(MALFORMED):
        await producer.send(RAW_NATIVE.name, value, key=b"bad", partition=number % fleet.partitions)
    for line in AZURE:
        await producer.send(RAW_AZURE.name, line)
    await producer.send_and_wait(REQUESTS.name, b"no event", key=b"default:x", partition=2)
    await producer.stop()

    worker = fleet.start_worker()
    await feed(fleet.connection, events[:6000])
    await windows_complete(fleet.connection, len(events))

    requests = await read_topic(fleet.connection, REQUESTS)
    taken = [record for record in requests if record.headers]
    assert len(requests) == len(taken) + 1
    assert sorted(decode_event(r.value).event_id for r in taken) == sorted(e.event_id for e in events)
    for record in taken[::100]:
        event = decode_event(record.value)
        assert record.key == event.account_key.encode()
        assert record.partition == partition_for(record.key, fleet.partitions)
    origins = {unpack_origin(dict(record.headers)[ORIGIN]) for record in taken}
    assert len(origins) == len(events)
    assert {origin.source for origin in origins} == {source_of(RAW_NATIVE.name), source_of(RAW_AZURE.name)}

    letters = [decode_dead_letter(r.value) for r in await read_topic(fleet.connection, DEAD_LETTERS)]
    assert Counter(letter.stage for letter in letters) == {"ingest": len(MALFORMED), "accounts": 1}
    assert sorted(letter.payload for letter in letters if letter.stage == "ingest") == sorted(
        value or b"" for value in MALFORMED
    )
    naive = next(letter for letter in letters if letter.payload == MALFORMED[4])
    assert (naive.field, naive.origin_topic) == ("time", RAW_NATIVE.name)
    assert all(letter.reason for letter in letters)

    expected = replayed(events, fleet.partitions)
    profiles = [decode_profile(record.value) for record in await read_topic(fleet.connection, PROFILES)]
    assert last_revisions(profiles) == last_revisions(expected.profiles)
    findings = list(
        without_repeats(decode_finding(r.value) for r in await read_topic(fleet.connection, FINDINGS))
    )
    assert {finding.subject_id for finding in findings} == {"farm-0", "farm-1"}
    assert {f.suppressed_by for f in findings if f.subject_id == "farm-1"} == {"known"}
    assert by_step(findings, suppressed_by=None) == by_step(expected.findings)
    alerts = await read_topic(fleet.connection, ALERTS)
    assert {record.key.decode() for record in alerts} == {
        finding.finding_id for finding in findings if finding.subject_id == "farm-0"
    }

    (status,) = fleet.statuses()
    assert (status.events, status.accounts) == (len(events), len({e.account_key for e in events}))
    page = await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/metrics")
    assert f'stillwatch_events_total{{outcome="accepted",source="accounts"}} {len(events)}.0' in page
    assert 'stillwatch_group_planes{plane="campaigns",what="open_campaigns"} 0.0' in page
    assert f'dead_letters_total{{reason="MalformedRecord",stage="ingest"}} {len(MALFORMED)}.0' in page
    assert worker.stop() == 0, fleet.logs()
    assert fleet.statuses() == []


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as page:
        return page.read().decode()


async def test_a_worker_that_cannot_work_says_why(fleet: TestFleet) -> None:
    await fleet.prepare("commit_stall_s = 3\nsession_timeout_s = 5", topics=False)
    worker = fleet.start_worker()
    assert await asyncio.to_thread(worker.process.wait, 60) == 1
    assert "stillwatch topics create" in " ".join(worker.log.read_text().split())

    await admin.create_topics(fleet.connection, fleet.partitions)
    worker = fleet.start_worker()
    await fleet.until(lambda all_: any(status.state == "running" for status in all_))
    fleet.broker.kill()
    assert await asyncio.to_thread(worker.process.wait, 60) == 1, fleet.logs()
    assert "worker ends" in worker.log.read_text()


@pytest.mark.timeout(180)
async def test_a_topic_that_was_away_for_a_moment_is_read_again(fleet: TestFleet) -> None:
    """A broker that comes back may not know its topics at once; whoever shares them out leaves some out."""
    await fleet.prepare()
    fleet.start_worker()
    await fleet.until(lambda all_: any(status.partitions for status in all_))
    client = AIOKafkaAdminClient(**fleet.connection.client_options())
    await client.start()
    try:
        await client.delete_topics([RAW_NATIVE.name])
        await fleet.until(lambda _: "Ignoring missing topic" in fleet.logs(), timeout_s=60)
        await admin.create_topics(fleet.connection, fleet.partitions)
    finally:
        await client.close()
    events = traffic(seed=4, count=500)
    await feed(fleet.connection, events)
    await windows_complete(fleet.connection, len(events), timeout_s=60)


async def test_a_worker_ends_although_the_broker_does_not_answer(fleet: TestFleet) -> None:
    await fleet.prepare()
    os.kill(fleet.broker.pid, signal.SIGSTOP)
    try:
        worker = fleet.start_worker()
        await fleet.until(lambda _: "worker begins" in fleet.logs(), timeout_s=30)
        assert await asyncio.to_thread(worker.stop, 20) == 0, fleet.logs()
    finally:
        os.kill(fleet.broker.pid, signal.SIGCONT)
