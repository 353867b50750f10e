"""Scenarios by name: those that come with the program, and files."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from schemas.errors import InvalidSetting
from streams.simulation import scenario as declared
from streams.simulation.scenario import Scenario

DEEPEST = 8
"""Scenarios that begin from each other, in a row."""
_FOLDER = files("streams.simulation") / "scenarios"


def names() -> list[str]:
    """Scenarios that come with the program."""
    found = [entry.name for entry in _FOLDER.iterdir()]
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def load(name: str) -> Scenario:
    """Scenario of that name, or of the file of that path.

    Raises:
        InvalidSetting: there is none, or a field is wrong; names the field.
    """
    text = _text(name)
    return declared.from_toml(text, _base(text, DEEPEST))


def _base(text: str, depth: int) -> dict[str, Any]:
    """Fields of what a text begins from."""
    base = declared.base_of(text)
    if base is None:
        return {}
    if not depth:
        raise InvalidSetting("scenario.base", "scenarios that begin from each other", "Break the circle")
    below = _text(base)
    return {**_base(below, depth - 1), **declared.fields(below)}


def _text(name: str) -> str:
    try:
        if name in names():
            return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fix = f"Name a TOML file, or one of: {', '.join(names())}"
        raise InvalidSetting("--scenario", f"cannot read {name!r}: {error}", fix) from error
