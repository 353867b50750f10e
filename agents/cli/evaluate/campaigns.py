"""`stillwatch evaluate campaigns`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from agents.campaign_report import campaign_facts, campaign_page, campaign_tables
from agents.cli.evaluate.running import SECRET, Html, Json, Seed, progress, write_json
from agents.cli.terminal import out
from agents.html_report import HtmlReport
from agents.memory import suit_a_worker
from agents.scenarios import load as load_scenario
from agents.scenarios import names as scenario_names
from agents.simulation import sized
from agents.spending import Spending
from streams.config import DetectionConfig
from streams.evaluation.campaigns import CampaignRun

WRITTEN_S = 120.0
"""Between two writings of the figures that a long run has so far."""


def _writing(
    run: CampaignRun, path: Path, spending: Spending, step: Callable[[], object]
) -> Callable[[int], None]:
    """Advances the progress bar, and writes the figures of a long run while it goes on."""
    due_s = WRITTEN_S

    def advance(hours: int) -> None:
        nonlocal due_s
        step()
        spent = spending.so_far()
        if spent.wall_s >= due_s:
            write_json(path, run.so_far().published() | {"cost": msgspec.to_builtins(spent)})
            due_s = spent.wall_s + WRITTEN_S

    return advance


def campaigns(
    json_out: Json,
    scenario: Annotated[
        str,
        typer.Option(
            "--scenario", "-s", metavar="NAME|FILE.toml", help=f"One of: {', '.join(scenario_names())}."
        ),
    ] = "hydra",
    seed: Seed = 0,
    html: Html = None,
    accounts: Annotated[
        int | None, typer.Option(help="About so many in all; default: the scenario's scale.", min=100)
    ] = None,
    hours: Annotated[int | None, typer.Option(help="Default: the scenario's.", min=24)] = None,
    group: Annotated[
        int | None, typer.Option(help="Accounts of every campaign, whatever the scale.", min=1)
    ] = None,
    comparisons: Annotated[
        bool, typer.Option(help="Run simpler rules and the ablation on the same stream as well.")
    ] = True,
    requests: Annotated[
        bool,
        typer.Option("--requests", help="Write every prompt, judge accounts as well; ten times slower."),
    ] = False,
    details: Annotated[Path | None, typer.Option(metavar="OUT", help="Write all figures here.")] = None,
) -> None:
    """Campaigns: how soon a hydra is found, how many of its accounts, how many innocents are named.

    A simulated world is drawn by column and told to the link and campaign planes as account planes would tell
    it; with --requests every prompt is written, and findings about accounts are evidence for campaigns.
    --accounts scales all numbers of accounts alike; what each account does stays as declared. The figures of
    a long run are in the file while it goes on.
    """
    suit_a_worker()
    spending = Spending()
    world = sized(load_scenario(scenario), seed=seed, accounts=accounts, hours=hours)
    if group is not None:
        resized = tuple(msgspec.structs.replace(one, accounts=group) for one in world.campaigns)
        world = msgspec.structs.replace(world, campaigns=resized)
    run = CampaignRun(
        world,
        DetectionConfig(),
        SECRET,
        requests=requests,
        comparisons=comparisons,
        clock=time.process_time,
    )
    with progress(world.duration_s // 3600, "simulated hours") as step:
        outcome = run.run(_writing(run, json_out, spending, step))
    spent = spending.so_far()
    write_json(json_out, outcome.published() | {"cost": msgspec.to_builtins(spent)})
    if details is not None:
        facts = {"spent": msgspec.to_builtins(spent), "seed": seed, "scenario": scenario}
        write_json(details, {**facts, **msgspec.to_builtins(outcome)})
    for one in campaign_tables(outcome):
        out.print(one)
        out.print()
    said = campaign_facts(outcome, world, spent)
    out.print(said, style="dim")
    if html is not None:
        page = HtmlReport(f"Stillwatch: campaigns ({scenario})")
        campaign_page(page, outcome, said)
        page.write(html)
