"""`EmbeddedKafka`: a real Apache Kafka of our own, one node, for a laptop and for tests.

Not a stand-in: the broker that runs in production, in KRaft mode, with a small heap and on loopback only.
What it does not give is replication: a lost disk is a lost bus.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.child_process import ChildProcess
from infra.kafka import distribution, endpoint
from infra.kafka.broker_config import server_properties
from infra.kafka.class_archive import class_archive
from infra.kafka.distribution import Java
from infra.kafka.readiness import brokers_in_service
from infra.ports import free_port, is_free
from schemas.errors import BusUnavailable, InvalidSetting

LOG4J = Path(__file__).with_name("log4j2.xml")
START_TIMEOUT_S = 90.0
"""A start takes 1-2 s on two idle cores; after a crash, on a loaded machine, many times that."""
STOP_TIMEOUT_S = 20.0
PATIENCE_S = 5.0
"""Wait this long for the previous broker of the same folder to be gone."""
PORT_ATTEMPTS = 5
_JAVA_ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
"""Java 17 decodes path names by the locale; under the POSIX locale a folder named é would not exist."""


class EmbeddedKafka:
    """One broker, its data under ``data_dir/kafka``. It ends with the process that started it.

    The address stays the same over `stop` (or a crash) and `start` of the same object; a new object on the
    same `data_dir` finds the data again.

    Args:
        data_dir: run directory; created where absent.
        port: client port on 127.0.0.1; 0 picks a free one.
        heap_mb: Java heap. The process needs about 150 MB beside it.
        progress: told in a few words what is being waited for.

    >>> with EmbeddedKafka(Path("run")) as kafka:            # doctest: +SKIP
    ...     kafka.bootstrap
    '127.0.0.1:23187'
    """

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        heap_mb: int = 384,
        *,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.folder = data_dir.absolute() / "kafka"
        self.log_file = self.folder / "server.log"
        self._port = port
        self._heap_mb = heap_mb
        self._progress = progress
        self._child: ChildProcess | None = None
        self._archive_to: Path | None = None
        if "," in str(self.folder):
            raise InvalidSetting("data_dir", f"Kafka takes {data_dir} for a list", "Use a path without comma")

    @property
    def bootstrap(self) -> str:
        """``host:port`` for clients; known from the first `start` on."""
        return f"127.0.0.1:{self._port}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid if self._child is not None and self.running else None

    @property
    def running(self) -> bool:
        """False before `start`, after `stop`, and once the broker has died on its own."""
        return self._child is not None and self._child.exit_code is None

    def start(self, timeout_s: float = START_TIMEOUT_S) -> Self:
        """Start and wait until the broker serves requests.

        Raises:
            MissingDependency: no Java, or no jars and no way to fetch them.
            InvalidSetting: the port is taken, or a broker runs in this folder already.
            BusUnavailable: it ended while starting, or was not ready in time; carries the end of its log.
        """
        if self.running:
            return self
        java = distribution.find_java()
        jars = distribution.jars(self._progress)
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = endpoint.acquire(self.folder, PATIENCE_S)
        try:
            endpoint.remove(self.folder)
            jvm = self._jvm(java, jars)
            self._progress("starting Apache Kafka")
            self._child = self._start_on_free_ports(jvm, lock, timeout_s)
        finally:
            os.close(lock)  # from now on the broker alone holds it
        endpoint.write(self.folder, endpoint.Endpoint(bootstrap=self.bootstrap, pid=self._child.pid))
        return self

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> bool:
        """Stop; by force after `timeout_s`. Returns whether it stopped without force, or did not run."""
        if self._child is None:
            return True
        if self.running:
            endpoint.remove(self.folder)
        child, self._child = self._child, None
        return child.stop(timeout_s)

    def kill(self) -> None:
        """End it as a crash would: SIGKILL, nothing tidied up. For tests."""
        if self._child is not None:
            self._child.signal(signal.SIGKILL)
            self._child.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _jvm(self, java: Java, jars: Path) -> list[str]:
        """Java with its options, up to and without the main class."""
        if self._archive_to is not None:
            sharing = f"-XX:ArchiveClassesAtExit={self._archive_to}"
        elif (archive := class_archive(java, jars, self._rehearse)) is not None:
            sharing = f"-XX:SharedArchiveFile={archive}"
        else:
            sharing = "-Xshare:auto"
        # The simplest collector and the quick compiler: over the first million records the broker takes less
        # processor time so than with Java's defaults, and short-lived it is more often than not.
        return [
            str(java.program),
            f"-Xmx{self._heap_mb}m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+ExitOnOutOfMemoryError",
            sharing,
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={LOG4J}",
            f"-Dstillwatch.log={self.log_file}",
            "-cp",
            ":".join(sorted(map(str, jars.glob("*.jar")))),
        ]

    def _rehearse(self, archive: Path) -> None:
        """Run a broker elsewhere for the sake of its class archive."""
        self._progress("preparing Apache Kafka (once, a few seconds)")
        with tempfile.TemporaryDirectory() as folder:
            rehearsal = EmbeddedKafka(Path(folder), heap_mb=self._heap_mb)
            rehearsal._archive_to = archive
            rehearsal.start()
            if not rehearsal.stop(START_TIMEOUT_S) or not archive.exists():
                raise BusUnavailable("the rehearsal left no class archive")

    def _start_on_free_ports(self, jvm: list[str], lock: int, timeout_s: float) -> ChildProcess:
        """Start once; again with other ports where another program was quicker to take one."""
        wanted = self._port
        if wanted and not is_free(wanted):
            raise InvalidSetting("port", f"{wanted} is in use by another program", "Choose another, or 0")
        attempt = 1
        while True:
            port = wanted or free_port()
            controller_port = free_port(besides=port)
            try:
                child = self._start_once(jvm, lock, port, controller_port, timeout_s)
            except BusUnavailable:
                lost_a_race = not is_free(controller_port) or not is_free(port)
                if not lost_a_race or attempt == PORT_ATTEMPTS:
                    raise
                attempt += 1
            else:
                self._port = port
                return child

    def _start_once(
        self, jvm: list[str], lock: int, port: int, controller_port: int, timeout_s: float
    ) -> ChildProcess:
        properties = self.folder / "server.properties"
        settings = server_properties(self.folder, port, controller_port)
        # JSON's escapes are those of a Java properties file.
        lines = (f"{key}={json.dumps(value)[1:-1]}\n" for key, value in settings.items())
        properties.write_text("".join(lines), encoding="ascii")
        if not (self.folder / "log" / "meta.properties").exists():
            self._format(jvm, properties)
        child = ChildProcess(
            [*jvm, "kafka.Kafka", properties],
            output=self.folder / "server.out",
            environment=_JAVA_ENVIRONMENT,
            keep=[lock],
        )
        try:
            self._wait_until_ready(child, port, timeout_s)
        except BaseException:
            child.stop(STOP_TIMEOUT_S)
            raise
        return child

    def _format(self, jvm: list[str], properties: Path) -> None:
        """Give the data folder its cluster id, as every KRaft cluster needs once."""
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        run = subprocess.run(
            [*jvm, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", properties],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, **_JAVA_ENVIRONMENT},
            check=False,
        )  # fmt: skip
        if run.returncode != 0:
            said = f"{run.stdout}{run.stderr}".strip()
            raise BusUnavailable(f"the embedded Kafka could not format {self.folder / 'log'}:\n{said}")

    def _wait_until_ready(self, child: ChildProcess, port: int, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while brokers_in_service(port) == 0:
            if child.exit_code is not None:
                raise BusUnavailable(
                    f"the embedded Kafka ended while starting (code {child.exit_code}).\n{self._last_words()}"
                )
            if time.monotonic() > deadline:
                raise BusUnavailable(
                    f"the embedded Kafka was not ready after {timeout_s:g} s.\n{self._last_words()}"
                )
            time.sleep(0.02)

    def _last_words(self) -> str:
        """The ends of both logs: log4j's, and what the JVM itself had to say."""
        lines: list[str] = []
        for file in (self.log_file, self.folder / "server.out"):
            if file.exists():
                lines += file.read_text(errors="replace").splitlines()[-6:]
        return "\n".join(line[:300] for line in lines) + f"\n(whole log: {self.log_file})"
