"""The printed JSON Schemas are valid, and say about real messages what our own readers say."""

from __future__ import annotations

import json

import jsonschema
import pytest

from agents.cli.schema import _TYPES, json_schema
from agents.settings import Settings
from schemas.errors import InvalidSetting
from schemas.event import encode_event
from tests.property.events import StreamShape, make_stream


@pytest.mark.parametrize("name", list(_TYPES))
def test_schemas_are_valid(name: str) -> None:
    made = json_schema(name)
    jsonschema.Draft202012Validator.check_schema(made)
    assert made["$schema"].endswith("2020-12/schema")
    json.dumps(made)


def test_a_real_event_passes_and_a_spoilt_one_does_not() -> None:
    validator = jsonschema.Draft202012Validator(json_schema("event"))
    event = json.loads(encode_event(make_stream(StreamShape(seed=1, events=1))[0]))
    validator.validate(event)
    for spoilt in ({**event, "input_tokens": -1}, {k: v for k, v in event.items() if k != "account_id"}):
        assert list(validator.iter_errors(spoilt))
    native = jsonschema.Draft202012Validator(json_schema("native"))
    native.validate({**event, "prompt": "raw", "anything": "else"})


def test_default_settings_pass_their_own_schema() -> None:
    jsonschema.validate(json.loads(Settings().model_dump_json()), json_schema("settings"))


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(InvalidSetting, match="dead-letter"):
        json_schema("findings")
