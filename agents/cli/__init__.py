"""The `stillwatch` command. Each subcommand lives in the module of its name.

A command is one line in `COMMANDS`, in the order `--help` shows. Only the module of the command that is asked
for is imported: some take seconds, which the others need not wait for.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from typing import Annotated

import typer

from agents.cli.options import Config
from agents.cli.terminal import EXIT_INTERRUPTED, err, error_panel, exit_code, out
from schemas.errors import StillwatchError

COMMANDS = (
    "demo", "up", "topics", "worker", "sink", "sql", "migrate", "replay", "simulate", "evaluate",
    "campaign", "verdict", "suppress", "budget", "dlq", "schema", "doctor",
)  # fmt: skip
"""Each is a function of its name in the module of its name, or an `app` of subcommands there."""


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"stillwatch {version('stillwatch')}")
        raise typer.Exit


def root(
    config: Config = None,
    show_version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Find distillation campaigns on an LLM API while they run."""


def application(arguments: Sequence[str]) -> typer.Typer:
    """The command tree, as far as `arguments` can ask for it; whole where they name no command."""
    app = typer.Typer(
        name="stillwatch",
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_show_locals=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        callback=root,
    )
    for name in [name for name in COMMANDS if name in arguments] or COMMANDS:
        module = import_module(f"agents.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(getattr(module, name))
    return app


def main() -> None:
    """Entry point of the console script. A mistake of the user ends in a panel, not in a stack trace."""
    try:
        application(sys.argv[1:])()
    except StillwatchError as error:
        err.print(error_panel(error))
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)

