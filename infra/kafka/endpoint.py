"""How other processes find the embedded broker of a run directory, and know that it still runs.

The broker process itself holds a lock on a file beside ``endpoint.json`` (it inherits the descriptor), and
the kernel lets go of it when the process ends, whatever ended it. So an endpoint is alive exactly while the
lock is held; a process id that was given to somebody else cannot deceive.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import msgspec

from schemas.errors import InvalidSetting


class Endpoint(msgspec.Struct, frozen=True):
    """Content of ``endpoint.json``."""

    bootstrap: str
    """``host:port`` for clients."""
    pid: int
    """Of the broker."""


def _file(folder: Path) -> Path:
    return folder / "endpoint.json"


def _lock_file(folder: Path) -> Path:
    return folder / "lock"


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def acquire(folder: Path, patience_s: float) -> int:
    """Descriptor that owns the folder; the owner is whichever process keeps it open.

    Waits `patience_s` for a broker that is just stopping, e.g. because its parent was killed.

    Raises:
        InvalidSetting: a broker runs there and goes on running.
    """
    descriptor = os.open(_lock_file(folder), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + patience_s
    while not _try_lock(descriptor, fcntl.LOCK_EX):
        if time.monotonic() > deadline:
            os.close(descriptor)
            running = read(folder)
            who = f" (process {running.pid})" if running else ""
            raise InvalidSetting(
                "data_dir",
                f"an embedded Kafka runs in {folder} already{who}",
                "Stop it, or give this run another data_dir",
            )
        time.sleep(0.05)
    return descriptor


def write(folder: Path, endpoint: Endpoint) -> None:
    """Announce a broker that is ready."""
    scratch = _file(folder).with_suffix(".tmp")
    scratch.write_bytes(msgspec.json.encode(endpoint))
    scratch.replace(_file(folder))


def remove(folder: Path) -> None:
    """Take the announcement back."""
    _file(folder).unlink(missing_ok=True)


def read(folder: Path) -> Endpoint | None:
    """The broker that runs in `folder` now; `None` where there is none, or only the trace of a dead one."""
    try:
        endpoint = msgspec.json.decode(_file(folder).read_bytes(), type=Endpoint)
        descriptor = os.open(_lock_file(folder), os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None
    try:
        return None if _try_lock(descriptor, fcntl.LOCK_SH) else endpoint
    finally:
        os.close(descriptor)
