"""`Handle`: an open connection to a store, by whichever way its DSN names."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, ProgrammingError

from infra.clickhouse import dsn as dsns
from infra.clickhouse import failures
from infra.clickhouse.dsn import Dsn, EmbeddedDsn
from schemas.errors import Fatal, InvalidSetting, StillwatchError

# Its complaints reach us as exceptions; without a handler they would be printed as well.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

CONNECT_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 60


class Handle:
    """A connection, for one thread at a time.

    Args:
        dsn: what to connect to.
        database: chosen at once; `None`: the user's own, which always exists.
        settings: ClickHouse settings that hold for all it does.

    Raises:
        InvalidSetting: the path cannot be used, the database does not exist, or the server refuses the user.
        StoreUnavailable: the server does not answer.
        Fatal: another process owns the embedded directory.
    """

    def __init__(
        self, dsn: Dsn, *, database: str | None = None, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.dsn = dsn
        self._database = database
        self._settings = dict(settings or {})
        self.client = self._connect()

    @contextmanager
    def request(
        self, error_of: Callable[[ClickHouseError], StillwatchError] = failures.of_query
    ) -> Iterator[Client]:
        """The client, for one request; its errors become ours by `error_of`.

        After a failure an embedded handle is exchanged for a new one: chDB 26.9 answers the next request
        with what the failed one had written before it failed.
        """
        try:
            yield self.client
        except ClickHouseError as error:
            if isinstance(self.dsn, EmbeddedDsn):
                old, self.client = self.client, self._connect()  # in this order, or the engine would stop
                old.close()
            raise error_of(error) from error

    @property
    def version(self) -> str:
        """Version of ClickHouse."""
        return self.client.server_version or "unknown"

    def close(self) -> None:
        """Let go of the connection; the embedded directory with the last handle on it."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connect(self) -> Client:
        try:
            if isinstance(self.dsn, EmbeddedDsn):
                return self._connect_embedded(self.dsn)
            return clickhouse_connect.get_client(
                interface="https" if self.dsn.secure else "http",
                host=self.dsn.host,
                port=self.dsn.port,
                username=self.dsn.user,
                password=self.dsn.password,
                database=self._database or "__default__",
                settings=self._settings,
                connect_timeout=CONNECT_TIMEOUT_S,
                send_receive_timeout=ANSWER_TIMEOUT_S,
                tz_mode="aware",
                autogenerate_session_id=False,  # a session admits one query at a time
            )
        except ClickHouseError as error:
            if getattr(error, "code", None) == 81:
                problem = f"there is no database {self.dsn.database!r} in it"
                raise InvalidSetting(dsns.SETTING, problem, "Run `stillwatch migrate`") from error
            raise failures.of_query(error) from error

    def _connect_embedded(self, dsn: EmbeddedDsn) -> Client:
        try:
            dsn.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"cannot create {dsn.path} ({os.strerror(error.errno or errno.EIO)})"
            raise InvalidSetting(dsns.SETTING, problem, "Choose another path") from error
        if (owner := owner_of(dsn)) is not None:
            raise Fatal(
                f"the embedded store {dsn.path} is in use by another process ({owner}), most likely the sink:"
                " one process at a time can open it.\n"
                "While the sink runs, ask it: stillwatch sql 'SELECT ...'. Or stop that process"
            )
        try:
            return clickhouse_connect.get_client(
                interface="chdb",
                path=str(dsn.path),
                database=self._database or "default",
                settings=self._settings,
                tz_mode="aware",
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
