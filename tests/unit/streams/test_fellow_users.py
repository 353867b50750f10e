"""Who writes as most others do that send his system prompt, and what that is worth."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from schemas.event import RequestEvent
from schemas.finding import Lifecycle
from streams.account_plane import AccountPlane
from streams.calibration import Marks
from streams.config import DetectionConfig
from streams.fellow_users import (
    FELLOWS,
    KEPT_HOURS,
    MIN_PROMPTS,
    MOST_SENDERS,
    SAME_SQUARED,
    SKETCH,
    FellowUsers,
    _apart,
    _sketches,
)
from streams.fingerprint import Fingerprinter
from streams.simulation.text.attacks import ATTACK_TEXTS
from streams.simulation.text.grammar import Dice
from streams.simulation.text.writers import WRITERS

DAY_ONE = datetime(2026, 1, 5, tzinfo=UTC)
SYSTEM = "You are a helpful assistant."
HOUR_MS = 3_600_000
APPLICATION, OTHER = 5, 12
"""Seeds of two applications whose users send bare records, so that there is no form to be known by."""
LIGHT, BUSY = 7, 30
"""Visits a day: fewer than anybody asks by hand, and more."""

Account = tuple[str, int, list[datetime]]
"""Name, application, times."""


def sittings(seed: int, a_day: int, days: int = 4, first_day: int = 0) -> list[datetime]:
    """Visits of three requests between eight and eight."""
    dice, times = random.Random(seed), []
    for day in range(first_day, days):
        for _ in range(a_day):
            start = DAY_ONE + timedelta(days=day, hours=dice.uniform(8, 20))
            times += [start + timedelta(minutes=2 * turn) for turn in range(3)]
    times.sort()
    return [time for n, time in enumerate(times) if not n or time - times[n - 1] > timedelta(seconds=30)]


def users(count: int, application: int = APPLICATION, first: int = 0, days: int = 4) -> Iterator[Account]:
    for number in range(first, first + count):
        yield f"light-{number}", application, sittings(number, LIGHT, days)


def busy(application: int = APPLICATION) -> Account:
    return "busy", application, sittings(99, BUSY, first_day=2)


def events(*accounts: Account) -> list[RequestEvent]:
    printer, made = Fingerprinter(b"secret", "k1"), []
    for number, (account, application, times) in enumerate(accounts):
        for place, time in enumerate(times):
            record = WRITERS["job"](application, place // 3, place % 3, (number << 12) + place)
            fields = printer.fingerprint(record.prompt, SYSTEM)
            made.append(
                RequestEvent(
                    schema_version=1, event_id=f"{account}-{place}", time=time, account_id=account,
                    **{name: getattr(fields, name) for name in fields.__struct_fields__},
                )
            )  # fmt: skip
    return sorted(made, key=lambda event: event.time)


def plane_after(*accounts: Account) -> tuple[AccountPlane, set[str]]:
    """A plane that has seen these, and whom it has found."""
    plane = AccountPlane(DetectionConfig())
    opened = plane.process(events(*accounts)).findings
    return plane, {one.subject_id for one in opened if one.lifecycle is Lifecycle.CREATE}


def test_a_busy_user_of_what_many_use_is_no_pipeline() -> None:
    assert plane_after(*users(FELLOWS + 4), busy())[1] == set()


@pytest.mark.parametrize(
    ("accounts", "why"),
    [
        ([*users(FELLOWS - 1), busy()], "too few write so"),
        ([*users(FELLOWS + 4), busy(OTHER)], "nobody else writes so"),
    ],
)
def test_and_is_one_where(accounts: list[Account], why: str) -> None:
    assert plane_after(*accounts)[1] == {"busy"}, why


def among(plane: AccountPlane, name: str = "light-0") -> bool:
    """Whether it is one of many, two hours after its last request."""
    slots = np.array([plane.table.slots[f"default:{name}"]])
    hours = plane.table.rows["last_ms"][slots] // HOUR_MS + 2
    return bool(plane.fellows.among(plane.table, slots, hours)[0])


def test_most_who_send_the_prompt_write_so() -> None:
    assert among(plane_after(*users(FELLOWS + 3), *users(FELLOWS, OTHER, 50))[0])
    assert not among(plane_after(*users(FELLOWS + 1), *users(FELLOWS + 3, OTHER, 50))[0])


def test_who_never_rests_is_nobodys_user() -> None:
    dice = random.Random(5)
    times = sorted(DAY_ONE + timedelta(days=dice.uniform(0, 1.9)) for _ in range(120))
    plane, _ = plane_after(*users(FELLOWS + 4, days=2), ("sleepless", APPLICATION, times))
    assert [among(plane), among(plane, "sleepless")] == [True, False]


def test_those_found_are_no_example() -> None:
    plane, _ = plane_after(*users(FELLOWS + 1))
    plane.calibration.found(plane.table.slots["default:light-1"], 0)
    assert not among(plane)
    assert among(plane_after(*users(FELLOWS + 1))[0])


def test_it_is_the_same_after_a_crash_and_bounded() -> None:
    plane, _ = plane_after(*users(FELLOWS + 1))
    changes = plane.take_changes()
    after = AccountPlane(DetectionConfig())
    after.restore(changes)
    after.settle()
    assert among(after)
    assert max(len(marks.written) for marks in after.calibration.marks.values()) == KEPT_HOURS


def test_of_a_large_application_some_are_asked() -> None:
    plane, _ = plane_after(*users(FELLOWS + 1))
    some, marks = plane.calibration.marks[0], plane.calibration.marks
    marks.update(dict.fromkeys(range(1000, 1000 + 3 * MOST_SENDERS), some))
    assert among(plane)
    (senders,) = plane.fellows._known.before(max(some.written) + 2).values()
    assert len(senders.slots) == MOST_SENDERS


@pytest.mark.parametrize(("prompts", "told"), [(MIN_PROMPTS - 1, False), (MIN_PROMPTS, True)])
def test_few_prompts_say_nothing(prompts: int, told: bool) -> None:
    times = sittings(77, LIGHT, days=2, first_day=1)[:prompts]
    plane, _ = plane_after(*users(FELLOWS + 8, days=2), ("new", APPLICATION, times))
    assert plane.table.rows["shift"]["count"][plane.table.slots["default:new"]] == prompts
    assert among(plane, "new") == told


def test_known_two_hours_later_and_for_two_days() -> None:
    hour, sketch = 1000, bytes(SKETCH.itemsize)
    known = FellowUsers(
        {
            slot: Marks(cohort=0, hours={hour: b"\0"}, systems={hour - 5: 5, hour: 5}, written={hour: sketch})
            for slot in range(FELLOWS)
        }
    )._known
    assert [bool(known.before(hour + later)) for later in (1, 2, 49, 50)] == [False, True, True, False]


def test_who_asks_in_many_hours_of_a_day_and_sleeps_is_one_of_them() -> None:
    times = [DAY_ONE + timedelta(days=day, hours=8 + hour) for day in (0, 1) for hour in range(14)]
    plane, _ = plane_after(*users(FELLOWS + 4, days=2), ("awake by day", APPLICATION, times))
    assert among(plane, "awake by day")


def test_those_who_never_rest_are_no_example() -> None:
    plane, _ = plane_after(*users(FELLOWS + 1))
    marks = plane.calibration.marks[plane.table.slots["default:light-1"]]
    day = min(marks.written) - min(marks.written) % 24
    marks.hours.update(dict.fromkeys(range(day, day + 14), bytes(12)))
    assert not among(plane)


def test_parts_of_one_pipeline_are_alike_and_two_pipelines_are_not() -> None:
    """All but two of these, "tasks" and "agentic", had no part in the choice of how alike that is."""
    plane, printer = AccountPlane(DetectionConfig()), Fingerprinter(b"secret", "k1")
    for kind, write in ATTACK_TEXTS.items():
        for place in range(60):
            fields = printer.fingerprint(write(3, Dice(3, place)), SYSTEM)
            plane.process(
                [
                    RequestEvent(
                        schema_version=1, event_id=f"{kind}-{place}", account_id=f"{kind}-{place % 2}",
                        time=DAY_ONE + timedelta(seconds=place),
                        **{name: getattr(fields, name) for name in fields.__struct_fields__},
                    )
                ]
            )  # fmt: skip
    names = [f"default:{kind}-{part}" for part in (0, 1) for kind in ATTACK_TEXTS]
    sketches, enough = _sketches(plane.table, np.array([plane.table.slots[name] for name in names]))
    assert enough.all()
    kinds = len(ATTACK_TEXTS)
    apart = np.array([_apart(one, sketches[kinds:]) for one in sketches[:kinds]])
    of_two = apart[~np.eye(kinds, dtype=np.bool_)]
    assert np.diag(apart).max() <= SAME_SQUARED < np.quantile(of_two, 0.1)
