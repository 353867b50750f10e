"""The terminal: where results and complaints are printed, and how an error looks."""

from __future__ import annotations

from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from schemas.errors import InvalidSetting, MissingDependency, StillwatchError

out = Console(highlight=False)
"""Results: standard output."""
err = Console(stderr=True, highlight=False)
"""Progress, notes and errors: standard error, so that results can be piped."""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
"""128 + SIGINT, the shell's convention."""


def exit_code(error: StillwatchError) -> int:
    """Exit code of a command that ends with `error`: what the user wrote is 2, all else 1.

    >>> exit_code(InvalidSetting("bus.url", "empty", "Write embedded:"))
    2
    """
    return EXIT_USAGE if isinstance(error, InvalidSetting) else EXIT_FAILED


def error_panel(error: StillwatchError) -> Panel:
    """What went wrong and, where the error knows it, the fix. Never a stack trace."""
    match error:
        case InvalidSetting():
            title, what, fix = f"setting {error.setting}", error.problem, error.fix
        case MissingDependency():
            title, what, fix = "missing", error.what, error.fix
        case _:
            title, what, fix = type(error).__name__, str(error), ""
    lines = [Text(what)]
    if fix:
        lines.append(Text.assemble(("fix: ", "bold green"), fix))
    return Panel(Group(*lines), title=Text(title), title_align="left", border_style="red")
