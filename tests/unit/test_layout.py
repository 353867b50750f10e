"""The repository keeps its shape: few names at the top, packages without drawers for odds and ends."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOP_LEVEL = {
    ".assets", ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "agents", "infra",
    "pyproject.toml", "requirements.lock", "schemas", "streams", "tests",
}  # fmt: skip
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "core", "base"}


def test_top_level_holds_only_what_belongs_there() -> None:
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line]
    present = {path.name for path in ROOT.iterdir()} - {".git"}
    strange = {name for name in present - TOP_LEVEL if not any(fnmatch(name, line) for line in ignored)}
    assert strange == set()


def test_no_module_is_a_drawer_for_odds_and_ends() -> None:
    packages = ("schemas", "streams", "agents", "infra")
    names = {path.stem for package in packages for path in (ROOT / package).rglob("*.py")}
    assert names & DRAWERS == set()


def test_tests_are_no_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []
