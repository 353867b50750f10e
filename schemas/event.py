"""`RequestEvent` v1: the telemetry of one LLM API call, as detectors see it.

Topic ``stillwatch.requests.v1``, JSON, key ``tenant_id:account_id``. Rules: unknown fields are
ignored, new fields are optional for ever, 64-bit hashes travel as strings (JSON numbers end at
2**53), durations are seconds, `time` carries a zone. **No raw prompt, completion, system prompt or
API key is ever a field**: content arrives as keyed fingerprints.

Names follow OpenTelemetry GenAI semantic conventions where they have one
(open-telemetry/semantic-conventions-genai, ``gen_ai.*`` registry); account identity, which those
conventions lack, is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from types import UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(min_length=1, max_length=256)]
TenantId = Annotated[str, Meta(pattern="^[^:]{1,256}$")]
"""No colon, because it ends the tenant in ``tenant_id:account_id``."""
Count = Annotated[int, Meta(ge=0, le=2**53)]
Seconds = Annotated[float, Meta(ge=0)]
Digest = Annotated[str, Meta(pattern=r"^(hmac-sha256|sha256|simhash64|ja4|ja3):[A-Za-z0-9_\-=+/]{4,128}$")]
"""``algorithm:value``. Digests of sensitive content are keyed (``hmac-sha256``), never plain hashes."""


class RequestEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One API call. Required: `schema_version`, `event_id`, `time`, `account_id`.

    Content fingerprints need `fingerprint_id`, which names algorithm, parameters and key generation;
    fingerprints of different ids are never compared.
    """

    # envelope
    schema_version: Literal[1]
    event_id: Id
    time: Annotated[datetime, Meta(tz=True)]
    tenant_id: TenantId = "default"
    source: str = "native"

    # who
    account_id: Id
    organization_id: str | None = None
    credential_id: str | None = None
    end_user_id: str | None = None
    conversation_id: str | None = None
    account_created_at: Annotated[datetime, Meta(tz=True)] | None = None
    account_plan: str | None = None
    account_verified: bool | None = None
    payment_hash: Digest | None = None
    email_domain_hash: Digest | None = None
    device_hash: Digest | None = None

    # what
    operation: str = "chat"
    provider: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_tokens: Count | None = None
    choice_count: Count | None = None
    seed: int | None = None
    logprobs: bool | None = None
    tool_count: Count | None = None
    message_count: Count | None = None

    # usage and outcome
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_input_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    reasoning_output_tokens: Count | None = None
    cost_usd: Annotated[float, Meta(ge=0)] | None = None
    status: Literal["success", "failure", "blocked"] = "success"
    http_status: Annotated[int, Meta(ge=100, le=599)] | None = None
    error_type: str | None = None
    finish_reasons: tuple[str, ...] = ()
    duration_s: Seconds | None = None
    time_to_first_chunk_s: Seconds | None = None

    # where from
    client_address: str | None = None
    client_network_hash: Digest | None = None
    client_asn: Count | None = None
    client_country: Annotated[str, Meta(pattern="^[A-Z]{2}$")] | None = None
    user_agent: Annotated[str, Meta(max_length=512)] | None = None
    tls_fingerprint: Digest | None = None
    header_order_hash: Digest | None = None

    # content fingerprints, see streams/fingerprint.py
    fingerprint_id: str | None = None
    prompt_hash: Digest | None = None
    template_hash: Digest | None = None
    """Keyed hash of the normalised head (first words) of the prompt."""
    template_tail_hash: Digest | None = None
    """Keyed hash of the normalised tail (last words) of the prompt."""
    system_hash: Digest | None = None
    prompt_simhash: Digest | None = None
    prompt_minhash: Annotated[bytes, Meta(max_length=1024)] | None = None
    prompt_embedding: Annotated[bytes, Meta(max_length=4096)] | None = None
    """int8 feature vector, one byte a dimension."""
    prompt_topic: str | None = None
    """Coarse capability class: coding, agentic, reasoning, grading, translation, chat or other."""
    prompt_language: str | None = None
    prompt_chars: Count | None = None
    reasoning_elicitation: Annotated[float, Meta(ge=0, le=1)] | None = None
    response_hash: Digest | None = None

    labels: dict[str, str] = {}

    @property
    def account_key(self) -> str:
        """Key of the account plane: ``tenant_id:account_id``."""
        return f"{self.tenant_id}:{self.account_id}"

    @property
    def time_ms(self) -> int:
        """Event time, integer milliseconds since the epoch.

        >>> from datetime import UTC
        >>> t = datetime(2026, 11, 23, tzinfo=UTC)
        >>> RequestEvent(schema_version=1, event_id="e", time=t, account_id="a").time_ms
        1795392000000
        """
        return round(self.time.timestamp() * 1000)


def _without_checks(type_: Any) -> Any:
    """A field's type less its constraints: ``Annotated[str, Meta(...)] | None`` becomes ``str | None``."""
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _without_checks(arguments[0])
    if origin in (Union, UnionType):
        return Union[tuple(_without_checks(one) for one in arguments)]  # noqa: UP007 - made at run time
    return type(arguments[0]) if origin is Literal else type_


def _trusted_twin(names: Collection[str] | None = None) -> type[RequestEvent]:
    """`RequestEvent` without constraints. Checking 12 digests against a pattern costs more than decoding."""
    types = get_type_hints(RequestEvent, include_extras=True)
    fields: list[Any] = []
    for field in msgspec.structs.fields(RequestEvent):
        if names is not None and field.name not in names:
            continue
        kept = [value for value in (field.default, field.default_factory) if value is not msgspec.NODEFAULT]
        default = [msgspec.field(default_factory=one) if callable(one) else one for one in kept]
        fields.append((field.name, _without_checks(types[field.name]), *default))
    properties = {"account_key": RequestEvent.account_key, "time_ms": RequestEvent.time_ms}
    twin = msgspec.defstruct(
        "TrustedRequestEvent", fields, namespace=properties, frozen=True, kw_only=True, gc=False
    )
    return cast("type[RequestEvent]", twin)


_decoder = msgspec.json.Decoder(RequestEvent)
_trusted_decoder = msgspec.json.Decoder(_trusted_twin())
_encoder = msgspec.json.Encoder()


def decode_event(data: bytes) -> RequestEvent:
    """Canonical JSON to event.

    Raises:
        msgspec.ValidationError: a field has a wrong type or value; the message ends with its path.
        msgspec.DecodeError: the bytes are no JSON.
    """
    return _decoder.decode(data)


def decode_trusted_event(data: bytes) -> RequestEvent:
    """Canonical JSON that has passed `decode_event` before: the types are checked again, the values are not.

    Takes 2.5 us instead of 6. What comes back has every field and property of a `RequestEvent`, under a class
    of its own.

    Raises:
        msgspec.DecodeError: as `decode_event`.
    """
    return _trusted_decoder.decode(data)


def trusted_decoder(names: Collection[str]) -> Callable[[bytes], RequestEvent]:
    """`decode_trusted_event` for readers of a few fields: what it gives has those of `names` only."""
    return msgspec.json.Decoder(_trusted_twin(names)).decode


def encode_event(event: RequestEvent) -> bytes:
    """Event to canonical JSON; fields at their default are left out."""
    return _encoder.encode(event)
