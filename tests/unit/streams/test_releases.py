"""What counts as a new model, and how many have moved to it."""

import numpy as np

from streams.releases import NONE, Releases

OLD, NEW = 11, 22


def seen(releases: Releases, model: int, hour: int) -> None:
    releases.observe(np.array([model], np.uint64), np.array([hour], np.int64))


def test_models_of_the_first_day_are_not_new() -> None:
    releases = Releases()
    seen(releases, OLD, 100)
    seen(releases, NEW, 110)
    assert releases.newest(113) == NONE


def test_a_model_is_new_from_two_hours_after_its_first_answer_for_two_days() -> None:
    releases = Releases()
    seen(releases, OLD, 100)
    seen(releases, NEW, 130)
    assert [releases.newest(hour).hour for hour in (131, 132, 178, 179)] == [0, 130, 130, 0]
    assert releases.newest(140).model == NEW


def test_a_straggler_within_lateness_moves_the_first_answer_back() -> None:
    releases = Releases()
    seen(releases, OLD, 100)
    releases.observe(np.array([NEW, NEW], np.uint64), np.array([131, 140], np.int64))
    seen(releases, NEW, 130)
    assert releases.newest(140).hour == 130


def test_adoption_counts_movers_among_the_accounts_of_a_day() -> None:
    releases = Releases()
    seen(releases, OLD, 0)
    seen(releases, NEW, 26)
    for hour in range(24, 30):
        releases.learn(hour, active=50, adopted=4 if hour >= 28 else 0)
    release = releases.newest(32)
    # hours 24 to 29 are known at 31: 300 accounts, 8 movers, doubled and never below one
    assert releases.adoption(release, 31) == 2 * 9 / 301
    assert releases.adoption(release, 29) == 2 * 1 / 201


def test_stored_and_restored() -> None:
    releases, other = Releases(), Releases()
    seen(releases, OLD, 0)
    seen(releases, NEW, 26)
    releases.learn(26, active=10, adopted=1)
    other.load(releases.dump())
    assert other.newest(30) == releases.newest(30)
    assert other.adoption(other.newest(30), 30) == releases.adoption(releases.newest(30), 30)
