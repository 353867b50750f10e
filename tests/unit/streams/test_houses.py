"""What accounts of one organisation do alike, and what that is worth."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from schemas.event import RequestEvent
from schemas.finding import Lifecycle
from streams.account_plane import AccountPlane
from streams.calibration import Marks
from streams.config import DetectionConfig
from streams.houses import HOUSE_ACCOUNTS, Houses
from streams.ingest import REPLAY_MAX_FUTURE_S, Ingest
from streams.purpose import PURPOSE_NATS
from streams.simulation.crowds import Crowd
from streams.simulation.scenario import Scenario
from streams.simulation.traffic import Traffic

HOUR, ORGANISATION = 1000, 7
SEED, WITH_SYSTEM_PROMPT = 3, 9
"""Worlds whose form has no system prompt, and has one."""
HIGH = bytes([40, 0, 40])
"""Ten nats of the first and the last of three detectors, of which the first two are about content."""
CONTENT = np.array([True, True, False])


def houses(accounts: int, owner: int = ORGANISATION, hour: int = HOUR) -> Houses:
    marks = {slot: Marks(cohort=0, hours={hour: HIGH}, owner=owner) for slot in range(accounts)}
    return Houses(marks, CONTENT)


def worth(known: Houses, hour: int, owner: int = ORGANISATION) -> list[float]:
    values = known.correct(np.array([[20.0, 20.0, 20.0]]), np.array([hour]), np.array([owner], np.uint64))
    return [float(value) for value in values[0]]


def test_habits_are_known_two_hours_later_and_for_a_day() -> None:
    known = houses(HOUSE_ACCOUNTS)
    assert worth(known, HOUR + 1) == [20, 20, 20]
    assert worth(known, HOUR + 2) == [PURPOSE_NATS, 20, 20]
    assert worth(known, HOUR + 25) == [PURPOSE_NATS, 20, 20]
    assert worth(known, HOUR + 26) == [20, 20, 20]


def test_a_few_accounts_are_no_house_and_others_are_not_touched() -> None:
    assert worth(houses(HOUSE_ACCOUNTS - 1), HOUR + 2) == [20, 20, 20]
    assert worth(houses(HOUSE_ACCOUNTS), HOUR + 2, owner=8) == [20, 20, 20]
    assert worth(houses(40, owner=0), HOUR + 2, owner=0) == [20, 20, 20]


def platform(organisation: bool, seed: int = SEED, visits_per_day: float = 30.0) -> list[RequestEvent]:
    """Sixteen accounts that fill in one form, a few times an hour each or more."""
    crowd = Crowd(
        name="platform", accounts=(16, 16), habit="developer", writer="processor",
        visits_per_day=visits_per_day, visits_sigma=0.2, organisation=organisation, one_setting=True,
        new_accounts=1.0, day="flat",
    )  # fmt: skip
    scenario = Scenario(accounts=1, seed=seed, duration_s=24 * 3600, crowds=(crowd,), campaigns=())
    ingest = Ingest("native", secret=b"secret", generation="k1", max_future_s=REPLAY_MAX_FUTURE_S)
    events = [ingest.read(record.value, now_ms=record.time_ms) for record in Traffic(scenario)]
    return [event for event in events if event is not None]


@pytest.mark.parametrize("organisation", [False, True])
def test_a_platforms_form_is_no_news_of_its_users(organisation: bool) -> None:
    plane = AccountPlane(DetectionConfig())
    events = platform(organisation)
    assert all(event.system_hash is None for event in events)
    findings = plane.process(events).findings
    found = {one.subject_id for one in findings if one.lifecycle is Lifecycle.CREATE}
    # before the habit is known, the busiest of them are found
    assert len(found) <= 4 if organisation else len(found) >= 9


def test_a_form_under_an_organisations_system_prompt_is_its_applications() -> None:
    events = platform(organisation=True, seed=WITH_SYSTEM_PROMPT, visits_per_day=100.0)
    assert sum(event.system_hash is not None for event in events) > 0.9 * len(events)
    assert not AccountPlane(DetectionConfig()).process(events).findings


def test_runs_and_crashes_change_nothing() -> None:
    # more than a person asks, so that `streams.forms` excuses nobody
    events = platform(organisation=True, visits_per_day=250.0)
    whole = AccountPlane(DetectionConfig())
    offsets = list(range(len(events)))
    expected = [one.finding_id for one in whole.process(events, offsets).findings]
    assert expected
    plane, found, stored = AccountPlane(DetectionConfig()), [], []
    for start in range(0, len(events), 97):
        part = slice(start, start + 97)
        found += [one.finding_id for one in plane.process(events[part], offsets[part]).findings]
        stored += plane.take_changes()
        if start // 97 % 5 == 4:
            plane = AccountPlane(DetectionConfig())
            plane.restore(stored)
    assert sorted(found) == sorted(expected)


def test_marks_of_before_have_no_organisation() -> None:
    old = msgspec.msgpack.encode([0, 2**31, {HOUR: HIGH}])
    assert msgspec.msgpack.decode(old, type=Marks).owner == 0
