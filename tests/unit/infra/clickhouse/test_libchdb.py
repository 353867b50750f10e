"""The test server's library is the published one, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.clickhouse import libchdb
from schemas.errors import MissingDependency


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLWATCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def test_without_npm_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependency, match="no `npm` in PATH") as caught:
        libchdb.library(print)
    assert "apt-get install npm" in caught.value.fix


def test_another_archive_under_its_name_is_not_used(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "chdb-lib-linux-x64-gnu-26.7.3-stable.1.tgz").write_bytes(b"something else")
    with pytest.raises(MissingDependency, match="is not the published"):
        libchdb.library(print)
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []


def test_a_failing_npm_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="npm error network"):
        libchdb.library(print)


def test_other_platforms_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(MissingDependency, match="aarch64"):
        libchdb.library(print)
