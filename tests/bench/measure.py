"""`run_engine`: one engine's program in a process of its own, on one core, with its CPU time and memory."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CLOCK_HZ = os.sysconf("SC_CLK_TCK")


class EngineFailed(Exception):
    """The program ended without having read everything."""


@dataclass
class Measured:
    """What one run of an engine took, from its first to its last record."""

    events: int
    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    marks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Everything the program told, by mark."""

    @property
    def events_per_s(self) -> float:
        return self.events / self.wall_s

    @property
    def cpu_us_per_event(self) -> float:
        return self.cpu_s * 1e6 / self.events


def cores() -> tuple[set[int], set[int]]:
    """The core for the engine, and those for everything else. They are the same on a single core."""
    all_cores = sorted(os.sched_getaffinity(0))
    return {all_cores[0]}, set(all_cores[1:]) or {all_cores[0]}


def run_engine(
    program: Sequence[str | Path], argument: str, events: int, timeout_s: float, log: Path
) -> Measured:
    """Run a program that calls `tests.bench.windowed_job.mark` for its first and its last record.

    Raises:
        EngineFailed: it ended or was ended without a mark ``last``; names the log.
    """
    engine_core, _ = cores()
    with log.open("wb") as errors:
        child = subprocess.Popen(
            [*program, argument], stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL, cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
            preexec_fn=partial(begin, engine_core),
        )  # fmt: skip
    watchdog = threading.Timer(timeout_s, _end, [child])
    watchdog.start()
    try:
        return _follow(child, events, log)
    finally:
        watchdog.cancel()
        _end(child)
        child.wait()


def begin(on: set[int]) -> None:
    """In the new process: take these cores, and end with the bench (prctl(2), PR_SET_PDEATHSIG)."""
    os.sched_setaffinity(0, on)
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _follow(child: subprocess.Popen[bytes], events: int, log: Path) -> Measured:
    marks: dict[str, dict[str, Any]] = {}
    wall, cpu, rss = {}, {}, 0.0
    assert child.stdout is not None
    for line in child.stdout:
        try:
            told = json.loads(line)
            name = told.pop("mark")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # what libraries print
        wall[name], cpu[name] = time.monotonic(), cpu_s(child.pid)
        rss = max(rss, peak_rss_mb(child.pid))
        marks[name] = told
        if name == "end":
            break
    if "last" not in wall or "first" not in wall:
        raise EngineFailed(f"it told {list(marks)} and ended; its log is {log}:\n{_tail(log)}")
    return Measured(events, wall["last"] - wall["first"], cpu["last"] - cpu["first"], rss, marks)


def _end(child: subprocess.Popen[bytes]) -> None:
    """The process and all it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-15:])


def family(pid: int) -> Iterator[int]:
    """A process and all its descendants."""
    yield pid
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))
    except (FileNotFoundError, ProcessLookupError):
        return


def cpu_s(pid: int) -> float:
    """CPU seconds of a process and its descendants so far, user and system."""
    ticks = 0
    for one in family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += sum(map(int, fields[11:15]))  # own, and of children that have ended
    return ticks / CLOCK_HZ


def peak_rss_mb(pid: int) -> float:
    """Largest resident memory so far of a process and its descendants, each at its own peak."""
    total = 0
    for one in family(pid):
        try:
            status = Path(f"/proc/{one}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
    return total / 1024
