"""`WorkerStatus`: how a worker is doing, as a small file it renews every second.

For a person's terminal on the same machine, without a metrics server: ``<data_dir>/workers/<pid>.json``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

STALE_S = 10.0
"""A file not renewed for this long belongs to a worker that is gone."""


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One worker at one moment. Counters since its start."""

    pid: int
    time: float
    """Wall clock, epoch seconds."""
    state: str
    """starting, restoring, running or stopping."""
    partitions: list[int] = []
    """Of the requests topic."""
    ingested: int = 0
    rejected: int = 0
    events: int = 0
    """Canonical requests handled by account planes."""
    events_per_s: float = 0.0
    """`events`, over the last second."""
    ingested_per_s: float = 0.0
    findings: int = 0
    """Finding messages written."""
    accounts: int = 0
    open_findings: int = 0
    leaked: int = 0
    """Answers that accounts with a finding got."""
    late_events: int = 0
    duplicate_events: int = 0
    evicted_accounts: int = 0
    raw_lag: int | None = None
    """Of the whole fleet, in records; `None` where not known."""
    requests_lag: int | None = None
    newest_event_ms: int | None = None


def _folder(data_dir: Path) -> Path:
    return data_dir / "workers"


def write_status(data_dir: Path, status: WorkerStatus) -> None:
    """Replace the worker's file."""
    folder = _folder(data_dir)
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f"{status.pid}.tmp"
    scratch.write_bytes(msgspec.json.encode(status))
    scratch.replace(folder / f"{status.pid}.json")


def remove_status(data_dir: Path, pid: int | None = None) -> None:
    """Take the file of a worker away; default: this process."""
    (_folder(data_dir) / f"{pid or os.getpid()}.json").unlink(missing_ok=True)


def read_statuses(data_dir: Path, now_s: float | None = None) -> list[WorkerStatus]:
    """Status of each worker that renews its file, by pid."""
    now_s = time.time() if now_s is None else now_s
    found = []
    for file in sorted(_folder(data_dir).glob("*.json")):
        try:
            status = msgspec.json.decode(file.read_bytes(), type=WorkerStatus)
        except (OSError, msgspec.DecodeError):
            continue  # just being replaced, or not ours
        if now_s - status.time < STALE_S:
            found.append(status)
    return sorted(found, key=lambda status: status.pid)
