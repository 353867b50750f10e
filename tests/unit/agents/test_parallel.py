"""Processes of a pool, and their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

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
