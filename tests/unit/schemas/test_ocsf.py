from datetime import UTC, datetime, timedelta

import pytest

from schemas.finding import Action, Feature, Finding, Lifecycle, Severity
from schemas.ocsf import MEMBER_CAP, encode_ocsf, to_ocsf

START = datetime(2026, 11, 23, 10, tzinfo=UTC)


def a_finding(**changes) -> Finding:
    facts = {
        "finding_id": "fnd_1",
        "lifecycle": Lifecycle.CREATE,
        "time": START + timedelta(minutes=5),
        "tenant_id": "acme",
        "detector": "template",
        "subject_kind": "account",
        "subject_id": "acct-1",
        "severity": Severity.HIGH,
        "p_value": 1e-9,
        "confidence": 0.92,
        "event_count": 40,
        "leaked_count": 38,
        "first_seen": START,
        "last_seen": START + timedelta(minutes=4),
        "title": "One template, many slots",
        "reasons": ("40 of 40 requests share one head.", "Usual share: 3 %."),
        "features": (Feature(name="head_share", value=1.0, baseline=0.03, contribution=0.8, unit="ratio"),),
        "sample_event_ids": ("evt-1", "evt-2"),
        "models": ("model-a",),
        "techniques": ("AML.T0024.002", "AML.T0040"),
        "recommended_action": Action.THROTTLE,
    }
    return Finding(**(facts | changes))


@pytest.mark.parametrize(
    ("lifecycle", "activity_id", "status_id", "is_alert"),
    [(Lifecycle.CREATE, 1, 1, True), (Lifecycle.UPDATE, 2, 2, True), (Lifecycle.CLOSE, 3, 4, False)],
)
def test_lifecycle_steps(lifecycle, activity_id, status_id, is_alert):
    document = to_ocsf(a_finding(lifecycle=lifecycle))
    assert document["activity_id"] == activity_id
    assert document["type_uid"] == 200400 + activity_id
    assert document["status_id"] == status_id
    assert document["is_alert"] is is_alert


@pytest.mark.parametrize(("kind", "type_id"), [("rule", 1), ("statistical", 3), ("fingerprinting", 5)])
def test_the_analytic_says_how_the_detector_works(kind, type_id):
    analytic = to_ocsf(a_finding(detector_kind=kind))["finding_info"]["analytic"]
    assert analytic["type_id"] == type_id
    assert analytic["type"].lower() == kind


def test_a_suppressed_finding_alerts_nobody_and_says_what_suppressed_it():
    document = to_ocsf(a_finding(suppressed_by="allow-synthetic-data"))
    assert (document["status_id"], document["status"]) == (3, "Suppressed")
    assert document["is_alert"] is False
    assert "allow-synthetic-data" in document["status_detail"]


def test_times_are_epoch_milliseconds_of_event_time():
    document = to_ocsf(a_finding())
    assert document["time"] - document["start_time"] == 300_000
    assert document["start_time"] == 1795428000000


def test_members_are_capped_and_the_true_number_kept():
    members = tuple(f"acct-{i}" for i in range(MEMBER_CAP * 3))
    document = to_ocsf(
        a_finding(subject_kind="campaign", subject_id="cmp-1", members=members, member_count=len(members))
    )
    actors = [r for r in document["resources"] if r["role_id"] == 2]
    assert [a["uid"] for a in actors] == list(members[:MEMBER_CAP])
    assert document["unmapped"]["member_count"] == MEMBER_CAP * 3
    assert document["metadata"]["is_truncated"] is True
    assert "user" not in document["evidences"][0]


def test_an_account_finding_without_members_names_its_subject_as_actor():
    document = to_ocsf(a_finding())
    assert [(r["uid"], r["role"]) for r in document["resources"]] == [
        ("model-a", "Target"),
        ("acct-1", "Actor"),
    ]
    assert document["metadata"]["is_truncated"] is False


def test_atlas_parent_and_sub_technique():
    first, second = to_ocsf(a_finding())["finding_info"]["attacks"]
    assert first["technique"]["uid"] == "AML.T0024"
    assert first["sub_technique"]["uid"] == "AML.T0024.002"
    assert first["tactic"]["name"] == "Exfiltration"
    assert second["technique"]["uid"] == "AML.T0040"
    assert "sub_technique" not in second


def test_an_unknown_technique_does_not_cost_the_alert():
    (attack,) = to_ocsf(a_finding(techniques=("AML.T7777",)))["finding_info"]["attacks"]
    assert attack["technique"] == {"uid": "AML.T7777"}


def test_features_become_observations_beside_their_baseline():
    (analysis,) = to_ocsf(a_finding())["anomaly_analyses"]
    assert analysis["anomalies"][0]["observations"] == [{"value": "1"}]
    assert analysis["baselines"][0]["observations"] == [{"value": "0.03"}]


@pytest.mark.parametrize(("confidence", "level"), [(0.0, 0), (0.2, 1), (0.5, 2), (0.9, 3)])
def test_confidence_levels(confidence, level):
    assert to_ocsf(a_finding(confidence=confidence))["confidence_id"] == level


def test_the_same_finding_gives_the_same_bytes():
    assert encode_ocsf(a_finding()) == encode_ocsf(a_finding())
