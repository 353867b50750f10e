"""What the protocols share on the command line: options, the progress bar, the file of figures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agents.cli.terminal import err
from schemas.errors import InvalidSetting

SECRET = b"evaluation"
"""Key of the fingerprints; they are thrown away with the run."""

Seed = Annotated[int, typer.Option("--seed", help="Everything random follows from it.", min=0)]
Json = Annotated[Path, typer.Option("--json", metavar="OUT", help="Write the figures here.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="OUT", help="Write a page with plots here.")]
Data = Annotated[
    Path,
    typer.Option("--data", envvar="STILLWATCH_DATA", metavar="DIR", help="Folder of the public collections."),
]


@contextmanager
def progress(total: int, text: str) -> Iterator[Any]:
    """A progress bar on standard error; yields the function that advances it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda steps=1: bar.advance(task, steps)


def write_json(path: Path, value: object) -> None:
    """Write figures. Raises `InvalidSetting` where that is not possible."""
    try:
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        problem = f"cannot write {path}: {error.strerror}"
        raise InvalidSetting("--json", problem, "Name another file") from error
