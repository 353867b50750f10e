"""What the demonstration shows: a live board on a terminal, plain lines elsewhere, and the end of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agents.demo.verdict import Check, StoredFinding
from schemas.finding import Finding, utc_from_ms

LINE_S = 5.0
"""Pause between plain lines."""
SHOWN_FINDINGS = 5
MOST_FINDINGS = 8
"""Of the table at the end; campaigns before accounts."""

_SEVERITY = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}


@dataclass
class Attacker:
    """One attacker as the board shows it."""

    name: str
    accounts: tuple[str, ...]
    answers: int = 0
    """Completed answers sent so far."""
    leaked: int | None = None
    """Of these, before its first finding; `None` while there is none."""
    detector: str = ""
    named: int = 0
    """Accounts that its campaign's finding names."""

    @property
    def who(self) -> str:
        return self.accounts[0] if len(self.accounts) == 1 else f"{len(self.accounts)} accounts"

    @property
    def status(self) -> str:
        if self.leaked is not None and self.named:
            return f"one campaign, {self.named} named"
        if self.leaked is not None:
            return f"found by {self.detector}"
        return "at work" if self.answers else "not yet active"


@dataclass
class Board:
    """Everything that is shown, at one moment."""

    phase: str = "starting"
    progress: float = 0.0
    event_time_ms: int | None = None
    sent: int = 0
    handled: int = 0
    events_per_s: float = 0.0
    lag: int = 0
    accounts: int = 0
    workers: int = 0
    attackers: list[Attacker] = field(default_factory=list)
    open_findings: list[Finding] = field(default_factory=list)

    @property
    def leaked(self) -> int:
        """Answers of attackers before anybody was told; grows until each is found."""
        return sum(a.answers if a.leaked is None else a.leaked for a in self.attackers)


class View:
    """Shows boards.

    Args:
        console: where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = monotonic()
        self._said_at = -LINE_S
        self._phase = ""
        self._live = Live(console=console, refresh_per_second=6, transient=True)
        self.board = Board()

    @property
    def elapsed_s(self) -> float:
        """Wall time since the view was made."""
        return monotonic() - self._begun

    def __enter__(self) -> View:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def show(self) -> None:
        """Bring `board` to the screen; on anything but a terminal, a line now and then."""
        if self._console.is_terminal:
            self._live.update(self.picture())
        elif self.board.phase != self._phase or self.elapsed_s - self._said_at >= LINE_S:
            self._phase, self._said_at = self.board.phase, self.elapsed_s
            self._console.print(self.line(), soft_wrap=True)

    def line(self) -> str:
        """The board in one line of plain text."""
        board = self.board
        words = [f"{self.elapsed_s:5.0f} s", f"{board.phase:<10}"]
        if board.sent:
            words += [
                f"{board.progress:4.0%}",
                f"event time {_clock(board.event_time_ms)}",
                f"sent {board.sent:,}",
                f"handled {board.handled:,} ({board.events_per_s:,.0f}/s)",
                f"lag {board.lag:,}",
                f"accounts {board.accounts:,}",
                f"open findings {len(board.open_findings)}",
                f"leaked {board.leaked:,}",
            ]
            words += [f"{attacker.name}: {attacker.status}" for attacker in board.attackers]
        return " | ".join(words)

    def picture(self) -> RenderableType:
        """The board as a panel."""
        board = self.board
        top = Table.grid(expand=True, padding=(0, 1))
        top.add_column(ratio=1)
        top.add_column(ratio=2)
        top.add_column(justify="right")
        top.add_row(
            Text(board.phase, style="bold"),
            ProgressBar(total=1.0, completed=board.progress),
            Text(f"event time {_clock(board.event_time_ms)}   {self.elapsed_s:.0f} s", style="dim"),
        )
        figures = Table.grid(expand=True, padding=(0, 2))
        for _ in range(3):
            figures.add_column(ratio=1)
        figures.add_row(
            _figure("events/s", f"{board.events_per_s:,.0f}"),
            _figure("handled", f"{board.handled:,} of {board.sent:,}"),
            _figure("lag", f"{board.lag:,} records"),
        )
        figures.add_row(
            _figure("accounts tracked", f"{board.accounts:,}"),
            _figure("open findings", str(len(board.open_findings))),
            _figure("answers leaked", f"{board.leaked:,}"),
        )
        parts: list[RenderableType] = [top, "", figures, "", self._attackers(), "", self._findings()]
        return Panel(Group(*parts), title="[bold]stillwatch demo[/]", border_style="blue", padding=(1, 2))

    def _attackers(self) -> Table:
        table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
        table.add_column("attacker", ratio=2)
        table.add_column("account", ratio=2)
        table.add_column("answers", justify="right", ratio=1)
        table.add_column("before finding", justify="right", ratio=2)
        table.add_column("", ratio=2)
        for attacker in self.board.attackers:
            found = attacker.leaked is not None
            style = "bold green" if found else "yellow" if attacker.answers else "dim"
            table.add_row(
                attacker.name,
                attacker.who,
                f"{attacker.answers:,}",
                f"{attacker.leaked:,}" if found else "-",
                Text(attacker.status, style=style),
            )
        return table

    def _findings(self) -> Table:
        table = Table(box=None, expand=True, pad_edge=False, header_style="dim")
        table.add_column("open finding", ratio=2, no_wrap=True)
        table.add_column("subject", ratio=2, no_wrap=True)
        table.add_column("detector", ratio=1)
        table.add_column("severity", ratio=1)
        table.add_column("requests", justify="right", ratio=1)
        table.add_column("p", justify="right", ratio=1)
        for finding in self.board.open_findings[:SHOWN_FINDINGS]:
            table.add_row(
                finding.finding_id,
                finding.subject_id,
                finding.detector,
                Text(finding.severity.value, style=_SEVERITY.get(finding.severity.value, "")),
                f"{finding.event_count:,}",
                f"{finding.p_value:.0e}",
            )
        return table


def stored_findings(findings: list[StoredFinding], title: str) -> Table:
    """The findings table of the end, as read from the store."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in ("raised", "about", "detector", "severity"):
        table.add_column(heading, no_wrap=True)
    table.add_column("requests", justify="right")
    table.add_column("why", overflow="fold")
    first = sorted(findings, key=lambda finding: -len(finding.accounts))[:MOST_FINDINGS]
    for finding in [finding for finding in findings if finding in first]:
        table.add_row(
            finding.raised_at,
            finding.subject_id if len(finding.accounts) == 1 else f"{len(finding.accounts)} accounts",
            finding.detector,
            Text(finding.severity, style=_SEVERITY.get(finding.severity, "")),
            f"{finding.event_count:,}",
            finding.reason,
        )
    if len(findings) > MOST_FINDINGS:
        table.caption = f"and {len(findings) - MOST_FINDINGS} more"
    return table


def check_lines(checks: list[Check]) -> Text:
    """The verdict, a line a check."""
    text = Text()
    for check in checks:
        text.append("ok    " if check.holds else "FAIL  ", style="bold green" if check.holds else "bold red")
        text.append(check.text + "\n")
    return text


def _figure(name: str, value: str) -> Text:
    return Text.assemble((f"{name} ", "dim"), (value, "bold"))


def _clock(time_ms: int | None) -> str:
    return "--:--" if time_ms is None else utc_from_ms(time_ms).strftime("%H:%M")
