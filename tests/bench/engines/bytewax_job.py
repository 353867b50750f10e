"""The windowed job in Bytewax: `fold_window` on event time, with a recovery store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import bytewax.operators as op
import orjson
from bytewax._bytewax import cli_main
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators import windowing
from bytewax.recovery import RecoveryConfig, init_db_dir

from tests.bench.windowed_job import FLAG_ABOVE, LATENESS_S, WINDOW_S, arguments, flagged, mark

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
args = arguments()
started = False

Request = tuple[datetime, int]


def keyed(message: KafkaSourceMessage[Any, Any]) -> tuple[str, Request]:
    global started
    if not started:
        started = True
        mark("first")
    request = orjson.loads(message.value)
    time = EPOCH + timedelta(milliseconds=message.timestamp[1])
    return request["account_id"], (time, request["input_tokens"] + request["output_tokens"])


def add(window: tuple[int, int], request: Request) -> tuple[int, int]:
    return window[0] + 1, window[1] + request[1]


def merge(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


def flag(closed: tuple[str, tuple[int, tuple[int, int]]]) -> KafkaSinkMessage[bytes, bytes] | None:
    account, (minute, (requests, tokens)) = closed
    if requests <= FLAG_ABOVE:
        return None
    value = flagged(account, minute, requests, tokens)
    return KafkaSinkMessage(key=account.encode(), value=orjson.dumps(value))


flow = Dataflow("windowed")
source = KafkaSource([args.bootstrap], [args.topic], tail=False, batch_size=1000)
messages = op.input("requests", flow, source)
requests = op.map("keyed", messages, keyed)
clock = windowing.EventClock(
    ts_getter=lambda request: request[0],
    wait_for_system_duration=timedelta(seconds=LATENESS_S),
    to_system_utc=lambda _: None,  # a backlog: its minutes have nothing to do with the wall clock
)
minutes = windowing.TumblingWindower(length=timedelta(seconds=WINDOW_S), align_to=EPOCH)
windows = windowing.fold_window(
    "windows", requests, clock, minutes, lambda: (0, 0), add, merge, ordered=False
)
op.output("flags", op.filter_map("flag", windows.down, flag), KafkaSink([args.bootstrap], args.output))

if __name__ == "__main__":
    mark("version", text=f"bytewax {version('bytewax')}")
    store = Path(args.scratch)
    init_db_dir(store, 1)
    cli_main(flow, workers_per_process=1, recovery_config=RecoveryConfig(store))
    mark("last")
    mark("end")
