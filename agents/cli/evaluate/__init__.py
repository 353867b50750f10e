"""`stillwatch evaluate`: how well detection works, by protocols that others can repeat. A module each."""

from __future__ import annotations

import typer

from agents.cli.evaluate import accounts, campaigns, windows

app = typer.Typer(no_args_is_help=True, help="Measure detection: windows of traffic, accounts, campaigns.")
app.command()(windows.windows)
app.command()(accounts.accounts)
app.command()(campaigns.campaigns)
