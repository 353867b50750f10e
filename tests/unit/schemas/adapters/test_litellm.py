"""LiteLLM's logging payload: identity, text, usage and outcome end where detectors look for them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from schemas.adapters.litellm import LiteLLM
from schemas.errors import ImplausibleRecord, MalformedRecord

START_S = 1_795_392_000.25


def payload(**changes: Any) -> bytes:
    """A chat completion with everything a proxy with virtual keys logs."""
    record: dict[str, Any] = {
        "id": "chatcmpl-8f1",
        "trace_id": "trace-1",
        "call_type": "acompletion",
        "stream": True,
        "response_cost": 0.0123,
        "response_cost_failure_debug_info": None,
        "status": "success",
        "status_fields": {"llm_api_status": "success", "guardrail_status": "not_run"},
        "custom_llm_provider": "openai",
        "total_tokens": 30,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "startTime": START_S,
        "endTime": START_S + 2.5,
        "completionStartTime": START_S + 0.5,
        "response_time": 0.5,
        "model_map_information": {"model_map_key": "m", "model_map_value": None},
        "model": "provider/model-large",
        "model_id": None,
        "model_group": "large",
        "api_base": "https://example.invalid",
        "metadata": {
            "user_api_key_hash": "88dc28d0",
            "user_api_key_alias": "ci",
            "user_api_key_org_id": "org-1",
            "user_api_key_team_id": "team-1",
            "user_api_key_user_id": "user-1",
            "usage_object": {
                "completion_tokens_details": {"reasoning_tokens": 7},
                "prompt_tokens_details": {"cached_tokens": 3},
            },
            "spend_logs_metadata": None,
        },
        "cache_hit": False,
        "request_tags": ["batch", "eu"],
        "end_user": "end-1",
        "requester_ip_address": "192.0.2.7",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "First question"},
            {"role": "assistant", "content": "Answer"},
            {"role": "user", "content": [
                {"type": "text", "text": "Last question"},
                {"type": "image_url", "image_url": {"url": "data:..."}},
            ]},
        ],
        "response": {"choices": [{"finish_reason": "length", "message": {"content": "..."}}]},
        "error_str": None,
        "error_information": {"error_code": "", "error_class": ""},
        "model_parameters": {
            "temperature": 0, "max_tokens": 500, "n": 2, "logprobs": True, "tools": [{}, {}],
        },
        "hidden_params": {"model_id": None},
        "a_field_of_next_year": {"x": 1},
    }  # fmt: skip
    return json.dumps({**record, **changes}).encode()


def test_everything_lands_in_its_field() -> None:
    record = LiteLLM().read(payload())
    assert record.event_id == "chatcmpl-8f1"
    assert record.time == datetime.fromtimestamp(START_S, UTC)
    assert (record.tenant_id, record.account_id) == ("org-1", "user-1")
    assert (record.organization_id, record.credential_id) == ("team-1", "88dc28d0")
    assert (record.end_user_id, record.conversation_id) == ("end-1", "trace-1")
    assert (record.operation, record.provider) == ("chat", "openai")
    assert (record.request_model, record.response_model) == ("large", "provider/model-large")
    assert (record.temperature, record.max_tokens, record.choice_count) == (0.0, 500, 2)
    assert (record.logprobs, record.stream, record.tool_count, record.message_count) == (True, True, 2, 4)
    assert (record.input_tokens, record.output_tokens) == (10, 20)
    assert (record.reasoning_output_tokens, record.cache_read_input_tokens) == (7, 3)
    assert (record.cost_usd, record.status, record.finish_reasons) == (0.0123, "success", ("length",))
    assert (record.http_status, record.error_type) == (None, None)
    assert (record.duration_s, record.time_to_first_chunk_s) == (2.5, 0.5)
    assert (record.client_address, record.labels) == ("192.0.2.7", {"request_tags": "batch,eu"})
    assert (record.prompt, record.system_prompt) == ("Last question", "Be brief.")


@pytest.mark.parametrize(
    ("account", "expected"),
    [("user", "user-1"), ("team", "team-1"), ("key", "88dc28d0"), ("end_user", "end-1")],
)
def test_the_setting_says_who_the_account_is(account: Any, expected: str) -> None:
    assert LiteLLM(account).read(payload()).account_id == expected


@pytest.mark.parametrize(
    ("account", "changes", "field"),
    [
        ("user", {"metadata": {"user_api_key_user_id": None}}, "metadata.user_api_key_user_id"),
        ("user", {"metadata": None}, "metadata.user_api_key_user_id"),
        ("end_user", {"end_user": None}, "end_user"),
    ],
)
def test_an_absent_account_names_field_and_setting(account: Any, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(MalformedRecord, match=r"ingest\.litellm_account") as caught:
        LiteLLM(account).read(payload(**changes))
    assert caught.value.field == field


def test_failures_and_blocks() -> None:
    failed = LiteLLM().read(
        payload(status="failure", error_information={"error_code": "429", "error_class": "RateLimitError"})
    )
    assert (failed.status, failed.http_status, failed.error_type) == ("failure", 429, "RateLimitError")
    blocked = LiteLLM().read(payload(status_fields={"guardrail_status": "guardrail_intervened"}))
    assert blocked.status == "blocked"


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ("a plain completion prompt", ("a plain completion prompt", None, 1)),
        ("redacted-by-litellm", (None, None, 1)),
        ([{"role": "user", "content": "redacted-by-litellm"}], (None, None, 1)),
        ([{"role": "developer", "content": "Rules"}, {"role": "user", "content": "Q"}], ("Q", "Rules", 2)),
        ([{"role": "user", "content": None}, "odd", {"content": 5}], (None, None, 3)),
        ([], (None, None, 0)),
        (None, (None, None, None)),
        ({"input": "x"}, (None, None, None)),
    ],
)
def test_messages_of_every_shape(messages: Any, expected: tuple[Any, ...]) -> None:
    record = LiteLLM().read(payload(messages=messages))
    assert (record.prompt, record.system_prompt, record.message_count) == expected


@pytest.mark.parametrize(
    "response", [None, "text", {}, {"choices": None}, {"choices": [{"finish_reason": None}]}]
)
def test_a_response_of_another_shape_is_no_error(response: Any) -> None:
    assert LiteLLM().read(payload(response=response)).finish_reasons == ()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"prompt_tokens": "10"}, "prompt_tokens"),
        ({"id": ""}, "id"),
        ({"startTime": "2026-11-23"}, "startTime"),
        ({"model_parameters": {"temperature": "hot"}}, "model_parameters.temperature"),
        ({"metadata": {"user_api_key_user_id": "u" * 257}}, "metadata.user_api_key_user_id"),
        ({"status": "unknown"}, "status"),
    ],
)
def test_wrong_types_are_refused_with_their_path(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(MalformedRecord) as caught:
        LiteLLM().read(payload(**changes))
    assert caught.value.field == field


def test_a_time_in_milliseconds_is_implausible_not_a_crash() -> None:
    with pytest.raises(ImplausibleRecord) as caught:
        LiteLLM().read(payload(startTime=START_S * 1e6))
    assert caught.value.field == "startTime"


def test_truncated_and_doubled() -> None:
    with pytest.raises(MalformedRecord) as caught:
        LiteLLM().read(payload()[:60])
    assert caught.value.field == "call_type"
    with pytest.raises(MalformedRecord) as caught:
        LiteLLM().read(payload()[:-1] + b', "end_user": "other"}')
    assert caught.value.field == "end_user"
