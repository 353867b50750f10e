"""`DeadLetter`: envelope of a record that could not be used. Topic ``stillwatch.deadletters.v1``.

Nothing is ever dropped silently: the original bytes travel inside, with where they came from, so a
dead letter can be inspected, mended and replayed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.errors import Rejected

PAYLOAD_LIMIT_BYTES = 512 * 1024
"""Longest original kept whole; a longer one keeps its first bytes, and `payload_bytes` its true size.
Below Kafka's default 1 MiB message limit after base64 (x 4/3)."""


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rejected record."""

    reason: str
    field: str | None = None
    stage: str
    """Where it was rejected: adapter name or plane."""
    error: str
    """Class name in `schemas.errors`."""
    origin_topic: str
    origin_partition: Annotated[int, Meta(ge=0)] = 0
    origin_offset: Annotated[int, Meta(ge=0)]
    """Kafka offset, or line number (from 1) where the origin is a file."""
    time: Annotated[datetime, Meta(tz=True)] | None = None
    """Broker timestamp of the original; `None` from a file."""
    payload: bytes
    """Original bytes, base64 in JSON, cut to `PAYLOAD_LIMIT_BYTES`."""
    payload_bytes: Annotated[int, Meta(ge=0)]
    """Size of the original before any cut."""


def dead_letter(
    error: Rejected,
    payload: bytes,
    *,
    stage: str,
    topic: str,
    partition: int,
    offset: int,
    time: datetime | None = None,
) -> DeadLetter:
    """Wrap a rejected record with its origin."""
    return DeadLetter(
        reason=error.reason,
        field=error.field,
        stage=stage,
        error=type(error).__name__,
        origin_topic=topic,
        origin_partition=partition,
        origin_offset=offset,
        time=time,
        payload=payload[:PAYLOAD_LIMIT_BYTES],
        payload_bytes=len(payload),
    )


_decoder = msgspec.json.Decoder(DeadLetter)
_encoder = msgspec.json.Encoder()


def decode_dead_letter(data: bytes) -> DeadLetter:
    """JSON to dead letter. Raises `msgspec.DecodeError` (or its subclass `ValidationError`)."""
    return _decoder.decode(data)


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """Dead letter to JSON."""
    return _encoder.encode(letter)
