"""`Store`: the handle that writes. One code path for embedded chDB and a ClickHouse server.

Synchronous and for one thread at a time, because clickhouse-connect's chDB client is; a caller with an event
loop runs it in a thread of its own. Analysts read through `infra.clickhouse.read_only`.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError

from infra.clickhouse import dsn as dsns
from infra.clickhouse import failures
from infra.clickhouse.dsn import Dsn, EmbeddedDsn
from schemas.errors import Fatal, InvalidSetting, StoreUnavailable

if TYPE_CHECKING:
    import pyarrow as pa

# Its complaints reach us as exceptions; without a handler they would be printed as well.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

INSERT_SETTINGS = {
    # Batches come ready-made; the server must neither regroup them nor answer before they are written.
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # One batch is one block, so that its token stands for all of it.
    "max_insert_block_size": 10_000_000,
    "input_format_parallel_parsing": 0,
    # A replayed file may span more than the 100 days that the server allows in one insert by default.
    "max_partitions_per_insert_block": 0,
}
"""Never left to the server's defaults: they differ between 25.8 and 26.x."""

CONNECT_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 120


class Store:
    """An open store.

    Args:
        client: connected, with the database chosen.
        dsn: what it is connected to.
    """

    def __init__(self, client: Client, dsn: Dsn) -> None:
        self._client = client
        self.dsn = dsn

    def insert(self, table: str, rows: pa.Table, token: str) -> None:
        """Insert a batch once: with a `token` that the table has seen lately it is taken for a repetition.

        Raises:
            StoreUnavailable: try again with the same rows and token.
            Rejected: at least one row cannot be stored.
            Fatal: no batch can be stored, see `failures.SYSTEMIC`.
        """
        settings = {**INSERT_SETTINGS, "insert_deduplication_token": token}
        try:
            self._client.insert_arrow(table, rows.combine_chunks(), settings=settings)
        except ClickHouseError as error:
            raise failures.of_insert(error, table) from error
        except OSError as error:  # chDB takes the batch through a temporary file
            raise StoreUnavailable(f"{table}: {error}") from error

    def command(self, sql: str) -> None:
        """Run one statement that returns nothing. Raises as `query`."""
        try:
            self._client.command(sql)
        except ClickHouseError as error:
            raise failures.of_query(error) from error

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """Rows of a query. Parameters are bound by the server: ``{name:Type}``.

        Raises:
            Rejected: the store does not accept the query.
            StoreUnavailable: it does not answer now.
        """
        try:
            return self._client.query(sql, parameters=dict(parameters or {})).result_rows
        except ClickHouseError as error:
            raise failures.of_query(error) from error

    @property
    def version(self) -> str:
        """Version of ClickHouse."""
        return self._client.server_version

    def close(self) -> None:
        """Let go of the connection, or of the embedded directory."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(dsn: str) -> Store:
    """Open the store for writing, with its database created where it is missing.

    Raises:
        InvalidSetting: the DSN is wrong, or the server refuses its user.
        StoreUnavailable: the server does not answer.
        Fatal: another process owns the embedded directory.
    """
    target = dsns.parse(dsn)
    client = connect(target, database=None)
    try:
        # Asked first, so that a user without the right to create databases can use one made for it.
        if not client.query(f"SELECT 1 FROM system.databases WHERE name = '{target.database}'").result_rows:
            client.command(f"CREATE DATABASE IF NOT EXISTS {target.database}")
        client.database = target.database
    except ClickHouseError as error:
        client.close()
        raise failures.of_query(error) from error
    return Store(client, target)


def connect(dsn: Dsn, *, database: str | None, settings: Mapping[str, Any] | None = None) -> Client:
    """A clickhouse-connect client. `settings` hold for all it does. Raises as `open_store`."""
    try:
        if isinstance(dsn, EmbeddedDsn):
            return _connect_embedded(dsn, database, dict(settings or {}))
        return clickhouse_connect.get_client(
            interface="https" if dsn.secure else "http",
            host=dsn.host,
            port=dsn.port,
            username=dsn.user,
            password=dsn.password,
            database=database or "__default__",
            settings=dict(settings or {}),
            connect_timeout=CONNECT_TIMEOUT_S,
            send_receive_timeout=ANSWER_TIMEOUT_S,
            autogenerate_session_id=False,  # a session admits one query at a time
        )
    except ClickHouseError as error:
        if getattr(error, "code", None) == 81:
            raise InvalidSetting(
                dsns.SETTING, f"the server has no database {dsn.database!r}", "Run `stillwatch migrate`"
            ) from error
        raise failures.of_query(error) from error


def _connect_embedded(dsn: EmbeddedDsn, database: str | None, settings: dict[str, Any]) -> Client:
    try:
        dsn.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = os.strerror(error.errno or errno.EIO)
        problem = f"cannot create {dsn.path} ({reason})"
        raise InvalidSetting(dsns.SETTING, problem, "Choose another path") from error
    if (owner := owner_of(dsn)) is not None:
        raise Fatal(
            f"the embedded store {dsn.path} is in use by another process ({owner}), most likely the sink:"
            " one process at a time can open it.\n"
            "While the sink runs, ask it: stillwatch sql 'SELECT ...'. Or stop that process"
        )
    try:
        return clickhouse_connect.get_client(
            interface="chdb", path=str(dsn.path), database=database or "default", settings=settings
        )
    except ProgrammingError as error:
        raise Fatal(
            f"the embedded store {dsn.path} does not open: {failures.message(error)}\n"
            "One process can have one embedded directory open"
        ) from error


def owner_of(dsn: EmbeddedDsn) -> int | None:
    """Process that has the directory open; `None` where there is none or it is this one.

    ClickHouse locks the file ``status`` in its directory and writes its process id into it.
    """
    try:
        with (dsn.path / "status").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                words = file.readline().split()
                pid = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
                return None if pid == os.getpid() else pid
    except FileNotFoundError:
        pass
    return None
