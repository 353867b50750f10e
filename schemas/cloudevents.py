"""CloudEvents 1.0 headers of an alert record, in the binary mode of the Kafka protocol binding.

The record value stays plain OCSF JSON, so that a consumer that ignores headers still reads it.

Source: CloudEvents specification 1.0.2, Kafka protocol binding, section 3.2 (binary content mode).
"""

from __future__ import annotations

from datetime import UTC
from urllib.parse import quote

from schemas.finding import Finding
from schemas.ocsf import OCSF_VERSION, alert_id

ALERT_TYPE = "io.stillwatch.alert.v1"
DATA_SCHEMA = f"https://schema.ocsf.io/{OCSF_VERSION}/classes/detection_finding"


def headers(finding: Finding) -> list[tuple[str, bytes]]:
    """Kafka headers that make the alert of `finding` a CloudEvent.

    The event id repeats when the same message is sent again; source and id together are unique, as the
    specification asks.
    """
    time = finding.time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    attributes = {
        "ce_specversion": "1.0",
        "ce_type": ALERT_TYPE,
        "ce_source": f"/stillwatch/tenants/{quote(finding.tenant_id, safe='')}",
        "ce_id": alert_id(finding),
        "ce_time": time,
        "ce_subject": finding.subject_id,
        "ce_dataschema": DATA_SCHEMA,
        "ce_partitionkey": finding.finding_id,
        "content-type": "application/json",
    }
    return [(name, value.encode()) for name, value in attributes.items()]
