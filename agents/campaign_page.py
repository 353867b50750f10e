"""A campaign for people: a page of its own, and its timeline in characters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from agents.campaign_charts import MOST_COLUMNS, MOST_ROWS, heat_map, member_graph
from agents.campaign_store import CampaignFile, Hour, Link, by_hour
from agents.charts import line_chart
from agents.html_report import HtmlReport

BARS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
"""Blocks of an eighth to a whole of the height."""
GRAPH_MEMBERS, GRAPH_LINKS = 250, 60
LISTED_LINKS, LISTED_MEMBERS = 30, 100


def timeline(hours: Sequence[Hour], steps: Sequence[tuple[float, str]]) -> list[str]:
    """Requests over time as a row of bars, and under it what was told when.

    Args:
        steps: when a message was told (epoch seconds) and the mark it gets.
    """
    joined, step = by_hour(hours)
    if not joined:
        return ["no requests of its members are in the store"]
    most = max(one.requests for one in joined) or 1
    bars = "".join(BARS[-(-(len(BARS) - 1) * one.requests // most)] for one in joined)
    start_s = joined[0].hour.timestamp()
    marks = [" "] * len(joined)
    for told_s, mark in steps:
        place = int((told_s - start_s) // (3600 * step))
        if place >= 0:
            place = min(place, len(marks) - 1)
            marks[place] = mark if marks[place] in " +" else marks[place]
    first, last = f"{joined[0].hour:%m-%d %H:%M}", f"{joined[-1].hour:%m-%d %H:%M}"
    unit = "hour" if step == 1 else f"{step} hours"
    return [
        bars,
        "".join(marks).rstrip(),
        first + last.rjust(max(len(bars) - len(first), len(last) + 1)),
        f"one character: {unit}, {most:,} requests at most;  ! raised  + told again  x closed",
    ]


def marks_of(campaign: CampaignFile) -> list[tuple[float, str]]:
    """Steps of a campaign as `timeline` takes them."""
    signs = {"create": "!", "update": "+", "close": "x"}
    return [(step.time.timestamp(), signs.get(step.lifecycle, "+")) for step in campaign.steps]


def link_rows(links: Sequence[Link]) -> list[list[str]]:
    """Kind, value, members behind it, accounts behind it in all."""
    return [
        [
            link.kind.replace("_", " "),
            f"{int(link.value):016x}",
            f"{link.members:,}",
            f"{max(link.accounts, link.members):,}" if link.accounts else "-",
        ]
        for link in links
    ]


LINK_HEADINGS = ["kind", "value", "members behind it", "accounts in all"]


def campaign_page(campaign: CampaignFile) -> HtmlReport:
    """The whole campaign as a self-contained page."""
    told = campaign.told
    page = HtmlReport(f"Campaign {told.subject_id}")
    page.paragraph(told.summary)
    page.facts(
        [
            ("finding", told.finding_id),
            ("state", told.lifecycle + (f", merged into {told.merged_into}" if told.merged_into else "")),
            ("severity", told.severity),
            ("accounts", f"{told.member_count:,}"),
            ("requests, answers given", f"{told.requests:,}, {told.answers:,}"),
            ("active (UTC)", f"{told.first_seen:%Y-%m-%d %H:%M} to {told.last_seen:%Y-%m-%d %H:%M}"),
            ("raised", f"{told.raised_at:%Y-%m-%d %H:%M}"),
            ("p-value", f"{told.p_value:.1e}"),
            ("recommended", told.recommended_action),
            ("techniques (ATLAS)", ", ".join(told.techniques)),
            ("verdict", told.verdict or "none yet"),
        ]
    )
    page.heading("Evidence")
    # reasons are sentences about the features, in their order; what closed it comes after them
    texts = [*told.reasons, *[""] * len(campaign.evidence)]
    page.table(
        ["what", "here", "usual", "share of the evidence"],
        [
            [
                f"{one.name.replace('_', ' ')}: {text}" if text else one.name.replace("_", " "),
                f"{one.value:.3g}", f"{one.baseline:.3g}", f"{one.contribution:.0%}",
            ]
            for one, text in zip(campaign.evidence, texts, strict=False)
        ],
    )  # fmt: skip
    for reason in told.reasons[len(campaign.evidence) :]:
        page.paragraph(reason)
    page.heading("Volume over time")
    _volume(page, campaign)
    page.heading("Members and what ties them")
    _graph(page, campaign)
    page.table(LINK_HEADINGS, link_rows(campaign.links[:LISTED_LINKS]))
    page.heading("Activity of the busiest members, an hour a column")
    _activity(page, campaign)
    page.heading("Members")
    if told.member_count > LISTED_MEMBERS:
        page.paragraph(f"The busiest {LISTED_MEMBERS}; all of them: view campaign_members.")
    page.table(
        ["account", "requests", "named (UTC)"],
        [
            [one.account_id, f"{one.requests:,}", f"{one.first_named:%Y-%m-%d %H:%M}"]
            for one in campaign.members[:LISTED_MEMBERS]
        ],
    )
    return page


def _volume(page: HtmlReport, campaign: CampaignFile) -> None:
    hours, step = by_hour(campaign.hours)
    if len(hours) < 2:
        page.paragraph("Less than two hours of its requests are in the store.")
        return
    most = float(max(one.requests for one in hours)) or 1.0
    span = float(step * (len(hours) - 1))
    page.chart(
        line_chart(
            f"requests in {step} h, answers among them, active accounts",
            {
                "requests": [(float(step * n), float(one.requests)) for n, one in enumerate(hours)],
                "answers": [(float(step * n), float(one.answers)) for n, one in enumerate(hours)],
                "accounts": [(float(step * n), float(one.accounts)) for n, one in enumerate(hours)],
            },
            x_label=f"hours since {hours[0].hour:%Y-%m-%d %H:%M} UTC",
            y_label="",
            x_ticks=[round(span * n / 4) for n in range(4)] + [span],
            y_ticks=[round(most * n / 4) for n in range(4)] + [most],
        )
    )


def _graph(page: HtmlReport, campaign: CampaignFile) -> None:
    links = [(link.kind, link.value) for link in campaign.links[:GRAPH_LINKS]]
    place = {link: number for number, link in enumerate(links)}
    members = [one.account_id for one in campaign.members[:GRAPH_MEMBERS]]
    shown = set(members)
    ties = [
        (tie.account_id, place[tie.kind, tie.value])
        for tie in campaign.ties
        if tie.account_id in shown and (tie.kind, tie.value) in place
    ]
    if not ties:
        page.paragraph("They share no identifier: what ties them is what they write and when.")
        return
    page.paragraph(f"{len(members):,} members (outer circle) and {len(links):,} values that they share.")
    page.chart(member_graph(members, links, ties))


def _activity(page: HtmlReport, campaign: CampaignFile) -> None:
    if not campaign.hours:
        page.paragraph("No requests of its members are in the store.")
        return
    start = campaign.hours[0].hour
    hours = round((campaign.hours[-1].hour - start).total_seconds() / 3600) + 1
    rows = {
        one.account_id: {
            round((hour - start).total_seconds() / 3600): count
            for hour, count in zip(one.hours, one.counts, strict=True)
        }
        for one in campaign.members
    }
    if len(rows) > MOST_ROWS or hours > MOST_COLUMNS:
        shown = f"The busiest {min(len(rows), MOST_ROWS)} members, the last {min(hours, MOST_COLUMNS)} hours."
        page.paragraph(shown)
    titles = [f"{start + timedelta(hours=n):%m-%d %H:00}" for n in range(hours)]
    page.chart(heat_map(rows, hours, titles=titles))
