"""The `stillwatch` command. Each subcommand lives in the module of its name.

A command is registered by one import and one line under `app`, in the order `--help` shows.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from agents.cli import demo, doctor, evaluate, migrate, replay, schema, sink, sql, topics, up, worker
from agents.cli.options import Config
from agents.cli.terminal import EXIT_INTERRUPTED, err, error_panel, exit_code, out
from schemas.errors import StillwatchError

app = typer.Typer(
    name="stillwatch",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"stillwatch {version('stillwatch')}")
        raise typer.Exit


@app.callback()
def root(
    config: Config = None,
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Find distillation campaigns on an LLM API while they run."""


app.command()(demo.demo)
app.command()(up.up)
app.add_typer(topics.app, name="topics")
app.command()(worker.worker)
app.command()(sink.sink)
app.command()(sql.sql)
app.command()(migrate.migrate)
app.command()(replay.replay)
app.add_typer(evaluate.app, name="evaluate")
app.command()(schema.schema)
app.command()(doctor.doctor)


def main() -> None:
    """Entry point of the console script. A mistake of the user ends in a panel, not in a stack trace."""
    try:
        app()
    except StillwatchError as error:
        err.print(error_panel(error))
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)

