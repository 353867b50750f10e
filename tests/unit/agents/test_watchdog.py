"""What ends a worker that no longer works."""

from __future__ import annotations

import threading

import pytest

from agents.watchdog import Lease, LoopGuard, StallDetector, Work
from schemas.errors import Fatal


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_lease_renewed_in_time_lasts() -> None:
    clock = Clock()
    lease = Lease(5, clock)
    for _ in range(10):
        clock.now_s += 4.9
        lease.check()
        lease.renew()


def test_a_frozen_process_loses_its_lease_before_anything_renews_it() -> None:
    clock = Clock()
    lease = Lease(5, clock)
    clock.now_s += 30
    with pytest.raises(Fatal, match=r"frozen for 30\.0 s"):
        lease.check()


def test_a_lease_once_lost_is_lost() -> None:
    clock = Clock()
    lease = Lease(5, clock)
    clock.now_s += 30
    lease.renew()
    lease.renew()
    with pytest.raises(Fatal, match=r"frozen for 30\.0 s"):
        lease.check()


def test_a_partition_stalls_only_while_records_wait() -> None:
    stall = StallDetector(10)
    quiet, stuck = ("raw", 0), ("raw", 1)
    for now_s in (0, 5, 9):
        assert stall.look([Work(quiet, 7, 0), Work(stuck, 7, 3)], now_s) == []
    assert stall.look([Work(quiet, 7, 0), Work(stuck, 7, 3)], 10) == [stuck]


def test_records_that_came_just_now_are_given_the_whole_time() -> None:
    stall = StallDetector(10)
    assert stall.look([Work(("raw", 0), 7, 0)], 0) == []
    assert stall.look([Work(("raw", 0), 7, 3)], 100) == []
    assert stall.look([Work(("raw", 0), 7, 3)], 109) == []
    assert stall.look([Work(("raw", 0), 7, 3)], 111) == [("raw", 0)]


def test_any_progress_and_a_new_owner_start_the_time_again() -> None:
    stall = StallDetector(10)
    stall.look([Work(("raw", 0), 7, 3)], 0)
    assert stall.look([Work(("raw", 0), 8, 3)], 11) == []
    assert stall.look([], 15) == []
    assert stall.look([Work(("raw", 0), 8, 3)], 30) == []


def test_an_event_loop_that_stands_still_ends_the_process() -> None:
    reasons: list[str] = []
    ended = threading.Event()

    def end(reason: str) -> None:
        reasons.append(reason)
        ended.set()

    guard = LoopGuard(Lease(1), 0.05, end)
    guard.start()
    assert ended.wait(10)
    guard.stop()
    assert "has not run" in reasons[0]
