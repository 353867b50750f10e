"""``stillwatch simulate``: a provider's traffic with campaigns in it, to files or onto the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from agents.cli.options import Config
from agents.cli.terminal import err, out
from agents.scenarios import load as load_scenario
from agents.scenarios import names
from agents.settings import load
from agents.simulation import Sent, Tell, Words, sized, to_bus, to_folder, write_truth
from schemas.errors import InvalidSetting
from schemas.finding import utc_from_ms
from streams.simulation.population import Population
from streams.simulation.scenario import Scenario


def simulate(
    scenario: Annotated[
        str, typer.Option("--scenario", "-s", metavar="NAME|FILE.toml", help=f"One of: {', '.join(names())}.")
    ] = "hydra",
    folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write events.jsonl, truth.jsonl, scenario.json there."),
    ] = None,
    onto_bus: Annotated[
        bool, typer.Option("--to-bus", help="Send to the native raw topic; with --out the truth is written.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0,
    accounts: Annotated[
        int | None, typer.Option(min=1, help="About so many in all; default: the scenario's scale.")
    ] = None,
    hours: Annotated[int | None, typer.Option(min=1, help="Default: the scenario's.")] = None,
    words: Annotated[
        Words, typer.Option("--content", help="text: raw prompts, all different, slow.")
    ] = Words.FINGERPRINTS,
    config: Config = None,
) -> None:
    """Simulate a provider's requests: people, applications, every innocent look-alike, and attackers.

    The same scenario, size and seed give the same bytes. Who attacks stands in truth.jsonl and nowhere in the
    events. All of it is simulated; what was fitted to public traces and what is invented is documented in
    streams/simulation.
    """
    if folder is None and not onto_bus:
        raise InvalidSetting("--out", "nowhere to write to", "Name a folder, or say --to-bus")
    settings = load(config)
    world = sized(load_scenario(scenario), seed=seed, accounts=accounts, hours=hours)
    with _progress(world) as tell:
        if onto_bus:
            if folder is not None:
                write_truth(Population(world), folder)
            sent = asyncio.run(to_bus(world, words, settings, tell))
        else:
            assert folder is not None
            sent = to_folder(world, words, settings, folder, tell)
    where = "onto the bus" if onto_bus else f"into {folder}"
    out.print(
        f"{sent.records:,} events ({sent.bytes / 1e6:,.0f} MB) {where} in {sent.elapsed_s:.1f} s, "
        f"{sent.per_s:,.0f} events/s"
    )


@contextmanager
def _progress(world: Scenario) -> Iterator[Tell]:
    """Progress over event time."""
    columns = (
        TextColumn("simulating"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("", total=world.end_ms - world.start_ms, note="")

        def tell(sent: Sent) -> None:
            note = f"{utc_from_ms(sent.time_ms):%m-%d %H:%M}, {sent.records:,} events, {sent.per_s:,.0f}/s"
            bar.update(task, completed=sent.time_ms - world.start_ms, note=note)

        yield tell
