"""`worker_under_load`: a broker, a worker on one core, and a load for it, from nothing."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka
from tests.bench import preload
from tests.bench.fleet_process import FleetProcess
from tests.bench.load import Load
from tests.bench.measure import cores
from tests.bench.workload import Workload


class UnderLoad(NamedTuple):
    """What runs; the load begins when it is told to."""

    connection: Connection
    partitions: int
    load: Load
    worker: FleetProcess


@contextmanager
def worker_under_load(name: str, events_per_s: float, probes_per_s: float) -> Iterator[UnderLoad]:
    """A worker that owns its partitions. Everything is stopped at the end, and this process left on the cores
    that are not the worker's."""
    workload = Workload()
    os.sched_setaffinity(0, cores()[1])
    with tempfile.TemporaryDirectory(prefix="stillwatch-bench-") as scratch:
        folder = Path(scratch)
        with EmbeddedKafka(folder / "bus", heap_mb=512) as kafka:
            connection = Connection(bootstrap=kafka.bootstrap)
            asyncio.run(preload.create(connection, workload.partitions))
            load = Load(connection, workload, events_per_s, probes_per_s)
            with FleetProcess(connection, folder / "worker", workload.partitions, name=name) as worker:
                worker.wait_until_running()
                yield UnderLoad(connection, workload.partitions, load, worker)
