"""The windowed job in Quix Streams: tumbling windows in RocksDB with their changelog topic."""

from __future__ import annotations

from typing import Any

import quixstreams
from quixstreams import Application
from quixstreams.dataframe.windows import Count, Sum

from tests.bench.windowed_job import FLAG_ABOVE, LATENESS_S, WINDOW_S, arguments, flagged, mark

args = arguments()
seen = 0


def on_processed(topic: str, partition: int, offset: int) -> None:
    """Called by Quix after every record: nothing is added to the pipeline itself."""
    global seen
    if not seen:
        mark("first")
    seen += 1
    if seen == args.events:
        app.stop()


def tokens(request: dict[str, Any]) -> dict[str, int]:
    return {"tokens": request["input_tokens"] + request["output_tokens"]}


def flag(window: dict[str, Any], key: str, timestamp: int, headers: Any) -> dict[str, object]:
    account = key.partition(":")[2]
    return flagged(account, window["start"] // (WINDOW_S * 1000), window["requests"], window["tokens"])


app = Application(
    broker_address=args.bootstrap,
    consumer_group=f"{args.output}-quixstreams",
    auto_offset_reset="earliest",
    state_dir=args.scratch,
    on_message_processed=on_processed,
    loglevel="WARNING",
)
requests = app.topic(args.topic, key_deserializer="str", value_deserializer="json")
flags = app.topic(args.output, key_serializer="str", value_serializer="json")
(
    app.dataframe(requests)
    .apply(tokens)
    .tumbling_window(duration_ms=WINDOW_S * 1000, grace_ms=LATENESS_S * 1000)
    .agg(requests=Count(), tokens=Sum("tokens"))
    .final(closing_strategy="partition")
    .filter(lambda window: window["requests"] > FLAG_ABOVE)
    .apply(flag, metadata=True)
    .to_topic(flags)
)

if __name__ == "__main__":
    mark("version", text=f"quixstreams {quixstreams.__version__}")
    app.run()
    mark("last")  # state, outputs and offsets are flushed
    mark("end")
