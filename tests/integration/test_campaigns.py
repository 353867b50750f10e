"""A hydra through Kafka: two workers, one of them killed, say what replay says about the same events."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest

from agents.replay import Outputs, Replay
from agents.settings import load
from infra.kafka.embedded import EmbeddedKafka
from schemas.event import RequestEvent, encode_event
from schemas.finding import Finding, decode_finding
from schemas.topics import FINDINGS
from tests.integration.fleet import TestFleet, feed, read_topic, without_repeats

pytestmark = pytest.mark.integration

START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=30)
PARTITIONS = 2
CARD = "hmac-sha256:00ca4d"


def events() -> list[RequestEvent]:
    """A day: 150 people, each with their sittings, and 30 new accounts on one card that never sleep."""
    rng, times = random.Random(1), []
    for account in range(150):
        for _ in range(rng.randrange(1, 5)):
            at_s = rng.uniform(0, 86_000)
            for _ in range(rng.randrange(1, 12)):
                times.append((at_s, f"person-{account}"))
                at_s += rng.expovariate(1 / 60)
    times += [(rng.uniform(0, 86_400), f"hydra-{account}") for account in range(30) for _ in range(24)]
    result = []
    for number, (at_s, account) in enumerate(sorted(time for time in times if time[0] < 86_400)):
        hydra = account.startswith("hydra")
        result.append(
            RequestEvent(
                schema_version=1,
                event_id=f"e{number}",
                time=START + timedelta(seconds=round(at_s, 3)),
                account_id=account,
                account_created_at=START - timedelta(days=1 if hydra else 400),
                payment_hash=CARD if hydra else f"hmac-sha256:{hash_of(account)}",
                request_model="model",
            )
        )
    return result


def hash_of(account: str) -> str:
    return f"{random.Random(account).getrandbits(64):016x}"


def replayed(fleet: TestFleet, stream: list[RequestEvent]) -> list[Finding]:
    """Campaign findings of ``stillwatch replay`` over a file of the same records."""
    file, findings = fleet.folder / "requests.jsonl", BytesIO()
    file.write_bytes(b"".join(encode_event(event) + b"\n" for event in stream))
    Replay(load(fleet.settings_file), "native", Outputs(findings=findings), partitions=PARTITIONS).run([file])
    told = [decode_finding(line) for line in findings.getvalue().splitlines()]
    return [one for one in told if one.subject_kind == "campaign"]


@pytest.fixture
def fleet(kafka_factory: Callable[..., EmbeddedKafka]) -> Iterator[TestFleet]:
    fleet = TestFleet(kafka_factory(), partitions=PARTITIONS)
    yield fleet
    fleet.close()
    fleet.broker.stop()


async def campaigns(fleet: TestFleet) -> list[Finding]:
    told = [decode_finding(record.value) for record in await read_topic(fleet.connection, FINDINGS)]
    found = without_repeats(one for one in told if one.subject_kind == "campaign")
    return sorted(found, key=lambda one: (one.time, one.finding_id, one.sequence))


async def test_a_hydra_is_found_live_as_in_replay(fleet: TestFleet) -> None:
    stream = events()
    await fleet.prepare("session_timeout_s = 5\ncheckpoint_s = 0.5")
    expected = replayed(fleet, stream)
    assert expected[-1].members == tuple(sorted(f"hydra-{number}" for number in range(30)))
    first, _ = fleet.start_worker(), fleet.start_worker()
    await fleet.until(lambda all_: len(all_) == 2 and all(one.state == "running" for one in all_))
    feeding = asyncio.create_task(feed(fleet.connection, stream, per_s=500))
    await fleet.until(lambda all_: sum(one.events for one in all_) > len(stream) // 3)
    first.kill()
    await feeding
    async with asyncio.timeout(90):
        while len(got := await campaigns(fleet)) < len(expected):
            await asyncio.sleep(0.5)
    assert [(one.finding_id, one.sequence, one.members) for one in got] == [
        (one.finding_id, one.sequence, one.members) for one in expected
    ]
