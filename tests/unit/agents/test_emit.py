from datetime import UTC, datetime
from types import SimpleNamespace

import orjson

from agents.emit import records
from schemas.finding import Finding, Lifecycle, Severity, decode_finding
from schemas.profile import AccountWindow, decode_profile
from schemas.topics import ALERTS, FINDINGS, PROFILES

TIME = datetime(2026, 11, 23, 10, tzinfo=UTC)
TIME_MS = 1795428000000


def a_finding(**changes) -> Finding:
    facts = {
        "finding_id": "fnd_1",
        "lifecycle": Lifecycle.CREATE,
        "time": TIME,
        "detector": "burst",
        "subject_kind": "account",
        "subject_id": "acct-1",
        "severity": Severity.LOW,
        "p_value": 1e-7,
        "event_count": 3,
        "first_seen": TIME,
        "last_seen": TIME,
        "title": "t",
        "reasons": (),
    }
    return Finding(**(facts | changes))


PROFILE = AccountWindow(
    tenant_id="default", account_id="acct-1", window_start=TIME, window_s=60, requests=4
)


def test_a_finding_goes_to_both_topics_under_its_id():
    finding = a_finding()
    internal, alert = records(SimpleNamespace(findings=[finding], profiles=[]))
    assert (internal.topic, alert.topic) == (FINDINGS.name, ALERTS.name)
    assert internal.key == alert.key == b"fnd_1"
    assert decode_finding(internal.value) == finding
    assert orjson.loads(alert.value)["finding_info"]["uid"] == "fnd_1"
    assert dict(alert.headers)["ce_id"] == b"fnd_1-0"


def test_a_suppressed_finding_is_recorded_but_alerts_nobody():
    output = SimpleNamespace(findings=[a_finding(suppressed_by="rule-1")], profiles=[])
    assert [record.topic for record in records(output)] == [FINDINGS.name]


def test_a_profile_is_keyed_by_account():
    (record,) = records(SimpleNamespace(findings=[], profiles=[PROFILE]))
    assert (record.topic, record.key) == (PROFILES.name, b"default:acct-1")
    assert decode_profile(record.value) == PROFILE


def test_nothing_in_nothing_out():
    assert records(SimpleNamespace(findings=[], profiles=[])) == []
