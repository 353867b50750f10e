"""``stillwatch replay``: files of raw records through detection, or onto the bus."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Group
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from agents.cli.options import Config
from agents.cli.terminal import EXIT_FAILED, err, out
from agents.controls import read_controls
from agents.event_files import guess_format
from agents.replay import Outputs, Replay, Replayed
from agents.settings import load
from schemas.errors import InvalidSetting
from schemas.finding import Finding, Severity, utc_from_ms
from schemas.topics import RAW_FORMATS

SHOWN = 30
"""Most findings in the table; the file has them all."""
EXPLAINED = 8
REASONS = 8
LATE_SHARE = 0.001
"""Above this share of late events the file is worth a word."""

_COLOURS = {
    Severity.CRITICAL: "bold white on red",
    Severity.HIGH: "bold red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFORMATIONAL: "dim",
}
_RANK = list(_COLOURS)


def _output(what: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(metavar="OUT.jsonl", dir_okay=False, help=what)
    return option


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="One record a line; .gz too.")],
    format: Annotated[
        str | None, typer.Option("--format", "-f", metavar="|".join(RAW_FORMATS), help="Default: by looking.")
    ] = None,
    findings: Annotated[Path | None, _output("Every lifecycle message of every finding.")] = None,
    profiles: Annotated[Path | None, _output("Closed windows of every account.")] = None,
    dead_letters: Annotated[Path | None, _output("Lines that cannot be used, and why.")] = None,
    as_is: Annotated[
        bool, typer.Option("--as-is", help="Take events as they stand, not in order of time.")
    ] = False,
    to_bus: Annotated[
        bool, typer.Option("--to-bus", help="Send the lines to the raw topic of their format instead.")
    ] = False,
    speed: Annotated[
        float, typer.Option(min=0.0, help="With --to-bus: times real time; 0 is as fast as possible.")
    ] = 0.0,
    partitions: Annotated[
        int, typer.Option(min=1, max=1024, help="Planes to share the events, as a fleet's partitions do.")
    ] = 1,
    control: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Suppressions and verdicts, one message a line.")
    ] = None,
    config: Config = None,
) -> None:
    """Run files of requests through detection, in event time and without Kafka.

    The same planes and parameters as the fleet. Baselines are learnt from all accounts of the files together;
    a fleet learns them in each partition, so give its number of partitions to get exactly what it gave live.
    """
    settings = load(config)
    format = _checked_format(files, format)
    if to_bus:
        from agents.feed import feed  # needs Kafka's client, which a replay of files can do without

        with _progress(files, "sent") as tell:
            done = asyncio.run(feed(settings, format, files, speed=speed, progress=tell))
        out.print(f"{done.events:,} records sent to [bold]{RAW_FORMATS[format].name}[/]{_rate(done)}")
        return
    known = None if control is None else read_controls(control)
    with ExitStack() as stack:
        outputs = Outputs(*(_opened(stack, path) for path in (findings, profiles, dead_letters)))
        run = Replay(settings, format, outputs, partitions=partitions, by_time=not as_is, controls=known)
        with _progress(files, "events") as tell:
            done = run.run(files, tell)
    out.print(_summary(done))
    written = [path for path in (findings, profiles, dead_letters) if path is not None]
    if written:
        out.print(Text(f"written: {', '.join(map(str, written))}", style="dim"))
    if done.rejected and not done.events:
        raise typer.Exit(EXIT_FAILED)


def _checked_format(files: list[Path], format: str | None) -> str:
    """The format of all files.

    Raises:
        InvalidSetting: unknown, or not what the files look like, or missing and not to be guessed.
    """
    if format is not None and format not in RAW_FORMATS:
        fix = f"Use one of: {', '.join(RAW_FORMATS)}"
        raise InvalidSetting("--format", f"unknown format {format!r}", fix)
    for path in files:
        found = guess_format(path)
        if format is None and found is None:
            fix = f"Say --format {'|'.join(RAW_FORMATS)}"
            raise InvalidSetting("--format", f"the first line of {path} tells no format", fix)
        if format is not None and found is not None and found != format:
            looks = f"{path} looks like {_LOOKS[found]}, not like {_LOOKS[format]}"
            raise InvalidSetting("--format", looks, f"Try --format {found}")
        format = format or found
    assert format is not None
    return format


_LOOKS = {"native": "native JSON", "litellm": "LiteLLM JSON", "azure": "Azure CSV"}


def _opened(stack: ExitStack, path: Path | None) -> BinaryIO | None:
    if path is None:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return stack.enter_context(path.open("wb"))
    except OSError as error:
        raise InvalidSetting("output", f"cannot write {path}: {error.strerror}", "Check the path") from error


@contextmanager
def _progress(files: list[Path], noun: str) -> Iterator[Callable[[Replayed], None]]:
    """Progress bar over the bytes of the files; gone when done."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    total = sum(path.stat().st_size for path in files)
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("reading", total=total, note="")

        def tell(done: Replayed) -> None:
            rate = done.lines / done.elapsed_s if done.elapsed_s else 0
            note = f"{done.lines:,} {noun}, {rate:,.0f}/s"
            if done.latest:
                note += f", [bold red]{len(done.latest)} findings[/]"
            if done.rejected:
                note += f", [yellow]{done.rejected:,} bad lines[/]"
            bar.update(task, completed=done.read_bytes, note=note)

        yield tell


def _rate(done: Replayed) -> str:
    return f" in {done.elapsed_s:.1f} s ({done.lines / done.elapsed_s:,.0f}/s)" if done.elapsed_s else ""


def _summary(done: Replayed) -> Group:
    parts: list[Table | Text] = []
    if done.latest:
        parts += _findings(done)
    counts = Table.grid(padding=(0, 2))
    counts.add_column(style="dim")
    counts.add_column()
    counts.add_row("events", f"{done.events:,}{_rate(done)}")
    if done.first_ms is not None and done.last_ms is not None:
        first, last = utc_from_ms(done.first_ms), utc_from_ms(done.last_ms)
        counts.add_row("event time", f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC")
    counts.add_row("accounts", f"{done.accounts:,}")
    silent = sum(finding.suppressed_by is not None for finding in done.latest.values())
    counts.add_row("findings", f"{len(done.latest):,}" + (f" ({silent:,} suppressed)" if silent else ""))
    if done.duplicates:
        counts.add_row("duplicates", f"{done.duplicates:,} (counted once)")
    if done.late > LATE_SHARE * done.events:
        counts.add_row("late", f"[yellow]{done.late:,}[/] events: the files are far from the order of time")
    if done.rejected:
        counts.add_row("bad lines", f"[yellow]{done.rejected:,}[/] of {done.lines:,}")
        reasons = sorted(done.reasons.items(), key=lambda reason: -reason[1])
        for reason, number in reasons[:REASONS]:
            counts.add_row("", Text(f"{number:>7,}  {reason}"))
    return Group(*parts, counts)


def _findings(done: Replayed) -> list[Table | Text]:
    """The most severe findings, and in a sentence each why. "after": requests until it was raised."""
    found = sorted(done.latest.values(), key=_most_severe_first)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("severity", no_wrap=True)
    table.add_column("account", overflow="fold")
    table.add_column("detector", no_wrap=True)
    table.add_column("raised (UTC)", no_wrap=True)
    for heading in ("after", "requests", "leaked"):
        table.add_column(heading, justify="right", no_wrap=True)
    for finding in found[:SHOWN]:
        table.add_row(
            Text(finding.severity.value, style=_COLOURS[finding.severity]),
            Text(finding.subject_id),
            finding.detector,
            f"{done.raised[finding.finding_id].time:%m-%d %H:%M}",
            f"{done.raised[finding.finding_id].event_count:,}",
            f"{finding.event_count:,}",
            f"{finding.leaked_count:,}",
        )
    lines: list[Table | Text] = [table, Text()]
    for finding in found[:EXPLAINED]:
        why = finding.reasons[0] if finding.reasons else finding.title
        lines.append(Text.assemble((finding.subject_id, "bold"), f"  {why}"))
    if len(found) > SHOWN:
        lines.append(Text(f"and {len(found) - SHOWN:,} findings more", style="dim"))
    return [*lines, Text()]


def _most_severe_first(finding: Finding) -> tuple[int, float, str]:
    return _RANK.index(finding.severity), finding.p_value, finding.subject_id
