"""The views answer an analyst's questions, from rows delivered more than once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from infra.clickhouse.feeds import FEEDS
from infra.clickhouse.store import Store
from schemas.control import Verdict
from schemas.finding import Severity
from schemas.profile import AccountWindow
from tests.integration.store.records import START, finding, request

pytestmark = pytest.mark.integration

_number = count()
BUILDERS = {name: build for feed in FEEDS.values() for name, build in feed.tables.items()}


def put(store: Store, name: str, records: Sequence[Any]) -> None:
    """Twice, as an at-least-once producer may, under two tokens."""
    for _ in range(2):
        store.insert(name, BUILDERS[name](records), f"token-{next(_number)}")


def put_findings(store: Store, *messages: Any) -> None:
    put(store, "findings", messages)
    put(store, "finding_members", messages)


def test_a_finding_is_its_latest_message(store: Store) -> None:
    put_findings(store, finding(0), finding(2, severity=Severity.CRITICAL), finding(1))
    put_findings(store, finding(0, finding_id="fnd_2", detector="drift"))
    chosen = "finding_id, sequence, lifecycle, severity, raised_at, verdict"
    seen = store.query(f"SELECT {chosen} FROM findings_current ORDER BY 1")
    assert seen == [("fnd_1", 2, "close", "critical", START, ""), ("fnd_2", 0, "create", "high", START, "")]
    assert store.query("SELECT sequence FROM finding_messages WHERE finding_id = 'fnd_1' ORDER BY 1") == [
        (0,), (1,), (2,),
    ]  # fmt: skip


def test_severities_can_be_compared(store: Store) -> None:
    names = [severity.value for severity in Severity]
    put_findings(store, *(finding(0, finding_id=name, severity=Severity(name)) for name in names))
    ranked = store.query("SELECT finding_id FROM findings_current ORDER BY severity")
    assert [name for (name,) in ranked] == names
    assert store.query("SELECT count() FROM findings_current WHERE severity >= 'high'") == [(2,)]


def test_members_are_those_of_the_latest_message(store: Store) -> None:
    campaign = {"subject_kind": "campaign", "subject_id": "c"}
    put_findings(store, finding(1, members=("b", "c"), **campaign))
    put_findings(store, finding(0, members=("a", "b"), **campaign))
    now = store.query("SELECT account_id, first_named FROM finding_members_current ORDER BY 1")
    assert now == [("b", START), ("c", START + timedelta(minutes=1))]
    ever = store.query("SELECT account_id FROM finding_members GROUP BY 1 ORDER BY 1")
    assert [name for (name,) in ever] == ["a", "b", "c"]


def test_an_account_finding_has_its_subject_as_member(store: Store) -> None:
    put_findings(store, finding(0))
    assert store.query("SELECT account_id FROM finding_members_current") == [("acct-0",)]


def test_leaked_answers_are_those_before_anybody_was_told(store: Store) -> None:
    """Finding over seconds 0 to 120, raised at second 60; one request a second and account."""
    requests = [
        request(n, account=account, event_id=f"{account}-{n}", output_tokens=2)
        for n in range(-30, 150)
        for account in (0, 1)
        if n != 1
    ]
    put(store, "requests", [*requests, request(1, status="failure")])
    put_findings(store, finding(1), finding(2))
    [row] = store.query(
        "SELECT answers_before_finding, answers, output_tokens_before_finding, output_tokens, accounts,"
        " raised_at FROM leaked_answers WHERE finding_id = 'fnd_1'"
    )
    assert row == (60, 120, 120, 240, 1, START + timedelta(seconds=60))


def test_the_timeline_tells_what_happened_to_an_account(store: Store) -> None:
    window = AccountWindow(
        tenant_id="default", account_id="acct-0", window_start=START.replace(microsecond=0),
        window_s=3600, requests=7,
    )  # fmt: skip
    said = Verdict(
        id="v", finding_id="fnd_1", verdict="true_positive", analyst="ada", note="yes",
        time=START + timedelta(hours=1),
    )  # fmt: skip
    put(store, "account_windows", [window])
    put_findings(store, finding(0), finding(2))
    put(store, "verdicts", [(1, said)])
    of_account = "FROM account_timeline WHERE account_id = 'acct-0' ORDER BY time"
    story = store.query(f"SELECT kind, what, finding_id {of_account}")
    assert story == [
        ("window", "3600 s: 7 requests (0 failed), 0 tokens in, 0 out", ""),
        ("finding", "create burst (high): Burst", "fnd_1"),
        ("finding", "close burst (high): Burst", "fnd_1"),
        ("verdict", "ada says true_positive: yes", "fnd_1"),
    ]


def test_the_last_verdict_counts_until_it_is_taken_back(store: Store) -> None:
    def said(offset: int, verdict: str, finding_id: str = "fnd_1") -> tuple[int, Verdict]:
        fields: dict[str, Any] = {"verdict": verdict, "finding_id": finding_id}
        return offset, Verdict(id="v", time=START, **fields)

    put_findings(store, finding(0))
    put(store, "verdicts", [said(5, "false_positive")])
    put(store, "verdicts", [said(3, "true_positive")])
    assert store.query("SELECT verdict FROM findings_current") == [("false_positive",)]
    counts = "SELECT detector, findings, confirmed, refuted FROM detector_verdicts"
    assert store.query(counts) == [("burst", 1, 0, 1)]
    put(store, "verdicts", [said(9, "disregard", finding_id="")])
    assert store.query("SELECT count() FROM verdicts_current") == [(0,)]
    assert store.query("SELECT unjudged FROM detector_verdicts") == [(1,)]


def test_links_are_counted_by_kind(store: Store) -> None:
    shared = {
        "payment_hash": "hmac-sha256:aaaa", "device_hash": "hmac-sha256:bbbb", "client_asn": 64500,
        "client_network_hash": "hmac-sha256:cccc", "tls_fingerprint": "ja4:t13d",
        "email_domain_hash": "hmac-sha256:dddd",
    }  # fmt: skip
    put(store, "requests", [request(n, account=n % 5, **shared) for n in range(20)])
    put(store, "requests", [request(n, account=9, client_asn=64500) for n in range(20, 25)])
    chosen = "kind, account_count, request_count, first_hour = last_hour"
    seen = store.query(f"SELECT {chosen} FROM link_spread ORDER BY 1")
    others = [(kind, 5, 20, 1) for kind in ("device", "email_domain", "network", "payment", "tls")]
    assert seen == [("asn", 6, 25, 1), *others]
    one = "WHERE kind = 'tls' AND value = xxh3('ja4:t13d')"
    assert store.query(f"SELECT account_count FROM link_spread {one}") == [(5,)]
