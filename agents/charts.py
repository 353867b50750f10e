"""Line and bar charts as inline SVG: what an HTML report needs, without scripts and without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from math import log10

COLOURS = ("#1f6feb", "#d4537e", "#1d9e75", "#ba7517", "#7f77dd", "#5f5e5a", "#d85a30", "#0f6e56")
WIDTH, HEIGHT = 440, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 28, 40

Points = Sequence[tuple[float, float]]


def line_chart(
    title: str,
    series: Mapping[str, Points],
    *,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    log_x: bool = False,
    tick: Callable[[float], str] = "{:g}".format,
) -> str:
    """One chart with a line and dots for each series. Axes end at the outer ticks."""
    scale: Callable[[float], float] = log10 if log_x else float

    def x(value: float) -> float:
        low, high = scale(x_ticks[0]), scale(x_ticks[-1])
        return LEFT + (scale(value) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        low, high = y_ticks[0], y_ticks[-1]
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = _frame(title, x_label, y_label, WIDTH, HEIGHT)
    for value in y_ticks:
        parts.append(_line(LEFT, y(value), WIDTH - RIGHT, y(value), "#e4e4e0"))
        parts.append(_text(LEFT - 6, y(value) + 4, f"{value:g}", "end"))
    for value in x_ticks:
        parts.append(_text(x(value), HEIGHT - BOTTOM + 16, tick(value), "middle"))
    for number, points in enumerate(series.values()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        parts += [f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="2.6" fill="{colour}"/>' for a, b in points]
    return _svg(parts, WIDTH, HEIGHT) + _legend(list(series))


def bar_chart(title: str, bars: Mapping[str, float], *, x_label: str, mark: float | None = None) -> str:
    """Horizontal bars, largest value to the right edge; `mark` draws a vertical line there."""
    height = TOP + 22 * len(bars) + BOTTOM
    longest = max([*bars.values(), mark or 0.0, 1e-12])
    left = 170
    parts = _frame(title, x_label, "", WIDTH, height)
    for number, (name, value) in enumerate(bars.items()):
        top, width = TOP + 22 * number, (WIDTH - left - 60) * value / longest
        parts.append(_text(left - 6, top + 13, name, "end"))
        parts.append(
            f'<rect x="{left}" y="{top + 2}" width="{width:.1f}" height="15" fill="{COLOURS[0]}"/>'
        )
        parts.append(_text(left + width + 5, top + 13, f"{value:,.3g}", "start"))
    if mark is not None:
        at = left + (WIDTH - left - 60) * mark / longest
        parts.append(_line(at, TOP - 4, at, height - BOTTOM + 4, COLOURS[6]))
    return _svg(parts, WIDTH, height)


def _frame(title: str, x_label: str, y_label: str, width: int, height: int) -> list[str]:
    parts = [
        f'<text x="{LEFT}" y="16" font-weight="600">{escape(title)}</text>',
        _text((LEFT + width - RIGHT) / 2, height - 6, x_label, "middle"),
    ]
    if y_label:
        middle = (TOP + height - BOTTOM) / 2
        parts.append(
            f'<text x="13" y="{middle:.0f}" text-anchor="middle" transform="rotate(-90 13 {middle:.0f})">'
            f"{escape(y_label)}</text>"
        )
    return parts


def _svg(parts: Sequence[str], width: int, height: int) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="#3d3d3a">{"".join(parts)}</svg>'
    )


def _legend(names: Sequence[str]) -> str:
    marks = (
        f'<span><i style="background:{COLOURS[number % len(COLOURS)]}"></i>{escape(name)}</span>'
        for number, name in enumerate(names)
    )
    return f'<p class="legend">{"".join(marks)}</p>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
