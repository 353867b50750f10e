"""``stillwatch demo``: see it find two attackers inside realistic traffic, in about two minutes."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from agents.cli.terminal import EXIT_FAILED, out
from agents.demo.world import is_demonstration
from infra.kafka import endpoint
from schemas.errors import InvalidSetting

T = TypeVar("T")

FOLDER = Path(".stillwatch/demo")
KEPT_VARIABLES = frozenset({"STILLWATCH_CACHE", "STILLWATCH_KAFKA_HOME"})
PICTURE_WIDTH = 110
EXIT_TERMINATED = 143
"""128 + SIGTERM, the shell's convention."""


def demo(
    seconds: Annotated[float, typer.Option(min=5, help="Wall time of the feed.")] = 75.0,
    accounts: Annotated[int, typer.Option(min=50, help="Benign accounts.")] = 1500,
    hours: Annotated[int, typer.Option(min=3, max=20, help="Simulated time.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    folder: Annotated[Path, typer.Option(help="Where its data goes; emptied first.")] = FOLDER,
    keep: Annotated[bool, typer.Option(help="Keep the store afterwards, to look further with SQL.")] = True,
    svg: Annotated[Path | None, typer.Option(help="Save the last screen as a picture.")] = None,
) -> None:
    """Simulate half a day of an LLM API's traffic, with a heavy attacker, a templated one and a hydra in it.

    Runs a real Kafka, worker and ClickHouse of its own on this machine, ends by itself and stops them all.
    Exit code 0: all attackers found, nobody else accused, every request accounted for. Settings files and
    STILLWATCH_ variables are ignored.
    """
    from agents.demo.run import Demonstration
    from agents.demo.view import View, check_lines, stored_findings

    _forget_settings()
    _empty(folder)
    with View(out) as view:
        demonstration = Demonstration(
            folder,
            seconds=seconds,
            accounts=accounts,
            hours=hours,
            seed=seed,
            workers=workers,
            view=view,
        )
        result = _run(demonstration.run())
    screen = [
        view.picture(),
        stored_findings(result.findings, "Findings, read from ClickHouse"),
        "",
        check_lines(result.checks),
    ]
    for part in screen if out.is_terminal else screen[1:]:
        out.print(part)
    if keep:
        _drop_all_but_the_store(folder)
        out.print("Look further:", style="bold")
        for command in result.further:
            out.print(f"  {command}", markup=False, soft_wrap=True)
        out.print(f"\nThe store is in {folder}, {_megabytes(folder):,.0f} MB. ", end="")
    else:
        shutil.rmtree(folder)
    out.print(f"Everything is stopped. It took {view.elapsed_s:.0f} s.")
    if svg is not None:
        picture = Console(record=True, width=PICTURE_WIDTH, file=io.StringIO(), force_terminal=True)
        for part in screen:
            picture.print(part)
        picture.save_svg(str(svg), title="stillwatch demo")
    if not result.success:
        raise typer.Exit(EXIT_FAILED)


def _forget_settings() -> None:
    """The demonstration must not touch a cluster or store that the user's environment points to."""
    for name in [name for name in os.environ if name.startswith("STILLWATCH_")]:
        if name not in KEPT_VARIABLES:
            del os.environ[name]


def _empty(folder: Path) -> None:
    """Make room, but never at the cost of anything that is not an earlier demonstration's.

    Raises:
        InvalidSetting: another demonstration runs there, or the folder holds other things.
    """
    if endpoint.read(folder / "kafka") is not None:
        raise InvalidSetting("--folder", f"one runs in {folder} now", "Wait for its end, or name another")
    if folder.exists() and any(folder.iterdir()):
        if not is_demonstration(folder):
            raise InvalidSetting("--folder", f"{folder} holds other things", "Name a new or empty folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)


def _drop_all_but_the_store(folder: Path) -> None:
    for part in ("kafka", "workers", "sink"):
        shutil.rmtree(folder / part, ignore_errors=True)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run it; SIGTERM ends it as Ctrl-C does, in order."""

    async def guarded() -> T:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        raise typer.Exit(EXIT_TERMINATED) from None
