"""Records of the topics as Arrow tables, column for column what `migrations` declares.

Columns, not rows, because that is what makes an insert cheap: clickhouse-connect serialises 100,000 aware
datetimes in half a second, Arrow in milliseconds.

All functions raise `ValueError`, `OverflowError` or `TypeError` (`pyarrow.ArrowInvalid` is a `ValueError`)
where a value does not fit its column; see `UNFIT`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa
from xxhash import xxh3_64_intdigest

from schemas.control import Verdict
from schemas.dead_letter import DeadLetter
from schemas.event import RequestEvent
from schemas.finding import Finding
from schemas.profile import AccountWindow

UNFIT = (ValueError, OverflowError, TypeError)
"""Raised where a record has a value that no row can hold."""

INSTANT = pa.timestamp("ms")
"""Without a zone: ticks go straight into DateTime64(3), which carries the zone."""
UNKNOWN_ADDRESS = bytes(16)
_V4_MAPPED = bytes(10) + b"\xff\xff"


def digest64(text: str | None) -> int:
    """64 bits that stand for a digest in the store; 0 for none. ClickHouse's `xxh3` gives the same.

    >>> digest64("hmac-sha256:abcd"), digest64(None)
    (17993444213356730681, 0)
    """
    return xxh3_64_intdigest(text.encode()) if text else 0


def simhash64(text: str | None) -> int:
    """The 64 bits of ``simhash64:<16 hex digits>``; of any other form, `digest64`.

    >>> simhash64("simhash64:00000000000000ff")
    255
    """
    if text and text.startswith("simhash64:") and len(text) == 26:
        return int(text[10:], 16)
    return digest64(text)


@lru_cache(maxsize=65_536)
def address16(text: str | None) -> bytes:
    """An address as the 16 bytes of IPv6; what is no whole address (gateways cut them) as ``::``.

    >>> address16("203.0.113.9").hex(), address16("203.0.113.0/24") == UNKNOWN_ADDRESS
    ('00000000000000000000ffffcb007109', True)
    """
    if not text:
        return UNKNOWN_ADDRESS
    try:
        packed = ip_address(text).packed
    except ValueError:
        return UNKNOWN_ADDRESS
    return packed if len(packed) == 16 else _V4_MAPPED + packed


def instant(time: datetime) -> int:
    """Milliseconds since the epoch, as `RequestEvent.time_ms` counts them."""
    return round(time.timestamp() * 1000)


Values = list[Any]
Column = Callable[[Values], pa.Array]


def _plain(kind: pa.DataType) -> Column:
    """Values as they are; `None` stays null where the column is Nullable."""
    return lambda values: pa.array(values, kind)


def _or(kind: pa.DataType, default: Any) -> Column:
    """`None` becomes the default that says "absent" in a column that is not Nullable."""

    def build(values: Values) -> pa.Array:
        if values.count(None) == len(values):
            return pa.repeat(pa.scalar(default, kind), len(values))
        return pa.array([default if value is None else value for value in values], kind)

    return build


def _each(kind: pa.DataType, convert: Callable[[Any], Any]) -> Column:
    return lambda values: pa.array([convert(value) for value in values], kind)


def _digests(values: Values) -> pa.Array:
    if values.count(None) == len(values):
        return pa.repeat(pa.scalar(0, pa.uint64()), len(values))
    return pa.array([xxh3_64_intdigest(value.encode()) if value else 0 for value in values], pa.uint64())


def _instants(values: Values) -> pa.Array:
    return pa.array([None if value is None else instant(value) for value in values], pa.int64()).cast(INSTANT)


def _words(values: Values) -> pa.Array:
    """Byte strings of little-endian 64-bit words as lists; a last part of a word is left out."""
    lengths = [len(value) // 8 if value else 0 for value in values]
    ends = np.concatenate(([0], np.cumsum(lengths, dtype=np.int32))).astype(np.int32)
    joined = b"".join(value[: 8 * size] for value, size in zip(values, lengths, strict=True) if size)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(np.frombuffer(joined, "<u8")))


def _maps(kind: pa.DataType) -> Column:
    map_type = pa.map_(pa.string(), kind)
    nothing: list[Any] = []

    def build(values: Values) -> pa.Array:
        return pa.array([list(value.items()) if value else nothing for value in values], map_type)

    return build


TEXT = _or(pa.string(), "")
STRING = _plain(pa.string())
STRINGS = _plain(pa.list_(pa.string()))
COUNT = _or(pa.uint64(), 0)
REAL = _plain(pa.float32())
FLAG = _plain(pa.bool_())
OPTIONAL_COUNT = _plain(pa.uint64())

REQUEST_COLUMNS: dict[str, Column] = {
    "tenant_id": STRING, "account_id": STRING, "time": _instants, "event_id": STRING, "source": STRING,
    "organization_id": TEXT, "credential_id": TEXT, "end_user_id": TEXT, "conversation_id": TEXT,
    "account_created_at": _instants, "account_plan": TEXT, "account_verified": FLAG,
    "payment_hash": _digests, "email_domain_hash": _digests, "device_hash": _digests,
    "operation": STRING, "provider": TEXT, "request_model": TEXT, "response_model": TEXT, "stream": FLAG,
    "temperature": REAL, "top_p": REAL, "top_k": REAL, "max_tokens": OPTIONAL_COUNT,
    "choice_count": OPTIONAL_COUNT, "seed": _plain(pa.int64()), "logprobs": FLAG,
    "tool_count": OPTIONAL_COUNT, "message_count": OPTIONAL_COUNT,
    "input_tokens": COUNT, "output_tokens": COUNT, "cache_read_input_tokens": COUNT,
    "cache_creation_input_tokens": COUNT, "reasoning_output_tokens": COUNT, "cost_usd": _plain(pa.float64()),
    "status": STRING, "http_status": _or(pa.uint16(), 0), "error_type": TEXT, "finish_reasons": STRINGS,
    "duration_s": REAL, "time_to_first_chunk_s": REAL,
    "client_address": _each(pa.binary(16), address16), "client_network_hash": _digests, "client_asn": COUNT,
    "client_country": TEXT, "user_agent": TEXT, "tls_fingerprint": TEXT, "header_order_hash": _digests,
    "fingerprint_id": TEXT, "prompt_hash": _digests, "template_hash": _digests,
    "template_tail_hash": _digests, "system_hash": _digests,
    "prompt_simhash": _each(pa.uint64(), simhash64), "prompt_minhash": _words, "prompt_topic": TEXT,
    "prompt_language": TEXT, "prompt_chars": OPTIONAL_COUNT, "reasoning_elicitation": REAL,
    "response_hash": _digests, "labels": _maps(pa.string()),
}  # fmt: skip

WINDOW_COLUMNS: dict[str, Column] = {
    "tenant_id": STRING, "account_id": STRING, "window_s": _plain(pa.uint32()),
    "window_start": _each(pa.uint32(), lambda time: int(time.timestamp())), "revision": _plain(pa.uint32()),
    "requests": COUNT, "failures": COUNT, "input_tokens": COUNT, "output_tokens": COUNT,
    "scores": _maps(pa.float32()),
}  # fmt: skip

FINDING_COLUMNS: dict[str, Column] = {
    "tenant_id": STRING, "finding_id": STRING, "sequence": _plain(pa.uint32()), "lifecycle": STRING,
    "time": _instants, "detector": STRING, "detector_version": STRING, "subject_kind": STRING,
    "subject_id": STRING, "member_count": COUNT, "severity": STRING, "p_value": _plain(pa.float64()),
    "confidence": _plain(pa.float64()), "event_count": COUNT, "leaked_count": COUNT, "first_seen": _instants,
    "last_seen": _instants, "title": STRING, "summary": STRING, "reasons": STRINGS,
    "sample_event_ids": STRINGS, "models": STRINGS, "techniques": STRINGS, "runbook": STRINGS,
    "false_positives": STRINGS, "recommended_action": STRING, "suppressed_by": TEXT,
    "labels": _maps(pa.string()),
}  # fmt: skip

FEATURE_TYPES = {
    "name": pa.string(), "value": pa.float64(), "baseline": pa.float64(), "contribution": pa.float64(),
    "unit": pa.string(),
}  # fmt: skip

VERDICT_COLUMNS: dict[str, Column] = {
    "id": STRING, "finding_id": STRING, "verdict": STRING, "subject_id": TEXT, "analyst": STRING,
    "note": STRING, "time": _instants,
}  # fmt: skip

DEAD_LETTER_COLUMNS: dict[str, Column] = {
    "origin_topic": STRING, "origin_partition": _plain(pa.uint32()), "origin_offset": COUNT, "stage": STRING,
    "error": STRING, "field": TEXT, "reason": STRING, "time": _instants, "payload": _plain(pa.binary()),
    "payload_bytes": COUNT,
}  # fmt: skip


def _arrays(records: Sequence[Any], columns: dict[str, Column]) -> dict[str, pa.Array]:
    return {name: build(list(map(attrgetter(name), records))) for name, build in columns.items()}


def requests(events: Sequence[RequestEvent]) -> pa.Table:
    """Rows of `requests`."""
    return pa.table(_arrays(events, REQUEST_COLUMNS))


def account_windows(windows: Sequence[AccountWindow]) -> pa.Table:
    """Rows of `account_windows`."""
    return pa.table(_arrays(windows, WINDOW_COLUMNS))


def findings(messages: Sequence[Finding]) -> pa.Table:
    """Rows of `findings`; members are rows of their own, see `finding_members`."""
    columns = _arrays(messages, FINDING_COLUMNS)
    for name, kind in FEATURE_TYPES.items():
        values = [[getattr(feature, name) for feature in message.features] for message in messages]
        columns[f"features.{name}"] = pa.array(values, pa.list_(kind))
    return pa.table(columns)


def finding_members(messages: Sequence[Finding]) -> pa.Table:
    """Rows of `finding_members`: one for each account that each message names, be it as its only subject."""
    members = [m.members or ((m.subject_id,) if m.subject_kind == "account" else ()) for m in messages]
    sizes = [len(names) for names in members]
    times = np.repeat(np.array([instant(m.time) for m in messages], np.int64), sizes)
    return pa.table({
        "tenant_id": pa.array(_repeat((m.tenant_id for m in messages), sizes), pa.string()),
        "finding_id": pa.array(_repeat((m.finding_id for m in messages), sizes), pa.string()),
        "account_id": pa.array(list(chain.from_iterable(members)), pa.string()),
        "first_named": pa.array(times).cast(INSTANT),
        "last_named": pa.array(times).cast(INSTANT),
        "last_sequence": pa.array(np.repeat(np.array([m.sequence for m in messages], np.uint32), sizes)),
    })  # fmt: skip


def _repeat(values: Iterable[str], sizes: Sequence[int]) -> list[str]:
    return [value for value, size in zip(values, sizes, strict=True) for _ in range(size)]


def verdicts(said: Sequence[tuple[int, Verdict]]) -> pa.Table:
    """Rows of `verdicts` from (offset on the control topic, message)."""
    columns = _arrays([verdict for _, verdict in said], VERDICT_COLUMNS)
    columns["version"] = pa.array([offset for offset, _ in said], pa.uint64())
    columns["withdrawn"] = pa.array([int(verdict.finding_id == "") for _, verdict in said], pa.uint8())
    return pa.table(columns)


def dead_letters(letters: Sequence[DeadLetter]) -> pa.Table:
    """Rows of `dead_letters`."""
    return pa.table(_arrays(letters, DEAD_LETTER_COLUMNS))
