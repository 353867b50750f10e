"""Where downloaded programs are kept: ``$STILLWATCH_CACHE``, default ``~/.cache/stillwatch``."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def root() -> Path:
    """The cache folder; not created."""
    if given := os.environ.get("STILLWATCH_CACHE"):
        return Path(given).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).absolute() / "stillwatch"


def fill_once(name: str, fill: Callable[[Path], None]) -> Path:
    """Folder `name` of the cache, made by `fill` where it is not there yet.

    `fill` gets a scratch folder that is renamed when it returns, so the result is complete or absent. Safe to
    call from several processes at once: the others wait.
    """
    target = root() / name
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        scratch = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
        try:
            fill(scratch)
            scratch.chmod(0o755)  # mkdtemp made it private; the cache may be shared
            scratch.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return target
