"""`stillwatch topics`: create, list and describe the topics of `schemas.topics` on the cluster."""

from __future__ import annotations

import asyncio
from difflib import get_close_matches
from typing import Annotated

import typer
from rich.table import Table

from agents import bus
from agents.cli.options import Config
from agents.cli.terminal import EXIT_FAILED, out
from agents.settings import load
from infra.kafka import admin
from infra.kafka.topic_state import TopicState
from schemas import topics
from schemas.errors import InvalidSetting

app = typer.Typer(no_args_is_help=True, help="Create, list and describe the Kafka topics.")

BY_NAME = {topic.name: topic for topic in topics.ALL}


@app.command()
def create(config: Config = None) -> None:
    """Create the topics that are missing. Existing ones are compared with their definition, never changed."""
    settings = load(config)
    created = asyncio.run(
        admin.create_topics(bus.connection(settings), settings.bus.partitions, settings.bus.replication)
    )
    for name in created:
        out.print(f"created {name}")
    out.print(f"{len(created)} created, {len(topics.ALL) - len(created)} there already")


@app.command("list")
def list_(config: Config = None) -> None:
    """One line per topic: partitions, replicas, records."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("topic", no_wrap=True)
    for heading in ("partitions", "replicas", "records"):
        table.add_column(heading, justify="right")
    table.add_column("state")
    for name, state in _described(config, list(BY_NAME)).items():
        if state is None:
            table.add_row(name, "-", "-", "-", "[red]missing[/]")
        else:
            numbers = (f"{n:,}" for n in (state.partitions, state.replication, state.records))
            table.add_row(name, *numbers, _verdict(state))
    out.print(table)


@app.command()
def describe(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[TOPIC]...", help="Whole names or parts; default: all.")
    ] = None,
    config: Config = None,
) -> None:
    """Partitions, offsets and settings of topics, and where they differ from their definition.

    Ends with exit code 1 where a topic is missing or differs so that detection would be wrong.
    """
    states = _described(config, _chosen(names or []))
    for name, state in states.items():
        _print_topic(name, state)
    if any(state is None or any(drift.breaks for drift in state.drift) for state in states.values()):
        raise typer.Exit(EXIT_FAILED)


def _chosen(parts: list[str]) -> list[str]:
    """Topics whose names contain one of the `parts`; all where there are no parts."""
    for part in parts:
        if not any(part in name for name in BY_NAME):
            words = [word for name in BY_NAME for word in name.split(".")[1:-1]]
            guess = get_close_matches(part, words, n=1)
            fix = f"Did you mean {guess[0]}?" if guess else f"Known: {', '.join(BY_NAME)}"
            raise InvalidSetting("TOPIC", f"no topic's name contains {part!r}", fix)
    return [name for name in BY_NAME if not parts or any(part in name for part in parts)]


def _described(config: Config, names: list[str]) -> dict[str, TopicState | None]:
    settings = load(config)
    wanted = [BY_NAME[name] for name in names]
    return asyncio.run(admin.describe_topics(bus.connection(settings), settings.bus.partitions, wanted))


def _verdict(state: TopicState) -> str:
    if any(drift.breaks for drift in state.drift):
        return "[red]" + ", ".join(drift.what for drift in state.drift if drift.breaks) + " wrong[/]"
    if state.drift:
        return "[yellow]" + ", ".join(drift.what for drift in state.drift) + " differs[/]"
    return "[green]as defined[/]"


def _print_topic(name: str, state: TopicState | None) -> None:
    verdict = _verdict(state) if state else "[red]missing[/]: run `stillwatch topics create`"
    out.print(f"[bold]{name}[/]  {verdict}")
    facts = {"key": BY_NAME[name].key, "value": BY_NAME[name].value}
    if state is not None:
        facts["records"] = f"{state.records:,}"
        facts["size"] = f"partitions {state.partitions}, replicas {state.replication}"
        offsets = sorted(state.offsets.items())
        facts["offsets"] = ", ".join(f"{number}: {first}-{end}" for number, (first, end) in offsets)
        facts["settings"] = ", ".join(f"{key}={value}" for key, value in sorted(state.config.items()))
    for drift in state.drift if state else ():
        problem = drift.error()
        facts["[red]wrong[/]" if drift.breaks else "[yellow]differs[/]"] = f"{problem.problem}. {problem.fix}"
    table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
    for fact, value in facts.items():
        table.add_row(fact, value)
    out.print(table)
