"""INGEST: every bad record is refused with the field to mend, every good one comes out canonical."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from schemas.errors import ImplausibleRecord, MalformedRecord, Rejected
from schemas.event import RequestEvent, decode_event, encode_event
from streams.fingerprint import Fingerprinter
from streams.ingest import REPLAY_MAX_FUTURE_S, Ingest
from tests.malformed_corpus import KINDS, NOW, corpus

NOW_MS = round(NOW.timestamp() * 1000)
SECRET = b"a secret for tests"


def ingest(format: str = "native", **options: Any) -> Ingest:
    return Ingest(format, secret=SECRET, generation="k1", **{"max_future_s": 300, **options})


def native(**fields: Any) -> bytes:
    base = {"schema_version": 1, "event_id": "e", "time": NOW.isoformat(), "account_id": "a"}
    return json.dumps({**base, **fields}).encode()


def test_each_of_a_thousand_bad_records_is_refused_with_its_field_or_accepted() -> None:
    samples = corpus(1000, now=NOW)
    assert len(KINDS) == 20
    wrong = []
    results = ingest().read_many([sample.payload for sample in samples], now_ms=NOW_MS)
    for sample, result in zip(samples, results, strict=True):
        if sample.accepted:
            if not isinstance(result, RequestEvent):
                wrong.append((sample.kind, "refused", result))
        elif not isinstance(result, Rejected):
            wrong.append((sample.kind, "accepted", sample.payload[:200]))
        elif result.field != sample.field or not result.reason:
            wrong.append((sample.kind, sample.field, f"{result.field}: {result.reason}"))
    assert wrong == []
    assert Counter(sample.kind for sample in samples).most_common(1)[0][1] == 50


def test_the_corpus_is_the_same_each_time() -> None:
    assert corpus(200, now=NOW, huge=0) == corpus(200, now=NOW, huge=0)
    assert corpus(200, now=NOW, huge=0) != corpus(200, seed=21, now=NOW, huge=0)


def test_raw_text_becomes_fingerprints_and_is_gone() -> None:
    secret_text = "Tell me about the zyzzyva beetle, please, in as many words as you can find for it today."
    payload = native(prompt=secret_text, system_prompt="You are a zyzzyva.")
    event = ingest().read(payload, now_ms=NOW_MS)
    assert type(event) is RequestEvent
    expected = Fingerprinter(SECRET, "k1").fingerprint(secret_text, "You are a zyzzyva.")
    for name, value in msgspec.structs.asdict(expected).items():
        assert getattr(event, name) == value
    data = encode_event(event)
    assert b"zyzzyva" not in data
    assert decode_event(data) == event


def test_own_fingerprints_pass_unchanged() -> None:
    fields = {"fingerprint_id": "edge/k7", "prompt_hash": "hmac-sha256:00ff00ff", "prompt_chars": 3}
    event = ingest().read(native(**fields), now_ms=NOW_MS)
    assert event is not None
    assert (event.fingerprint_id, event.prompt_hash) == ("edge/k7", "hmac-sha256:00ff00ff")


def test_system_prompt_alone_gives_its_digest_unless_the_sender_has_another_key() -> None:
    alone = ingest().read(native(system_prompt="Be brief."), now_ms=NOW_MS)
    foreign = ingest().read(native(system_prompt="Be brief.", fingerprint_id="edge/k7"), now_ms=NOW_MS)
    both = ingest().read(native(system_prompt="Be brief.", prompt="Hi"), now_ms=NOW_MS)
    assert alone is not None
    assert foreign is not None
    assert both is not None
    assert alone.system_hash == both.system_hash
    assert alone.fingerprint_id == both.fingerprint_id
    assert alone.prompt_hash is None
    assert (foreign.fingerprint_id, foreign.system_hash) == ("edge/k7", None)


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        (NOW + timedelta(seconds=299), True),
        (NOW + timedelta(seconds=301), False),
        (datetime(2000, 1, 1, tzinfo=UTC), True),
        (datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), False),
        (datetime(1, 1, 1, tzinfo=UTC), False),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), False),
    ],
)
def test_times_that_cannot_be_true_are_refused(at: datetime, allowed: bool) -> None:
    payload = native(time=at.isoformat())
    if allowed:
        assert ingest().read(payload, now_ms=NOW_MS) is not None
    else:
        with pytest.raises(ImplausibleRecord) as caught:
            ingest().read(payload, now_ms=NOW_MS)
        assert caught.value.field == "time"


def test_replay_takes_simulated_days_ahead_but_no_broken_unit() -> None:
    replay = ingest(max_future_s=REPLAY_MAX_FUTURE_S)
    assert replay.read(native(time=(NOW + timedelta(days=365)).isoformat()), now_ms=NOW_MS) is not None
    with pytest.raises(ImplausibleRecord):
        replay.read(native(time=(NOW + timedelta(days=367)).isoformat()), now_ms=NOW_MS)


def test_csv_header_is_neither_event_nor_error() -> None:
    lines = [b"TIMESTAMP,ContextTokens,GeneratedTokens", b"2023-11-16 18:17:03.9799600,4808,10", b"x,1,2"]
    header, event, bad = ingest("azure").read_many(lines, now_ms=NOW_MS)
    assert header is None
    assert isinstance(event, RequestEvent)
    assert isinstance(bad, MalformedRecord)
    assert bad.field == "TIMESTAMP"


def test_unknown_format_is_named() -> None:
    with pytest.raises(ValueError, match="csv"):
        ingest("csv")
