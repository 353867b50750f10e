"""Records become columns without loss, whatever they hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.clickhouse import columns
from schemas.event import RequestEvent

texts = st.text(st.characters(codec="utf-8"), max_size=20)
counts = st.integers(0, 2**53)
digests = st.none() | st.from_regex(r"\A(hmac-sha256|ja4):[A-Za-z0-9]{4,20}\Z")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
times = st.integers(0, 5_600_000_000_000_000).map(lambda micros: EPOCH + timedelta(microseconds=micros))
addresses = st.none() | st.ip_addresses().map(str) | st.just("10.0.0.0/8") | texts

events = st.builds(
    RequestEvent,
    schema_version=st.just(1), event_id=texts.filter(bool), time=times, account_id=texts.filter(bool),
    organization_id=st.none() | texts, account_created_at=st.none() | times,
    account_verified=st.none() | st.booleans(), payment_hash=digests, template_hash=digests,
    temperature=st.none() | st.floats(0, 2, width=32), max_tokens=st.none() | counts, input_tokens=counts,
    seed=st.none() | st.integers(-(2**63), 2**63 - 1), finish_reasons=st.lists(texts).map(tuple),
    client_address=addresses, prompt_minhash=st.none() | st.binary(max_size=40),
    prompt_simhash=st.none() | st.integers(0, 2**64 - 1).map("simhash64:{:016x}".format),
    labels=st.dictionaries(texts, texts, max_size=3),
)  # fmt: skip


def address(text: str | None) -> bytes:
    try:
        parsed = ip_address(text or "")
    except ValueError:
        return bytes(16)
    return parsed.packed if parsed.version == 6 else bytes(10) + b"\xff\xff" + parsed.packed


@settings(deadline=None, max_examples=40)
@given(st.lists(events, min_size=1, max_size=8))
def test_requests_keep_their_values(batch: list[RequestEvent]) -> None:
    rows = columns.requests(batch).to_pylist()
    assert len(rows) == len(batch)
    for row, event in zip(rows, batch, strict=True):
        expected: dict[str, Any] = {
            "event_id": event.event_id,
            "time": (EPOCH + timedelta(milliseconds=event.time_ms)).replace(tzinfo=None),
            "organization_id": event.organization_id or "",
            "account_verified": event.account_verified,
            "payment_hash": columns.digest64(event.payment_hash),
            "temperature": event.temperature,
            "max_tokens": event.max_tokens,
            "input_tokens": event.input_tokens,
            "seed": event.seed,
            "finish_reasons": list(event.finish_reasons),
            "client_address": address(event.client_address),
            "prompt_simhash": int(event.prompt_simhash[10:], 16) if event.prompt_simhash else 0,
            "labels": list(event.labels.items()),
        }
        assert {name: row[name] for name in expected} == expected
        words = b"".join(word.to_bytes(8, "little") for word in row["prompt_minhash"])
        minhash = event.prompt_minhash or b""
        assert words == minhash[: len(minhash) // 8 * 8]


@pytest.mark.parametrize("fields", [{"seed": 2**63}, {"seed": -(2**63) - 1}, {"max_tokens": 2**64}])
def test_what_no_column_holds_is_said(fields: dict[str, int]) -> None:
    event = RequestEvent(
        schema_version=1, event_id="e", time=datetime(2026, 1, 1, tzinfo=UTC), account_id="a", **fields
    )
    with pytest.raises(columns.UNFIT):
        columns.requests([event])
