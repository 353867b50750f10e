"""`Feed`: how the records of one topic become rows. One feed for each topic that the store keeps.

>>> [feed.topic.name for feed in FEEDS.values()][:2]
['stillwatch.requests.v1', 'stillwatch.profiles.v1']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, get_type_hints

import msgspec
import pyarrow as pa

from infra.clickhouse import columns
from schemas import topics
from schemas.control import Verdict, decode_control
from schemas.dead_letter import decode_dead_letter
from schemas.errors import MalformedRecord, Rejected
from schemas.event import Digest, RequestEvent
from schemas.finding import decode_finding, utc_from_ms
from schemas.profile import decode_profile

CHUNK_RECORDS = 512
"""Decoded and turned into columns at a time: a fifth faster than 20,000 at a time, whose structs leave the
processor's cache before they are read, and a small part of their memory."""


class Record(Protocol):
    """What a feed reads of a Kafka record; aiokafka's `ConsumerRecord` is one."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Feed(NamedTuple):
    """One topic.

    `read` gives the struct in a record, or `None` where it holds nothing to keep; it raises `ValueError`
    where the record is not what its topic promises. `tables` names the tables and makes their rows.
    """

    topic: topics.Topic
    read: Callable[[Any], Any]
    tables: Mapping[str, Callable[[Sequence[Any]], pa.Table]]


class Rows(NamedTuple):
    """Outcome of reading a batch."""

    tables: dict[str, pa.Table]
    """By table name; no entry where there is no row."""
    refused: list[tuple[Record, Rejected]]


def rows(feed: Feed, records: Sequence[Record]) -> Rows:
    """Rows of a batch, and the records that cannot be read.

    Raises:
        MalformedRecord: some record reads well, but no row can hold its values; halve the batch to find it.
    """
    parts: dict[str, list[pa.Table]] = {}
    refused: list[tuple[Record, Rejected]] = []
    for start in range(0, len(records), CHUNK_RECORDS):
        structs = []
        for record in records[start : start + CHUNK_RECORDS]:
            try:
                struct = feed.read(record)
            except ValueError as error:
                refused.append((record, _rejection(error)))
            else:
                if struct is not None:
                    structs.append(struct)
        if structs:
            try:
                for name, build in feed.tables.items():
                    parts.setdefault(name, []).append(build(structs))
            except columns.UNFIT as error:
                raise MalformedRecord(f"a value does not fit its column: {error}") from error
    tables = {name: pa.concat_tables(chunks) for name, chunks in parts.items()}
    return Rows({name: table for name, table in tables.items() if table.num_rows}, refused)


def _rejection(error: ValueError) -> Rejected:
    """A decoder's complaint, with the field apart.

    >>> str(_rejection(ValueError("Expected `int`, got `str` - at `$.input_tokens`")))
    'input_tokens: Expected `int`, got `str`'
    """
    reason, _, path = str(error).partition(" - at `$.")
    return MalformedRecord(reason, field=path.rstrip("`") or None)


def _stored_request() -> type[msgspec.Struct]:
    """`RequestEvent` as the store needs it: without the feature vector, and without the patterns of digests.

    INGEST, which alone writes this topic, has checked them; matching ten regular expressions again is half
    the cost of reading an event.
    """
    kinds = get_type_hints(RequestEvent, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(RequestEvent):
        if field.name == "prompt_embedding":
            continue
        kind = str | None if kinds[field.name] == Digest | None else kinds[field.name]
        fields.append((field.name, kind) if field.required else (field.name, kind, _default(field)))
    return msgspec.defstruct("StoredRequest", fields, kw_only=True, frozen=True, gc=False)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


_request = msgspec.json.Decoder(_stored_request())


def _value(record: Record) -> bytes:
    if record.value is None:
        raise ValueError("the record is empty")
    return record.value


def _read_control(record: Record) -> tuple[int, Verdict] | None:
    """Verdicts, and tombstones that take one back. Suppressions and overrides are not kept here."""
    if record.value is not None:
        message = decode_control(record.value)
        return (record.offset, message) if isinstance(message, Verdict) else None
    kind, _, name = (record.key or b"").decode().partition(":")
    if kind != "verdict":
        return None
    withdrawn_at = utc_from_ms(record.timestamp)
    return record.offset, Verdict(id=name, finding_id="", verdict="disregard", time=withdrawn_at)


FEEDS: dict[str, Feed] = {
    feed.topic.name: feed
    for feed in (
        Feed(topics.REQUESTS, lambda r: _request.decode(_value(r)), {"requests": columns.requests}),
        Feed(
            topics.PROFILES,
            lambda r: decode_profile(_value(r)),
            {"account_windows": columns.account_windows},
        ),
        Feed(
            topics.FINDINGS,
            lambda r: decode_finding(_value(r)),
            {"findings": columns.findings, "finding_members": columns.finding_members},
        ),
        Feed(
            topics.DEAD_LETTERS,
            lambda r: decode_dead_letter(_value(r)),
            {"dead_letters": columns.dead_letters},
        ),
        Feed(topics.CONTROL, _read_control, {"verdicts": columns.verdicts}),
    )
}
"""By topic name."""
