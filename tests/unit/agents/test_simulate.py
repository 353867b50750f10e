"""`stillwatch simulate` as a user meets it: files, truth beside them, errors that name what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from agents import parallel, simulation
from agents.cli.simulate import simulate
from agents.scenarios import load
from agents.settings import load as load_settings
from agents.simulation import EVENTS, SCENARIO, TRUTH, Words, sized, to_folder
from schemas.adapters.native import read
from schemas.errors import InvalidSetting
from streams.simulation.scenario import Scenario

app = typer.Typer()
app.command()(simulate)
runner = CliRunner()

WORLD = """
accounts = 60
duration_s = 14_400
[[campaigns]]
name = "secret-hydra"
text = "tasks"
accounts = 9
requests_per_day = 80.0
[[crowds]]
name = "secret-crowd"
accounts = [10, 10]
share = { network = 1 }
"""


@pytest.fixture
def world(tmp_path: Path) -> Path:
    path = tmp_path / "world.toml"
    path.write_text(WORLD)
    return path


@pytest.mark.parametrize("words", list(Words))
def test_events_and_truth_lie_side_by_side(world: Path, tmp_path: Path, words: Words) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        arguments = ["-s", str(world), "--out", str(folder), "--seed", "3", "--content", words]
        result = runner.invoke(app, arguments)
        assert result.exit_code == 0, result.output
        assert "events/s" in result.output
    one, two = ((folder / EVENTS).read_bytes() for folder in folders)
    assert one == two
    events = [read(line) for line in one.splitlines()]
    assert len(events) > 50
    assert [event.time_ms for event in events] == sorted(event.time_ms for event in events)
    assert (events[0].prompt_hash is not None) == (words is Words.FINGERPRINTS)
    assert b"secret-hydra" not in one
    assert b"secret-crowd" not in one
    truth = [json.loads(line) for line in (folders[0] / TRUTH).read_text().splitlines()]
    assert len({known["account_id"] for known in truth}) == len(truth) == 79
    assert sum(known.get("campaign") == "secret-hydra" for known in truth) == 9
    assert sum(known.get("crowd") == "secret-crowd" for known in truth) == 10
    assert {event.account_id for event in events} <= {known["account_id"] for known in truth}
    assert json.loads((folders[0] / SCENARIO).read_text())["seed"] == 3


def test_nothing_is_written_over(world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    scenario = load(str(world))
    to_folder(scenario, Words.NONE, load_settings(None), folder)
    with pytest.raises(InvalidSetting, match="already"):
        to_folder(scenario, Words.NONE, load_settings(None), folder)


def test_mistakes_are_named(world: Path, tmp_path: Path) -> None:
    for arguments, setting in (
        (["-s", str(world)], "--out"),
        (["-s", "no-such", "--out", str(tmp_path / "o")], "--scenario"),
        (["-s", str(world), "--accounts", "1000", "--out", str(tmp_path / "o")], "--accounts"),
    ):
        result = runner.invoke(app, arguments)
        assert isinstance(result.exception, InvalidSetting)
        assert result.exception.setting == setting


def test_a_world_is_sized_by_its_accounts() -> None:
    hydra = load("hydra")
    small = sized(hydra, seed=4, accounts=10_000, hours=24)
    assert small.declared_accounts == pytest.approx(10_000, rel=0.15)
    assert (small.seed, small.duration_s) == (4, 86_400)
    assert small.campaigns[0].accounts == 250
    assert sized(Scenario(accounts=5), seed=0) == Scenario(accounts=5)


def test_a_bank_written_by_other_processes_is_the_same(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large worlds are written so; here the limits are lowered until a small one is."""
    scenario, settings = sized(load(str(world)), seed=1), load_settings(None)
    to_folder(scenario, Words.FINGERPRINTS, settings, tmp_path / "alone")
    opened = []

    def counted(value: object) -> object:
        opened.append(value)
        return parallel.pool(value, 2)

    monkeypatch.setattr(simulation, "pool", counted)
    monkeypatch.setattr(simulation, "_FEW_SOURCES", 0)
    to_folder(scenario, Words.FINGERPRINTS, settings, tmp_path / "together")
    assert len(opened) == 1
    alone, together = ((tmp_path / name / EVENTS).read_bytes() for name in ("alone", "together"))
    assert alone == together
