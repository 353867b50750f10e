"""Feed: files of raw records onto the raw topic of their format, at a chosen pace.

Keyed by account, so that one account's records keep their order. The Kafka timestamp is the time of
sending, not event time: brokers delete by it, and an old trace would be gone before it is read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agents import bus
from agents.event_files import EventFile
from agents.outbox import REQUEST_BYTES, Outbox
from agents.readers import reader
from agents.replay import Replayed, merged
from agents.settings import Settings
from schemas.dead_letter import dead_letter, encode_dead_letter
from schemas.errors import MalformedRecord, Rejected
from schemas.topics import DEAD_LETTERS, RAW_FORMATS

OVERHEAD_BYTES = 4096
"""Room in a request beside the largest record."""
TURN_RECORDS = 500
"""Records put before others on the loop, the senders above all, get their turn."""
LOOK_AHEAD_S = 0.005


class RawRecord(NamedTuple):
    """One line on its way. An unreadable one has no account, and the time of the line before it."""

    time_ms: int
    account_key: bytes
    payload: bytes
    path: Path
    number: int


async def feed(
    settings: Settings,
    format: str,
    paths: Sequence[Path],
    *,
    speed: float = 0.0,
    progress: Callable[[Replayed], None] = lambda done: None,
) -> Replayed:
    """Send every line of the files, merged by event time; returns when all are acknowledged.

    Bad lines are sent as well: what to do with them is INGEST's to decide. A line too long for the topic
    goes to the dead letters from here.

    Args:
        speed: times real time, by event time; 0: as fast as the bus takes them.

    Raises:
        BusUnavailable: no broker answers.
        InvalidSetting: a file cannot be read.
    """
    topic = RAW_FORMATS[format]
    limit = min(topic.max_message_bytes, REQUEST_BYTES) - OVERHEAD_BYTES
    files = [EventFile(path) for path in paths]
    done = Replayed()
    started = time.perf_counter()
    outbox = Outbox(bus.connection(settings).client_options())
    await outbox.start()
    try:
        await outbox.learn(topic.name)
        await outbox.learn(DEAD_LETTERS.name)
        for record in merged([_records(settings, format, file, done) for file in files]):
            done.first_ms = record.time_ms if done.first_ms is None else done.first_ms
            done.last_ms = record.time_ms
            ahead_s = pause_s(record.time_ms - done.first_ms, time.perf_counter() - started, speed)
            if ahead_s > LOOK_AHEAD_S:
                await asyncio.sleep(ahead_s)
            if len(record.payload) > limit:
                _refuse(outbox, record, limit)
                done.rejected += 1
            else:
                # An unreadable record goes anywhere, but to the same place each time.
                partition = outbox.partition_of(topic.name, record.account_key or record.payload[:64])
                outbox.put(topic.name, record.account_key, record.payload, partition=partition)
                done.events += 1
            if done.lines % TURN_RECORDS == 0:
                await asyncio.sleep(0)
                await outbox.room()
                done.read_bytes = sum(file.position_bytes for file in files)
                done.elapsed_s = time.perf_counter() - started
                progress(done)
        await outbox.mark()
    finally:
        await outbox.stop()
    done.elapsed_s = time.perf_counter() - started
    progress(done)
    return done


def pause_s(event_ms: int, elapsed_s: float, speed: float) -> float:
    """How long a record must wait for its turn; negative where its turn is past.

    Args:
        event_ms: its event time, since the first record's.
        elapsed_s: wall clock, since the first record.
        speed: times real time; 0: no record waits.

    >>> pause_s(60_000, 0.25, speed=120.0), pause_s(60_000, 0.25, speed=0.0)
    (0.25, 0.0)
    """
    return event_ms / 1000 / speed - elapsed_s if speed else 0.0


def _records(settings: Settings, format: str, file: EventFile, done: Replayed) -> Iterator[RawRecord]:
    adapt = reader(settings, format).adapt
    time_ms = 0
    for line in file.lines():
        done.lines += 1
        key = b""
        try:
            event = adapt(line.payload)
        except Rejected:
            pass
        else:
            if event is None:
                done.skipped += 1
                continue
            key, time_ms = event.account_key.encode(), max(event.time_ms, 0)
        yield RawRecord(time_ms, key, line.payload, file.path, line.number)


def _refuse(outbox: Outbox, record: RawRecord, limit: int) -> None:
    error = MalformedRecord(f"Line longer than {limit} bytes")
    letter = dead_letter(
        error, record.payload, stage="feed", topic=str(record.path), partition=0, offset=record.number
    )
    outbox.put(DEAD_LETTERS.name, f"{record.path}-0-{record.number}".encode(), encode_dead_letter(letter))
