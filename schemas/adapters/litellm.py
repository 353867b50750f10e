"""Format ``litellm``: the `StandardLoggingPayload` that LiteLLM hands to its logging callbacks, as JSON.

SOURCE: docs.litellm.ai, "StandardLoggingPayload Specification". Times are epoch seconds; fields LiteLLM
adds later are ignored. The last user message becomes ``prompt`` and the system messages ``system_prompt``
of the `NativeRecord`, to be fingerprinted and dropped; the response is read for its finish reasons alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from schemas.adapters.malformed import check_unique_keys, malformed
from schemas.adapters.native import NativeRecord
from schemas.errors import ImplausibleRecord, MalformedRecord
from schemas.event import Count, Id

Name = Annotated[str, Meta(max_length=256)]
REDACTED = "redacted-by-litellm"
"""What LiteLLM puts in place of text where message logging is off."""

_OPERATIONS = {
    "completion": "chat",
    "acompletion": "chat",
    "responses": "chat",
    "aresponses": "chat",
    "anthropic_messages": "chat",
    "text_completion": "text_completion",
    "atext_completion": "text_completion",
    "embedding": "embeddings",
    "aembedding": "embeddings",
}


class _TokenDetails(msgspec.Struct):
    reasoning_tokens: Count | None = None
    cached_tokens: Count | None = None


class _Usage(msgspec.Struct):
    completion_tokens_details: _TokenDetails | None = None
    prompt_tokens_details: _TokenDetails | None = None
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None


class _Metadata(msgspec.Struct):
    user_api_key_hash: Name | None = None
    user_api_key_user_id: Name | None = None
    user_api_key_team_id: Name | None = None
    user_api_key_org_id: Name | None = None
    user_api_key_end_user_id: Name | None = None
    requester_ip_address: Name | None = None
    usage_object: _Usage | None = None


class _Parameters(msgspec.Struct):
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    n: Count | None = None
    seed: int | None = None
    logprobs: bool | int | None = None
    stream: bool | None = None
    tools: list[msgspec.Raw] | None = None


class _Error(msgspec.Struct):
    error_code: str | int | None = None
    error_class: str | None = None


class _StatusFields(msgspec.Struct):
    guardrail_status: str | None = None


class _Payload(msgspec.Struct):
    id: Id
    startTime: float
    endTime: float | None = None
    completionStartTime: float | None = None
    metadata: _Metadata | None = None
    call_type: str | None = None
    trace_id: Name | None = None
    stream: bool | None = None
    status: Literal["success", "failure"] = "success"
    status_fields: _StatusFields | None = None
    custom_llm_provider: str | None = None
    model: str | None = None
    model_group: str | None = None
    model_parameters: _Parameters | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    response_cost: Annotated[float, Meta(ge=0)] | None = None
    end_user: Name | None = None
    requester_ip_address: Name | None = None
    request_tags: list[str] | None = None
    error_information: _Error | None = None
    messages: Any = None
    response: msgspec.Raw = msgspec.Raw(b"null")


class _Choice(msgspec.Struct):
    finish_reason: str | None = None


class _Response(msgspec.Struct):
    choices: list[_Choice] = []


_payload = msgspec.json.Decoder(_Payload)
_response = msgspec.json.Decoder(_Response)

Identity = Literal["user", "team", "key", "end_user"]
_IDENTITY_FIELDS: dict[Identity, str] = {
    "user": "metadata.user_api_key_user_id",
    "team": "metadata.user_api_key_team_id",
    "key": "metadata.user_api_key_hash",
    "end_user": "end_user",
}


class LiteLLM:
    """Reader of `StandardLoggingPayload` records.

    Args:
        account: which LiteLLM identity is the account.
    """

    def __init__(self, account: Identity = "user") -> None:
        self._account: Identity = account

    def read(self, payload: bytes) -> NativeRecord:
        """Decode one record.

        Raises:
            MalformedRecord: names the field; also where the chosen identity is absent.
            ImplausibleRecord: a time no calendar has.
        """
        try:
            call = _payload.decode(payload)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(error, payload) from None
        check_unique_keys(payload)
        who, asked = call.metadata or _Metadata(), call.model_parameters or _Parameters()
        usage = who.usage_object or _Usage()
        completion = usage.completion_tokens_details or _TokenDetails()
        prompt = usage.prompt_tokens_details or _TokenDetails()
        problem = call.error_information or _Error()
        user_text, system_text, message_count = _texts(call.messages)
        blocked = call.status_fields and call.status_fields.guardrail_status == "guardrail_intervened"
        return NativeRecord(
            schema_version=1,
            event_id=call.id,
            time=_time(call.startTime),
            tenant_id=who.user_api_key_org_id or "default",
            source="litellm",
            account_id=self._account_id(call, who),
            organization_id=who.user_api_key_team_id,
            credential_id=who.user_api_key_hash,
            end_user_id=call.end_user or who.user_api_key_end_user_id,
            conversation_id=call.trace_id,
            operation=_OPERATIONS.get(call.call_type or "completion", call.call_type or "chat"),
            provider=call.custom_llm_provider,
            request_model=call.model_group or call.model,
            response_model=call.model,
            stream=call.stream if call.stream is not None else asked.stream,
            temperature=asked.temperature,
            top_p=asked.top_p,
            top_k=asked.top_k,
            max_tokens=asked.max_completion_tokens or asked.max_tokens,
            choice_count=asked.n,
            seed=asked.seed,
            logprobs=None if asked.logprobs is None else bool(asked.logprobs),
            tool_count=None if asked.tools is None else len(asked.tools),
            message_count=message_count,
            input_tokens=call.prompt_tokens or 0,
            output_tokens=call.completion_tokens or 0,
            cache_read_input_tokens=usage.cache_read_input_tokens or prompt.cached_tokens,
            cache_creation_input_tokens=usage.cache_creation_input_tokens,
            reasoning_output_tokens=completion.reasoning_tokens,
            cost_usd=call.response_cost,
            status="blocked" if blocked else call.status,
            http_status=_http_status(problem.error_code),
            error_type=problem.error_class or None,
            finish_reasons=_finish_reasons(call.response),
            duration_s=_span(call.startTime, call.endTime),
            time_to_first_chunk_s=_span(call.startTime, call.completionStartTime) if call.stream else None,
            client_address=call.requester_ip_address or who.requester_ip_address,
            labels={"request_tags": ",".join(call.request_tags)} if call.request_tags else {},
            prompt=user_text,
            system_prompt=system_text,
        )

    def _account_id(self, call: _Payload, who: _Metadata) -> str:
        account = {
            "user": who.user_api_key_user_id,
            "team": who.user_api_key_team_id,
            "key": who.user_api_key_hash,
            "end_user": call.end_user or who.user_api_key_end_user_id,
        }[self._account]
        if not account:
            raise MalformedRecord(
                f"Absent, but setting ingest.litellm_account is {self._account!r}",
                field=_IDENTITY_FIELDS[self._account],
            )
        return account


def _time(epoch_s: float) -> datetime:
    try:
        return datetime.fromtimestamp(epoch_s, UTC)
    except (ValueError, OverflowError, OSError):
        raise ImplausibleRecord(f"{epoch_s} is no time in epoch seconds", field="startTime") from None


def _span(start_s: float, end_s: float | None) -> float | None:
    return round(end_s - start_s, 6) if end_s is not None and end_s >= start_s else None


def _http_status(code: str | int | None) -> int | None:
    text = str(code)
    return int(text) if text.isdecimal() and 100 <= int(text) <= 599 else None


def _finish_reasons(response: msgspec.Raw) -> tuple[str, ...]:
    try:
        choices = _response.decode(response).choices
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()  # a response may be text, redacted or of another API: not our business
    return tuple(choice.finish_reason for choice in choices if choice.finish_reason)


def _texts(messages: Any) -> tuple[str | None, str | None, int | None]:
    """Last user message, joined system messages, number of messages."""
    if isinstance(messages, str):
        return (None if messages == REDACTED else messages), None, 1
    if not isinstance(messages, list):
        return None, None, None
    user = None
    system: list[str] = []
    for message in messages:
        if isinstance(message, dict) and (text := _text(message.get("content"))) is not None:
            role = message.get("role")
            if role == "user":
                user = text
            elif role in ("system", "developer"):
                system.append(text)
    return user, "\n".join(system) or None, len(messages)


def _text(content: Any) -> str | None:
    """Text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "\n".join(part for part in parts if isinstance(part, str)) or None
    return content if isinstance(content, str) and content != REDACTED else None
