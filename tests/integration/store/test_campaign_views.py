"""Campaigns as the store tells them: members, what ties them, what they did when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from infra.clickhouse.feeds import FEEDS
from infra.clickhouse.store import Store
from tests.integration.store.records import START, digest, finding, request

pytestmark = pytest.mark.integration

_number = count()
BUILDERS = {name: build for feed in FEEDS.values() for name, build in feed.tables.items()}
CAMPAIGN = {"subject_kind": "campaign", "subject_id": "cmp-1", "finding_id": "fnd_c"}


def put(store: Store, name: str, records: Sequence[Any]) -> None:
    """Twice, as an at-least-once producer may."""
    for _ in range(2):
        store.insert(name, BUILDERS[name](records), f"campaign-token-{next(_number)}")


@pytest.fixture
def filled(store: Store) -> Store:
    """Three members and a bystander; two hours; a card that two members share with the bystander."""
    requests = [
        request(
            3600 * hour + account,
            account=account,
            event_id=f"{account}-{hour}",
            output_tokens=10,
            status="failure" if account == 2 and hour == 1 else "success",
            payment_hash=digest(7 if account != 1 else 8),
            client_network_hash=digest(100 + account),
            fingerprint_id="k",
            template_hash=digest(55),
        )
        for hour in range(2)
        for account in range(4)
    ]
    put(store, "requests", requests)
    messages = [
        finding(0, members=("acct-0", "acct-1"), **CAMPAIGN),
        finding(1, members=("acct-0", "acct-1", "acct-2"), labels={"merged_into": "cmp-0"}, **CAMPAIGN),
        finding(0, finding_id="fnd_account"),
    ]
    put(store, "findings", messages)
    put(store, "finding_members", messages)
    return store


def test_campaigns_are_told_once_and_accounts_are_none(filled: Store) -> None:
    chosen = "subject_id, lifecycle, member_count, requests, merged_into, raised_at, told_at"
    assert filled.query(f"SELECT {chosen} FROM campaigns_current") == [
        ("cmp-1", "update", 3, 20, "cmp-0", START, START + timedelta(minutes=1))
    ]
    members = filled.query("SELECT account_id FROM campaign_members ORDER BY 1")
    assert [name for (name,) in members] == ["acct-0", "acct-1", "acct-2"]


def test_activity_is_by_member_and_hour(filled: Store) -> None:
    rows = filled.query(
        "SELECT account_id, requests, answers, output_tokens FROM campaign_activity "
        "WHERE finding_id = 'fnd_c' ORDER BY account_id, hour"
    )
    assert rows == [
        ("acct-0", 1, 1, 10), ("acct-0", 1, 1, 10), ("acct-1", 1, 1, 10), ("acct-1", 1, 1, 10),
        ("acct-2", 1, 1, 10), ("acct-2", 1, 0, 10),
    ]  # fmt: skip
    hours = filled.query(
        "SELECT accounts, requests, answers FROM campaign_hours WHERE finding_id = 'fnd_c' ORDER BY hour"
    )
    assert hours == [(3, 3, 3), (3, 3, 2)]


def test_links_say_how_many_members_and_how_many_others(filled: Store) -> None:
    rows = filled.query(
        "SELECT kind, members, accounts FROM campaign_links WHERE finding_id = 'fnd_c' ORDER BY kind"
    )
    assert rows == [("payment", 2, 3), ("template", 3, 4)]
    [[pairs]] = filled.query("SELECT count() FROM campaign_member_links WHERE kind = 'network'")
    assert pairs == 3
