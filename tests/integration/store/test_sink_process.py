"""The sink as a process: killed, stopped, started twice, asked questions."""

from __future__ import annotations

import asyncio
import json
import random
import re
import signal
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from itertools import count
from pathlib import Path

import pytest

from agents.settings import Settings, load
from agents.sql_client import answer
from agents.sql_endpoint import read_endpoint
from infra.clickhouse import migrate
from infra.clickhouse.libchdb_server import LibchdbServer
from infra.clickhouse.store import open_store
from infra.kafka.connection import Connection
from schemas.errors import Rejected, StoreUnavailable
from schemas.topics import REQUESTS
from tests.integration.store.feed import CURRENT, PATIENCE_S, RAW, produce, requests

pytestmark = pytest.mark.integration

RECORDS = 6000
ENDLESS = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)"
MAIN = [sys.executable, "-c", "from agents.cli import main; main()"]
_number = count(1)


class SinkProcess:
    """``stillwatch sink`` in a folder with a settings file."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "sink.log"
        command = [*MAIN, "sink", "--config", str(folder / "stillwatch.toml")]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)

    async def ready(self, starts: int = 1) -> None:
        """Wait until this, the `starts`-th sink of the folder, has its partitions."""
        async with asyncio.timeout(PATIENCE_S):
            while self.log.read_text().count("sink ready") < starts:
                assert self._process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(PATIENCE_S)


@pytest.fixture(params=["embedded", "server"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, bus: Connection) -> Path:
    """A run directory with settings for the broker and one kind of store."""
    dsn = ""
    if request.param == "server":
        server: LibchdbServer = request.getfixturevalue("server")
        dsn = server.dsn(f"process_{next(_number)}")
        with open_store(dsn) as store:
            migrate.migrate(store)
            store.command("SYSTEM STOP MERGES requests")  # or it would hide what came twice
    write_settings(tmp_path, bus, dsn)
    return tmp_path


@pytest.fixture
def embedded_folder(tmp_path: Path, bus: Connection) -> Path:
    write_settings(tmp_path, bus, "")
    return tmp_path


def write_settings(folder: Path, bus: Connection, dsn: str) -> None:
    (folder / "stillwatch.toml").write_text(
        f'data_dir = "{folder}"\nbus.url = "kafka://{bus.bootstrap}"\nstore.dsn = "{dsn}"\n'
        f'fleet.application_id = "process-{next(_number)}"\nfleet.session_timeout_s = 3\n'
        "sink.batch_rows = 150\nsink.flush_s = 0.05\n"
    )


def settings_of(folder: Path) -> Settings:
    return load(folder / "stillwatch.toml")


def ask(folder: Path, sql: str) -> list[list[object]]:
    rows: list[list[object]] = json.loads(answer(settings_of(folder), sql, "JSONCompact").body)["data"]
    return rows


async def stored(folder: Path, sql: str, expected: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await asyncio.to_thread(ask, folder, sql) != [[str(expected)]]:
            await asyncio.sleep(0.1)


async def test_kill_9_in_mid_stream_loses_and_doubles_nothing(
    folder: Path, bus: Connection, request: pytest.FixtureRequest
) -> None:
    async def feed() -> None:
        for start in range(0, RECORDS, 300):
            await produce(bus, REQUESTS, requests(range(start, start + 300)))

    feeding = asyncio.create_task(feed())
    chance = random.Random(9)
    kills = 1 if "embedded" in request.node.name else 2  # the embedded engine takes its time to start
    for starts in range(1, kills + 1):
        sink = SinkProcess(folder)
        await sink.ready(starts)
        await asyncio.sleep(chance.uniform(0.2, 0.9))
        sink.kill()
    sink = SinkProcess(folder)
    await sink.ready(kills + 1)
    await feeding
    await stored(folder, CURRENT, RECORDS)
    assert ask(folder, RAW) == [[str(RECORDS)]]
    assert sink.stop() == 0
    assert ask(folder, CURRENT) == [[str(RECORDS)]], "asked of the store itself, now that the sink is gone"


async def test_an_embedded_store_is_asked_through_its_sink(embedded_folder: Path, bus: Connection) -> None:
    folder = embedded_folder
    await produce(bus, REQUESTS, requests(range(500)))
    sink = SinkProcess(folder)
    try:
        await sink.ready()
        await stored(folder, CURRENT, 500)
        found = read_endpoint(folder / "sink")
        assert found is not None
        endpoint, token = found
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", endpoint.url)
        for file in ("token", "endpoint.json"):
            assert stat.S_IMODE((folder / "sink" / file).stat().st_mode) == 0o600

        with pytest.raises(Rejected, match="only reads"):
            ask(folder, "DROP TABLE requests")
        with pytest.raises(Rejected, match="only reads"):
            ask(folder, "SELECT file('/etc/passwd')")
        for wrong in ("", token, "Bearer wrong"):
            request = urllib.request.Request(endpoint.url, b"SELECT 1", {"Authorization": wrong})
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request)
            assert refused.value.code == 401
        with urllib.request.urlopen(f"{endpoint.url}/metrics") as response:
            assert b'stillwatch_sink_rows_total{table="requests"} 500.0' in response.read()
        # More than run at once, beside each other.
        answers = await asyncio.gather(*(asyncio.to_thread(ask, folder, f"SELECT {n}") for n in range(12)))
        assert answers == [[[n]] for n in range(12)]

        second = subprocess.run(
            [*MAIN, "sink", "--config", str(folder / "stillwatch.toml")],
            capture_output=True, text=True, timeout=PATIENCE_S, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert "in use by another process" in " ".join(second.stderr.split())
        assert "Traceback" not in second.stderr
        endless = asyncio.create_task(asyncio.to_thread(ask, folder, ENDLESS))
        while not ask(folder, f"SELECT query FROM system.processes WHERE query LIKE '{ENDLESS[:20]}%'"):
            await asyncio.sleep(0.05)
    finally:
        code = sink.stop()
    assert code == 0, sink.log.read_text()
    with pytest.raises(StoreUnavailable):  # and not Rejected, by the limit of 30 s
        await endless
    assert read_endpoint(folder / "sink") is None
    assert ask(folder, RAW) == [["500"]]


def test_a_store_in_other_hands_is_no_empty_answer(embedded_folder: Path) -> None:
    dsn = settings_of(embedded_folder).store_dsn
    holder = subprocess.Popen(
        [sys.executable, "-c", f"from infra.clickhouse.store import open_store; import time\n"
         f"store = open_store({dsn!r}); print('open', flush=True); time.sleep(600)"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(StoreUnavailable, match=f"process {holder.pid} has .* open"):
            ask(embedded_folder, "SELECT 1")
    finally:
        holder.kill()
        holder.wait()
