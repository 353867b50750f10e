"""The field to blame is found wherever the JSON breaks."""

from __future__ import annotations

import json

import msgspec
import pytest

from schemas.adapters.malformed import check_unique_keys, field_at, malformed
from schemas.adapters.native import read
from schemas.errors import MalformedRecord

GOOD = {"schema_version": 1, "event_id": "e", "time": "2026-11-23T00:00:00Z", "account_id": "a"}


def blamed(payload: bytes) -> MalformedRecord:
    with pytest.raises(MalformedRecord) as caught:
        read(payload)
    return caught.value


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"a": 1, "b": {"c": [1, {"d": tru', "b.c.d"),
        ('{"a": 1, "b": {"c": 1}, "e": ', "e"),
        ('{"a": 1, "b": {"c": 1}, "e', "b"),
        ('{"a": 1, "b": "x, \\"c\\": {[', "b"),
        ('{"a"', None),
        ("[1, 2, ", None),
        ("", None),
        ("]]]}}}", None),
        ('{"a": "\\\\", "b": 1', "b"),
    ],
)
def test_field_at_the_end_of_what_is_there(text: str, field: str | None) -> None:
    assert field_at(text.encode(), len(text)) == field


def test_cut_anywhere_a_record_is_refused_and_after_the_first_key_a_field_is_named() -> None:
    payload = json.dumps({**GOOD, "labels": {"team": "x"}, "finish_reasons": ["stop", "length"]}).encode()
    first_value = payload.index(b":")
    for length in range(len(payload)):
        error = blamed(payload[:length])
        assert error.reason
        assert (error.field is not None) == (length > first_value)


def test_a_lone_surrogate_is_called_what_it_is() -> None:
    error = blamed(json.dumps({**GOOD, "request_model": "\ud800"}).encode())
    assert (error.field, error.reason) == ("request_model", "Unpaired surrogate escape")
    assert read(json.dumps({**GOOD, "request_model": "\U0001f600"}).encode()).request_model == "\U0001f600"


def test_deep_nesting_is_refused_quickly() -> None:
    payload = json.dumps(GOOD).encode()[:-1] + b', "labels": ' + b'{"a": ' * 100_000
    assert blamed(payload).field is None or blamed(payload).field.startswith("labels")  # type: ignore[union-attr]
    assert blamed(payload).reason


def test_bytes_after_the_object_are_refused() -> None:
    assert "trailing" in blamed(json.dumps(GOOD).encode() + b"{}").reason


def test_paths_lead_into_containers() -> None:
    assert blamed(json.dumps({**GOOD, "finish_reasons": ["a", 1]}).encode()).field == "finish_reasons[1]"
    assert blamed(json.dumps({**GOOD, "labels": {"a": 1}}).encode()).field == "labels"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 1}',
        '{"a" : 1, "b": 2, "a" : 1}',
        '{"a":{"b":1},"c":"\\":","a":{"b":1}}',
        '{"a"\n:1,"a"\t:2}',
    ],
)
def test_a_field_named_twice_is_refused(text: str) -> None:
    with pytest.raises(MalformedRecord) as caught:
        check_unique_keys(text.encode())
    assert caught.value.field == "a"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"a": {"a": {"a": 1}}, "b": {"a": 1}}',
        '{"a": "\\"b\\": 1", "b": 2}',
        '{"a": "{\\"b\\":1}", "b" : ["\\":", ":"]}',
        '{"a\\"": 1, "a": 2, "\\":": 3}',
    ],
)
def test_the_same_name_elsewhere_is_fine(text: str) -> None:
    msgspec.json.decode(text)
    check_unique_keys(text.encode())


def test_reasons_hold_no_path_because_the_field_does() -> None:
    error = blamed(json.dumps({**GOOD, "input_tokens": -1}).encode())
    assert (error.field, error.reason) == ("input_tokens", "Expected `int` >= 0")
    error = malformed(msgspec.ValidationError("Object missing required field `x` - at `$.y`"), b"{}")
    assert (error.field, error.reason) == ("y.x", "Object missing required field `x`")
