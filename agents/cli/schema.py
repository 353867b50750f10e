"""``stillwatch schema``: JSON Schemas of everything that crosses a boundary."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import orjson
import typer
from rich.table import Table

from agents.cli.terminal import out
from agents.settings import Settings
from schemas.adapters.native import NativeRecord
from schemas.control import Control
from schemas.dead_letter import DeadLetter
from schemas.errors import InvalidSetting
from schemas.event import RequestEvent
from schemas.finding import Finding
from schemas.profile import AccountWindow
from streams.config import DetectionConfig

_TYPES: dict[str, tuple[Any, str]] = {
    "event": (RequestEvent, "canonical request, topic stillwatch.requests.v1"),
    "native": (NativeRecord, "what a gateway may send: an event, plus raw text to be fingerprinted"),
    "finding": (Finding, "lifecycle message of a finding, topic stillwatch.findings.v1"),
    "profile": (AccountWindow, "closed window of an account, topic stillwatch.profiles.v1"),
    "dead-letter": (DeadLetter, "record that could not be used, topic stillwatch.deadletters.v1"),
    "control": (Control, "suppression, override or verdict, topic stillwatch.control.v1"),
    "settings": (Settings, "stillwatch.toml"),
    "detection": (DetectionConfig, "table detection of stillwatch.toml"),
}


def schema(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Without it: lists the names.")] = None,
) -> None:
    """Print the JSON Schema (2020-12) of an event, a finding, a setting or another message."""
    if name is None:
        table = Table(box=None, pad_edge=False, show_header=False)
        for key, (_, what) in _TYPES.items():
            table.add_row(f"[bold]{key}[/]", what)
        out.print(table)
        return
    # Written as bytes: rich would wrap and colour what other programs read.
    typer.echo(orjson.dumps(json_schema(name), option=orjson.OPT_INDENT_2))


def json_schema(name: str) -> dict[str, Any]:
    """JSON Schema of one of the names that `schema` lists.

    Raises:
        InvalidSetting: no such name.
    """
    if name not in _TYPES:
        raise InvalidSetting("NAME", f"no schema {name!r}", f"Use one of: {', '.join(_TYPES)}")
    described = _TYPES[name][0]
    made = described.model_json_schema() if described is Settings else msgspec.json.schema(described)
    if described is Settings:
        # The table is a plain dictionary to the settings; its real shape is known here.
        table = msgspec.json.schema(DetectionConfig)
        made["$defs"] |= table.pop("$defs")
        made["properties"]["detection"] = table
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}
