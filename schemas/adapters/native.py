"""Format ``native``: one JSON object with the fields of `RequestEvent`, optionally with raw text.

For senders under one's own control. ``prompt`` (the last user message) and ``system_prompt`` are turned
into fingerprints by INGEST and dropped; a sender that fingerprints by itself leaves them out.
"""

from __future__ import annotations

import msgspec

from schemas.adapters.malformed import check_unique_keys, malformed
from schemas.event import RequestEvent

FINGERPRINTS: tuple[str, ...] = (
    "prompt_hash", "template_hash", "template_tail_hash", "system_hash", "prompt_simhash", "prompt_minhash",
    "prompt_embedding", "response_hash",
)  # fmt: skip
"""Fields that mean nothing without ``fingerprint_id``: keyed, or in the coordinates of one algorithm."""


class NativeRecord(RequestEvent, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """`RequestEvent` plus raw text. Exists between a raw topic and INGEST only."""

    prompt: str | None = None
    """Last user message."""
    system_prompt: str | None = None


_event = msgspec.json.Decoder(RequestEvent)
_record = msgspec.json.Decoder(NativeRecord)


def read(payload: bytes) -> RequestEvent:
    """Decode one record; a `NativeRecord` where it names raw text.

    Raises:
        MalformedRecord: names the field.
    """
    decoder = _record if b'prompt"' in payload else _event
    try:
        record = decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(error, payload) from None
    check_unique_keys(payload)
    return record
