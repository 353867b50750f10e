"""`SqlEndpoint`: SQL for analysts while the sink has the embedded store open, on loopback.

An embedded directory belongs to one process, so whoever wants to read it has to ask that process.

``POST /?format=JSONCompact`` with one statement as body answers in any of ClickHouse's formats. It needs
``Authorization: Bearer`` with the token in a file that only this user can read. ``GET /health`` and
``GET /metrics`` need none. What a statement may do: `infra.clickhouse.read_only`.
"""

from __future__ import annotations

import asyncio
import hmac
import http.client
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from infra.clickhouse import dsn as dsns
from infra.clickhouse.read_only import LIMITS, LONGEST_STATEMENT, Answer, Reader, open_reader
from infra.clickhouse.store import Store
from schemas.errors import InvalidSetting, Rejected, StillwatchError, StoreUnavailable

HOST = "127.0.0.1"
READERS = 2
"""Statements that run at once."""
LONGEST_QUEUE = 32
"""Statements that wait; the next is turned away."""
ANSWER_TIMEOUT_S = LIMITS["max_execution_time"] * (1 + LONGEST_QUEUE // READERS)
FORMAT_HEADER = "X-ClickHouse-Format"

T = TypeVar("T")


class Endpoint(msgspec.Struct, frozen=True):
    """Content of ``endpoint.json``."""

    url: str
    pid: int


class SqlEndpoint:
    """The server.

    Args:
        dsn: embedded store, open in this process.
        folder: gets ``endpoint.json`` and ``token``.
        port: 0 picks a free one.
    """

    def __init__(self, dsn: str, folder: Path, port: int, registry: CollectorRegistry) -> None:
        self._dsn = dsn
        self._folder = folder
        self._port = port
        self._registry = registry
        self._token = secrets.token_urlsafe(32)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="sql")
        self._readers: asyncio.Queue[Reader] = asyncio.Queue()
        self._waiting = 0
        self._runner: web.AppRunner | None = None

    async def start(self) -> Endpoint:
        """Listen, and say where. Raises `InvalidSetting` where the port is taken."""
        for _ in range(READERS):
            self._readers.put_nowait(await self._in_thread(open_reader, self._dsn))
        app = web.Application(client_max_size=LONGEST_STATEMENT + 1)
        app.add_routes([
            web.post("/", self._query), web.get("/health", self._health), web.get("/metrics", self._metrics),
        ])  # fmt: skip
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, self._port).start()
        except OSError as error:
            raise InvalidSetting(
                "sink.sql_port", f"cannot listen on {HOST}:{self._port}: {error}", "Choose another port, or 0"
            ) from error
        port = self._runner.addresses[0][1]
        endpoint = Endpoint(url=f"http://{HOST}:{port}", pid=os.getpid())
        self._announce(endpoint)
        return endpoint

    async def stop(self) -> None:
        """Stop listening, end what runs, let go of the store."""
        (self._folder / "endpoint.json").unlink(missing_ok=True)
        (self._folder / "token").unlink(missing_ok=True)
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
            if self._readers.qsize() < READERS:
                await asyncio.to_thread(self._end_statements)
            await self._runner.cleanup()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        while not self._readers.empty():
            self._readers.get_nowait().close()

    def _end_statements(self) -> None:
        with Store(dsns.parse(self._dsn)) as store:
            store.command("KILL QUERY WHERE query NOT LIKE 'KILL%' ASYNC")

    def _announce(self, endpoint: Endpoint) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        files = {"token": self._token.encode(), "endpoint.json": msgspec.json.encode(endpoint)}
        for name, content in files.items():
            scratch = self._folder / f"{name}.tmp"
            scratch.unlink(missing_ok=True)
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            scratch.replace(self._folder / name)

    async def _query(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return _failure(401, Rejected("the bearer token is missing or old; it is in the file `token`"))
        try:
            sql = (await request.read()).decode()
            answer = await self._ask(sql, request.query.get("format", "JSONCompact"))
        except UnicodeDecodeError:
            return _failure(400, Rejected("the statement is not UTF-8"))
        except Rejected as error:
            return _failure(400, error)
        except StillwatchError as error:
            return _failure(503, error)
        kind = "application/json" if answer.format.startswith("JSON") else "text/plain"
        headers = {FORMAT_HEADER: answer.format, "Content-Type": f"{kind}; charset=utf-8"}
        return web.Response(body=answer.body, headers=headers)

    async def _ask(self, sql: str, format: str) -> Answer:
        if self._waiting >= LONGEST_QUEUE:
            raise StoreUnavailable("too many statements wait already; try again")
        self._waiting += 1
        try:
            reader = await self._readers.get()
        finally:
            self._waiting -= 1
        # Shielded: the reader is free again when the statement ends, not when who asked has gone.
        running = asyncio.ensure_future(self._in_thread(reader.ask, sql, format))
        running.add_done_callback(lambda _: self._readers.put_nowait(reader))
        return await asyncio.shield(running)

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), content_type="text/plain")

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)


def _failure(status: int, error: StillwatchError) -> web.Response:
    return web.json_response({"error": type(error).__name__, "message": str(error)}, status=status)


def read_endpoint(folder: Path) -> tuple[Endpoint, str] | None:
    """Where a sink says it listens, and its token; `None` where none does. It may have died since."""
    try:
        endpoint = msgspec.json.decode((folder / "endpoint.json").read_bytes(), type=Endpoint)
        return endpoint, (folder / "token").read_text()
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def ask(endpoint: Endpoint, token: str, sql: str, format: str) -> Answer:
    """Ask a running endpoint.

    Raises:
        Rejected: it does not run the statement.
        StoreUnavailable: nobody listens there any more, or too many ask at once.
    """
    connection = http.client.HTTPConnection(urlsplit(endpoint.url).netloc, timeout=ANSWER_TIMEOUT_S)
    try:
        headers = {"Authorization": f"Bearer {token}"}
        connection.request("POST", f"/?format={quote(format)}", sql.encode(), headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise StoreUnavailable(f"the sink's SQL endpoint {endpoint.url} does not answer: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        kind = StoreUnavailable if response.status == 503 else Rejected
        raise kind(_message(body))
    return Answer(body, response.headers[FORMAT_HEADER])


def _message(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return body.decode(errors="replace")[:500]
