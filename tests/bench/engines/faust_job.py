"""The windowed job in stock Faust: a tumbling table in RocksDB with its changelog, uvloop, orjson."""

from __future__ import annotations

import os
from typing import Any

import faust
import uvloop

from tests.bench.windowed_job import FLAG_ABOVE, WINDOW_S, arguments, checksum, flagged, mark

uvloop.install()  # what ``loop: uvloop://`` of Faust's worker does
args = arguments()
app = faust.App(
    f"{args.output}-faust",
    broker=f"kafka://{args.bootstrap}",
    store="rocksdb://?driver=rocksdict",
    datadir=args.scratch,
    topic_partitions=args.partitions,
    value_serializer="json",
    consumer_auto_offset_reset="earliest",
    web_enabled=False,
)
requests = app.topic(args.topic, key_type=str, value_serializer="json")
flags = app.topic(args.output, key_type=str, value_serializer="json")
EXPIRES_S = 10 * 365 * 86_400
"""Faust drops windows older than this by the wall clock, every half minute, and the bench's requests are of a
past year: with four hours, say, windows that still count would be dropped, and flags be wrong."""
windows = app.Table("windows", default=lambda: [0, 0], partitions=args.partitions).tumbling(
    WINDOW_S, expires=EXPIRES_S
)
seen = 0
final: dict[tuple[str, int], tuple[int, int]] = {}
"""The last value of every window, to be checked. Its cost is 0.2 us a record."""


@app.agent(requests)
async def count(stream: Any) -> None:
    global seen
    async for event in stream.events():
        if not seen:
            mark("first")
        request = event.value
        account = request["account_id"]
        window = windows[account]
        was = window.value(event)
        now = [was[0] + 1, was[1] + request["input_tokens"] + request["output_tokens"]]
        windows[account] = now
        minute = int(event.message.timestamp // WINDOW_S)
        final[account, minute] = (now[0], now[1])
        if now[0] == FLAG_ABOVE + 1:
            await flags.send(key=account, value=flagged(account, minute, *now))
        seen += 1
        if seen == args.events:
            mark("last")
            found = (
                (account, minute, count, tokens)
                for (account, minute), (count, tokens) in final.items()
                if count > FLAG_ABOVE
            )
            mark("windows", checksum=checksum(found))
            mark("end")


if __name__ == "__main__":
    mark("version", text=f"faust-streaming {faust.__version__}")
    worker = faust.Worker(app, loglevel="warning")
    worker.execute_from_commandline()
    os._exit(0)
