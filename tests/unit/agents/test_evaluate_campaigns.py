"""`stillwatch evaluate campaigns` as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.cli.evaluate import app, campaigns
from schemas.errors import InvalidSetting
from streams.simulation.habits import HABITS

runner = CliRunner()

WORLD = """
accounts = 350
duration_s = 108_000
without = ["assistant", "processor", "batch", "inline-batch", "developer", "agent", "completion"]
[[campaigns]]
name = "hydra"
text = "pipeline"
accounts = 500
requests_per_day = 25.6
starts_after = 0.3
share = { payment = 1 }
[[crowds]]
name = "campus"
accounts = [20, 20]
one_source = false
share = { network = 1 }
"""


def test_figures_are_written_and_shown(tmp_path: Path) -> None:
    world, figures, page, details = (tmp_path / name for name in ("w.toml", "o.json", "o.html", "d.json"))
    world.write_text(WORLD)
    arguments = ["-s", str(world), "--json", str(figures), "--html", str(page), "--details", str(details)]
    result = runner.invoke(app, ["campaigns", *arguments, "--group", "30"])
    assert result.exit_code == 0, result.output
    shown = " ".join(result.output.split())
    assert "400 simulated accounts (30 attackers)" in shown
    assert "hydra pipeline, one wording; 25.6 a day; made within 3 days; 1 card" in shown
    published = json.loads(figures.read_text())
    assert published["campaigns"] == 1
    assert published["campaign_recall"] == 1
    assert published["confounders"] == {"campus": {"false_campaigns": 0}}
    assert set(published["cost"]) == {"wall_s", "cpu_s", "peak_rss_mb"}
    assert all(spent > 0 for spent in published["cost"].values())
    rules = {"rate_limit_per_account", "payment_union_find", "shared_template", "mmd_per_account"}
    assert set(published["baselines"]) == rules
    text = page.read_text()
    assert "<svg" in text
    assert "Ablation by kind of link" in text
    assert "http" not in text.replace("http-equiv", "")
    known = json.loads(details.read_text())
    assert known["attackers"] == 30
    assert known["findings"][0]["subject_kind"] == "campaign"
    assert known["cost"]["link_plane_s"] > 0


def test_more_accounts_than_the_world_has_are_refused(tmp_path: Path) -> None:
    arguments = ["campaigns", "--json", str(tmp_path / "o.json"), "--accounts", "9000000"]
    result = runner.invoke(app, arguments)
    assert isinstance(result.exception, InvalidSetting)
    assert result.exception.setting == "--accounts"


CAMPAIGN = '[[campaigns]]\nname = "h"\ntext = "tasks"\nrequests_per_day = 9.0\n'


@pytest.mark.parametrize(
    ("written", "setting"),
    [
        ('without = ["poeple"]', "scenario.without"),
        (f"without = {[habit.name for habit in HABITS]}", "scenario.without"),
        ("campaings = []", "scenario"),
        (2 * CAMPAIGN, "scenario.campaigns[1].name"),
    ],
)
def test_a_mistake_in_a_scenario_is_named(tmp_path: Path, written: str, setting: str) -> None:
    world = tmp_path / "w.toml"
    world.write_text(f"accounts = 9\n{written}")
    result = runner.invoke(app, ["campaigns", "--json", str(tmp_path / "o.json"), "-s", str(world)])
    assert isinstance(result.exception, InvalidSetting)
    assert result.exception.setting == setting


def test_the_figures_of_a_long_run_are_there_while_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, figures = tmp_path / "w.toml", tmp_path / "o.json"
    world.write_text('accounts = 9\nduration_s = 90_000\ncampaigns = []\nwithout = ["batch", "inline-batch"]')
    written: list[dict[str, object]] = []
    monkeypatch.setattr(campaigns, "WRITTEN_S", 0.0)
    monkeypatch.setattr(campaigns, "write_json", lambda path, value: written.append(value))
    arguments = ["--json", str(figures), "-s", str(world), "--no-comparisons"]
    assert runner.invoke(app, ["campaigns", *arguments]).exit_code == 0
    assert len(written) > 20
    assert set(written[0]) == set(written[-1]) - {"baselines"}


@pytest.mark.slow
def test_the_default_scenario_is_found_at_a_small_size(tmp_path: Path) -> None:
    figures = tmp_path / "o.json"
    sizes = ["--accounts", "5000", "--hours", "72", "--no-comparisons"]
    assert runner.invoke(app, ["campaigns", "--json", str(figures), *sizes]).exit_code == 0
    published = json.loads(figures.read_text())
    assert published["campaign_recall"] == 1
    assert published["account_recall"] > 0.9
    assert published["account_precision"] > 0.99
    assert sum(one["false_campaigns"] for one in published["confounders"].values()) == 0
