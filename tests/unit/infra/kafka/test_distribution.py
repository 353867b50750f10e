"""Where Java and the jars come from, and what is said where they are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.kafka import distribution
from schemas.errors import MissingDependency


def program(folder: Path, name: str, script: str) -> Path:
    """An executable that does what `script` says."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def jars_with(progress: list[str] | None = None) -> Path:
    return distribution.jars((progress if progress is not None else []).append)


@pytest.fixture
def only_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, with an empty cache beside it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("STILLWATCH_KAFKA_HOME", raising=False)
    monkeypatch.setenv("STILLWATCH_CACHE", str(tmp_path / "cache"))
    return folder


def test_missing_java_names_every_alternative(only_here: Path) -> None:
    with pytest.raises(MissingDependency) as raised:
        distribution.find_java()
    assert "no `java` in PATH" in raised.value.what
    for alternative in ("apt-get install openjdk-17", "kafka://host:port", "infra/compose.yaml"):
        assert alternative in raised.value.fix


def test_old_java_is_refused_by_its_version(only_here: Path) -> None:
    program(only_here, "java", "echo 'openjdk version \"11.0.22\" 2024-01-16' >&2")
    with pytest.raises(MissingDependency, match="is Java 11"):
        distribution.find_java()


def test_java_that_does_not_run_is_quoted(only_here: Path) -> None:
    program(only_here, "java", "echo 'cannot allocate' >&2; exit 1")
    with pytest.raises(MissingDependency, match="cannot allocate"):
        distribution.find_java()


def test_java_home_comes_before_path(
    only_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(only_here, "java", "exit 1")
    (tmp_path / "jdk" / "bin").mkdir(parents=True)
    newer = program(tmp_path / "jdk" / "bin", "java", "echo 'openjdk version \"21\"' >&2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert distribution.find_java().program == newer


def test_missing_maven_names_every_alternative(only_here: Path) -> None:
    with pytest.raises(MissingDependency) as raised:
        jars_with()
    assert "no `mvn` in PATH" in raised.value.what
    for alternative in ("apt-get install maven", "STILLWATCH_KAFKA_HOME", "kafka://host:port"):
        assert alternative in raised.value.fix


def test_maven_that_fails_is_quoted_and_leaves_no_half_cache(only_here: Path, tmp_path: Path) -> None:
    program(only_here, "mvn", "echo '[ERROR] repo unreachable'; exit 1")
    with pytest.raises(MissingDependency, match="repo unreachable"):
        jars_with()
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []


def test_jars_are_fetched_once(only_here: Path, tmp_path: Path) -> None:
    maven = program(
        only_here,
        "mvn",
        'for a in "$@"; do case $a in -DoutputDirectory=*) : > "${a#*=}/kafka_2.13-x.jar";; esac; done',
    )
    progress: list[str] = []
    folder = jars_with(progress)
    assert folder.parent == tmp_path / "cache"
    assert distribution.kafka_version() in folder.name
    assert len(progress) == 1
    maven.unlink()
    assert jars_with(progress) == folder
    assert len(progress) == 1


def test_an_own_distribution_needs_no_maven(
    only_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLWATCH_KAFKA_HOME", str(tmp_path / "kafka"))
    with pytest.raises(MissingDependency, match=r"has no libs/kafka_2\.\*\.jar"):
        jars_with()
    (tmp_path / "kafka" / "libs").mkdir(parents=True)
    (tmp_path / "kafka" / "libs" / "kafka_2.13-4.0.0.jar").touch()
    assert jars_with() == tmp_path / "kafka" / "libs"
