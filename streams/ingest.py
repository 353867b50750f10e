"""INGEST: raw bytes of one format to canonical `RequestEvent`. Pure; the clock is an argument.

Adapt (`schemas.adapters`), check that it can be true, fingerprint raw text and drop it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any

import msgspec

from schemas.adapters.azure import AzureTrace
from schemas.adapters.litellm import Identity, LiteLLM
from schemas.adapters.native import FINGERPRINTS, NativeRecord
from schemas.adapters.native import read as read_native
from schemas.errors import ImplausibleRecord, MalformedRecord, Rejected
from schemas.event import RequestEvent
from streams.fingerprint import Fingerprinter

EARLIEST_S = 946_684_800
"""2000-01-01T00:00Z: an earlier request has a broken clock or a broken unit."""

REPLAY_MAX_FUTURE_S = 366 * 86_400
"""`max_future_s` for files: simulated data may lie ahead of today, a broken unit lies further."""


class Ingest:
    """Reader of one raw format. Deterministic; not thread-safe (word cache of the fingerprints).

    Args:
        format: a key of `schemas.topics.RAW_FORMATS`.
        secret: key of the content fingerprints.
        generation: its name.
        max_future_s: how far past ``now_ms`` an event may be dated.
        azure_accounts: accounts the ``azure`` trace is spread over.
        litellm_account: which identity of ``litellm`` is the account.
        seed: of the ``azure`` account rule.

    Raises:
        ValueError: unknown format, or unusable secret or generation.
    """

    def __init__(
        self,
        format: str,
        *,
        secret: bytes,
        generation: str,
        max_future_s: int,
        azure_accounts: int = 500,
        litellm_account: Identity = "user",
        seed: int = 0,
    ) -> None:
        adapters: dict[str, Callable[[bytes], RequestEvent | None]] = {
            "native": read_native,
            "litellm": LiteLLM(litellm_account).read,
            "azure": AzureTrace(azure_accounts, seed).read,
        }
        if format not in adapters:
            raise ValueError(f"unknown format {format!r}; known: {', '.join(adapters)}")
        self.format = format
        self.adapt = adapters[format]
        """The adapter alone: no check of the time, raw text kept."""
        self._fingerprinter = Fingerprinter(secret, generation)
        self._max_future_s = max_future_s

    def read(self, payload: bytes, *, now_ms: int) -> RequestEvent | None:
        """Event of one raw record; ``None`` where it carries none by design (a CSV header).

        Raises:
            MalformedRecord: the bytes are not what the format promises; names the field.
            ImplausibleRecord: dated before 2000 or too far past `now_ms`; names the field.
        """
        result = self.read_many((payload,), now_ms=now_ms)[0]
        if isinstance(result, Rejected):
            raise result
        return result

    def read_many(self, payloads: Iterable[bytes], *, now_ms: int) -> list[RequestEvent | Rejected | None]:
        """`read` for each record, in order; what it would raise stands in the record's place. Prompts are
        fingerprinted together, which takes half of the time where they are short."""
        results: list[RequestEvent | Rejected | None] = []
        spoken: list[tuple[int, NativeRecord, str]] = []
        for place, payload in enumerate(payloads):
            try:
                record = self._plausible(payload, now_ms)
            except Rejected as error:
                results.append(error)
                continue
            results.append(record)
            if isinstance(record, NativeRecord):
                # raw text, where given, wins over fingerprints that came with it
                if record.prompt is not None:
                    spoken.append((place, record, record.prompt))
                else:
                    results[place] = self._without_text(record)
        made = self._fingerprinter.fingerprint_all(
            [(prompt, record.system_prompt) for _, record, prompt in spoken]
        )
        for (place, record, _), fingerprint in zip(spoken, made, strict=True):
            results[place] = RequestEvent(**_fields(record) | msgspec.structs.asdict(fingerprint))
        return results

    def _plausible(self, payload: bytes, now_ms: int) -> RequestEvent | None:
        """The adapted record, raw text kept, of a possible time. Raises as `read`."""
        record = self.adapt(payload)
        if record is None:
            return None
        time_s = record.time.timestamp()
        if time_s < EARLIEST_S:
            raise ImplausibleRecord(f"{record.time.isoformat()} is before 2000", field="time")
        if time_s > now_ms / 1000 + self._max_future_s:
            reason = f"{record.time.isoformat()} is more than {self._max_future_s} s in the future"
            raise ImplausibleRecord(reason, field="time")
        if not isinstance(record, NativeRecord) or record.prompt is None:
            _check_fingerprint_id(record)
        return record

    def _without_text(self, record: NativeRecord) -> RequestEvent:
        """Canonical event of a record without a prompt; the system prompt becomes a fingerprint."""
        fields, ours = _fields(record), self._fingerprinter.fingerprint_id
        if record.system_prompt is not None and record.fingerprint_id in (None, ours):
            fields["fingerprint_id"] = ours
            fields["system_hash"] = self._fingerprinter.system_hash(record.system_prompt)
        return RequestEvent(**fields)


def _fields(record: NativeRecord) -> dict[str, Any]:
    """All but raw text."""
    fields = msgspec.structs.asdict(record)
    del fields["prompt"], fields["system_prompt"]
    return fields


_fingerprints = attrgetter(*FINGERPRINTS)
_NONE = (None,) * len(FINGERPRINTS)


def _check_fingerprint_id(record: RequestEvent) -> None:
    if record.fingerprint_id is None and _fingerprints(record) != _NONE:
        name = next(name for name in FINGERPRINTS if getattr(record, name) is not None)
        raise MalformedRecord(f"Required, because `{name}` is given", field="fingerprint_id")
