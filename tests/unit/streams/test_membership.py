"""Who belongs to a suspicious group, and who only writes as it does."""

from __future__ import annotations

import numpy as np

from schemas.evidence import Measure
from streams.membership import ACCEPTED, log_odds
from streams.reference import MOST_TOLD, Reference, rest, steadiness, volume
from streams.summary_table import ROW, Rows

HOUR = 490_000
RNG = np.random.default_rng(0)
SUBJECT = RNG.normal(0, 20, 256)
NOBODY_FOUND = Measure("found", "conduct", 0.0, 0.01, 0.0, "")


def accounts(number: int, *, subject: np.ndarray, asleep: int, a_day: int) -> Rows:
    """Accounts made yesterday, all with the same settings, that write of a subject, `asleep` hours a day."""
    rows = np.zeros(number, ROW)
    rows["account"], rows["owner"] = np.arange(number), np.arange(number)
    rows["hour"], rows["created_hour"], rows["prompts"] = HOUR, HOUR - 24, 30
    rows["mean"] = np.clip(subject + RNG.normal(0, 3, (number, 256)), -127, 127)
    rows["hourly"][:, asleep:] = RNG.poisson(a_day / (24 - asleep), (number, 24 - asleep)).clip(1)
    return rows


def test_users_of_an_application_are_not_named_for_writing_as_its_abusers_do() -> None:
    core = accounts(40, subject=SUBJECT, asleep=0, a_day=40)
    users = accounts(40, subject=SUBJECT, asleep=16, a_day=8)
    people = accounts(400, subject=RNG.normal(0, 20, (400, 256)), asleep=16, a_day=8)
    names = ("alike", "constants", "new", "even_volume", "steady")
    measures = (*(Measure(name, "", 1.0, 0.1, 12.0, "") for name in names), NOBODY_FOUND)
    reference = Reference(accounts=400, centre=np.zeros(256).tobytes(), new_share=0.05)

    def odds(rows: Rows, by_words: bool) -> np.ndarray:
        return log_odds(rows, core, people, 1.0, measures, reference, HOUR, by_words=by_words)

    assert (odds(core, by_words=True) >= ACCEPTED).mean() > 0.9
    assert (odds(users, by_words=True) < ACCEPTED).all()
    assert (odds(people, by_words=False) < ACCEPTED).all()
    # what else ties a group may outweigh a few hours of sleep
    drowsy = accounts(40, subject=SUBJECT, asleep=4, a_day=30)
    assert odds(drowsy, by_words=False).mean() > odds(drowsy, by_words=True).mean()


def test_hours_beyond_what_a_summary_tells_do_not_make_volumes_equal() -> None:
    rows = accounts(4, subject=SUBJECT, asleep=20, a_day=8)
    rows["hourly"][:3, 23] = MOST_TOLD
    rows["hourly"][:, :23] = 0
    rows["requests"], rows["first_hour"] = [300, 9_000, 260, 5], HOUR
    rows["first_hour"][1] = HOUR - 71
    # what it sent since it came; a day of what it sent since it came; never less than what is told
    assert volume(rows)[:3].tolist() == [300, 3_000, 260]
    assert volume(rows)[3] == rows["hourly"][3].sum() < MOST_TOLD


def test_of_accounts_that_write_alike_those_found_by_themselves_are_named() -> None:
    core = accounts(40, subject=SUBJECT, asleep=16, a_day=8)
    core["found"][:30] = True
    people = accounts(400, subject=RNG.normal(0, 20, (400, 256)), asleep=16, a_day=8)
    nats = {"alike": 12.0, "found": 12.0, "constants": 0.0, "new": 0.0, "even_volume": 0.0, "steady": 0.0}
    measures = tuple(Measure(name, "", 1.0, 0.1, value, "") for name, value in nats.items())
    reference = Reference(accounts=400, centre=np.zeros(256).tobytes(), new_share=0.05)
    odds = log_odds(core, core, people, -4.0, measures, reference, HOUR, by_words=True)
    assert (odds[:30] >= ACCEPTED).all()
    assert (odds[30:] < ACCEPTED).all()


def machines(number: int, *, hours: int) -> Rows:
    """Accounts with 24 requests in the last so many hours, evenly at random, and none before."""
    rows = accounts(number, subject=SUBJECT, asleep=0, a_day=24)
    rows["hourly"], rows["first_hour"] = 0, HOUR - hours + 1
    for row in rows:
        np.add.at(row["hourly"], RNG.integers(24 - hours, 24, 24), 1)
    return rows


def sleepers(number: int) -> Rows:
    """Accounts with 24 requests in the last day, some in every waking hour."""
    rows = machines(number, hours=24)
    rows["hourly"] = 0
    rows["hourly"][:, 3:19], rows["hourly"][:, 5:13] = 1, 2
    return rows


def test_a_night_shows_in_a_day_as_full_as_a_machines() -> None:
    person = sleepers(1)
    assert steadiness(person).min() > 1
    assert rest(person).min() > 4
    # the night may lie on both sides of now, but not before the first request
    person["hourly"] = np.roll(person["hourly"], 9, axis=1)
    assert rest(person).min() > 4
    assert np.quantile(rest(machines(200, hours=24)), 0.8) < 3
    assert np.quantile(rest(machines(200, hours=6)), 0.8) < 3
    assert rest(np.zeros(1, ROW)).tolist() == [0.0]


def test_who_sleeps_or_came_a_moment_ago_is_not_named_for_a_full_day() -> None:
    core = machines(40, hours=24)
    people = accounts(400, subject=RNG.normal(0, 20, (400, 256)), asleep=16, a_day=8)
    nats = {"alike": 12.0, "new": 12.0, "even_volume": 8.0, "steady": 12.0, "constants": 0.0, "found": 0.0}
    measures = tuple(Measure(name, "", 1.0, 0.1, value, "") for name, value in nats.items())
    reference = Reference(accounts=400, centre=np.zeros(256).tobytes(), new_share=0.05)

    def named(rows: Rows) -> float:
        odds = log_odds(rows, core, people, -4.0, measures, reference, HOUR, by_words=True)
        return float((odds >= ACCEPTED).mean())

    assert named(core) > 0.8
    assert named(sleepers(40)) == 0
    assert named(machines(40, hours=4)) == 0
