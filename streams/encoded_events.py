"""`EncodedEvents`: events as the bytes they came in, of which detection reads some fields at once."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import overload

import msgspec

from schemas.event import RequestEvent, decode_trusted_event, trusted_decoder

FIELDS = (
    "tenant_id", "account_id", "event_id", "time", "end_user_id", "request_model", "response_model",
    "temperature", "max_tokens", "choice_count", "logprobs", "input_tokens", "output_tokens", "status",
    "fingerprint_id", "prompt_hash", "template_hash", "template_tail_hash", "system_hash",
    "prompt_embedding", "prompt_topic", "prompt_chars", "reasoning_elicitation", "account_created_at",
)  # fmt: skip
"""Of `RequestEvent`, those that `streams.batch` makes columns of."""
read_fields = attrgetter(*FIELDS)
decode_fields = trusted_decoder(FIELDS)
"""Canonical JSON to these fields alone. Raises `msgspec.DecodeError`."""
FIELDS_IN_ORDER = tuple(name for name in RequestEvent.__struct_fields__ if name in FIELDS)
"""As in what `decode_fields` gives."""


class EncodedEvents(Sequence[RequestEvent]):
    """Canonical events as bytes, each decoded when it is asked for. Where a field that no column is made of
    has a wrong type, all such fields are as if absent.

    Args:
        values: of which columns could be made.
    """

    def __init__(self, values: Sequence[bytes]) -> None:
        self.values = values
        self._decoded: dict[int, RequestEvent] = {}
        """Of those that were asked for: a new account's first one is, twice."""

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, place: int) -> RequestEvent: ...
    @overload
    def __getitem__(self, place: slice) -> EncodedEvents: ...
    def __getitem__(self, place: int | slice) -> RequestEvent | EncodedEvents:
        if isinstance(place, slice):
            return EncodedEvents(self.values[place])
        event = self._decoded.get(place)
        if event is None:
            event = self._decoded[place] = self._decode(self.values[place])
        return event

    @staticmethod
    def _decode(value: bytes) -> RequestEvent:
        try:
            return decode_trusted_event(value)
        except msgspec.DecodeError:
            fields = msgspec.structs.asdict(decode_fields(value))
            return RequestEvent(schema_version=1, **fields)
