"""Where a real ClickHouse for tests and development comes from: ``libchdb.so`` in an npm package.

The wheel that Stillwatch itself uses holds the same engine without its servers. No package of PyPI or npm
brings a ClickHouse server as such.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

from infra import cache
from schemas.errors import MissingDependency

PACKAGE = "@chdb/lib-linux-x64-gnu"
VERSION = "26.7.3-stable.1"
"""Pinned: newer libraries may drop the entry point that `infra.clickhouse.libchdb_server` needs."""
INTEGRITY = "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw=="
"""Subresource integrity of the package's archive, as npm publishes it."""
FETCH_TIMEOUT_S = 900

_LIBRARY = "package/libchdb.so"


def library(progress: Callable[[str], None]) -> Path:
    """``libchdb.so``, fetched once into the cache folder (178 MB down, 566 MB on disk).

    Raises:
        MissingDependency: another platform, no npm, no network, or an archive that is not the published one.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise MissingDependency(
            f"{PACKAGE} is for Linux on x86-64, this is {sys.platform} on {platform.machine()}",
            "Set store.dsn to a ClickHouse server of your own",
        )

    def fill(scratch: Path) -> None:
        progress(f"fetching ClickHouse {VERSION} for tests (once, 178 MB)")
        _unpack(_archive(scratch), scratch)

    return cache.fill_once(f"libchdb-{VERSION}", fill) / "libchdb.so"


def _archive(scratch: Path) -> Path:
    """The package's archive: one that lies in the cache folder already, else from the registry."""
    name = PACKAGE.removeprefix("@").replace("/", "-") + f"-{VERSION}.tgz"
    there = cache.root() / name
    if there.is_file():
        _verify(there)
        return there
    npm = shutil.which("npm")
    if npm is None:
        raise MissingDependency(
            f"a real ClickHouse server for tests comes from npm ({PACKAGE}), and there is no `npm` in PATH",
            "Install npm (Debian: apt-get install npm)",
        )
    try:
        run = subprocess.run(
            [npm, "pack", "--silent", "--pack-destination", scratch, f"{PACKAGE}@{VERSION}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise MissingDependency(
            f"npm did not finish within {FETCH_TIMEOUT_S} s", "Check the network and try again"
        ) from error
    fetched = scratch / name
    if run.returncode != 0 or not fetched.is_file():
        raise MissingDependency(
            f"npm could not fetch {PACKAGE}@{VERSION}:\n{(run.stdout + run.stderr).strip()[:800]}",
            f"Check the network and ~/.npmrc, or put {name} into {cache.root()}",
        )
    _verify(fetched)
    return fetched


def _verify(archive: Path) -> None:
    with archive.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    found = "sha512-" + base64.b64encode(digest).decode()
    if found != INTEGRITY:
        raise MissingDependency(
            f"{archive} is not the published {PACKAGE}@{VERSION} ({found} instead of {INTEGRITY})",
            "Delete it and try again",
        )


def _unpack(archive: Path, folder: Path) -> None:
    """Only the library; the archive goes where it came from the registry."""
    with tarfile.open(archive) as package:
        source = package.extractfile(_LIBRARY)
        assert source is not None, "a verified archive has the file"
        with source, (folder / "libchdb.so").open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
    if archive.parent == folder:
        archive.unlink()
