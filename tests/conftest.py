"""Fixtures shared by all tests: real Kafka, and settings that keep to a test's own folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from agents import cli
from agents.cli import terminal
from agents.settings import Settings, load
from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka

SERVERS = "servers"

# a busy machine is no defect
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For ``-n 2 --dist loadgroup``: tests with servers run one after another in one process, because they
    have time limits of their own; all others go by file beside them."""
    here = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(here).parts[0] if item.path.is_relative_to(here) else ""
        group = SERVERS if folder in ("integration", "chaos") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside() -> Iterator[None]:
    """A developer's own STILLWATCH_* variables must not decide what the tests see."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("STILLWATCH_") and name not in KEPT_VARIABLES:
                patch.delenv(name)
        yield


KEPT_VARIABLES = {
    "STILLWATCH_CACHE", "STILLWATCH_KAFKA_HOME", "STILLWATCH_DATA", "STILLWATCH_REQUIRE_SERVERS",
}  # fmt: skip


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with everything under the test's folder; arguments as of `agents.settings.load`."""
    config = tmp_path / "stillwatch.toml"  # not the developer's own in the current folder
    config.touch()

    def make(**overrides: Any) -> Settings:
        return load(**{"config": config, "data_dir": tmp_path / "run", **overrides})

    return make


@pytest.fixture(scope="session")
def kafka_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., EmbeddedKafka]]:
    """Starts brokers for tests that must own one (kill it, restart it, count its topics).

    The broker's run directory is ``broker.folder.parent``: settings with that `data_dir` and the default
    `bus.url` reach it. All are stopped at the end; a test stops its own as soon as it is done with it.
    """
    started: list[EmbeddedKafka] = []

    def start(data_dir: Path | None = None, **options: Any) -> EmbeddedKafka:
        broker = EmbeddedKafka(data_dir or tmp_path_factory.mktemp("kafka"), **{"heap_mb": 256, **options})
        started.append(broker)
        return broker.start()

    yield start
    for broker in started:
        broker.stop()


@pytest.fixture(scope="session")
def kafka(kafka_factory: Callable[..., EmbeddedKafka]) -> Connection:
    """One broker for the whole session, without topics. Name topics and groups so that tests cannot meet."""
    return Connection(bootstrap=kafka_factory().bootstrap)


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def stillwatch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs the command in the test's folder; returns its exit code and all it printed.

    In this process, because twenty interpreters would take longer than all the rest of this module.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(terminal.out, "width", 400)

    def run(*arguments: str, **environment: str) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["stillwatch", *arguments])
            for name, value in environment.items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return run
