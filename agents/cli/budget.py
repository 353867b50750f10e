"""``stillwatch budget``: allow a tenant, plan or account more or fewer false alerts than the rest."""

from __future__ import annotations

from typing import Annotated

import typer

from agents.cli.options import Config
from agents.cli.terminal import out
from agents.control_writer import say, take_back
from agents.settings import load
from schemas.control import Override
from schemas.errors import InvalidSetting


def budget(
    id: Annotated[str, typer.Argument(metavar="NAME", help="Of the override; the same name replaces it.")],
    factor: Annotated[
        float, typer.Option(min=0.0, help="0.1 allows a tenth of the false alerts, 10 ten times as many.")
    ] = 1.0,
    tenant: Annotated[str | None, typer.Option(help="Only of this tenant.")] = None,
    plan: Annotated[str | None, typer.Option(help="Only accounts on this plan.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only this account.")] = None,
    lift: Annotated[bool, typer.Option("--lift", help="End the override of this name.")] = False,
    config: Config = None,
) -> None:
    """Multiply the alert budget (`detection.alerts_per_million_account_days`) for the accounts that match."""
    settings = load(config)
    if lift:
        take_back(settings, f"override:{id}")
        out.print(f"{id} is lifted")
        return
    if (tenant, plan, subject) == (None, None, None):
        fix = "Give --tenant, --plan or --subject, or set detection.alerts_per_million_account_days"
        raise InvalidSetting("budget", "it would match every account", fix)
    message = Override(
        id=id, tenant_id=tenant, account_plan=plan, subject_id=subject, budget_factor=factor
    )
    say(settings, message)
    rate = factor * settings.detection_config().alerts_per_million_account_days
    out.print(f"{id} is in force: {rate:g} false alerts per million of these accounts and day")
