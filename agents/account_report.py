"""The figures of the account evaluation for people: terminal tables and an HTML page."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from agents.charts import bar_chart, line_chart
from agents.html_report import HtmlReport
from streams.evaluation.account_figures import ALLOWED, KNOWN_LIMITS, AccountFigures, AtBudget
from streams.evaluation.accounts import ROLES, Options

_ABOUT = {role.name: role.about for role in ROLES}
SOON = 60
"""Queries up to which the chart of budgets reaches."""

Section = tuple[str, list[str], list[list[str]]]


def _number(value: float | None) -> str:
    return "never" if value is None else f"{value:,.0f}"


def _sections(figures: AccountFigures) -> Iterable[Section]:
    """Title, headings and rows of every table."""
    rows = []
    for name, line in figures.benign.items():
        about = _ABOUT.get(name, "simulated people, developers, agents, applications")
        alerts = f"0 ({line.suppressed} suppressed)" if name in ALLOWED else f"{line.false_alerts:,}"
        if name in KNOWN_LIMITS:
            alerts += " (known limit, in no total)"
        counts = (f"{count:,}" for count in (line.accounts, line.account_days))
        rows.append([name, *counts, alerts, f"{line.accounts_alerted:,}", about])
    yield (
        "Benign accounts in the test",
        ["kind", "accounts", "account-days", "false alerts", "accounts alerted", "what"],
        rows,
    )
    if not figures.options.attacks:
        return
    yield (
        "Attackers",
        ["kind", "accounts", "found", "queries p50", "queries p95", "leaked p50", "within 100", "what"],
        [
            [
                name, f"{line.accounts:,}", f"{line.found:,}", _number(line.queries_to_finding_p50),
                _number(line.queries_to_finding_p95), _number(line.leaked_p50),
                f"{line.within_100} of {line.sent_100}", _ABOUT.get(name, ""),
            ]
            for name, line in figures.attacks.items()
        ],
    )  # fmt: skip
    yield (
        f"Share of attackers above a level fixed on {figures.calibration_account_days:,} calibration "
        "account-days; rarer rates are extrapolated by a generalised Pareto tail",
        ["false-positive rate per account-day", *(f"{rate} %" for rate in ("0.1", "0.01", "0.001"))],
        [
            ["level, nats", *(f"{at.nats:.1f}" for at in figures.at_rate.values())],
            ["measured in the test", *(f"{100 * at.measured_rate:.3f} %" for at in figures.at_rate.values())],
            *(
                [name, *(f"{at.recall.get(name, 0.0):.0%}" for at in figures.at_rate.values())]
                for name in figures.attacks
            ),
        ],
    )
    budgets = figures.at_budget.values()
    yield (
        "Median queries to finding, and attackers found, by allowed false alerts per million account-days",
        ["", *(f"{budget:,}" for budget in figures.at_budget)],
        [
            ["benign accounts reached", *(f"{at.benign_accounts:,}" for at in budgets)],
            *(
                [name, *(f"{_number(at.queries_to_finding_p50[name])} ({at.found[name]})" for at in budgets)]
                for name in figures.attacks
            ),
        ],
    )
    yield (
        "Ablation: accounts that reach the threshold",
        ["detector", "attackers without", "benign without", "attackers by it alone", "benign by it alone"],
        [
            [
                name, f"{row.get('found_without', 0.0):.1%}", f"{row.get('benign_without', 0.0):,.0f}",
                f"{row.get('found_alone', 0.0):.1%}", f"{row.get('benign_alone', 0.0):,.0f}",
            ]
            for name, row in figures.ablation.items()
        ],
    )  # fmt: skip


def account_facts(figures: AccountFigures) -> str:
    """The headline and what it rests on."""
    options = figures.options
    return (
        f"{figures.false_alerts:,} false alerts in {figures.account_days:,} benign account-days with a "
        f"request: {figures.per_million:,.0f} per million (95 % interval {figures.per_million_low:,.0f} to "
        f"{figures.per_million_high:,.0f}; the budget is 10). Parameters as shipped, "
        f"{options.calibration_days} calibration day(s) with {figures.calibration_account_days:,} "
        f"account-days and {figures.calibration_alerts:,} false alerts, then {options.test_days} test "
        f"day(s) with other accounts. {figures.events:,} events, {figures.distinct_texts:,} distinct "
        f"prompts. Identity (accounts, age, organisations) is simulated; customers arrive as ServeGen's do; "
        f"text is real conversations, public task lists and simulated writers. {_left_out(options)}"
        f"{_limits(figures)}"
        f"Seed {options.seed}."
    )


def _left_out(options: Options) -> str:
    """Who is missing, so that no figure passes for the whole world's."""
    nobody = f"Nobody of the population is: {', '.join(options.without)}. " if options.without else ""
    alone = f"Of confounders and attackers only: {', '.join(options.only)}. " if options.only else ""
    return nobody + alone


def _limits(figures: AccountFigures) -> str:
    """What is known to be flagged, and stands beside the headline."""
    lines = [(name, figures.benign[name]) for name in sorted(KNOWN_LIMITS & figures.benign.keys())]
    return "".join(
        f"Not counted, because nothing tells it from a pipeline: {name}, of which {line.accounts_alerted:,} "
        f"of {line.accounts:,} accounts were flagged. "
        for name, line in lines
    )


def account_tables(figures: AccountFigures) -> Iterable[Table]:
    """Terminal tables; what each kind is stands on the page only."""
    for title, headings, rows in _sections(figures):
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        shown = [number for number, heading in enumerate(headings) if heading != "what"]
        for number in shown:
            table.add_column(headings[number], justify="right" if number else "left", no_wrap=number == 0)
        for row in rows:
            table.add_row(*(row[number] for number in shown))
        yield table


def _frontier(figures: AccountFigures) -> str:
    """What patience buys: median queries of the attackers that are found soon, by budget."""
    series = {
        name: [(budget, p50) for budget, at in figures.at_budget.items() if (p50 := _soon(at, name))]
        for name in figures.attacks
    }
    return line_chart(
        "median queries until the finding, by budget",
        {name: points for name, points in series.items() if points},
        x_label="allowed false alerts per million account-days",
        y_label="queries",
        x_ticks=tuple(figures.at_budget),
        y_ticks=range(0, SOON + 1, 10),
        log_x=True,
    )


def _soon(at: AtBudget, name: str) -> float | None:
    p50 = at.queries_to_finding_p50[name]
    return None if p50 is None or p50 > SOON else p50


def _attack_charts(page: HtmlReport, figures: AccountFigures) -> None:
    page.chart(
        bar_chart(
            "queries until the finding (median; attackers found more often than not)",
            {
                name: line.queries_to_finding_p50
                for name, line in figures.attacks.items()
                if line.queries_to_finding_p50 is not None
            },
            x_label="queries",
        )
    )
    page.chart(
        bar_chart(
            "attackers found, %",
            {name: 100 * line.found / line.accounts for name, line in figures.attacks.items()},
            x_label="% of accounts",
            mark=90.0,
        )
    )
    page.chart(_frontier(figures))


def account_page(page: HtmlReport, figures: AccountFigures) -> None:
    """Charts and tables."""
    page.paragraph(account_facts(figures))
    if figures.attacks:
        _attack_charts(page, figures)
    if figures.by_detector:
        led: dict[str, float] = {name: float(count) for name, count in figures.by_detector.items()}
        page.chart(bar_chart("false alerts by leading detector", led, x_label="alerts"))
    for title, headings, rows in _sections(figures):
        page.heading(title)
        page.table(headings, rows)
