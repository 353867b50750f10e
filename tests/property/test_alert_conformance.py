"""Every finding, however odd, becomes a valid OCSF 1.8.0 document with valid CloudEvents headers."""

from functools import cache
from typing import get_args

import orjson
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from schemas.atlas import TECHNIQUES
from schemas.cloudevents import headers
from schemas.finding import (
    Action,
    DetectorKind,
    Feature,
    Finding,
    Lifecycle,
    Severity,
    decode_finding,
    encode_finding,
    utc_from_ms,
)
from schemas.ocsf import encode_ocsf, to_ocsf

text = st.text(min_size=1, max_size=40)
number = st.floats(allow_nan=False, allow_infinity=False)
share = st.floats(0, 1)
count = st.integers(0, 2**53)
time = st.integers(0, 4_102_444_800_000).map(utc_from_ms)


def words(most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(text, max_size=most).map(tuple)


findings = st.builds(
    Finding,
    finding_id=text,
    sequence=count,
    lifecycle=st.sampled_from(Lifecycle),
    time=time,
    tenant_id=text,
    detector=text,
    detector_version=text,
    detector_kind=st.sampled_from(get_args(DetectorKind)),
    subject_kind=st.sampled_from(("account", "campaign")),
    subject_id=text,
    members=words(120),
    member_count=count,
    severity=st.sampled_from(Severity),
    p_value=share,
    confidence=share,
    event_count=count,
    leaked_count=count,
    first_seen=time,
    last_seen=time,
    title=text,
    summary=st.text(max_size=40),
    reasons=words(4),
    features=st.lists(
        st.builds(
            Feature, name=text, value=number, baseline=number, contribution=share, unit=st.text(max_size=5)
        ),
        max_size=4,
    ).map(tuple),
    sample_event_ids=words(20),
    models=words(3),
    techniques=st.lists(st.sampled_from(sorted(TECHNIQUES)) | text, max_size=4).map(tuple),
    runbook=words(3),
    false_positives=words(3),
    recommended_action=st.sampled_from(Action),
    suppressed_by=st.none() | text,
    labels=st.dictionaries(text, text, max_size=3),
)


@cache
def validator() -> Draft202012Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema("1.8.0"))
    return Draft202012Validator(schema.get_class_schema("detection_finding", profiles=["incident"]))


def faults(document: dict) -> list[str]:
    return [f"{list(e.path)}: {e.message}" for e in validator().iter_errors(document)]


@settings(max_examples=60, deadline=None)
@given(findings)
def test_ocsf_documents_are_valid(finding):
    assert faults(orjson.loads(encode_ocsf(finding))) == []


@settings(max_examples=20, deadline=None)
@given(findings)
def test_the_validator_would_notice_a_fault(finding):
    document = to_ocsf(finding)
    del document["finding_info"]["analytic"]["type_id"]
    document["severity_id"] = 42
    document["surprise"] = True
    assert len(faults(document)) == 3


@settings(max_examples=60, deadline=None)
@given(findings)
def test_headers_are_a_cloudevent(finding):
    message = KafkaMessage(
        headers=dict(headers(finding)), key=finding.finding_id, value=encode_ocsf(finding)
    )
    event = from_binary(message, JSONFormat())
    assert event.get_specversion() == "1.0"
    assert event.get_id() == to_ocsf(finding)["metadata"]["uid"]
    assert event.get_time() == finding.time
    assert event.get_extension("partitionkey") == finding.finding_id
    assert event.get_data()["class_uid"] == 2004


@settings(max_examples=60, deadline=None)
@given(findings)
def test_the_internal_form_survives_json_and_still_maps_to_the_same_alert(finding):
    assert encode_ocsf(decode_finding(encode_finding(finding))) == encode_ocsf(finding)
