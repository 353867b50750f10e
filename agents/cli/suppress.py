"""``stillwatch suppress``: keep findings that are expected off the alerts topic."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from agents.cli.options import Config
from agents.cli.terminal import out
from agents.control_writer import say, take_back
from agents.settings import load
from schemas.control import Suppression
from schemas.errors import InvalidSetting

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}


def length(text: str) -> timedelta:
    """How long ``90m``, ``12h`` or ``30d`` is. Raises `InvalidSetting`.

    >>> length("12h")
    datetime.timedelta(seconds=43200)
    """
    matched = re.fullmatch(r"(\d{1,5})([mhd])", text)
    if not matched:
        raise InvalidSetting("--for", f"{text!r} is no length of time", "Write it as 90m, 12h or 30d")
    return timedelta(seconds=int(matched[1]) * _UNITS_S[matched[2]])


def suppress(
    id: Annotated[str, typer.Argument(metavar="NAME", help="Of the suppression; the same name replaces it.")],
    detector: Annotated[str | None, typer.Option(help="Only what this detector found.")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only this account or campaign.")] = None,
    for_: Annotated[str, typer.Option("--for", metavar="TIME", help="90m, 12h, 30d, ...")] = "30d",
    reason: Annotated[str, typer.Option(help="Why; kept with it.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="End the suppression of this name.")] = False,
    config: Config = None,
) -> None:
    """Keep findings that match silent for a while: still found and stored, marked, but not alerted."""
    settings = load(config)
    if lift:
        take_back(settings, f"suppression:{id}")
        out.print(f"{id} is lifted")
        return
    if (detector, tenant, subject) == (None, None, None):
        fix = "Give --detector, --tenant or --subject, or several of them"
        raise InvalidSetting("suppress", "it would silence everything", fix)
    until = datetime.now(UTC) + length(for_)
    message = Suppression(
        id=id, detector=detector, tenant_id=tenant, subject_id=subject, until=until, reason=reason
    )
    say(settings, message)
    out.print(f"{id} is in force until {until:%Y-%m-%d %H:%M} UTC")
