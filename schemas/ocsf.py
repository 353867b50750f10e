"""`Finding` to OCSF 1.8.0 Detection Finding (class 2004), the form SIEMs read from the alerts topic.

A pure mapping: the same finding always gives the same document, so a retry or a replay repeats the
message exactly (there is no logging time in it). What OCSF has no field for travels under `unmapped`.

The account and the models are `resources` (role Actor and Target): the ``ai_operation`` profile of OCSF
1.8.0 is not registered on finding classes, and using it there would make the document invalid.

Source: OCSF schema 1.8.0, class ``detection_finding``, profile ``incident`` (https://schema.ocsf.io/1.8.0).
"""

from __future__ import annotations

from datetime import datetime
from importlib import metadata
from typing import Any

import orjson

from schemas.atlas import ATLAS_VERSION, TECHNIQUES
from schemas.finding import Action, DetectorKind, Feature, Finding, Lifecycle, Severity
from schemas.topics import ALERTS

OCSF_VERSION = "1.8.0"
CLASS_UID = 2004
MEMBER_CAP = 50
"""Most member accounts in one alert, which keeps it a few kilobytes. `unmapped.member_count` is the true
number and `metadata.is_truncated` says that some were left out; the findings topic and the
``finding_members`` table hold all of them."""

_ACTIVITY = {Lifecycle.CREATE: (1, "Create"), Lifecycle.UPDATE: (2, "Update"), Lifecycle.CLOSE: (3, "Close")}
_STATUS = {
    Lifecycle.CREATE: (1, "New"),
    Lifecycle.UPDATE: (2, "In Progress"),
    Lifecycle.CLOSE: (4, "Resolved"),
}
_SUPPRESSED = (3, "Suppressed")
_SEVERITY = {
    Severity.INFORMATIONAL: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}
_PRIORITY = {
    Severity.INFORMATIONAL: (1, "Low"),
    Severity.LOW: (1, "Low"),
    Severity.MEDIUM: (2, "Medium"),
    Severity.HIGH: (3, "High"),
    Severity.CRITICAL: (4, "Critical"),
}
_ANALYTIC_TYPES: dict[DetectorKind, dict[str, Any]] = {
    "rule": {"type_id": 1, "type": "Rule"},
    "behavioral": {"type_id": 2, "type": "Behavioral"},
    "statistical": {"type_id": 3, "type": "Statistical"},
    "learning": {"type_id": 4, "type": "Learning (ML/DL)"},
    "fingerprinting": {"type_id": 5, "type": "Fingerprinting"},
}
_SUSPICIOUS = (4, "Suspicious")
_DISREGARD = (3, "Disregard")
_REMEDIATION = {
    Action.OBSERVE: "Observe: no change for the subject yet; watch for further evidence.",
    Action.REVIEW: "Review the sampled requests and the account before acting.",
    Action.THROTTLE: "Throttle the subject while the finding is reviewed.",
    Action.CHALLENGE: "Require verification (identity, payment) before serving the subject further.",
    Action.SUSPEND: "Suspend the subject's keys and preserve its records.",
}
_RESOURCE_UID = 10  # observable.type_id


def alert_id(finding: Finding) -> str:
    """Id of one alert message: the finding and the number of the message within it.

    Deterministic, so consumers can drop a repetition by it.
    """
    return f"{finding.finding_id}-{finding.sequence}"


def to_ocsf(finding: Finding) -> dict[str, Any]:
    """The OCSF document of one finding message.

    Techniques this version of ATLAS does not know keep their id and lose their name; nothing is raised,
    because an alert with one name less is better than no alert.
    """
    activity_id, activity = _ACTIVITY[finding.lifecycle]
    suppressed = finding.suppressed_by is not None
    status_id, status = _SUPPRESSED if suppressed else _STATUS[finding.lifecycle]
    verdict_id, verdict = _DISREGARD if suppressed else _SUSPICIOUS
    severity_id, severity = _SEVERITY[finding.severity]
    priority_id, priority = _PRIORITY[finding.severity]
    document: dict[str, Any] = {
        "activity_id": activity_id,
        "activity_name": activity,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": CLASS_UID,
        "class_name": "Detection Finding",
        "type_uid": CLASS_UID * 100 + activity_id,
        "type_name": f"Detection Finding: {activity}",
        "time": _ms(finding.time),
        "start_time": _ms(finding.first_seen),
        "end_time": _ms(finding.last_seen),
        "count": finding.event_count,
        "severity_id": severity_id,
        "severity": severity,
        "priority_id": priority_id,
        "priority": priority,
        "status_id": status_id,
        "status": status,
        "verdict_id": verdict_id,
        "verdict": verdict,
        "is_alert": finding.lifecycle is not Lifecycle.CLOSE and not suppressed,
        "message": finding.summary or finding.title,
        "metadata": _metadata(finding),
        "finding_info": _finding_info(finding),
        "evidences": [_evidence(finding)],
        "resources": _resources(finding),
        "observables": [
            {
                "name": "resources.uid",
                "type_id": _RESOURCE_UID,
                "type": "Resource UID",
                "value": finding.subject_id,
            }
        ],
        "remediation": _remediation(finding),
        "unmapped": _unmapped(finding),
    }
    document.update(_confidence(finding.confidence))
    if finding.features:
        document["anomaly_analyses"] = [_anomaly_analysis(finding)]
    if finding.suppressed_by is not None:
        document["status_detail"] = f"Suppressed by control message {finding.suppressed_by}"
    return document


def encode_ocsf(finding: Finding) -> bytes:
    """`to_ocsf` as JSON bytes."""
    return orjson.dumps(to_ocsf(finding))


def _product_version() -> str:
    try:
        return metadata.version("stillwatch")
    except metadata.PackageNotFoundError:  # run from a source tree that is not installed
        return "0"


_PRODUCT_VERSION = _product_version()


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def _confidence(confidence: float) -> dict[str, Any]:
    """OCSF names three levels; their bounds are thirds. 0 means that nobody stated a confidence."""
    if confidence <= 0:
        return {"confidence_id": 0, "confidence": "Unknown"}
    level, name = (1, "Low") if confidence < 1 / 3 else (2, "Medium") if confidence < 2 / 3 else (3, "High")
    return {"confidence_id": level, "confidence": name, "confidence_score": round(confidence * 100)}


def _metadata(finding: Finding) -> dict[str, Any]:
    return {
        "version": OCSF_VERSION,
        "uid": alert_id(finding),
        "sequence": finding.sequence,
        "correlation_uid": finding.subject_id,
        "tenant_uid": finding.tenant_id,
        "profiles": ["incident"],
        "event_code": f"distillation.{finding.detector}",
        "log_name": ALERTS.name,
        "original_time": finding.time.isoformat(),
        "is_truncated": len(finding.members) > MEMBER_CAP,
        "product": {
            "name": "Stillwatch",
            "vendor_name": "Stillwatch contributors",
            "version": _PRODUCT_VERSION,
            "feature": {"name": finding.detector, "version": finding.detector_version},
        },
    }


def _finding_info(finding: Finding) -> dict[str, Any]:
    info: dict[str, Any] = {
        "uid": finding.finding_id,
        "title": finding.title,
        "desc": "\n".join(finding.reasons) or finding.summary or finding.title,
        "types": ["Model extraction"],
        "first_seen_time": _ms(finding.first_seen),
        "last_seen_time": _ms(finding.last_seen),
        "related_events_count": finding.event_count,
        "related_events": [{"uid": uid, "type": "llm.request"} for uid in finding.sample_event_ids],
        "analytic": {
            "uid": finding.detector,
            "name": finding.detector,
            "version": finding.detector_version,
            **_ANALYTIC_TYPES[finding.detector_kind],
            "state_id": 1,
            "state": "Active",
            "category": "distillation",
        },
        "attacks": [_attack(technique_id) for technique_id in finding.techniques],
        "tags": [
            {"name": "owasp", "value": "LLM10:2025"},
            *({"name": name, "value": value} for name, value in sorted(finding.labels.items())),
        ],
    }
    # The create message is the only one that knows when the finding was made.
    key = "created_time" if finding.lifecycle is Lifecycle.CREATE else "modified_time"
    info[key] = _ms(finding.time)
    return info


def _attack(technique_id: str) -> dict[str, Any]:
    known = TECHNIQUES.get(technique_id)
    if known is None:
        return {"version": ATLAS_VERSION, "technique": {"uid": technique_id}}
    own = {"uid": known.id, "name": known.name, "src_url": known.url}
    attack: dict[str, Any] = {
        "version": ATLAS_VERSION,
        "tactic": {"uid": known.tactic.id, "name": known.tactic.name},
    }
    if known.parent_id is None:
        attack["technique"] = own
    else:
        parent = TECHNIQUES[known.parent_id]
        attack["technique"] = {"uid": parent.id, "name": parent.name, "src_url": parent.url}
        attack["sub_technique"] = own
    if known.mitigations:
        first = known.mitigations[0]
        attack["mitigation"] = {"uid": first.id, "name": first.name, "src_url": first.url}
    return attack


def _anomaly_analysis(finding: Finding) -> dict[str, Any]:
    def observed(feature: Feature, value: float) -> dict[str, Any]:
        return {
            "observation_parameter": feature.name,
            "observation_type": feature.unit or "value",
            "observations": [{"value": f"{value:.6g}"}],
        }

    return {
        "analysis_targets": [{"name": finding.subject_id, "type": finding.subject_kind}],
        "baselines": [observed(feature, feature.baseline) for feature in finding.features],
        "anomalies": [
            observed(feature, feature.value)
            | {"observed_pattern": f"contributes {feature.contribution:.0%} of the evidence"}
            for feature in finding.features
        ],
    }


def _evidence(finding: Finding) -> dict[str, Any]:
    evidence: dict[str, Any] = {
        "name": finding.subject_kind,
        "uid": finding.subject_id,
        "data": {
            "p_value": finding.p_value,
            "reasons": list(finding.reasons),
            "sample_event_ids": list(finding.sample_event_ids),
            "feature_contributions": {f.name: f.contribution for f in finding.features},
        },
    }
    if finding.subject_kind == "account":
        evidence["user"] = {"uid": finding.subject_id, "type_id": 1, "type": "User"}
    return evidence


def _resources(finding: Finding) -> list[dict[str, Any]]:
    models = [
        {"uid": model, "name": model, "type": "AI Model", "role_id": 1, "role": "Target"}
        for model in finding.models
    ]
    accounts = finding.members or ((finding.subject_id,) if finding.subject_kind == "account" else ())
    actors = [
        {"uid": account, "type": "LLM API account", "role_id": 2, "role": "Actor"}
        for account in accounts[:MEMBER_CAP]
    ]
    return models + actors


def _remediation(finding: Finding) -> dict[str, Any]:
    steps = [_REMEDIATION[finding.recommended_action], *finding.runbook]
    known = [TECHNIQUES[t] for t in finding.techniques if t in TECHNIQUES]
    references = dict.fromkeys(m.url for technique in known for m in technique.mitigations)
    remediation: dict[str, Any] = {"desc": "\n".join(steps)}
    if references:
        remediation["references"] = list(references)
    return remediation


def _unmapped(finding: Finding) -> dict[str, Any]:
    return {
        "dedup_key": "|".join((finding.tenant_id, finding.detector, finding.subject_id)),
        "subject_kind": finding.subject_kind,
        "member_count": max(finding.member_count, len(finding.members)),
        "leaked_count": finding.leaked_count,
        "recommended_action": finding.recommended_action.value,
        "false_positives": list(finding.false_positives),
        "suppressed_by": finding.suppressed_by,
    }
