"""The root of the command line: version, help, and how an error ends a command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import typer

from agents import cli
from agents.cli.options import Config
from schemas.errors import BusUnavailable, InvalidSetting, MissingDependency, StillwatchError


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """A root with our callback and no commands."""
    app = typer.Typer()
    app.callback()(cli.root)
    monkeypatch.setattr(cli, "application", lambda arguments: app)
    return app


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["stillwatch", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (InvalidSetting("bus.url", "is wrong", "Write this"), 2, ["bus.url", "is wrong", "fix: Write this"]),
        (MissingDependency("no java", "Install it"), 1, ["no java", "Install it"]),
        (BusUnavailable("nobody listens [at] host"), 1, ["BusUnavailable", "nobody listens [at] host"]),
    ],
)
def test_error_ends_in_a_panel(
    root: typer.Typer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: StillwatchError,
    code: int,
    shown: list[str],
) -> None:
    @root.command()
    def fail() -> None:
        raise error

    assert run(monkeypatch, "fail") == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    for part in shown:
        assert part in said.err


def test_interrupt_ends_with_the_shells_code(root: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    @root.command()
    def wait() -> None:
        raise KeyboardInterrupt

    assert run(monkeypatch, "wait") == 130


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (["show"], None),
        (["--config", "a.toml", "show"], Path("a.toml")),
        (["show", "-c", "b.toml"], Path("b.toml")),
        (["-c", "a.toml", "show", "--config", "b.toml"], Path("b.toml")),
    ],
)
def test_config_is_taken_on_either_side_of_the_command(
    root: typer.Typer, monkeypatch: pytest.MonkeyPatch, arguments: list[str], seen: Path | None
) -> None:
    given: list[Path | None] = []

    @root.command()
    def show(config: Config = None) -> None:
        given.append(config)

    assert run(monkeypatch, *arguments) == 0
    assert given == [seen]


def test_unknown_command_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "nonsense") == 2


def test_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out.startswith("stillwatch 0.")
