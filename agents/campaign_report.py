"""The figures of the campaign evaluation for people: terminal tables and an HTML page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rich.table import Table

from agents.charts import bar_chart
from agents.html_report import HtmlReport
from agents.spending import Spent
from schemas.finding import Lifecycle
from streams.evaluation.campaign_outcome import Outcome
from streams.evaluation.campaign_score import IN_NO_CROWD, Line, Score
from streams.simulation.scenario import Scenario

OURS = "stillwatch"
NBSP = "\N{NO-BREAK SPACE}"
PADDING = (0, 1, 0, 0)
SETTINGS = "settings"
"""Heading of a column of words."""


class Section(NamedTuple):
    """One table."""

    title: str
    headings: list[str]
    rows: list[list[str]]


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _detector_row(name: str, score: Score) -> list[str]:
    return [
        name, _share(score.campaign_recall), _share(score.account_recall), _share(score.account_precision),
        _count(score.leaked_before_first_finding), _share(score.leaked_fraction),
        _count(score.false_campaigns), _count(score.false_campaigns_per_million_account_days),
    ]  # fmt: skip


_DETECTOR_HEADINGS = [
    "", "campaigns found", "accounts named", "precision", "leaked before finding", "of all answers",
    "false campaigns", "per million account-days",
]  # fmt: skip


def _sections(outcome: Outcome) -> Iterable[Section]:
    """All tables in order."""
    ours = outcome.score
    yield Section(
        "Campaigns",
        [
            "campaign", "accounts", "named", "precision", f"found after,{NBSP}h", "answers", "leaked",
            f"until 50{NBSP}%", f"until 90{NBSP}%",
        ],
        [
            [
                name, _count(one.accounts), _count(one.named), _share(one.precision),
                "never" if one.first_h is None else _count(one.first_h), _count(one.answers),
                _count(one.leaked_before_first_finding), _count(one.leaked_before_half_named),
                _count(one.leaked_before_most_named),
            ]
            for name, one in ours.found.items()
        ],
    )  # fmt: skip
    yield Section("What they do", ["campaign", SETTINGS], [[*one] for one in outcome.settings.items()])
    rows = [_detector_row(OURS, ours), *(_detector_row(name, one) for name, one in outcome.baselines.items())]
    yield Section("Beside simpler rules on the same stream", _DETECTOR_HEADINGS, rows)
    yield Section(
        "Benign accounts",
        ["kind", "groups", "account-days", "candidates", "false campaigns", "suppressed", "accounts named"],
        [
            _benign_row(IN_NO_CROWD, "-", "-", ours.population),
            *(
                _benign_row(name, _count(outcome.groups[name]), _count(outcome.candidates.get(name, 0)), line)
                for name, line in ours.benign.items()
            ),
        ],
    )
    if outcome.alone is not None:
        sizes = {name: one.accounts for name, one in ours.found.items()}
        lines = {IN_NO_CROWD: ours.population, **ours.benign}
        yield Section(
            "Accounts that were found by themselves",
            ["kind", "accounts", "account-days", "found"],
            [[name, _count(size), "-", _count(outcome.alone.get(name, 0))] for name, size in sizes.items()]
            + [
                [name, "-", _count(line.account_days), _count(outcome.alone.get(name, 0))]
                for name, line in lines.items()
            ],
        )
    if outcome.ablation:
        rows = [_detector_row(name, one) for name, one in outcome.ablation.items()]
        yield Section("Ablation by kind of link", _DETECTOR_HEADINGS, rows)
    headings = ["plane", "processor, s", "us per request", "us per unit", "bytes per link or group"]
    yield Section("Cost", headings, _costs(outcome))


def _benign_row(name: str, groups: str, candidates: str, line: Line) -> list[str]:
    named = _count(line.false_campaigns), _count(line.suppressed), _count(line.accounts_named)
    return [name, groups, _count(line.account_days), candidates, *named]


def _costs(outcome: Outcome) -> list[list[str]]:
    cost = outcome.cost

    def row(name: str, seconds: float, units: int, unit: str, held: int, stored: int) -> list[str]:
        per_request = f"{1e6 * seconds / max(cost.requests, 1):.2f}"
        per_unit = f"{1e6 * seconds / units:,.1f} / {unit}" if units else "-"
        size = f"{stored / held:,.0f}" if held else "-"
        return [name, f"{seconds:.1f}", per_request, per_unit, size]

    links, groups = (cost.links_held, cost.link_bytes), (cost.groups_held, cost.campaign_bytes)
    return [
        row("simulation", cost.simulation_s, cost.summaries, "account-hour", 0, 0),
        row("link plane", cost.link_plane_s, cost.links, "account-link-hour", *links),
        row("campaign plane", cost.campaign_plane_s, cost.reports, "report", *groups),
    ]


def campaign_facts(outcome: Outcome, scenario: Scenario, spent: Spent) -> str:
    """What was run, in a sentence or two."""
    score, cost = outcome.score, outcome.cost
    parts = (
        f"{outcome.accounts:,} simulated accounts ({outcome.attackers:,} attackers) over {outcome.hours} h, "
        f"seed {scenario.seed}: {cost.requests:,} requests, {score.account_days:,} benign account-days, "
        f"{score.false_campaigns} false campaigns (95 %: at most {score.per_million_high:,.0f} per million "
        "account-days).",
        f"Leaked until half of the members were named: {score.leaked_before_half_named:,}, until nine in "
        f"ten: {score.leaked_before_most_named:,}.",
        f"{spent}. Accounts, identities and texts are simulated.",
    )
    return " ".join(parts)


def campaign_tables(outcome: Outcome) -> Iterable[Table]:
    """For the terminal."""
    for section in _sections(outcome):
        found = Table(
            title=section.title,
            title_justify="left",
            title_style="bold",
            box=None,
            pad_edge=False,
            padding=PADDING,
        )
        for number, heading in enumerate(section.headings):
            if number == 0 or heading == SETTINGS:
                found.add_column(heading, overflow="fold")
            else:  # on a narrow terminal names break, figures never lose a digit
                broken = heading.replace(" ", "\n").replace("-", "-\n")
                found.add_column(broken, justify="right", no_wrap=True)
        for row in section.rows:
            found.add_row(*row, style="bold" if row[0] == OURS else None)
        yield found


def campaign_page(page: HtmlReport, outcome: Outcome, facts: str) -> None:
    """Charts and tables."""
    page.paragraph(facts)
    everyone = {OURS: outcome.score, **outcome.baselines}
    leaked = {name: float(one.leaked_before_first_finding) for name, one in everyone.items()}
    false = {name: float(one.false_campaigns) for name, one in everyone.items()}
    named = {name: 100 * (one.account_recall or 0.0) for name, one in everyone.items()}
    page.chart(bar_chart("answers leaked before the first finding", leaked, x_label="answers"))
    page.chart(bar_chart("false campaigns", false, x_label="groups of names"))
    page.chart(bar_chart("accounts of campaigns named", named, x_label="%"))
    for section in _sections(outcome):
        page.heading(section.title)
        page.table(section.headings, section.rows)
    page.heading("Findings")
    told = [one for one in outcome.findings if one.lifecycle is not Lifecycle.CLOSE]
    page.table(
        ["finding", "step", "time (UTC)", "accounts", "answers", "why"],
        [
            [
                one.subject_id, one.lifecycle.value, f"{one.time:%Y-%m-%d %H:%M}", _count(one.member_count),
                _count(one.leaked_count), "; ".join(one.reasons[:3]),
            ]
            for one in told
        ],
    )  # fmt: skip
