"""`Store`: the handle that writes. One code path for embedded chDB and a ClickHouse server.

Synchronous and for one thread at a time, because clickhouse-connect's chDB client is; a caller with an event
loop runs it in a thread of its own. Analysts read through `infra.clickhouse.read_only`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from infra.clickhouse import dsn as dsns
from infra.clickhouse import failures
from infra.clickhouse.dsn import Dsn
from infra.clickhouse.handle import Handle
from schemas.errors import StoreUnavailable

if TYPE_CHECKING:
    import pyarrow as pa

INSERT_SETTINGS = {
    # Batches come ready-made; the server must neither regroup them nor answer before they are written.
    "async_insert": 0,
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # One batch is one block, so that its token stands for all of it.
    "max_insert_block_size": 10_000_000,
    "input_format_parallel_parsing": 0,
    # A replayed file may span more than the 100 days that the server allows in one insert by default.
    "max_partitions_per_insert_block": 0,
}
"""Never left to the server's defaults: they differ between 25.8 and 26.x."""


class Store(Handle):
    """An open store. Raises as `Handle`."""

    def __init__(self, dsn: Dsn) -> None:
        super().__init__(dsn, database=dsn.database)

    def insert(self, table: str, rows: pa.Table, token: str) -> None:
        """Insert a batch once: with a `token` that the table has seen lately it is taken for a repetition.

        Raises:
            StoreUnavailable: try again with the same rows and token.
            Rejected: at least one row cannot be stored.
            Fatal: no batch can be stored, see `failures.SYSTEMIC`.
        """
        settings = {**INSERT_SETTINGS, "insert_deduplication_token": token}
        try:
            with self.request(lambda error: failures.of_insert(error, table)) as client:
                client.insert_arrow(table, rows.combine_chunks(), settings=settings)
        except OSError as error:  # chDB takes the batch through a temporary file
            raise StoreUnavailable(f"{table}: {error}") from error

    def command(self, sql: str) -> None:
        """Run one statement that returns nothing. Raises as `query`."""
        with self.request() as client:
            client.command(sql)

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> Sequence[Sequence[Any]]:
        """Rows of a query. Parameters are bound by the server: ``{name:Type}``.

        Raises:
            Rejected: the store does not accept the query.
            StoreUnavailable: it does not answer now.
        """
        with self.request() as client:
            return client.query(sql, parameters=dict(parameters or {})).result_rows


def open_store(dsn: str) -> Store:
    """Open the store that a DSN names for writing, with its database made where it is missing.

    Raises:
        InvalidSetting: the DSN is wrong, or the server refuses its user.
        StoreUnavailable: the server does not answer.
        Fatal: another process owns the embedded directory.
    """
    target = dsns.parse(dsn)
    with Handle(target) as handle:
        with handle.request() as client:
            # Asked first, so that a user without the right to create databases can use one made for it.
            named = f"SELECT 1 FROM system.databases WHERE name = '{target.database}'"
            if not client.query(named).result_rows:
                client.command(f"CREATE DATABASE IF NOT EXISTS {target.database}")
        return Store(target)
