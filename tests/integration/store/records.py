"""Records for the store: a request with every field, and many with few."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from schemas.event import RequestEvent
from schemas.finding import Feature, Finding, Lifecycle, Severity

START = datetime(2026, 11, 23, 12, 0, 0, 123000, tzinfo=UTC)


def digest(value: int) -> str:
    return f"hmac-sha256:{value:032x}"


FULL = RequestEvent(
    schema_version=1, event_id="e-full", time=START, tenant_id="acme", source="litellm",
    account_id="acct-full", organization_id="org", credential_id="key", end_user_id="person",
    conversation_id="talk",
    account_created_at=START - timedelta(days=9), account_plan="pro", account_verified=False,
    payment_hash=digest(1), email_domain_hash=digest(2), device_hash=digest(3), operation="embeddings",
    provider="anthropic", request_model="big", response_model="big-2", stream=True, temperature=0.5,
    top_p=0.25, top_k=40.0, max_tokens=2**40, choice_count=2, seed=-7, logprobs=True, tool_count=3,
    message_count=4,
    input_tokens=2**53, output_tokens=6, cache_read_input_tokens=7, cache_creation_input_tokens=8,
    reasoning_output_tokens=9, cost_usd=0.125, status="blocked", http_status=429, error_type="limit",
    finish_reasons=("stop", "length"), duration_s=1.5, time_to_first_chunk_s=0.25,
    client_address="203.0.113.9", client_network_hash=digest(4), client_asn=64500, client_country="DE",
    user_agent="curl/8 'quoted' \\ é",
    tls_fingerprint="ja4:t13d1516h2_8daaf6152771", header_order_hash=digest(5), fingerprint_id="sw1/k1",
    prompt_hash=digest(6), template_hash=digest(7), template_tail_hash=digest(8), system_hash=digest(9),
    prompt_simhash="simhash64:fedcba9876543210", prompt_minhash=bytes(range(16)) + b"rest",
    prompt_embedding=b"never stored", prompt_topic="coding", prompt_language="de", prompt_chars=1234,
    reasoning_elicitation=0.75, response_hash=digest(10), labels={"team": "red", "": "empty name"},
)  # fmt: skip
"""Every field has a value that is not its default."""


def request(number: int, account: int = 0, **fields: object) -> RequestEvent:
    """A small request, the `number`-th second after `START`."""
    values: dict[str, object] = {
        "schema_version": 1, "event_id": f"e-{number}", "time": START + timedelta(seconds=number),
        "account_id": f"acct-{account}",
    }  # fmt: skip
    return RequestEvent(**{**values, **fields})  # type: ignore[arg-type]


def finding(sequence: int = 0, members: tuple[str, ...] = (), **fields: object) -> Finding:
    """A message of one finding, `sequence` minutes after `START`."""
    steps = (Lifecycle.CREATE, Lifecycle.UPDATE, Lifecycle.CLOSE)
    values: dict[str, object] = {
        "finding_id": "fnd_1", "sequence": sequence, "lifecycle": steps[min(sequence, 2)],
        "time": START + timedelta(minutes=sequence), "detector": "burst", "subject_kind": "account",
        "subject_id": "acct-0", "members": members, "member_count": len(members), "severity": Severity.HIGH,
        "p_value": 1e-9, "event_count": 10 * (sequence + 1), "first_seen": START,
        "last_seen": START + timedelta(minutes=sequence), "title": "Burst", "reasons": ("many", "fast"),
        "features": (Feature(name="rate", value=9.0, baseline=1.0, contribution=0.8, unit="1/min"),),
    }  # fmt: skip
    return Finding(**{**values, **fields})  # type: ignore[arg-type]
