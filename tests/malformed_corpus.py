"""Raw native records of twenty kinds that senders get wrong, with what must become of each.

Used by the unit tests of INGEST and, through real Kafka, by the integration test of the fleet.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

LINE_OF_10_MB = 10_000_000


class Sample(NamedTuple):
    """One record."""

    kind: str
    payload: bytes
    accepted: bool
    field: str | None
    """Field that the dead letter must name; ``None`` where the record has none (nothing, or no object)."""


def corpus(count: int = 1000, seed: int = 20, *, now: datetime, huge: int = 2) -> list[Sample]:
    """`count` records, kinds in turn, seeded.

    Args:
        now: the clock "far future" is measured against.
        huge: how many of the 10 MB lines are that long; the others have 100 kB, which is the same mistake.
    """
    rng = random.Random(seed)
    samples = []
    for number in range(count):
        long_line = LINE_OF_10_MB if number < huge * len(KINDS) else 100_000
        samples.append(KINDS[number % len(KINDS)](_Record(rng, number, now, long_line)))
    return samples


class _Record:
    """A good record to spoil."""

    def __init__(self, rng: random.Random, number: int, now: datetime, long_line: int) -> None:
        self.rng, self.number, self.now, self.long_line = rng, number, now, long_line
        at = now - timedelta(seconds=rng.uniform(0, 3600))
        self.fields: dict[str, Any] = {
            "schema_version": 1,
            "event_id": f"bad-{number}",
            "time": at.isoformat(),
            "account_id": f"acct-{rng.randrange(40)}",
            "request_model": rng.choice(["model-a", "model-b"]),
            "input_tokens": rng.randrange(1, 5000),
            "output_tokens": rng.randrange(1, 900),
            "temperature": round(rng.uniform(0, 1), 2),
        }

    def json(self, **changes: Any) -> bytes:
        return json.dumps({**self.fields, **changes}).encode()

    def without(self, name: str) -> bytes:
        return json.dumps({key: value for key, value in self.fields.items() if key != name}).encode()


def truncated(r: _Record) -> Sample:
    names = list(r.fields)
    cut_in = r.rng.choice(names[1:])
    text = r.json()
    start = text.index(f'"{cut_in}"'.encode()) + len(cut_in) + 4
    return Sample("truncated", text[: start + r.rng.randrange(0, 3)], False, cut_in)


def number_as_text(r: _Record) -> Sample:
    name = r.rng.choice(["input_tokens", "output_tokens", "temperature"])
    return Sample("number_as_text", r.json(**{name: "12"}), False, name)


def negative_count(r: _Record) -> Sample:
    name = r.rng.choice(["input_tokens", "output_tokens", "max_tokens", "prompt_chars"])
    return Sample("negative_count", r.json(**{name: -1 - r.rng.randrange(9)}), False, name)


def wrong_container(r: _Record) -> Sample:
    name, value = r.rng.choice([("labels", ["a"]), ("finish_reasons", "stop"), ("account_id", {"id": "a"})])
    return Sample("wrong_container", r.json(**{name: value}), False, name)


def naive_time(r: _Record) -> Sample:
    return Sample("naive_time", r.json(time=r.now.replace(tzinfo=None).isoformat()), False, "time")


def no_time_at_all(r: _Record) -> Sample:
    value = r.rng.choice(["yesterday", "", "2026-02-30T00:00:00Z", 1_795_392_000, None])
    return Sample("no_time_at_all", r.json(time=value), False, "time")


def far_future(r: _Record) -> Sample:
    later = r.now + timedelta(days=r.rng.randrange(400, 4000))
    return Sample("far_future", r.json(time=later.isoformat()), False, "time")


def negative_time(r: _Record) -> Sample:
    value = r.rng.choice(["1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "-0044-03-15T12:00:00Z"])
    return Sample("negative_time", r.json(time=value), False, "time")


def ten_megabytes(r: _Record) -> Sample:
    return Sample("ten_megabytes", r.json(account_id="a" * r.long_line), False, "account_id")


def ten_megabyte_prompt(r: _Record) -> Sample:
    return Sample("ten_megabyte_prompt", r.json(prompt="word " * (r.long_line // 5)), True, None)


def invalid_utf8(r: _Record) -> Sample:
    name = r.rng.choice(["account_id", "request_model"])
    value = json.dumps(r.fields[name]).encode()
    broken = r.json().replace(value, value[:-1] + r.rng.choice([b"\xff", b"\xc3", b"\xed\xa0\x80"]) + b'"')
    return Sample("invalid_utf8", broken, False, name)


def not_a_number(r: _Record) -> Sample:
    name = r.rng.choice(["temperature", "input_tokens", "cost_usd"])
    value = r.rng.choice([float("nan"), float("inf"), -float("inf")])
    return Sample("not_a_number", r.json(**{name: value}), False, name)


def out_of_range(r: _Record) -> Sample:
    name, value = r.rng.choice(
        [("input_tokens", 2**60), ("schema_version", 2), ("http_status", 99), ("reasoning_elicitation", 1.5)]
    )
    return Sample("out_of_range", r.json(**{name: value}), False, name)


def duplicate_key(r: _Record) -> Sample:
    name = r.rng.choice(list(r.fields))
    value = json.dumps(r.fields[name]).encode()
    return Sample("duplicate_key", r.json()[:-1] + f', "{name}": '.encode() + value + b"}", False, name)


def duplicate_event_id(r: _Record) -> Sample:
    return Sample("duplicate_event_id", r.json(event_id="bad-always-the-same"), True, None)


def id_too_long(r: _Record) -> Sample:
    name = r.rng.choice(["event_id", "account_id", "tenant_id"])
    return Sample("id_too_long", r.json(**{name: "x" * 257}), False, name)


def required_missing(r: _Record) -> Sample:
    name = r.rng.choice(["schema_version", "event_id", "time", "account_id"])
    return Sample("required_missing", r.without(name), False, name)


def fingerprint_without_id(r: _Record) -> Sample:
    payload = r.json(prompt_hash="hmac-sha256:00ff00ff")
    return Sample("fingerprint_without_id", payload, False, "fingerprint_id")


def unknown_fields(r: _Record) -> Sample:
    extra = {"x_gateway": {"node": [1, 2, {"time": "not ours"}]}, "account_id_v2": 7, "": None}
    return Sample("unknown_fields", r.json(**extra), True, None)


def empty_or_no_object(r: _Record) -> Sample:
    payload = r.rng.choice([b"", b"  \r\n", b"null", b"[]", b'"text"', b"{", b"\x00\x01", b"time,tokens"])
    return Sample("empty_or_no_object", payload, False, None)


KINDS: tuple[Callable[[_Record], Sample], ...] = (
    truncated, number_as_text, negative_count, wrong_container, naive_time,
    no_time_at_all, far_future, negative_time, ten_megabytes, ten_megabyte_prompt,
    invalid_utf8, not_a_number, out_of_range, duplicate_key, duplicate_event_id,
    id_too_long, required_missing, fingerprint_without_id, unknown_fields, empty_or_no_object,
)  # fmt: skip

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""A clock for tests that choose their own."""
