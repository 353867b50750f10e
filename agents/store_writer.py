"""`StoreWriter`: one batch into the store, whatever it takes.

Waits out an unavailable store, with the same rows under the same token each time, and finds the rows that the
store refuses by halving the batch. Knows nothing of Kafka but the records it is given.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import structlog
from aiokafka import ConsumerRecord

from agents.lane import Batch
from infra.clickhouse.feeds import FEEDS, Rows, rows
from infra.clickhouse.store import Store
from schemas.errors import Rejected, StoreUnavailable

log = structlog.get_logger(__name__)

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 20.0

T = TypeVar("T")


class Refused(NamedTuple):
    """A record that cannot be stored, and why."""

    record: ConsumerRecord
    error: Rejected


class StoreWriter:
    """Writer to an open store; owns the one thread that the store is used from, and one that makes columns.

    Args:
        note_rows: told of each table and the number of its rows once they are in.
        note_retry: told each time the store did not take a batch.
    """

    def __init__(
        self,
        store: Store,
        note_rows: Callable[[str, int], None] = lambda table, count: None,
        note_retry: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._note_rows = note_rows
        self._note_retry = note_retry
        self._columns = ThreadPoolExecutor(1, thread_name_prefix="columns")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._pause = random.Random()

    async def write(self, batch: Batch) -> list[Refused]:
        """Store a batch; returns when every row of it is in, or among those returned.

        Raises:
            Fatal: no batch can be stored at all (schema, rights).
        """
        try:
            built = await _run(self._columns, lambda: rows(FEEDS[batch.tp.topic], batch.records))
            await self._insert(built, batch.token)
        except Rejected as error:
            if len(batch.records) == 1:
                return [Refused(batch.records[0], error)]
            first, second = batch.halves()
            return await self.write(first) + await self.write(second)
        return [Refused(record, error) for record, error in built.refused]

    async def _insert(self, built: Rows, token: str) -> None:
        """Insert into each table, and again until it works. Raises `Rejected`, `Fatal`."""
        for table, content in built.tables.items():
            attempt = 0
            while True:
                try:
                    await _run(self._thread, lambda: self._store.insert(table, content, token))  # noqa: B023
                    break
                except StoreUnavailable as error:
                    self._note_retry()
                    longest_s = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)
                    pause_s = longest_s * self._pause.uniform(0.8, 1.2)
                    log.warning("store unavailable", reason=str(error), retry_in_s=round(pause_s, 1))
                    await asyncio.sleep(pause_s)
                    attempt += 1
            self._note_rows(table, content.num_rows)

    async def close(self) -> None:
        """Wait for what the threads still do, then close the store."""
        self._columns.shutdown(wait=False, cancel_futures=True)
        await _run(self._thread, self._store.close)
        self._thread.shutdown(wait=False)


async def _run(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)
