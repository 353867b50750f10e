"""What link and campaign planes have to do grows with accounts and with suspicion, not with traffic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from schemas.event import RequestEvent
from schemas.evidence import GroupReport, HourMark, LinkKind
from streams.account_plane import AccountPlane
from streams.campaign_plane import CampaignPlane
from streams.config import DetectionConfig
from streams.link_plane import LinkPlane
from streams.spread import spread
from tests.evidence_world import START_HOUR, Crowd, World, hydra

START = datetime(2026, 11, 23, tzinfo=UTC)
HOURS = 18


def evidence_records(accounts: int, requests: int) -> int:
    """Records on the evidence topic for one hour of so many accounts with so many requests each."""
    events = [
        RequestEvent(
            schema_version=1,
            event_id=f"{account}-{number}",
            time=START + timedelta(seconds=round(3600 * (number + account / accounts) / requests, 3)),
            account_id=f"account-{account}",
            payment_hash=f"hmac-sha256:{account:016x}",
            client_network_hash=f"hmac-sha256:{account // 10:016x}",
        )
        for number in range(requests)
        for account in range(accounts)
    ]
    plane = AccountPlane(DetectionConfig())
    output = plane.process(events)
    output.extend(plane.close_windows())
    return sum(len(spread(account)) for account in output.evidence)


def test_evidence_grows_with_active_accounts_and_their_links() -> None:
    few, many = evidence_records(100, requests=2), evidence_records(100, requests=40)
    assert few == many == 100 * 3  # a card, a network and a time of sign-up each
    assert evidence_records(300, requests=2) == 3 * few


def reports(people: int, campaign: bool) -> tuple[list[GroupReport], CampaignPlane]:
    """What the campaign plane is told about a crowd, and the plane afterwards."""
    crowds = [Crowd("people", people, log_volume=2.8, share={LinkKind.NETWORK: people // 20})]
    if campaign:
        crowds.append(hydra(30, begins=1, share={LinkKind.PAYMENT: 1}))
    world = World(crowds, HOURS)
    links, campaigns, told = LinkPlane(DetectionConfig()), CampaignPlane(DetectionConfig()), []
    for hour in range(START_HOUR, START_HOUR + HOURS):
        items = [item for account in world.by_hour[hour] for item in spread(account)]
        output = links.process([*items, HourMark(0, hour)])
        campaigns.process([*output.reports, HourMark(0, hour)])
        told += output.reports
    return told, campaigns


@pytest.mark.parametrize("people", [200, 800])
def test_campaign_plane_hears_of_suspicious_groups_only(people: int) -> None:
    told, campaigns = reports(people, campaign=False)
    assert told == []
    assert campaigns.take_changes()[0][0] == b"p0"
    told, campaigns = reports(people, campaign=True)
    assert told
    assert len({(report.kind, report.value) for report in told}) == 1
    assert all(report.kind == LinkKind.PAYMENT and len(report.members) <= 30 for report in told)
    assert len(campaigns.groups) == 1
