"""`EmbeddedKafka`: a real Apache Kafka of our own, one node, for a laptop and for tests.

Not a stand-in: the broker that runs in production, in KRaft mode, with a small heap and on loopback only.
What it does not give is replication: a lost disk is a lost bus.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.child_process import ChildProcess
from infra.kafka import distribution, endpoint
from infra.kafka.ports import free_port, is_free
from infra.kafka.readiness import brokers_in_service
from schemas.errors import BusUnavailable, InvalidSetting

LOG4J = Path(__file__).with_name("log4j2.xml")
START_TIMEOUT_S = 90.0
"""A start takes 2-3 s on two idle cores; on a loaded machine, after a crash, many times that."""
STOP_TIMEOUT_S = 20.0
PATIENCE_S = 5.0
"""Wait this long for the previous broker of the same folder to be gone."""
PORT_ATTEMPTS = 5
_JAVA_ENVIRONMENT = {"LC_ALL": "C.UTF-8"}
"""Java 17 decodes path names by the locale; under the POSIX locale a folder named é would not exist."""


def server_properties(folder: Path, port: int, controller_port: int) -> dict[str, str]:
    """Broker configuration. What is not named here is Kafka's default."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"CLIENT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(folder / "log"),
        "auto.create.topics.enable": "false",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # One node: its internal topics cannot have the three replicas that Kafka asks for.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "1",
        # Small memory: Kafka's defaults are for a machine of its own. 24 bytes a key, so 1.4 million a pass.
        "log.cleaner.dedupe.buffer.size": str(32 * 1024 * 1024),
        "log.cleaner.backoff.ms": "5000",
        "log.segment.bytes": str(64 * 1024 * 1024),
        "log.index.size.max.bytes": str(1024 * 1024),
        # After a crash the controller takes the broker back when its last session has run out; Kafka: 9 s.
        "broker.session.timeout.ms": "2500",
        "broker.heartbeat.interval.ms": "500",
        "num.network.threads": "2",
        "num.io.threads": "4",
    }


class EmbeddedKafka:
    """One broker, its data under ``data_dir/kafka``. It ends with the process that started it.

    The address stays the same over `stop` (or a crash) and `start` of the same object; a new object on the
    same `data_dir` finds the data again.

    Args:
        data_dir: run directory; created where absent.
        port: client port on 127.0.0.1; 0 picks a free one.
        heap_mb: Java heap. The process needs about 150 MB beside it.
        progress: told in a few words what is being waited for.
        config: broker settings on top of `server_properties`.

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
        config: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = data_dir.absolute() / "kafka"
        self.log_file = self.folder / "server.log"
        self._port = port
        self._heap_mb = heap_mb
        self._progress = progress
        self._config = dict(config or {})
        self._child: ChildProcess | None = None
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
            self._progress("starting Apache Kafka")
            self._child = self._start_on_free_ports(java, jars, lock, timeout_s)
        finally:
            os.close(lock)  # from now on the broker alone holds it
        endpoint.write(self.folder, endpoint.Endpoint(bootstrap=self.bootstrap, pid=self._child.pid))
        return self

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Stop cleanly; by force after `timeout_s`. Does nothing where none runs."""
        if self._child is not None:
            if self.running:
                endpoint.remove(self.folder)
            self._child.stop(timeout_s)
            self._child = None

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

    def _start_on_free_ports(self, java: Path, jars: Path, lock: int, timeout_s: float) -> ChildProcess:
        """Start once; again with other ports where another program was quicker to take one."""
        wanted = self._port
        if wanted and not is_free(wanted):
            raise InvalidSetting("port", f"{wanted} is in use by another program", "Choose another, or 0")
        attempt = 1
        while True:
            port = wanted or free_port()
            controller_port = free_port(besides=port)
            try:
                child = self._start_once(java, jars, lock, port, controller_port, timeout_s)
            except BusUnavailable:
                lost_a_race = not is_free(controller_port) or not is_free(port)
                if not lost_a_race or attempt == PORT_ATTEMPTS:
                    raise
                attempt += 1
            else:
                self._port = port
                return child

    def _start_once(
        self, java: Path, jars: Path, lock: int, port: int, controller_port: int, timeout_s: float
    ) -> ChildProcess:
        properties = self.folder / "server.properties"
        settings = server_properties(self.folder, port, controller_port) | self._config
        # JSON's escapes are those of a Java properties file.
        lines = (f"{key}={json.dumps(value)[1:-1]}\n" for key, value in settings.items())
        properties.write_text("".join(lines), encoding="ascii")
        jvm = [
            str(java), f"-Xmx{self._heap_mb}m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
            "-XX:+ExitOnOutOfMemoryError", "-Djava.awt.headless=true", f"-Dlog4j2.configurationFile={LOG4J}",
            f"-Dstillwatch.log={self.log_file}", "-cp", f"{jars}/*",
        ]  # fmt: skip
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
