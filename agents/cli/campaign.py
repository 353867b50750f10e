"""``stillwatch campaign``: campaigns that were found, as the store knows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from agents.cli.options import Config
from agents.cli.terminal import err, out
from agents.settings import load

app = typer.Typer(no_args_is_help=True, help="Campaigns that were found: list them, look at one.")

SHOWN_MEMBERS, SHOWN_LINKS = 15, 12
_COLOURS = {"critical": "bold white on red", "high": "bold red", "medium": "yellow"}


def _table(*headings: str, text: int = 1) -> Table:
    """The first `text` columns left, numbers right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number < text else "right", overflow="fold")
    return table


@app.command("list")
def list_(config: Config = None) -> None:
    """The campaigns told of last."""
    from agents.campaign_store import campaigns  # opens ClickHouse, which --help need not wait for

    found = campaigns(load(config))
    table = _table("campaign", "state", "severity", "raised (UTC)", "accounts", "answers", "verdict", text=4)
    for one in found:
        state = f"merged into {one.merged_into}" if one.merged_into else one.lifecycle
        table.add_row(
            one.subject_id, state, Text(one.severity, style=_COLOURS.get(one.severity, "")),
            f"{one.raised_at:%Y-%m-%d %H:%M}", f"{one.member_count:,}", f"{one.answers:,}", one.verdict,
        )  # fmt: skip
    if found:
        out.print(table)
    else:
        err.print("The store knows no campaign.", style="dim")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="cmp-..., fnd_..., or the beginning of it.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="OUT", help="Write a page with pictures here.")
    ] = None,
    config: Config = None,
) -> None:
    """One campaign: what was told, why, what ties its members, what they did when."""
    from agents.campaign_page import LINK_HEADINGS, campaign_page, link_rows, marks_of, timeline
    from agents.campaign_store import campaign

    found = campaign(load(config), name)
    told = found.told
    out.print(
        Text.assemble(
            (told.subject_id, "bold"), f"  {told.finding_id}  {told.lifecycle}  ",
            (told.severity, _COLOURS.get(told.severity, "")),
        )
    )  # fmt: skip
    out.print(
        f"{told.member_count:,} accounts, {told.requests:,} requests, {told.answers:,} answers given; "
        f"raised {told.raised_at:%Y-%m-%d %H:%M} UTC; {told.recommended_action} recommended"
    )
    for reason in told.reasons:
        out.print(Text(f"  {reason}"))
    out.print()
    for line in timeline(found.hours, marks_of(found)):
        out.print(Text(line), soft_wrap=True)
    out.print()
    evidence = _table("evidence", "here", "usual", "share")
    for one in found.evidence:
        what = one.name.replace("_", " ")
        evidence.add_row(what, f"{one.value:.3g}", f"{one.baseline:.3g}", f"{one.contribution:.0%}")
    out.print(evidence)
    out.print()
    links = _table(*LINK_HEADINGS, text=2)
    for row in link_rows(found.links[:SHOWN_LINKS]):
        links.add_row(*row)
    out.print(links)
    if len(found.links) > SHOWN_LINKS:
        out.print(f"and {len(found.links) - SHOWN_LINKS:,} more", style="dim")
    out.print()
    members = _table("busiest members", "requests", "named (UTC)")
    for busy in found.members[:SHOWN_MEMBERS]:
        members.add_row(busy.account_id, f"{busy.requests:,}", f"{busy.first_named:%m-%d %H:%M}")
    out.print(members)
    question = f"SELECT * FROM campaign_members WHERE finding_id = '{told.finding_id}'"
    out.print(f'all members: stillwatch sql "{question}"', style="dim", soft_wrap=True)
    if html is not None:
        campaign_page(found).write(html)
        err.print(f"written: {html}", style="dim")
