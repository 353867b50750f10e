"""An analyst's question, answered by whoever can: the sink that has the store open, or the store itself."""

from __future__ import annotations

from agents.settings import Settings
from agents.sql_endpoint import ask, read_endpoint
from infra.clickhouse import dsn as dsns
from infra.clickhouse.dsn import EmbeddedDsn
from infra.clickhouse.handle import owner_of
from infra.clickhouse.read_only import Answer, open_reader
from schemas.errors import InvalidSetting, StoreUnavailable


def answer(settings: Settings, sql: str, format: str) -> Answer:
    """Run one statement that reads.

    Args:
        format: ClickHouse's name of a format.

    Raises:
        Rejected: the statement is not one that may run, or fails.
        StoreUnavailable: the store does not answer, or a process has it open that answers no questions.
        InvalidSetting: there is no such store.
    """
    dsn = dsns.parse(settings.store_dsn)
    if isinstance(dsn, EmbeddedDsn):
        if not dsn.path.exists():
            problem = f"the embedded store {dsn.path} does not exist yet"
            raise InvalidSetting(dsns.SETTING, problem, "`stillwatch up` or `stillwatch migrate` makes it")
        if (owner := owner_of(dsn)) is not None:
            found = read_endpoint(settings.data_dir / "sink")
            if found is None:
                raise StoreUnavailable(
                    f"process {owner} has {dsn.path} open and answers no questions. If it is a sink that is"
                    " starting or stopping, try again; if it is another one's, use its data_dir"
                )
            return ask(*found, sql, format)
    with open_reader(settings.store_dsn) as reader:
        return reader.ask(sql, format)
