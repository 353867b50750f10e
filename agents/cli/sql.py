"""``stillwatch sql``: ask the store, whoever has it open."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from agents.cli.options import Config
from agents.cli.terminal import err, out
from agents.settings import load


class Format(StrEnum):
    """How to print an answer."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    VERTICAL = "vertical"


CLICKHOUSE_FORMATS = {
    Format.TABLE: "JSONCompact",
    Format.JSON: "JSONEachRow",
    Format.CSV: "CSVWithNames",
    Format.VERTICAL: "Vertical",
}


def sql(
    statement: Annotated[str, typer.Argument(metavar="SQL", help="One statement; -: standard input.")],
    format: Annotated[
        Format, typer.Option("--format", "-f", help="json: one object per line.")
    ] = Format.TABLE,
    config: Config = None,
) -> None:
    """Run a read-only query on the store and print the answer.

    Asks the sink where it has an embedded store open, and opens the store itself otherwise. A FORMAT clause
    of the statement's own goes before [bold]--format[/bold]. Views to begin with: findings_current,
    leaked_answers, account_timeline, link_spread, template_spread, requests_current.
    """
    from agents.sql_client import answer  # opens ClickHouse, which other commands need not wait for

    text = sys.stdin.read() if statement == "-" else statement
    wanted = CLICKHOUSE_FORMATS[format]
    given = answer(load(config), text, wanted)
    if format is Format.TABLE and given.format == wanted:
        _print(msgspec.json.decode(given.body))
    else:
        sys.stdout.buffer.write(given.body)
        sys.stdout.buffer.flush()


def _print(result: dict[str, Any]) -> None:
    """One line per row where the names of the columns fit on a line, else one line per value."""
    names = [column["name"] for column in result["meta"]]
    if sum(map(len, names)) + 2 * len(names) <= out.width:
        _print_table(result)
    else:
        for number, row in enumerate(result["data"], start=1):
            out.print(f"row {number}", style="bold")
            record = Table(box=None, pad_edge=False, show_header=False)
            for name, value in zip(names, row, strict=True):
                record.add_row(Text(name), _cell(value))
            out.print(record)
    took_ms = result["statistics"]["elapsed"] * 1000
    err.print(f"{result['rows']} rows, {took_ms:.1f} ms", style="dim")


def _print_table(result: dict[str, Any]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for column in result["meta"]:
        is_number = column["type"].startswith(("Int", "UInt", "Float", "Decimal"))
        table.add_column(Text(column["name"]), justify="right" if is_number else "left", overflow="fold")
    for row in result["data"]:
        table.add_row(*map(_cell, row))
    out.print(table)


def _cell(value: Any) -> Text:
    if value is None:
        return Text("NULL", style="dim")
    return Text(value if isinstance(value, str) else msgspec.json.encode(value).decode())
