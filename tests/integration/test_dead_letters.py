"""Dead letters on the command line: seen, and sent again once."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer

from schemas.topics import DEAD_LETTERS, RAW_NATIVE
from tests.integration.fleet import TestFleet, read_topic
from tests.integration.pipeline import Pipeline

pytestmark = pytest.mark.integration

BAD = [b'{"schema_version": 1, "event_id": "x", "time": "yesterday", "account_id": "a"}', b"no json"]


async def send(fleet: TestFleet, values: list[bytes]) -> None:
    producer = AIOKafkaProducer(**fleet.connection.client_options())
    await producer.start()
    for value in values:
        await producer.send_and_wait(RAW_NATIVE.name, value)
    await producer.stop()


async def letters(fleet: TestFleet, count: int) -> None:
    async def there() -> bool:
        return len(await read_topic(fleet.connection, DEAD_LETTERS)) == count

    for _ in range(100):
        if await there():
            return
    raise AssertionError(f"not {count} dead letters\n{fleet.logs()}")


@pytest.mark.timeout(180)
async def test_letters_are_listed_and_sent_again_once(pipeline: Pipeline) -> None:
    fleet = pipeline.fleet
    assert "no dead letters" not in pipeline.cli("dlq", "list").lower()  # said on standard error
    fleet.start_worker()
    await fleet.until(lambda all_: sum(len(s.partitions) for s in all_) == fleet.partitions)
    await send(fleet, BAD)
    await letters(fleet, 2)
    listed = pipeline.cli("dlq", "list")
    assert "time" in listed
    assert "no json" in listed
    assert "no json" not in pipeline.cli("dlq", "list", "--field", "time")
    assert "1 sent again, 1 left" in pipeline.cli("dlq", "replay", "--field", "time")
    await letters(fleet, 3)
    assert "1 sent again, 0 left" in pipeline.cli("dlq", "replay"), "the one that came back"
