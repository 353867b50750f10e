"""`stillwatch evaluate` as a user meets it: what it reads, what it writes, what it says when it cannot."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agents.charts import bar_chart, line_chart
from agents.cli.evaluate import app
from agents.evaluation_material import material
from agents.html_report import HtmlReport
from agents.parallel import advance, pool
from agents.prompt_collections import Collections, benign_file, corpus
from schemas.errors import InvalidSetting, MissingDependency
from streams.evaluation.account_figures import ATTACKS, CONFOUNDERS, KNOWN_LIMITS
from streams.fingerprint import Fingerprinter
from streams.simulation.habits import HABITS

DATA = Path(os.environ.get("STILLWATCH_DATA", "../shared/data"))

runner = CliRunner()


@pytest.fixture
def collections() -> Collections:
    try:
        return Collections(DATA)
    except MissingDependency as missing:
        pytest.skip(f"{missing} (set STILLWATCH_DATA)")


def test_only_names_those_that_exist(tmp_path: Path) -> None:
    result = runner.invoke(app, ["accounts", "--json", str(tmp_path / "o.json"), "--only", "viral_promt"])
    assert isinstance(result.exception, InvalidSetting)
    assert "viral_promt" in str(result.exception)
    assert "viral_prompt" in result.exception.fix


def test_a_population_can_do_without_habits_that_exist(tmp_path: Path) -> None:
    arguments = ["accounts", "--json", str(tmp_path / "o.json")]
    result = runner.invoke(app, [*arguments, "--without", "persons"])
    assert isinstance(result.exception, InvalidSetting)
    assert "--without" in str(result.exception)
    assert "persons" in str(result.exception)
    everybody = [part for habit in HABITS for part in ("--without", habit.name)]
    result = runner.invoke(app, [*arguments, *everybody])
    assert isinstance(result.exception, InvalidSetting)
    assert "nobody is left" in str(result.exception)


def test_a_folder_without_collections_is_named_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(MissingDependency, match="no prompt collections") as raised:
        Collections(tmp_path)
    assert "STILLWATCH_DATA" in raised.value.fix


@pytest.mark.parametrize("kind", ["windows", "accounts"])
def test_commands_fail_with_an_error_of_ours(kind: str, tmp_path: Path) -> None:
    result = runner.invoke(app, [kind, "--data", str(tmp_path), "--json", str(tmp_path / "o")])
    assert isinstance(result.exception, MissingDependency)


def test_collections_hold_what_their_notes_say(collections: Collections) -> None:
    benign = collections.benign()
    assert len(benign) == 980
    assert len({root for root, _ in benign}) == 600
    assert len(collections.benchmark()) == 1319 + 164
    families = collections.families(seed=1)
    assert {"teacher_template", "reasoning_one_wrapper", "bare_maths"} <= set(families)
    assert all(len(set(texts)) == len(texts) for texts in families.values())
    assert collections.families(seed=1) == families != collections.families(seed=2)


def test_tasks_of_the_maths_families_are_disjoint(collections: Collections) -> None:
    families = collections.families(seed=1)
    bare = set(families["bare_maths"])
    assert not any(task in text for text in families["reasoning_one_wrapper"][:50] for task in bare)


def test_a_new_file_among_the_attacks_is_a_family(collections: Collections, tmp_path: Path) -> None:
    for folder in ("prompts_benign", "prompts_attack"):
        (tmp_path / folder).mkdir()
    for path in (DATA / "prompts_benign").iterdir():
        (tmp_path / "prompts_benign" / path.name).symlink_to(path.resolve())
    new = tmp_path / "prompts_attack" / "unseen_pipeline.jsonl"
    new.write_text("".join(json.dumps({"query": f"task {n}"}) + "\n" for n in range(5)))
    assert set(Collections(tmp_path).families(0)) == {"unseen_pipeline"}


def test_servegen_customers_have_a_course_and_a_burstiness(collections: Collections) -> None:
    found = material(collections).clients
    assert len(found) > 100
    for client in found:
        assert client.rate.mean() == pytest.approx(1.0)
        assert len(client.rate) % 144 == 0
        assert 0.05 < client.cv < 30


def test_benign_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"prompt": "one", "root": 1}\n{"prompt": "two", "root": 1}\n\n{"prompt": "one"}\n')
    pairs = benign_file(path)
    assert [text for _, text in pairs] == ["one", "two", "one"]
    found = corpus(pairs, Fingerprinter(b"k", "k1"))
    assert len(found) == 2  # equal prompts once
    assert len(set(found.roots.tolist())) == 1


@pytest.mark.parametrize("text", ["not json\n", '{"answer": "no prompt here"}\n'])
def test_a_benign_file_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(InvalidSetting, match=r"bad\.jsonl"):
        benign_file(path)


def double(shared: int, part: int) -> int:
    advance(1)
    return shared * part


def test_pool_keeps_the_order_of_parts_and_tells_of_progress() -> None:
    told: list[int] = []
    with pool(10, processes=2) as workers:
        assert list(workers.map(double, range(6), told.append)) == [0, 10, 20, 30, 40, 50]
    assert sum(told) <= 6


def test_report_stands_alone_and_escapes(tmp_path: Path) -> None:
    page = HtmlReport("Title <b>")
    page.paragraph("a < b")
    page.table(["name", "n"], [["<script>", "1"]])
    page.chart(
        line_chart(
            "t", {"a": [(5, 0), (100, 90)]}, x_label="x", y_label="y", x_ticks=(5, 100), y_ticks=(0, 100)
        )
    )
    page.chart(bar_chart("t", {"a": 0.0, "b": 3.0}, x_label="x", mark=2.0))
    page.write(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "<script" not in text
    assert "http" not in text
    assert text.count("<svg") == text.count("</svg>") == 2
    with pytest.raises(InvalidSetting, match="cannot write"):
        page.write(tmp_path / "no" / "such" / "folder.html")


@pytest.mark.slow
def test_accounts_writes_figures_and_a_page(collections: Collections, tmp_path: Path) -> None:
    figures, details, page = (tmp_path / name for name in ("figures.json", "all.json", "page.html"))
    sizes = ["--accounts", "8", "--scale", "0.01", "--test-days", "1", "--processes", "1"]
    outputs = ["--json", str(figures), "--details", str(details), "--html", str(page)]
    result = runner.invoke(app, ["accounts", "--seed", "2", "--data", str(DATA), *sizes, *outputs])
    assert result.exit_code == 0, result.output
    published = json.loads(figures.read_text())
    acted = {name for name, line in published["confounders"].items() if line["accounts"]}
    assert acted == set(CONFOUNDERS) - KNOWN_LIMITS
    assert set(published["known_limits"]) == KNOWN_LIMITS
    assert set(published["attacks"]) == set(ATTACKS)
    everything = json.loads(details.read_text())
    assert everything["options"]["seed"] == 2
    alerts = Counter(alert["role"] for alert in everything["alerts"])
    for name, line in everything["benign"].items():
        assert alerts[name] == line["false_alerts"] + line["suppressed"]
    assert all(alert["reasons"] for alert in everything["alerts"])
    assert page.read_text().count("<svg") >= 3
