"""``stillwatch migrate``: bring the store's schema up to date."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.syntax import Syntax
from rich.table import Table

from agents.cli.options import Config
from agents.cli.terminal import out
from agents.settings import Settings, load


def migrate(
    status: Annotated[
        bool, typer.Option("--status", help="Only list migrations and when they were applied.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the SQL that would run.")] = False,
    config: Config = None,
) -> None:
    """Apply the migrations that the store does not have yet, and the retention setting.

    The sink does the same when it starts. Nothing is ever taken back: a change of mind is a new migration.
    """
    settings = load(config)
    if status:
        _print_status(settings)
    elif dry_run:
        _print_missing(settings)
    else:
        _apply(settings)


def _print_status(settings: Settings) -> None:
    from infra.clickhouse.migrate import inspect

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("migration")
    table.add_column("applied (UTC)")
    for entry in inspect(settings.store_dsn):
        applied = f"{entry.applied_at:%Y-%m-%d %H:%M:%S}" if entry.applied_at else "[yellow]to apply[/]"
        table.add_row(str(entry.migration), applied)
    out.print(table)


def _print_missing(settings: Settings) -> None:
    from infra.clickhouse.migrate import inspect

    missing = [entry.migration for entry in inspect(settings.store_dsn) if entry.applied_at is None]
    for migration in missing:
        out.print(f"-- {migration}", style="bold")
        out.print(Syntax(migration.sql, "sql", background_color="default"))
    out.print(f"-- {len(missing)} to apply; nothing was changed")


def _apply(settings: Settings) -> None:
    from infra.clickhouse.migrate import open_current

    with open_current(settings.store_dsn, settings.store.requests_ttl_days, out.print) as store:
        out.print(f"{store.dsn} is up to date (ClickHouse {store.version})")
