"""`LibchdbServer`: a genuine ClickHouse HTTP server for tests and development, on loopback.

Not for production: ``libchdb.so`` exports, unadvertised, the whole of clickhouse-local, which on
``SYSTEM START LISTEN HTTP`` runs the server's own HTTP handler, with users and passwords, on a data folder of
its own. What differs from a packaged server: no access control by SQL, no replication, no query log.

>>> with LibchdbServer(Path("data")) as server:                                    # doctest: +SKIP
...     open_store(server.dsn("stillwatch"))
"""

from __future__ import annotations

import ctypes
import http.client
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.child_process import ChildProcess
from infra.clickhouse import libchdb
from infra.ports import free_port
from schemas.errors import StoreUnavailable

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
USER = "stillwatch"
ANALYST = "analyst"
"""Has a profile with ``readonly = 1``; same password."""

_CONFIG = """<clickhouse>
  <users_config>users.xml</users_config>
  <logger><level>information</level><log>{folder}/server.log</log><size>20M</size><count>2</count></logger>
</clickhouse>
"""
# The library itself runs as `default` and needs it without a password, so whoever is on this machine can use
# this server: one more reason why it is for tests only.
_USERS = """<clickhouse>
  <profiles><default/><analyst><readonly>1</readonly></analyst></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota>
    </default>
    <{user}>
      <password>{password}</password><networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile><quota>default</quota>
    </{user}>
    <{analyst}>
      <password>{password}</password><networks><ip>127.0.0.1</ip></networks>
      <profile>analyst</profile><quota>default</quota>
    </{analyst}>
  </users>
</clickhouse>
"""
_FOREVER = (
    "SELECT sleepEachRow(3) FROM system.numbers SETTINGS function_sleep_max_microseconds_per_block = 0,"
    " max_block_size = 1, max_execution_time = 0 FORMAT Null"
)


class LibchdbServer:
    """A server process over `folder`. The data stay there when it stops; the port stays with the object.

    Args:
        folder: made where it is missing.
        progress: told about a download.

    Raises:
        MissingDependency: see `libchdb.library`.
    """

    def __init__(self, folder: Path, progress: Callable[[str], None] = lambda text: None) -> None:
        self.folder = folder
        self.port = free_port()
        self._library = libchdb.library(progress)
        self._child: ChildProcess | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._password_file = folder / "password"
        if not self._password_file.exists():
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(secrets.token_hex(12))
        self.password = self._password_file.read_text()
        (folder / "config.xml").write_text(_CONFIG.format(folder=folder))
        (folder / "users.xml").write_text(_USERS.format(user=USER, analyst=ANALYST, password=self.password))

    def dsn(self, database: str, user: str = USER) -> str:
        """For `infra.clickhouse.store.open_store`."""
        return f"http://{user}:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def start(self, timeout_s: float = START_TIMEOUT_S) -> Self:
        """Start and wait until it answers. Raises `StoreUnavailable` with the end of its output."""
        output = self.folder / "server.out"
        self._child = ChildProcess(
            [sys.executable, "-m", __spec__.name, self._library, self.folder, str(self.port)], output=output
        )
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self._child.exit_code is not None or time.monotonic() > deadline:
                self.stop()
                words = output.read_text(errors="replace").splitlines()[-6:]
                raise StoreUnavailable("the test server did not start\n" + "\n".join(words))
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """Stop cleanly."""
        if self._child is not None:
            self._child.stop(STOP_TIMEOUT_S)
            self._child = None

    def kill(self) -> None:
        """End it as a crash would."""
        if self._child is not None:
            self._child.signal(signal.SIGKILL)
            self._child.wait()
            self._child = None

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(library: Path, folder: Path, port: int) -> None:
    """Run the server in this process; returns when it ends."""
    engine = ctypes.CDLL(str(library))
    engine.chdb_query_cmdline.restype = ctypes.c_void_p
    engine.chdb_result_error.restype = ctypes.c_char_p
    engine.chdb_result_error.argtypes = [ctypes.c_void_p]
    arguments = [
        "clickhouse",
        f"--path={folder / 'data'}",
        "--listen_host=127.0.0.1",
        f"--http_port={port}",
        f"--config-file={folder / 'config.xml'}",
        "--multiquery",
        f"--query=SYSTEM START LISTEN HTTP; {_FOREVER}",
    ]
    argv = (ctypes.c_char_p * len(arguments))(*(argument.encode() for argument in arguments))
    result = engine.chdb_query_cmdline(len(arguments), argv)
    print("ended:", engine.chdb_result_error(result), file=sys.stderr)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
