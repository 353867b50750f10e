"""Who is compared with whom where accounts meet, and how long a candidate stays one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from schemas.evidence import HOURS_TOLD, AccountEvidence
from streams.meeting_place import LAPSE_HOURS, MAX_GROUPS, Alike, MeetingPlace, sleepless
from streams.reference import Reference
from streams.summary_table import ROW, SummaryTable

FOUND, LATER = 50, 50 + LAPSE_HOURS + 2
ORDINARY, USERS = 600, 60


class Meeting:
    """A meeting place and the summaries it works on."""

    def __init__(self) -> None:
        self.place, self.table = MeetingPlace("default"), SummaryTable()
        self._rng = np.random.default_rng(0)

    def hour(self, hour: int, name: str, size: int, *, taste: float = 20.0, known_h: int = 0) -> list[Alike]:
        """`size` accounts with eight prompts each are active; `taste` is how far they are from each other."""
        means = self._rng.normal(0, taste, (size, 256)).clip(-127, 127).astype(np.int8)
        slots = [self._told(hour, f"{name}-{n}", mean, known_h) for n, mean in enumerate(means)]
        return self.place.close_hour(hour, self.table, np.array(sorted(slots), np.intp))

    def _told(self, hour: int, name: str, mean: NDArray[np.int8], known_h: int) -> int:
        evidence = AccountEvidence(
            tenant_id="default", account_id=name, hour=hour, links=(), owner=0, prompts=8,
            mean=mean.tobytes(), requests=8, completed=8, hourly=bytes(HOURS_TOLD), created_hour=0,
            first_hour=hour - known_h, constants=0,
        )  # fmt: skip
        _, slot = self.table.put(evidence)
        self.table.hold(slot)
        return slot


@pytest.fixture
def meeting() -> Meeting:
    """Two days of people who have little in common."""
    meeting = Meeting()
    for hour in (0, 48):
        assert meeting.hour(hour, f"people-{hour}", ORDINARY) == []
    return meeting


def test_users_of_a_new_application_are_a_candidate_for_a_week(meeting: Meeting) -> None:
    (group,) = meeting.hour(FOUND, "user", USERS, taste=2.0)
    assert USERS <= len(group.members) <= USERS + 2
    for hour in range(FOUND + 24, FOUND + LAPSE_HOURS, 24):
        assert meeting.hour(hour, "user", USERS, taste=2.0) == [group]
    assert meeting.hour(FOUND + LAPSE_HOURS, "user", USERS, taste=2.0) == []
    # now they are what is ordinary: others who come to it are nothing special
    assert meeting.hour(LATER, "more people", ORDINARY) == []
    assert meeting.hour(LATER, "new user", USERS, taste=2.0) == []
    assert meeting.place.groups == {}


def test_who_is_suspected_does_not_become_ordinary(meeting: Meeting) -> None:
    (group,) = meeting.hour(FOUND, "user", USERS, taste=2.0)
    group.suspected = FOUND + 100
    for hour in range(FOUND + 24, FOUND + LAPSE_HOURS + 24, 24):
        assert meeting.hour(hour, "user", USERS, taste=2.0) == [group]
    for hour in range(FOUND + LAPSE_HOURS + 24, FOUND + LAPSE_HOURS + 144, 24):
        meeting.hour(hour, "user", USERS, taste=2.0)
    assert meeting.place.groups == {}


def test_there_is_always_room_for_a_new_candidate(meeting: Meeting) -> None:
    for value in range(MAX_GROUPS):
        meeting.place.groups[value] = Alike(value, value % 40, 48, 31.0, {value}, set())
    (group,) = meeting.hour(FOUND, "user", USERS, taste=2.0)
    assert len(meeting.place.groups) <= MAX_GROUPS
    assert group.value in meeting.place.groups
    kept = [one.founded for one in meeting.place.groups.values()]
    assert min(kept) > 0  # the oldest made room


def test_accounts_known_longer_than_any_of_the_baseline_are_not_compared(meeting: Meeting) -> None:
    assert meeting.hour(FOUND, "user", USERS, taste=2.0, known_h=30) == []


@pytest.mark.parametrize(("taste", "asleep_h", "groups"), [(3.0, 0, 1), (3.0, 12, 0), (60.0, 0, 0)])
def test_accounts_that_never_sleep_and_write_alike_need_no_baseline(
    taste: float, asleep_h: int, groups: int
) -> None:
    rng = np.random.default_rng(0)
    rows = np.zeros(ORDINARY + USERS, ROW)
    rows["account"], rows["prompts"] = np.arange(len(rows)), 24
    rows["mean"] = rng.normal(0, 20, (len(rows), 256)).clip(-127, 127)
    subject = rng.normal(0, 20, 256) + rng.normal(0, taste, (USERS, 256))
    rows["mean"][ORDINARY:] = subject.clip(-127, 127)
    rows["hourly"][:, 0] = rows["hourly"][:, 12:] = 6
    rows["hourly"][ORDINARY:, 1 + asleep_h :] = 6
    place = MeetingPlace("default")
    awake = rows[sleepless(rows)]
    reference = Reference(accounts=ORDINARY, centre=np.zeros(256).tobytes())
    place.gather_sleepless(awake, rows[:ORDINARY], reference, FOUND)
    assert [group.core for group in place.groups.values()] == groups * [{*range(ORDINARY, ORDINARY + USERS)}]
    place.drop_unsuspected()
    assert place.groups == {}
    # what others write of as well is no secret of theirs
    rows["hourly"][ORDINARY:, 1:13] = 0
    place.gather_sleepless(awake, rows, reference, FOUND)
    assert place.groups == {}


@pytest.mark.parametrize(("others_alike", "groups"), [(0, 1), (20, 1), (60, 0)])
def test_few_of_many_who_write_alike_are_no_operators_accounts(others_alike: int, groups: int) -> None:
    """Ten accounts found by themselves, among others who write of the same and have not been found."""
    rng = np.random.default_rng(0)
    size = ORDINARY + 10
    rows = np.zeros(size, ROW)
    rows["account"], rows["prompts"] = np.arange(size), 24
    rows["mean"] = rng.normal(0, 20, (size, 256)).clip(-127, 127)
    subject = rng.normal(0, 20, 256)
    same = np.r_[ORDINARY:size, :others_alike]
    rows["mean"][same] = (subject + rng.normal(0, 3, (len(same), 256))).clip(-127, 127)
    place = MeetingPlace("default")
    reference = Reference(accounts=ORDINARY, centre=np.zeros(256).tobytes())
    place.gather(rows[ORDINARY:], rows[:ORDINARY], reference, FOUND)
    assert [group.core for group in place.groups.values()] == groups * [{*range(ORDINARY, size)}]
