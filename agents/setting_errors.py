"""From what the validators say to `InvalidSetting`: the setting by the user's name for it, and the fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

import msgspec
from pydantic import AfterValidator, BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from schemas.errors import InvalidSetting

SECRETIVE = ("secret", "password", "dsn")
"""A value is not repeated in a message where its name contains one of these."""


def valid(parse: Callable[[str], object]) -> AfterValidator:
    """Pydantic validator that keeps the text if `parse` takes it without `InvalidSetting`."""

    def check(text: str) -> str:
        try:
            parse(text)
        except InvalidSetting as error:
            raise wrong(error) from error
        return text

    return AfterValidator(check)


def wrong(error: InvalidSetting) -> PydanticCustomError:
    """`error` in the form that Pydantic collects with the others."""
    facts = {"setting": error.setting, "problem": error.problem, "fix": error.fix}
    return PydanticCustomError("setting", "{problem}", facts)


def from_pydantic(error: ValidationError, model: type[BaseModel]) -> list[InvalidSetting]:
    """Every problem in `error`, which arose in validating `model`."""
    return [_from_details(details, model) for details in error.errors()]


def _from_details(details: ErrorDetails, model: type[BaseModel]) -> InvalidSetting:
    if details["type"] == "setting":
        return InvalidSetting(**details["ctx"])
    place = [str(part) for part in details["loc"]]
    name = ".".join(place)
    if details["type"] == "extra_forbidden":
        known = _names_beside(place, model)
        return InvalidSetting(name, "there is no such setting", nearest(place, known))
    problem = details["msg"]
    given = details["input"]
    if isinstance(given, str | int | float) and not any(word in name for word in SECRETIVE):
        problem += f", not {given!r}"
    return InvalidSetting(name, problem, f"Set it in stillwatch.toml or as {variable(place)}")


def from_msgspec(error: msgspec.ValidationError, section: str, known: Iterable[str]) -> InvalidSetting:
    """The problem with a table that msgspec converted. Its message holds the place: ``... - at `$.name```.

    >>> problem = msgspec.ValidationError("Object contains unknown field `lateness`")
    >>> from_msgspec(problem, "detection", ["lateness_s", "seed"]).fix
    'Did you mean detection.lateness_s?'
    """
    text, _, place = str(error).partition(" - at `$.")
    if unknown := re.search(r"unknown field `(.*)`", text):
        path = [section, *place.rstrip("`").split(".")] if place else [section]
        return InvalidSetting(
            ".".join([*path, unknown[1]]), "there is no such setting", nearest([*path, unknown[1]], known)
        )
    path = [section, *place.rstrip("`").split(".")]
    return InvalidSetting(".".join(path), text, f"Set it in stillwatch.toml or as {variable(path)}")


def nearest(place: list[str], known: Iterable[str]) -> str:
    """Fix for a name that does not exist: the one that was probably meant, else all there are."""
    *section, name = place
    names = sorted(known)
    guess = get_close_matches(name, names, n=1)
    if guess:
        return f"Did you mean {'.'.join([*section, guess[0]])}?"
    return f"Known here: {', '.join(names)}"


def variable(place: Iterable[str]) -> str:
    """Environment variable of a setting.

    >>> variable(["bus", "url"])
    'STILLWATCH_BUS__URL'
    """
    return "STILLWATCH_" + "__".join(place).upper()


def _names_beside(place: list[str], model: type[BaseModel]) -> list[str]:
    """Names of the settings in the section where `place` lies."""
    for part in place[:-1]:
        section: Any = model.model_fields[part].annotation
        model = section
    return list(model.model_fields)
