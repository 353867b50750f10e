"""`FleetProcess`: a worker as an operator starts one, watched through its status file and /proc."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from agents.status import WorkerStatus, read_statuses
from infra.kafka.connection import Connection
from tests.bench.measure import ROOT, begin, cores, cpu_s, peak_rss_mb

SETTINGS = """\
data_dir = "{folder}"
log_level = "info"
[bus]
url = "kafka://{bootstrap}"
partitions = {partitions}
[fleet]
application_id = "{name}"
local_state = {local_state}
"""


class FleetProcess:
    """``stillwatch worker`` in a process of its own.

    Args:
        folder: of its settings, its status and its log.
        one_core: pin it to the engine's core; else it may use all.
        local_state: let it keep copies of its state in the folder.
    """

    def __init__(
        self,
        connection: Connection,
        folder: Path,
        partitions: int,
        *,
        name: str,
        one_core: bool = True,
        local_state: bool = False,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "stillwatch.toml"
        config.write_text(
            SETTINGS.format(
                folder=folder, bootstrap=connection.bootstrap, partitions=partitions, name=name,
                local_state=str(local_state).lower(),
            )
        )
        engine, others = cores()
        self._cores = engine if one_core else engine | others
        main = "from agents.cli import main; main()"
        self._command = [sys.executable, "-c", main, "worker", "--config", config]

    def __enter__(self) -> Self:
        with (self.folder / "worker.log").open("ab") as log:
            self.started = time.monotonic()
            self._child = subprocess.Popen(
                self._command, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                preexec_fn=partial(begin, self._cores),
            )  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(40)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    @property
    def status(self) -> WorkerStatus | None:
        """Its last word; `None` before the first."""
        if self._child.poll() is not None:
            raise RuntimeError(f"the worker ended ({self._child.returncode}), see {self.folder}/worker.log")
        return next((one for one in read_statuses(self.folder) if one.pid == self._child.pid), None)

    def wait_until_running(self, timeout_s: float = 600) -> float:
        """Seconds from its start until it owns its partitions and their state is restored."""
        while time.monotonic() - self.started < timeout_s:
            status = self.status
            if status is not None and status.state == "running":
                return time.monotonic() - self.started
            time.sleep(0.05)
        raise RuntimeError(f"not running after {timeout_s} s, see {self.folder}/worker.log")

    @property
    def cpu_s(self) -> float:
        return cpu_s(self._child.pid)

    @property
    def peak_rss_mb(self) -> float:
        return peak_rss_mb(self._child.pid)

    @property
    def rss_mb(self) -> float:
        """Resident memory now."""
        pages = int(Path(f"/proc/{self._child.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2
