"""The whole path as users run it: broker, worker and sink processes, replay and SQL on the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.fleet import TestFleet

CLI = [sys.executable, "-c", "from agents.cli import main; main()"]


class Pipeline:
    """A fleet with a sink beside it.

    Args:
        fleet: prepared, with its settings file written.
    """

    def __init__(self, fleet: TestFleet) -> None:
        self.fleet = fleet

    def cli(self, *arguments: str, timeout_s: float = 300) -> str:
        """Run one command; its standard output. Fails with its error output."""
        command = [*CLI, *arguments, "--config", str(self.fleet.settings_file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
        assert done.returncode == 0, f"{arguments}: {done.stderr}\n{done.stdout}"
        return done.stdout

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """Rows of a query on the store."""
        return [json.loads(line) for line in self.cli("sql", statement, "--format", "json").splitlines()]

    def until(self, statement: str, expected: dict[str, Any], timeout_s: float = 240) -> None:
        """Wait for a one-row answer. ClickHouse prints 64-bit numbers as text or number; both compare."""
        deadline = time.monotonic() + timeout_s
        got: dict[str, Any] = {}
        while time.monotonic() < deadline:
            rows = self.sql(statement)
            got = {name: int(value) for name, value in rows[0].items()} if rows else {}
            if got == expected:
                return
            time.sleep(0.5)
        raise AssertionError(f"{statement}: {got}, not {expected}\n{self.fleet.logs()}")

    @contextmanager
    def sink(self) -> Iterator[subprocess.Popen[bytes]]:
        """A sink process for as long as the block."""
        log = self.fleet.folder / "sink.log"
        process = subprocess.Popen(
            [*CLI, "sink", "--config", str(self.fleet.settings_file)],
            stdout=log.open("ab"),
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        endpoint = self.fleet.folder / "sink" / "endpoint.json"
        deadline = time.monotonic() + 60
        try:
            while not endpoint.exists():
                assert process.poll() is None, log.read_text()[-3000:]
                assert time.monotonic() < deadline, log.read_text()[-3000:]
                time.sleep(0.1)
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(30)


def lines(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSON-lines file."""
    return [json.loads(line) for line in path.read_text().splitlines()]
