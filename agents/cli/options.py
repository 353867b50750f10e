"""Options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def _or_root(ctx: typer.Context, value: Path | None) -> Path | None:
    """`--config` means the same before and after the command's name."""
    return value if value is not None else ctx.find_root().params.get("config")


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="PATH",
        help="Settings file; default $STILLWATCH_CONFIG, then ./stillwatch.toml where it exists.",
        callback=_or_root,
    ),
]
"""Declare as ``config: Config = None`` and hand it to `agents.settings.load`."""
