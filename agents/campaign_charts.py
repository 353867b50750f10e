"""Pictures of a campaign as inline SVG: who hangs on what, who was active when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from math import cos, log1p, pi, sin

from agents.charts import COLOURS

SIZE = 560
CELL, HEAD = 9, 18
LABEL_COLUMNS = 12
HEAT = ("#f1efe8", "#cfe0f7", "#9cc2f0", "#5f98e0", "#1f6feb", "#0b3d91")
MOST_ROWS, MOST_COLUMNS = 80, 120


def member_graph(
    members: Sequence[str], links: Sequence[tuple[str, str]], ties: Sequence[tuple[str, int]]
) -> str:
    """Members on a circle, the links they share inside it, a line for each tie.

    Members are ordered by the link most of them share, so that those of one card stand together.

    Args:
        members: accounts.
        links: (kind, value).
        ties: account and index of its link.
    """
    kinds = list(dict.fromkeys(kind for kind, _ in links))
    colour = {kind: COLOURS[number % len(COLOURS)] for number, kind in enumerate(kinds)}
    degree = Counter(link for _, link in ties)
    first: dict[str, int] = {}
    rank = {link: (kinds.index(kind), -degree[link], link) for link, (kind, _) in enumerate(links)}
    for account, link in sorted(ties, key=lambda tie: rank[tie[1]]):
        first.setdefault(account, link)
    ordered = sorted(members, key=lambda account: (first.get(account, len(links)), account))
    middle, outer, inner = SIZE / 2, SIZE / 2 - 12, SIZE / 2 - 110
    at = {account: _on_circle(number, len(ordered), outer) for number, account in enumerate(ordered)}
    where = []
    for link in range(len(links)):
        mine = [at[account] for account, other in ties if other == link and account in at]
        # towards its members, and inside the circle
        x, y = (sum(place[axis] for place in mine) / max(len(mine), 1) for axis in (0, 1))
        length = max((x * x + y * y) ** 0.5, 1e-9)
        reach = min(inner * (0.35 + 0.65 * length / outer), inner)
        angle = 2 * pi * link / max(len(links), 1)
        near = length < 0.05 * outer  # members all around: spread such links instead
        if near:
            where.append((0.35 * inner * cos(angle), 0.35 * inner * sin(angle)))
        else:
            where.append((x / length * reach, y / length * reach))
    parts = []
    for account, link in ties:
        if account in at:
            (x1, y1), (x2, y2) = at[account], where[link]
            parts.append(
                f'<line x1="{middle + x1:.1f}" y1="{middle + y1:.1f}" x2="{middle + x2:.1f}" '
                f'y2="{middle + y2:.1f}" stroke="{colour[links[link][0]]}" stroke-opacity="0.25"/>'
            )
    for account, (x, y) in at.items():
        parts.append(
            f'<circle cx="{middle + x:.1f}" cy="{middle + y:.1f}" r="2.5" fill="#3d3d3a">'
            f"<title>{escape(account)}</title></circle>"
        )
    for link, (x, y) in enumerate(where):
        kind, value = links[link]
        hint = escape(f"{kind} {value}: {degree[link]} members")
        parts.append(
            f'<circle cx="{middle + x:.1f}" cy="{middle + y:.1f}" r="{4 + log1p(degree[link]):.1f}" '
            f'fill="{colour[kind]}"><title>{hint}</title></circle>'
        )
    names = {kind: escape(kind.replace("_", " ")) for kind in kinds}
    legend = "".join(
        f'<span><i style="background:{colour[kind]}"></i>{name}</span>' for kind, name in names.items()
    )
    return _svg(parts, SIZE, SIZE) + f'<p class="legend">{legend}</p>'


def _on_circle(number: int, count: int, radius: float) -> tuple[float, float]:
    angle = 2 * pi * number / max(count, 1) - pi / 2
    return radius * cos(angle), radius * sin(angle)


def heat_map(rows: Mapping[str, Mapping[int, int]], columns: int, *, titles: Sequence[str]) -> str:
    """A row for each account, a column for each hour, darker where more requests were.

    Args:
        rows: account to its requests by column; the first `MOST_ROWS` are shown.
        columns: how many; beyond `MOST_COLUMNS` the last.
        titles: of the columns.
    """
    begin = max(columns - MOST_COLUMNS, 0)
    shown = dict(list(rows.items())[:MOST_ROWS])
    most = max((count for row in shown.values() for count in row.values()), default=1)
    parts = [
        f'<text x="{CELL * (column - begin)}" y="{HEAD - 5}" fill="#5f5e5a">{escape(titles[column])}</text>'
        for column in range(begin, max(columns - LABEL_COLUMNS // 2, begin + 1), LABEL_COLUMNS)
    ]
    for number, (account, row) in enumerate(shown.items()):
        for column in range(begin, columns):
            count = row.get(column, 0)
            level = 1 + int((len(HEAT) - 1) * log1p(count) / log1p(most + 1)) if count else 0
            shade = HEAT[min(level, len(HEAT) - 1)]
            hint = f"<title>{escape(account)}, {escape(titles[column])}: {count}</title>" if count else ""
            parts.append(
                f'<rect x="{CELL * (column - begin)}" y="{HEAD + CELL * number}" width="{CELL - 1}" '
                f'height="{CELL - 1}" fill="{shade}">{hint}</rect>'
            )
    width = max(columns - begin, LABEL_COLUMNS) * CELL
    return _svg(parts, width, HEAD + CELL * len(shown))


def _svg(parts: Sequence[str], width: int, height: int) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11">{"".join(parts)}</svg>'
    )
