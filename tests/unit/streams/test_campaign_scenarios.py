"""Hydras are found, precisely; innocent crowds that look like them are not. Small worlds, fixed seeds."""

from __future__ import annotations

import pytest

from schemas.evidence import LinkKind
from schemas.finding import Finding, Lifecycle
from streams.config import DetectionConfig
from streams.group_pipeline import GroupPipeline
from tests.evidence_world import PEOPLE, START_HOUR, Crowd, World, hydra

HOURS = 48
PAYMENT, NETWORK, TEMPLATE, SYSTEM = (
    LinkKind.PAYMENT, LinkKind.NETWORK, LinkKind.TEMPLATE, LinkKind.SYSTEM_PROMPT,
)  # fmt: skip


def findings_of(
    crowds: list[Crowd], partitions: int = 1, hours: int = HOURS
) -> tuple[World, list[Finding], GroupPipeline]:
    world = World(crowds, hours)
    pipeline = GroupPipeline(DetectionConfig(), partitions=partitions)
    findings = []
    for hour in range(START_HOUR, START_HOUR + hours):
        findings += pipeline.process(world.by_hour[hour], [hour])
    return world, findings + pipeline.finish(), pipeline


@pytest.mark.parametrize(
    ("attackers", "size", "wait"),
    [
        pytest.param(hydra(share={PAYMENT: 4}), 200, 0, id="cards"),
        pytest.param(hydra(20, share={PAYMENT: 1}), 20, 0, id="one card, twenty accounts"),
        pytest.param(hydra(share={NETWORK: 3}), 200, 0, id="networks"),
        pytest.param(hydra(begins=2, made_within_h=9000, constants=6), 200, 24, id="nothing but no rest"),
        pytest.param(
            hydra(60, volume_sd=0.7, made_within_h=9000, share={PAYMENT: 1}), 60, 0, id="uneven, on one card"
        ),
        # the first two days are the meeting place's baseline
        pytest.param(hydra(begins=50), 200, 0, id="nothing but what they write"),
    ],
)
def test_a_hydra_is_found_with_few_innocents(attackers: Crowd, size: int, wait: int) -> None:
    world, findings, _ = findings_of([PEOPLE, attackers], hours=attackers.begins + 18 + wait)
    assert findings
    last = {finding.subject_id: finding for finding in findings}
    named = set().union(*(finding.members for finding in last.values()))
    truth = world.members["hydra"]
    assert len(named & truth) >= 0.9 * size
    assert len(named - truth) <= 0.01 * len(named)
    first = findings[0]
    assert first.lifecycle is Lifecycle.CREATE
    assert first.subject_kind == "campaign"
    # within sixteen hours of its first request, or of the day whose rest is told
    assert first.time.timestamp() / 3600 <= START_HOUR + attackers.begins + 16 + wait
    assert first.member_count == len(first.members)
    assert list(first.members) == sorted(first.members)
    assert sum(feature.contribution for feature in first.features) == pytest.approx(1.0)


FARM = Crowd("farm", 60, log_volume=3.0, topics=1, begins=8, found_after=20)
"""Accounts with hours and volumes of people, and findings of their own; before there is any baseline."""


def test_accounts_found_by_themselves_that_write_alike_are_a_campaign() -> None:
    world, findings, _ = findings_of([PEOPLE, FARM], hours=40)
    named = set(findings[-1].members)
    found = {account.account_id for hour in world.by_hour.values() for account in hour if account.found}
    assert len(found) >= 30
    assert named <= world.members["farm"]
    assert len(named & found) >= 0.9 * len(found)
    assert any("findings of their own" in reason for reason in findings[0].reasons)
    assert len({finding.subject_id for finding in findings}) == 1


def application(size: int) -> Crowd:
    """A new product of one purpose: one template, one system prompt, settings and all; its users are new."""
    share = {TEMPLATE: 1, SYSTEM: 1}
    return Crowd("application", size, topics=1, begins=26, made_within_h=20, constants=1, share=share)


@pytest.mark.parametrize(
    "innocent",
    [
        pytest.param(application(20), id="new application, 20 users"),
        pytest.param(application(200), id="new application, 200 users"),
        pytest.param(application(1000), id="new application, 1,000 users"),
        pytest.param(
            Crowd("found", 60, log_volume=3.0, found_after=20), id="accounts with findings of different kinds"
        ),
        pytest.param(Crowd("campus", 800, share={NETWORK: 1}), id="a university behind one network"),
        pytest.param(Crowd("reseller", 200, share={PAYMENT: 1}), id="a reseller's customers on one card"),
        pytest.param(
            Crowd("firm", 200, topics=1, steady=True, volume_sd=0.3, organisations=1, constants=1,
                  share={PAYMENT: 1, NETWORK: 1, TEMPLATE: 1}),
            id="one firm's card, network and tool",
        ),
        pytest.param(
            Crowd("robots", 300, topics=1, steady=True, log_volume=2.5, volume_sd=0.9, constants=1),
            id="customers of one product that works around the clock",
        ),
        pytest.param(
            Crowd("services", 300, steady=True, log_volume=4.0, volume_sd=1.5, share={NETWORK: 5}),
            id="services that never sleep, in one data centre",
        ),
    ],
)  # fmt: skip
def test_innocent_crowds_stay_quiet(innocent: Crowd) -> None:
    _, findings, pipeline = findings_of([PEOPLE, innocent])
    assert findings == []
    assert pipeline.links[0].stats()["judged_groups"] > 100


def test_more_partitions_find_the_same_accounts() -> None:
    crowds = [PEOPLE, hydra(share={PAYMENT: 4})]
    world, findings, _ = findings_of(crowds, partitions=3)
    named = set().union(*(finding.members for finding in findings))
    assert len(named & world.members["hydra"]) >= 180
    assert named <= world.members["hydra"]
