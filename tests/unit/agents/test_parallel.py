"""Processes of a pool, and their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from agents.parallel import ahead

SLEEPER = """
import time
from agents.parallel import pool

def sleep(shared, part):
    print("asleep", flush=True)
    time.sleep(600)

if __name__ == "__main__":
    with pool(None, 1) as workers:
        list(workers.map(sleep, [0]))
"""


def test_a_pool_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)
    root = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"asleep\n"
        parent.send_signal(signal.SIGKILL)
        assert parent.stdout.read() == b""  # once nobody holds it any more; the test's own timeout bounds it


def test_what_is_done_ahead_comes_in_order_and_never_far_ahead() -> None:
    made: list[int] = []

    def task(number: int) -> int:
        return number

    def tasks():
        for number in range(9):
            made.append(number)
            yield partial(task, number)

    for number in ahead(tasks(), most=2):
        assert len(made) <= number + 3
    assert list(ahead(partial(task, number) for number in range(9))) == list(range(9))


def test_an_error_of_a_task_is_raised_in_its_place() -> None:
    results = ahead(iter([lambda: 1, lambda: 1 // 0, lambda: 3]))
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)
