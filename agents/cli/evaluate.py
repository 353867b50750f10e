"""`stillwatch evaluate`: how well detection works, by protocols that others can repeat."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from agents.account_report import account_facts, account_page, account_tables
from agents.campaign_report import campaign_facts, campaign_page, campaign_tables
from agents.cli.terminal import err, out
from agents.evaluation_material import material
from agents.html_report import HtmlReport
from agents.memory import suit_a_worker
from agents.parallel import advance, pool
from agents.prompt_collections import DEFAULT_FOLDER, Collections, benign_file, corpus
from agents.scenarios import load as load_scenario
from agents.scenarios import names as scenario_names
from agents.simulation import sized
from agents.spending import Spending
from agents.window_report import window_page, window_tables
from schemas.errors import InvalidSetting
from streams.config import DetectionConfig
from streams.evaluation.account_figures import ATTACKS, CONFOUNDERS, figures
from streams.evaluation.account_result import ShareResult
from streams.evaluation.accounts import Evaluation, Options
from streams.evaluation.campaigns import CampaignRun
from streams.evaluation.schedules import DAY_MS
from streams.evaluation.windows import HALVINGS, SIZES, Cell, Protocol, Scores, Thresholds, table
from streams.fingerprint import Fingerprinter

app = typer.Typer(no_args_is_help=True, help="Measure detection: windows of traffic, accounts, campaigns.")

SECRET = b"evaluation"
"""Key of the fingerprints; they are thrown away with the run."""
WRITTEN_S = 120.0
"""Between two writings of the figures that a long run has so far."""

Seed = Annotated[int, typer.Option("--seed", help="Everything random follows from it.", min=0)]
Json = Annotated[Path, typer.Option("--json", metavar="OUT", help="Write the figures here.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="OUT", help="Write a page with plots here.")]
Data = Annotated[
    Path,
    typer.Option("--data", envvar="STILLWATCH_DATA", metavar="DIR", help="Folder of the public collections."),
]


@contextmanager
def progress(total: int, text: str) -> Iterator[Any]:
    """A progress bar on standard error; yields the function that advances it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda steps=1: bar.advance(task, steps)


def write_json(path: Path, value: object) -> None:
    """Write figures. Raises `InvalidSetting` where that is not possible."""
    try:
        path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        problem = f"cannot write {path}: {error.strerror}"
        raise InvalidSetting("--json", problem, "Name another file") from error


def _all_cells(protocol: Protocol) -> list[Cell]:
    """Thresholds of every size, then all cells, on all processors."""
    halvings = [(size, number) for size in SIZES for number in range(HALVINGS)]
    steps = len(halvings) + len(SIZES) * len(protocol.families)
    with progress(steps, "windows") as step, pool(protocol) as workers:
        null: dict[int, list[Scores]] = {size: [] for size in SIZES}
        for (size, _), scores in zip(halvings, workers.map(_null_scores, halvings), strict=True):
            null[size] += scores
            step()
        # the largest windows first: they take longest
        parts = [
            (size, family, protocol.thresholds(null[size]))
            for size in sorted(SIZES, reverse=True)
            for family in protocol.families
        ]
        cells = []
        for found in workers.map(_cells, parts):
            cells += found
            step()
    return cells


def _null_scores(protocol: Protocol, part: tuple[int, int]) -> list[Scores]:
    return protocol.null_scores(*part)


def _cells(protocol: Protocol, part: tuple[int, str, Thresholds]) -> list[Cell]:
    return protocol.cells(*part)


@app.command()
def windows(
    json_out: Json,
    seed: Seed = 0,
    html: Html = None,
    data: Data = DEFAULT_FOLDER,
    benign: Annotated[
        list[Path] | None,
        typer.Option("--benign", metavar="FILE", help="Benign prompts (JSON Lines), not the collections."),
    ] = None,
    windows_per_cell: Annotated[int, typer.Option("--windows", help="Windows per cell.", min=1)] = 50,
    nulls: Annotated[int, typer.Option(help="Benign windows behind a threshold.", min=HALVINGS)] = 500,
    details: Annotated[
        Path | None, typer.Option(metavar="OUT", help="Write the figures of every attack family here.")
    ] = None,
) -> None:
    """Windows of W prompts with a share of attack in them: how many raise an alarm (arXiv:2606.05725).

    Thresholds come from benign text alone; the row for fraction 0 is the false-positive rate on other benign
    text.
    """
    spending = Spending()
    collections = Collections(data)
    families = collections.families(seed)
    prompts = [pair for path in benign for pair in benign_file(path)] if benign else collections.benign()
    fingerprinter = Fingerprinter(SECRET, "k1")
    total = len(prompts) + sum(map(len, families.values()))
    with progress(total, "fingerprints") as step:
        normal = corpus(prompts, fingerprinter, step)
        attacks = {
            name: corpus([(str(number), text) for number, text in enumerate(texts)], fingerprinter, step)
            for name, texts in families.items()
        }
    protocol = Protocol(normal, attacks, seed=seed, windows=windows_per_cell, nulls=nulls)
    cells = _all_cells(protocol)
    write_json(json_out, table(cells))
    if details is not None:
        write_json(details, {name: table(cells, name) for name in families})
    facts = (
        f"Benign text: {len(normal):,} different prompts of {len(set(normal.roots.tolist())):,} independent "
        f"roots, half for calibration ({len(protocol.calibration):,} prompts) and half for the test "
        f"({len(protocol.test):,}). Where a window is larger, prompts are drawn again. Thresholds for a "
        f"false-positive rate of {protocol.target_fpr:.1%}, from {nulls} benign windows. Seed {seed}. "
        f"{spending.so_far()}."
    )
    for one in window_tables(cells):
        out.print(one)
    out.print(facts, style="dim")
    if html is not None:
        page = HtmlReport("Stillwatch: attack windows")
        window_page(page, cells, facts)
        page.write(html)


def _share(evaluation: Evaluation, number: int) -> ShareResult:
    suit_a_worker()
    return evaluation.share(number, advance)


@app.command()
def accounts(
    json_out: Json,
    seed: Seed = 0,
    html: Html = None,
    data: Data = DEFAULT_FOLDER,
    accounts: Annotated[int, typer.Option(help="Simulated benign accounts of the population.", min=4)] = 4000,
    calibration_days: Annotated[int, typer.Option(help="Days before the test.", min=1)] = 1,
    test_days: Annotated[int, typer.Option(help="Days of the test.", min=1)] = 2,
    scale: Annotated[
        float, typer.Option(help="Multiplies the accounts of every confounder and attacker.", min=0.01)
    ] = 1.0,
    attacks: Annotated[
        bool,
        typer.Option(help="Without attackers a run is about false alerts alone, at less cost for each day."),
    ] = True,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of the confounders and attackers these alone; may be repeated."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes; default: one per processor. Changes no figure.", min=1)
    ] = None,
    details: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write all figures here, and each finding about the innocent."),
    ] = None,
) -> None:
    """Accounts: how soon attackers are found, and how many others are, every innocent look-alike apart.

    Benign accounts, real conversations and ServeGen customers of the test are others than those of the
    calibration days before it. Identity is simulated. The figures of a long run are in the files while it
    goes on: those of the parts of the world that are done.
    """
    spending = Spending()
    options = Options(
        seed=seed,
        accounts=accounts,
        calibration_days=calibration_days,
        test_days=test_days,
        role_scale=scale,
        attacks=attacks,
        only=tuple(only or ()),
    )
    unknown = sorted(set(options.only) - set(CONFOUNDERS) - set(ATTACKS))
    if unknown:
        known = f"Choose from {', '.join((*CONFOUNDERS, *ATTACKS))}"
        raise InvalidSetting("--only", f"nobody is called {unknown[0]}", known)
    evaluation = Evaluation(options, material(Collections(data)), SECRET, DetectionConfig())
    seconds = options.shares * (calibration_days + test_days) * DAY_MS // 1000
    done: list[ShareResult] = []
    with progress(seconds, "simulated seconds") as step, pool(evaluation, processes) as workers:
        for share in workers.map(_share, range(options.shares), step):
            done.append(share)
            result = figures(options, done)
            parts = {"parts": [len(done), options.shares]}
            write_json(json_out, result.published() | parts)
            if details is not None:
                write_json(details, msgspec.to_builtins(result) | parts)
    spent = spending.so_far()
    cost = {"cost": msgspec.to_builtins(spent)}
    write_json(json_out, result.published() | cost)
    if details is not None:
        write_json(details, msgspec.to_builtins(result) | cost)
    for one in account_tables(result):
        out.print(one)
        out.print()
    out.print(f"{account_facts(result)} {spent}.", style="dim")
    if html is not None:
        page = HtmlReport("Stillwatch: accounts")
        account_page(page, result)
        page.write(html)


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


@app.command()
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
