"""What many people fill in, and what that is worth."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from schemas.event import RequestEvent
from schemas.finding import Lifecycle
from streams.account_plane import AccountPlane
from streams.calibration import WINDOW_HOURS, Calibration, Marks
from streams.common_systems import CommonSystems
from streams.config import DetectionConfig
from streams.fingerprint import Fingerprinter
from streams.forms import CROWD_ACCOUNTS, FORM_ACCOUNTS, Forms
from streams.simulation.text.grammar import Dice
from streams.simulation.text.writers import WRITERS
from streams.visits import PLAIN, come_and_go

HOUR, FORM = 1000, 77
CONTENT = np.array([True, False])
DAY_ONE = datetime(2026, 1, 5, tzinfo=UTC)
FRAME = "Act as an experienced editor and write a structured article about the following topic: {}"
DAYS = 4


def known(accounts: int, *hours: int, found: int = 2**31, owner: int = 0) -> Forms:
    calibration = Calibration(2)
    for slot in range(accounts):
        calibration.marks[slot] = Marks(cohort=0, found=found, owner=owner, forms=dict.fromkeys(hours, FORM))
    return Forms(calibration, CommonSystems(calibration.marks), CONTENT)


def test_forms_of_an_account_are_bounded() -> None:
    """One an hour of two days, however long it goes on."""
    plane = AccountPlane(DetectionConfig())
    times = [DAY_ONE + timedelta(hours=hour, minutes=10 * turn) for hour in range(120) for turn in range(3)]
    plane.process(events({"endless": times}, share=1.0))
    (marks,) = plane.calibration.marks.values()
    assert len(marks.forms) == 2 * WINDOW_HOURS
    assert len(marks.systems) <= 2 * WINDOW_HOURS >= len(marks.hours)


def test_a_crowd_need_not_have_rested() -> None:
    assert is_known(known(CROWD_ACCOUNTS, HOUR), HOUR + 2)
    assert not is_known(known(CROWD_ACCOUNTS - 1, HOUR), HOUR + 2)


def test_nor_need_the_accounts_of_an_organisation() -> None:
    assert is_known(known(FORM_ACCOUNTS, HOUR, owner=9), HOUR + 2)
    assert not is_known(known(FORM_ACCOUNTS - 1, HOUR, owner=9), HOUR + 2)


def is_known(forms: Forms, hour: int) -> bool:
    return FORM in forms.known.before(hour).tolist()


def test_a_form_is_known_two_hours_later_and_for_two_days() -> None:
    forms = known(FORM_ACCOUNTS, HOUR - 10, HOUR)
    assert [is_known(forms, HOUR + hours) for hours in (1, 2, 39, 40, 50)] == [
        False, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("forms", "why"),
    [
        (known(FORM_ACCOUNTS - 1, HOUR - 10, HOUR), "too few"),
        (known(FORM_ACCOUNTS, *range(HOUR - 5, HOUR + 1)), "nobody has rested"),
        (known(FORM_ACCOUNTS, HOUR - 23, *range(HOUR - 13, HOUR + 1)), "no day has so many sittings"),
        (known(FORM_ACCOUNTS, HOUR - 10, HOUR, found=HOUR), "those found are no example"),
    ],
)
def test_what_makes_no_form(forms: Forms, why: str) -> None:
    assert not is_known(forms, HOUR + 2), why


def events(
    times: dict[str, Sequence[datetime]],
    share: float,
    frame: str = FRAME,
    system: str | None = None,
) -> list[RequestEvent]:
    """Accounts that fill in a frame, some with their names, with a share of what they send; the rest are
    their own words."""
    printer, made = Fingerprinter(b"secret", "k1"), []
    for number, (account, mine) in enumerate(times.items()):
        dice = random.Random(number)
        for place, time in enumerate(mine):
            own = WRITERS["person"](number + 1, place // 3, place % 3, (number << 12) + place).prompt
            topic = Dice(number, place).pick(("rivers", "chess", "bread", "the moon", "old cars", "tea"))
            prompt = frame.format(f"{topic} {place}", account) if dice.random() < share else own
            fields = printer.fingerprint(prompt, system)
            made.append(
                RequestEvent(
                    schema_version=1, event_id=f"{account}-{place}", time=time, account_id=account,
                    **{name: getattr(fields, name) for name in fields.__struct_fields__},
                )
            )  # fmt: skip
    return sorted(made, key=lambda event: event.time)


def sittings(seed: int, a_day: int, days: int = DAYS) -> list[datetime]:
    """Some visits between eight and eight, of three requests each; in two at once nobody hurries."""
    dice, times = random.Random(seed), []
    for day in range(days):
        for _ in range(a_day):
            start = DAY_ONE + timedelta(days=day, hours=dice.uniform(8, 20))
            times += [start + timedelta(minutes=2 * turn) for turn in range(3)]
    times.sort()
    return [time for n, time in enumerate(times) if not n or time - times[n - 1] > timedelta(seconds=10)]


def around_the_clock(seed: int, a_day: int) -> list[datetime]:
    dice = random.Random(seed)
    return sorted(DAY_ONE + timedelta(days=dice.uniform(0, DAYS)) for _ in range(a_day * DAYS))


def found(of: list[RequestEvent]) -> set[str]:
    opened = AccountPlane(DetectionConfig()).process(of).findings
    return {one.subject_id for one in opened if one.lifecycle is Lifecycle.CREATE}


def crowd(size: int) -> dict[str, Sequence[datetime]]:
    """Who has known the form for long: a few visits a day."""
    return {f"light-{number}": sittings(number, 1, 2 * DAYS) for number in range(size)}


def test_a_form_of_ones_own_is_filled_in_by_hand_where_it_is_seldom() -> None:
    seldom: dict[str, Sequence[datetime]] = {"seldom": sittings(7, 4), "busy": sittings(99, 30)}
    assert found(events(seldom, share=1.0)) == {"busy"}


def test_who_fills_in_what_many_do_is_excused_and_alone_he_is_not() -> None:
    alone: dict[str, Sequence[datetime]] = {"busy": [t + timedelta(days=2) for t in sittings(99, 30)]}
    assert found(events(alone, share=1.0)) == {"busy"}
    assert "busy" not in found(events(alone | crowd(8), share=1.0))


def test_who_fills_in_what_many_do_may_ask_faster_than_by_hand() -> None:
    """Two dozen in an hour, an hour a day: a visit without an end."""
    talks = [DAY_ONE + timedelta(days=day, hours=9, minutes=2.5 * n) for day in (2, 3) for n in range(24)]
    dice = random.Random(2)
    fast: dict[str, Sequence[datetime]] = {
        "fast": sorted(time + timedelta(seconds=dice.expovariate(1 / 150)) for time in talks)
    }
    assert found(events(fast, share=1.0)) == {"fast"}
    assert found(events(fast | crowd(8), share=1.0)) == set()


SYSTEM = "You are a careful teacher who writes for beginners."
OWN_FRAME = "For {1} set five exam questions about {0} and give the answers at length for {1}"


def test_users_of_one_client_may_ask_faster_in_their_first_hours() -> None:
    """Under one system prompt, each with a mould of his own; who goes on through the night is no user."""

    def talk(start_h: float, requests: int) -> list[datetime]:
        """Four requests, a minute apart, every eleven minutes."""
        minutes = (n // 4 * 11 + n % 4 for n in range(requests))
        return [DAY_ONE + timedelta(hours=start_h, minutes=minute) for minute in minutes]

    early = {name: talk(8 + number, 60) for number, name in enumerate(("ann", "bob", "cat"))}
    late: dict[str, Sequence[datetime]] = {"dan": talk(16, 40), "sleepless": talk(16, 400)}
    assert {"dan", "sleepless"} <= found(events(early | late, share=1.0, frame=OWN_FRAME))
    named = found(events(early | late, share=1.0, frame=OWN_FRAME, system=SYSTEM))
    assert "sleepless" in named
    assert "dan" not in named


def test_when_somebody_asks_says_nothing_where_it_is_seldom() -> None:
    """Single requests of waking hours: a dozen a day are a person's, two dozen may be a machine's."""
    times: dict[str, Sequence[datetime]] = {}
    for a_day in (10, 24):
        dice = random.Random(a_day)
        hours = sorted(dice.uniform(8, 20) + 24 * day for day in range(DAYS) for _ in range(a_day))
        times[f"{a_day} a day"] = [DAY_ONE + timedelta(hours=hour) for hour in hours]
    assert found(events(times, share=1.0)) == {"24 a day"}


def test_nobody_reads_answers_in_a_second() -> None:
    """Bursts vary as visits do, but ask before the answer can have been read."""
    visits = sittings(7, 4)
    bursts = [visits[n - n % 3] + timedelta(seconds=n % 3) for n in range(len(visits))]
    both: dict[str, Sequence[datetime]] = {"person": visits, "bursts": bursts}
    assert found(events(both, share=1.0)) == {"bursts"}


def test_two_hasty_requests_are_no_haste() -> None:
    """However few there are in all; a third is."""
    visits = sittings(7, 7, days=1)
    times: dict[str, Sequence[datetime]] = {}
    for count in (2, 3):
        hasty = range(1, 3 * count, 3)
        times[f"{count} times"] = [
            visits[n - 1] + timedelta(seconds=1) if n in hasty else visits[n] for n in range(len(visits))
        ]
    plane = AccountPlane(DetectionConfig())
    plane.process(events(times, share=1.0))
    slots = np.array([plane.table.slots[key] for key in sorted(plane.table.slots)])
    assert come_and_go(plane.table, slots, PLAIN).tolist() == [True, False]


def test_a_clients_retry_is_no_haste() -> None:
    """The same haste, but what is asked again had failed."""
    visits = sittings(7, 4)
    twice = [time + timedelta(seconds=n) for time in visits for n in (0, 1)]
    of = events({"asks twice": twice, "tries again": twice}, share=1.0)
    failed = {f"tries again-{place}" for place in range(0, len(twice), 2)}
    of = [
        msgspec.structs.replace(one, status="failure") if one.event_id in failed else one for one in of
    ]
    assert found(of) == {"asks twice"}


def test_on_the_first_day_nobody_need_have_slept() -> None:
    """Visits in waking hours excuse before anybody can have rested; single requests do not, nor do visits
    through the night."""
    dice = random.Random(5)
    first_day: dict[str, Sequence[datetime]] = {
        "visits": sittings(8, 10, days=1),
        "two and three in turn": [
            DAY_ONE + timedelta(hours=8, minutes=50 * visit + 2 * turn)
            for visit in range(14)
            for turn in range(2 + visit % 2)
        ],
        "one at a time": sorted(DAY_ONE + timedelta(hours=dice.uniform(8, 20)) for _ in range(30)),
        "sleepless": [DAY_ONE + timedelta(hours=n // 3, minutes=n % 3) for n in range(72)],
    }
    assert found(events(first_day, share=1.0)) == {"one at a time", "sleepless"}


def test_a_machine_is_not_excused_by_people_who_fill_in_its_template() -> None:
    steady: dict[str, Sequence[datetime]] = {
        "steady": [t + timedelta(days=1) for t in around_the_clock(1, 60)],
        "hasty": [DAY_ONE + timedelta(days=2, seconds=30 * n) for n in range(PLAIN.requests + 60)],
    }
    assert found(events(steady | crowd(8), share=1.0)) >= {"steady", "hasty"}


def test_who_does_not_come_and_go_is_not_excused() -> None:
    """As few requests as a person's and no more hours of a day, but one at a time."""
    dice = random.Random(3)
    hours = sorted(dice.uniform(8, 20) + 24 * day for day in range(2, DAYS) for _ in range(40))
    timer: dict[str, Sequence[datetime]] = {"timer": [DAY_ONE + timedelta(hours=hour) for hour in hours]}
    assert found(events(timer | crowd(8), share=1.0)) == {"timer"}


def test_operators_accounts_excuse_nobody() -> None:
    accounts: dict[str, Sequence[datetime]] = {
        f"op-{number}": around_the_clock(number, 60) for number in range(12)
    }
    assert found(events(accounts, share=1.0)) == set(accounts)


def test_runs_and_crashes_change_nothing() -> None:
    of = events({"busy": [t + timedelta(days=1) for t in sittings(99, 5)]} | crowd(6), share=0.9)
    offsets = list(range(len(of)))
    whole = AccountPlane(DetectionConfig())
    whole.process(of, offsets)
    plane, stored = AccountPlane(DetectionConfig()), []
    for start in range(0, len(of), 37):
        part = slice(start, start + 37)
        plane.process(of[part], offsets[part])
        stored += plane.take_changes()
        if start // 37 % 5 == 4:
            plane = AccountPlane(DetectionConfig())
            plane.restore(stored)
    plane.settle()
    rows = [
        {key: p.table.rows[slot].tobytes() for key, slot in p.table.slots.items()} for p in (whole, plane)
    ]
    assert rows[0] == rows[1]
    marks = [
        {p.table.key(slot): one.forms for slot, one in p.calibration.marks.items()} for p in (whole, plane)
    ]
    assert marks[0] == marks[1]
    assert any(marks[0].values())
