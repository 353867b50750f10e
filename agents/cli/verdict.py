"""``stillwatch verdict``: an analyst's word on a finding."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, get_args, get_type_hints

import typer

from agents.cli.options import Config
from agents.cli.terminal import err, out
from agents.control_writer import say, take_back
from agents.settings import load
from schemas.control import Verdict

Word = StrEnum("Word", list(get_args(get_type_hints(Verdict)["verdict"])))  # type: ignore[misc]
"""OCSF's vocabulary."""


def verdict(
    id: Annotated[str, typer.Argument(metavar="FINDING", help="Its id, or the beginning of it.")],
    word: Annotated[
        Word | None, typer.Argument(metavar="[VERDICT]", help="In the words of OCSF.", show_default=False)
    ] = None,
    note: Annotated[str, typer.Option(help="Why; kept beside it.")] = "",
    analyst: Annotated[str, typer.Option(help="Who says so; default: the user's name.")] = "",
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take a verdict back.")] = False,
    config: Config = None,
) -> None:
    """Judge a finding. Kept in the store; for an account, the fleet learns what such accounts look like."""
    from agents.finding_store import busiest_hour, finding  # opens ClickHouse, which --help need not wait for

    if (word is None) != withdraw:
        raise typer.BadParameter("give either a verdict or --withdraw")
    settings = load(config)
    found = finding(settings, id)
    if word is None:
        take_back(settings, f"verdict:{found.finding_id}")
        out.print(f"{found.finding_id} is not judged any more")
        return
    said = Verdict(
        id=found.finding_id,
        finding_id=found.finding_id,
        verdict=word.value,
        subject_id=found.subject_id,
        analyst=analyst or getpass.getuser(),
        note=note,
        activity=busiest_hour(settings, found),
        time=datetime.now(UTC),
    )
    say(settings, said)
    out.print(f"{found.finding_id}, {found.title}: {word.value.replace('_', ' ')}", soft_wrap=True)
    if said.activity is None:
        err.print("No hour of an account is stored for it, so nothing is learned from it.", style="dim")
