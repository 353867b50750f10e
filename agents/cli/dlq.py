"""``stillwatch dlq``: records that could not be used: look at them, send them again."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from agents import bus
from agents.cli.options import Config
from agents.cli.terminal import err, out
from agents.dead_letters import Wanted, can_be_sent, newest, resend
from agents.settings import load
from schemas.dead_letter import DeadLetter

app = typer.Typer(no_args_is_help=True, help="Records that could not be used: look at them, send them again.")

SHOWN_BYTES = 60

Stage = Annotated[str | None, typer.Option(help="Only of this adapter or plane: native, accounts, ...")]
Field = Annotated[str | None, typer.Option(help="Only where this field was at fault.")]


def _wanted(stage: str | None, field: str | None) -> Wanted:
    def wanted(letter: DeadLetter) -> bool:
        return stage in (None, letter.stage) and field in (None, letter.field)

    return wanted


@app.command("list")
def list_(
    stage: Stage = None,
    field: Field = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="The newest so many.", min=1, max=10_000)] = 20,
    config: Config = None,
) -> None:
    """The newest dead letters: where each came from, what was wrong, how it begins."""
    letters = newest(bus.connection(load(config)), _wanted(stage, field), limit)
    if not letters:
        err.print("No dead letters.", style="dim")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("origin", "stage", "field", "reason", "begins"):
        table.add_column(heading, overflow="fold")
    for letter in letters:
        origin = f"{letter.origin_topic}[{letter.origin_partition}]@{letter.origin_offset}"
        begins = letter.payload[:SHOWN_BYTES].decode("utf-8", errors="replace")
        table.add_row(origin, letter.stage, letter.field or "", Text(letter.reason), Text(begins))
    out.print(table)
    whole = sum(map(can_be_sent, letters))
    err.print(f"{whole} of {len(letters)} can be sent again with `stillwatch dlq replay`", style="dim")


@app.command()
def replay(stage: Stage = None, field: Field = None, config: Config = None) -> None:
    """Send the originals to the raw topics they came from, after whatever refused them has been mended.

    Letters are looked at once: the next call goes on where this one ended.
    """
    settings = load(config)
    group = f"{settings.fleet.application_id}-dlq"
    done = resend(bus.connection(settings), group, _wanted(stage, field))
    out.print(f"{done.sent:,} sent again, {done.skipped:,} left")
