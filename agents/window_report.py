"""The figures of the window protocol for people: terminal tables and an HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from agents.charts import line_chart
from agents.html_report import HtmlReport
from streams.evaluation.windows import FRACTIONS, METHODS, OURS, SIZES, Cell, table

PUBLISHED = {
    (1500, 0.0): 0.003, (1500, 0.05): 0.590, (1500, 0.1): 0.937, (1500, 0.25): 1.0, (1500, 0.5): 1.0,
    (1500, 1.0): 1.0, (100, 0.0): 0.007, (100, 0.05): 0.013, (100, 0.1): 0.046, (100, 0.25): 0.760,
    (100, 0.5): 0.989, (100, 1.0): 1.0,
}  # fmt: skip
"""MMD in arXiv:2606.05725, recomputed from its released scores: other text, other embeddings."""


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _headings() -> list[str]:
    return ["method", *("false positives" if not fraction else f"{fraction:.0%}" for fraction in FRACTIONS)]


def _rows(cells: Sequence[Cell], size: int, family: str | None = None) -> Iterable[list[str]]:
    figures = table(list(cells), family)
    for method in METHODS:
        row = figures.get(method, {}).get(str(size), {})
        yield [method, *(_percent(row.get(f"{f:g}", {}).get("tpr")) for f in FRACTIONS)]
    if family is None and (size, 1.0) in PUBLISHED:
        yield ["mmd as published", *(_percent(PUBLISHED.get((size, f))) for f in FRACTIONS)]


def window_tables(cells: Sequence[Cell]) -> Iterable[Table]:
    """One table per window size: percent of windows with an alarm."""
    for size in SIZES:
        found = Table(title=f"W = {size}: % of windows with an alarm", title_justify="left", box=None)
        for number, heading in enumerate(_headings()):
            found.add_column(heading, justify="left" if number == 0 else "right")
        for row in _rows(cells, size):
            found.add_row(*row, style="bold" if row[0] == OURS else "dim" if "published" in row[0] else None)
        yield found


def window_page(page: HtmlReport, cells: Sequence[Cell], facts: str) -> None:
    """Charts and tables, all families together and each alone."""
    page.paragraph(facts)
    page.paragraph(
        "stillwatch_mean is what an account or link can keep (a sum of vectors); stillwatch_scan and "
        "stillwatch_crowd need all prompts of a window; stillwatch is all three, each at a third of the "
        "false-positive rate. The others are re-implemented from their papers on the same vectors."
    )
    families = list(dict.fromkeys(cell.family for cell in cells))
    for size in SIZES:
        page.heading(f"Windows of {size} prompts")
        figures = table(list(cells))
        series = {
            method: [(100 * float(f), 100 * cell["tpr"]) for f, cell in sizes[str(size)].items() if float(f)]
            for method, sizes in figures.items()
        }
        page.chart(
            line_chart(
                "all families",
                series,
                x_label="attack share, % (log)",
                y_label="windows found, %",
                x_ticks=(5, 10, 25, 50, 100),
                y_ticks=(0, 25, 50, 75, 100),
                log_x=True,
            )
        )
        page.table([*_headings()], list(_rows(cells, size)))
        for family in families:
            page.heading(f"{family}, W = {size}")
            page.table(_headings(), list(_rows(cells, size, family)))
