"""`stillwatch evaluate windows`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agents.cli.evaluate.running import SECRET, Data, Html, Json, Seed, progress, write_json
from agents.cli.terminal import out
from agents.html_report import HtmlReport
from agents.parallel import pool
from agents.prompt_collections import DEFAULT_FOLDER, Collections, benign_file, corpus
from agents.spending import Spending
from agents.window_report import window_page, window_tables
from streams.evaluation.windows import HALVINGS, SIZES, Cell, Protocol, Scores, Thresholds, table
from streams.fingerprint import Fingerprinter


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
