"""`stillwatch doctor`: is everything as it must be, and if not, what to change."""

from __future__ import annotations

import asyncio

import typer
from rich.table import Table
from rich.text import Text

from agents import doctor as checks
from agents.cli.options import Config
from agents.cli.terminal import EXIT_FAILED, out
from agents.doctor import Result, Verdict

COLOURS = {Verdict.OK: "green", Verdict.SKIP: "dim", Verdict.WARN: "yellow", Verdict.FAIL: "bold red"}


def doctor(config: Config = None) -> None:
    """Check every setting and all it points to; name what is wrong and the fix.

    Changes nothing. Ends with exit code 1 where a check fails.
    """
    results = asyncio.run(_all(config))
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", ratio=1)
    for result in results:
        text = Text(result.found)
        if result.fix:
            text.append(f"\nfix: {result.fix}", style="bold")
        table.add_row(Text(result.verdict.value, style=COLOURS[result.verdict]), Text(result.subject), text)
    out.print(table)
    failed = sum(result.verdict is Verdict.FAIL for result in results)
    warned = sum(result.verdict is Verdict.WARN for result in results)
    out.print(f"{len(results)} checks, {failed} failed, {warned} warnings")
    if failed:
        raise typer.Exit(EXIT_FAILED)


async def _all(config: Config) -> list[Result]:
    return [result async for result in checks.results(config)]
