"""Links and campaigns depend neither on the order nor on the repetition of what comes, nor on crashes."""

from __future__ import annotations

import random
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import IncompatibleState
from schemas.evidence import NO_MORE, GroupReport, HourMark, LinkEvidence, LinkKind
from streams.campaign_plane import CampaignPlane
from streams.config import DetectionConfig
from streams.link_plane import EXPONENT_DELAY_H, LinkPlane
from streams.link_sample import SAMPLE_SIZE, LinkSample
from streams.spread import spread
from tests.evidence_world import START_HOUR, Crowd, World, hydra

CONFIG = DetectionConfig()
SOURCES = 2
HOURS = 15


@cache
def stream() -> list[tuple[LinkEvidence | HourMark, ...]]:
    """Evidence by hour, each with the marks that end it. Two account planes, a hydra on one card."""
    people = Crowd("people", 250, log_volume=2.8, share={LinkKind.NETWORK: 12})
    world = World([people, hydra(25, begins=4, share={LinkKind.PAYMENT: 1})], hours=HOURS)
    hours = []
    for hour in range(START_HOUR, START_HOUR + HOURS):
        items = [item for account in world.by_hour[hour] for item in spread(account)]
        hours.append((*items, *(HourMark(source, hour) for source in range(SOURCES))))
    return hours


def encoded(reports: list[GroupReport]) -> list[bytes]:
    return [msgspec.msgpack.encode(report) for report in reports]


@cache
def straight() -> tuple[list[bytes], dict[bytes, bytes | None]]:
    """Reports and final state of an undisturbed plane."""
    plane, reports = LinkPlane(CONFIG, 0, SOURCES), []
    for hour in stream():
        reports += plane.process(hour).reports
    assert reports, "the hydra must be reported, or these tests show nothing"
    return encoded(reports), dict(plane.take_changes())


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999))
def test_order_and_repetition_do_not_matter(seed: int) -> None:
    """Within what marks allow: evidence of an hour may come in any order, twice, and up to hours early."""
    rng = random.Random(seed)
    items: list[tuple[float, LinkEvidence | HourMark]] = []
    for number, hour in enumerate(stream()):
        for item in hour:
            if isinstance(item, HourMark):
                items.append((number + 0.999, item))
            else:
                items.append((number - rng.uniform(0, 3), item))
                if rng.random() < 0.3:
                    items.append((number + rng.uniform(0, 0.9), item))
                if rng.random() < 0.05:
                    items.append((number + 2, item))  # long closed
    mixed = [item for _, item in sorted(items, key=lambda pair: pair[0])]
    plane, reports = LinkPlane(CONFIG, 0, SOURCES), []
    while mixed:
        size = rng.randrange(1, 2000)
        reports += plane.process(mixed[:size]).reports
        del mixed[:size]
    assert encoded(reports) == straight()[0]


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_crash_at_any_moment_changes_nothing(data: st.DataObject) -> None:
    """What is pending is part of the state; what was read after it, and some before it, is read again."""
    hours = stream()
    flushed = data.draw(st.integers(0, len(hours) - 1))
    within = data.draw(st.integers(0, len(hours[flushed])))
    doomed = LinkPlane(CONFIG, 0, SOURCES)
    reports = [report for hour in hours[:flushed] for report in doomed.process(hour).reports]
    changelog = doomed.take_changes()
    reports += doomed.process(hours[flushed][:within]).reports  # all of an hour: it is judged
    changelog += doomed.take_changes()

    heir = LinkPlane(CONFIG, 0, SOURCES)
    middle = data.draw(st.integers(0, len(changelog)))
    heir.restore(changelog[:middle])
    heir.restore(changelog[middle:])
    again = max(flushed - data.draw(st.integers(0, 2)), 0)
    unread = [hours[flushed][within:], *hours[flushed + 1 :]] if data.draw(st.booleans()) else hours[again:]
    repeated = [report for hour in unread for report in heir.process(hour).reports]
    known = {(report.kind, report.value, report.hour) for report in reports}
    fresh = [report for report in repeated if (report.kind, report.value, report.hour) not in known]
    assert encoded(reports + fresh) == straight()[0]
    state = {**dict(changelog), **dict(heir.take_changes())}
    wanted = {key: value for key, value in straight()[1].items() if value is not None and key[:1] != b"p"}
    assert {key: value for key, value in state.items() if value is not None and key[:1] != b"p"} == wanted


def test_state_of_other_parameters_is_refused() -> None:
    plane = LinkPlane(CONFIG, 0, SOURCES)
    for hour in stream()[:3]:
        plane.process(hour)
    with pytest.raises(IncompatibleState):
        LinkPlane(DetectionConfig(lateness_s=120), 0, SOURCES).restore(plane.take_changes())


def test_links_are_bounded_and_evictions_counted() -> None:
    plane = LinkPlane(DetectionConfig(max_links_per_partition=100), 0, SOURCES)
    for hour in stream():
        plane.process(hour)
        assert len(plane.links) <= 100
    assert plane.stats()["evicted_links"] > 100
    held = sum(len(link.all_accounts) for link in plane.links.values() if link.holding)
    assert sum(plane.table.holders) == held + len(plane.population) + int(plane.table.rows["met"].sum())


def test_a_silent_source_holds_nothing_back_once_it_is_marked_so() -> None:
    plane = LinkPlane(CONFIG, 0, SOURCES)
    first = [item for item in stream()[0] if item != HourMark(1, START_HOUR)]
    plane.process(first)
    assert plane.stats()["evidence"] == 0
    plane.process([HourMark(1, NO_MORE)])
    assert plane.stats()["evidence"] == len(first) - 1


hashes = st.lists(st.integers(0, 2**64 - 1), max_size=200)


@given(hashes, hashes, hashes)
def test_samples_merge_in_any_grouping(a: list[int], b: list[int], c: list[int]) -> None:
    def sample(*parts: list[int]) -> LinkSample:
        one = LinkSample("t", 1, 2)
        for account in (account for part in parts for account in part):
            one.add(account)
            one.overflow()
        return one

    left, right = sample(a), sample(b)
    left.merge(sample(b))
    left.merge(sample(c))
    right.merge(sample(c))
    whole = sample(a)
    whole.merge(right)
    assert left == whole == sample(c, a, b, a)
    assert left.accounts == sorted({*a, *b, *c})[:SAMPLE_SIZE]


def test_campaigns_survive_a_crash_and_repetition() -> None:
    links = LinkPlane(CONFIG, 0, SOURCES)
    steps = []
    for hour in stream():
        output = links.process(hour)
        steps.append([*output.reports, HourMark(0, output.complete_hour)])
    whole = CampaignPlane(CONFIG)
    expected = [finding for step in steps for finding in whole.process(step).findings]
    assert expected
    for crash in range(len(steps)):
        doomed, heir = CampaignPlane(CONFIG), CampaignPlane(CONFIG)
        findings = [finding for step in steps[:crash] for finding in doomed.process(step).findings]
        heir.restore(doomed.take_changes())
        for step in steps[max(crash - 1, 0) :]:
            findings += heir.process(reversed(step)).findings
        assert findings == expected


def test_how_large_links_are_is_believed_after_two_days() -> None:
    """A campaign that begins brings many large links at once, and they must not excuse each other."""
    hours = EXPONENT_DELAY_H + 20
    world = World([Crowd("people", 240, log_volume=2.8, share={LinkKind.PAYMENT: 40})], hours)
    plane = LinkPlane(CONFIG)
    prior = plane.exponents[LinkKind.PAYMENT]
    for hour in range(START_HOUR, START_HOUR + hours):
        assert plane.exponents[LinkKind.PAYMENT] == prior or hour > START_HOUR + EXPONENT_DELAY_H
        items = [item for account in world.by_hour[hour] for item in spread(account)]
        plane.process([*items, HourMark(0, hour)])
        if hour == START_HOUR + 10:
            state = plane.take_changes()
            plane = LinkPlane(CONFIG)
            plane.restore(state)
    assert plane.exponents[LinkKind.PAYMENT] < prior
    assert plane.exponents[LinkKind.NETWORK] == LinkPlane(CONFIG).exponents[LinkKind.NETWORK]


def test_tenants_do_not_meet() -> None:
    """Half of a farm's accounts, found one by one, and half of all people are another tenant's."""
    farm = Crowd("farm", 60, log_volume=3.0, topics=1, begins=2, found_after=5)
    world = World([Crowd("people", 600), farm], hours=30)
    tenants = ("one", "two")
    plane, seen = LinkPlane(CONFIG), {tenant: set[str]() for tenant in tenants}
    for hour in range(START_HOUR, START_HOUR + world.hours):
        told = [
            msgspec.structs.replace(account, tenant_id=tenants[int(account.account_id[-1]) % 2])
            for account in world.by_hour[hour]
        ]
        items = [item for account in told for item in spread(account)]
        for report in plane.process([*items, HourMark(0, hour)]).reports:
            if report.kind == LinkKind.BEHAVIOUR:
                seen[report.tenant_id] |= {member.account_id for member in report.members}
    for parity, tenant in enumerate(tenants):
        assert len(seen[tenant] & world.members["farm"]) > 20
        assert {int(account[-1]) % 2 for account in seen[tenant]} == {parity}
