"""The windowed job in Flink SQL: one slot, RocksDB state, a checkpoint every ten seconds.

Flink's Kafka connector comes from Maven, see `tests.bench.peers`; its jar is ``sys.argv[1]``.
"""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.request
from importlib.metadata import version
from typing import Any

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

from tests.bench.windowed_job import FLAG_ABOVE, LATENESS_S, WINDOW_S, arguments, mark

LOOK_S = 0.2
args = arguments()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


REST_PORT = free_port()

TABLES = f"""
CREATE TABLE requests (
  account_id STRING,
  input_tokens BIGINT,
  output_tokens BIGINT,
  event_time TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL,
  WATERMARK FOR event_time AS event_time - INTERVAL '{LATENESS_S}' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '{args.topic}',
  'properties.bootstrap.servers' = '{args.bootstrap}',
  'properties.group.id' = '{args.output}-flink',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset',
  'value.format' = 'json'
);
CREATE TABLE flags (
  account_id STRING,
  `minute` BIGINT,
  requests BIGINT,
  tokens BIGINT
) WITH (
  'connector' = 'kafka',
  'topic' = '{args.output}',
  'properties.bootstrap.servers' = '{args.bootstrap}',
  'key.format' = 'raw',
  'key.fields' = 'account_id',
  'value.format' = 'json'
)
"""

JOB = f"""
INSERT INTO flags
SELECT account_id, `minute`, requests, tokens FROM (
  SELECT account_id,
         UNIX_TIMESTAMP(CAST(window_start AS STRING)) / {WINDOW_S} AS `minute`,
         COUNT(*) AS requests,
         SUM(input_tokens + output_tokens) AS tokens
  FROM TABLE(TUMBLE(TABLE requests, DESCRIPTOR(event_time), INTERVAL '{WINDOW_S}' SECOND))
  GROUP BY account_id, window_start, window_end
) WHERE requests > {FLAG_ABOVE}
"""

SETTINGS = {
    "parallelism.default": "1",
    "pipeline.jars": f"file://{sys.argv[1]}",
    "pipeline.object-reuse": "true",
    "execution.checkpointing.interval": "10 s",
    "execution.checkpointing.dir": f"file://{args.scratch}/checkpoints",
    "state.backend.type": "rocksdb",
    "state.backend.rocksdb.localdir": f"{args.scratch}/rocksdb",
    "table.local-time-zone": "UTC",
    "rest.bind-port": str(REST_PORT),
    "metrics.fetcher.update-interval": "100",
}


def ask(path: str) -> Any:
    """Flink's own REST interface."""
    with urllib.request.urlopen(f"http://127.0.0.1:{REST_PORT}/jobs{path}", timeout=10) as answer:
        return json.load(answer)


def source_records(job: str) -> int:
    """Records the source has read so far."""
    vertex = ask(f"/{job}")["vertices"][0]["id"]
    known = [one["id"] for one in ask(f"/{job}/vertices/{vertex}/subtasks/metrics")]
    wanted = [name for name in known if name.startswith("Source__") and name.endswith(".numRecordsOut")]
    if not wanted:
        return 0
    return int(float(ask(f"/{job}/vertices/{vertex}/subtasks/metrics?get={wanted[0]}")[0]["sum"]))


def main() -> None:
    mark("version", text=f"apache-flink {version('apache-flink')}")
    configuration = Configuration()
    for name, value in SETTINGS.items():
        configuration.set_string(name, value)
    tables = TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
    )
    for statement in TABLES.split(";"):
        tables.execute_sql(statement)
    client = tables.execute_sql(JOB).get_job_client()
    job = str(client.get_job_id())
    started = False
    while True:
        # Looked at by its own statistics, five times a second: the program itself stays as it would be.
        records = source_records(job)
        if records and not started:
            started = True
            mark("first", after=records)
        state = ask(f"/{job}")["state"]
        if records >= args.events or state in ("FINISHED", "FAILED"):
            break
        time.sleep(LOOK_S)
    client.get_job_execution_result().result()
    mark("last")
    mark("end")


if __name__ == "__main__":
    main()
