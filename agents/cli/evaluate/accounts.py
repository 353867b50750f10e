"""`stillwatch evaluate accounts`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from agents.account_report import account_facts, account_page, account_tables
from agents.cli.evaluate.running import SECRET, Data, Html, Json, Seed, progress, write_json
from agents.cli.terminal import out
from agents.evaluation_material import material
from agents.html_report import HtmlReport
from agents.memory import suit_a_worker
from agents.parallel import advance, pool
from agents.prompt_collections import DEFAULT_FOLDER, Collections
from agents.spending import Spending
from schemas.errors import InvalidSetting
from streams.config import DetectionConfig
from streams.evaluation.account_figures import ATTACKS, CONFOUNDERS, figures
from streams.evaluation.account_result import ShareResult
from streams.evaluation.accounts import Evaluation, Options
from streams.evaluation.schedules import DAY_MS
from streams.simulation.scenario import check_habits


def _share(evaluation: Evaluation, number: int) -> ShareResult:
    suit_a_worker()
    return evaluation.share(number, advance)


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
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="HABIT", help="Nobody of the population has this habit; may be repeated."),
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
        without=tuple(without or ()),
    )
    unknown = sorted(set(options.only) - set(CONFOUNDERS) - set(ATTACKS))
    if unknown:
        known = f"Choose from {', '.join((*CONFOUNDERS, *ATTACKS))}"
        raise InvalidSetting("--only", f"nobody is called {unknown[0]}", known)
    check_habits("--without", options.without)
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
