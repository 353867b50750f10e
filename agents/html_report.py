"""A self-contained HTML page: headings, paragraphs, tables, inline charts; nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from schemas.errors import InvalidSetting

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #2c2c2a }
body { max-width: 1000px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; margin: .6rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #e4e4e0; text-align: right }
th:first-child, td:first-child { text-align: left }
.facts td { text-align: left } .facts td:first-child { color: #5f5e5a }
th { font-weight: 600; border-bottom-color: #b4b2a9 }
figure { display: inline-block; margin: .5rem 1rem .5rem 0; vertical-align: top }
.legend span { margin-right: 1rem } .legend { margin: 0 0 0 3rem; font-size: 12px }
.legend i { display: inline-block; width: 10px; height: 10px; margin-right: 4px; border-radius: 2px }
.note { color: #5f5e5a }
"""


class HtmlReport:
    """Collects parts of a page, in order."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts: list[str] = [f"<h1>{escape(title)}</h1>"]

    def heading(self, text: str) -> None:
        self._parts.append(f"<h2>{escape(text)}</h2>")

    def paragraph(self, text: str) -> None:
        self._parts.append(f'<p class="note">{escape(text)}</p>')

    def chart(self, svg: str) -> None:
        """A chart of `agents.charts`."""
        self._parts.append(f"<figure>{svg}</figure>")

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        head = "".join(f"<th>{escape(text)}</th>" for text in headings)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows
        )
        self._parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")

    def facts(self, rows: Sequence[tuple[str, str]]) -> None:
        """Name and value of each."""
        body = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in rows)
        self._parts.append(f'<table class="facts"><tbody>{body}</tbody></table>')

    def write(self, path: Path) -> None:
        """Write the page. Raises `InvalidSetting` where that is not possible."""
        page = (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(self._title)}</title>'
            f"<style>{_STYLE}</style></head><body>{''.join(self._parts)}</body></html>\n"
        )
        try:
            path.write_text(page, encoding="utf-8")
        except OSError as error:
            problem = f"cannot write {path}: {error.strerror}"
            raise InvalidSetting("--html", problem, "Name another file") from error
