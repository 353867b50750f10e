"""One record that an adapter breaks on costs itself, not the run it came in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from aiokafka import ConsumerRecord

from agents.ingest import IngestAgent
from schemas.errors import MalformedRecord, Rejected
from schemas.event import RequestEvent
from streams.ingest import Ingest

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOW_MS = round(NOW.timestamp() * 1000)


class Defective(Ingest):
    """Breaks on what no adapter should break on."""

    def read_many(self, payloads: Iterable[bytes], *, now_ms: int) -> list[RequestEvent | Rejected | None]:
        payloads = list(payloads)
        if any(b"poison" in payload for payload in payloads):
            raise ZeroDivisionError("an adapter's defect")
        return super().read_many(payloads, now_ms=now_ms)


def record(offset: int, **fields: object) -> ConsumerRecord:
    base = {"schema_version": 1, "event_id": f"e{offset}", "time": NOW.isoformat(), "account_id": "a"}
    value = json.dumps({**base, **fields}).encode()
    return ConsumerRecord("raw", 0, offset, -1, 0, None, value, None, 0, len(value), ())


def test_a_defect_costs_one_record_of_its_run() -> None:
    reader = Defective("native", secret=b"s", generation="k1", max_future_s=300)
    records = [
        record(0, prompt="a prompt"),
        record(1, prompt="poison"),
        record(2, account_id=7),
        record(3, prompt="another"),
    ]
    first, broken, refused, last = IngestAgent._read(reader, records, NOW_MS)
    assert isinstance(first, RequestEvent)
    assert first.prompt_chars == 8
    assert isinstance(broken, MalformedRecord)
    assert "ZeroDivisionError" in str(broken)
    assert isinstance(refused, Rejected)
    assert refused.field == "account_id"
    assert isinstance(last, RequestEvent)
    assert last.event_id == "e3"


def test_an_empty_run_is_nothing() -> None:
    reader = Defective("native", secret=b"s", generation="k1", max_future_s=300)
    assert IngestAgent._read(reader, [], NOW_MS) == []
