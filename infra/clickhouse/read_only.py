"""`Reader`: the handle for analysts. It answers questions, within limits, and changes nothing.

``readonly = 1`` refuses writes, other limits and table functions, in the engine itself. That is not all: an
embedded engine trusts whoever calls it with its files, so ``SELECT ... INTO OUTFILE`` would still write one,
``file('/etc/passwd')`` read one, and a second statement after a semicolon run. So a statement is first given
to the engine's own formatter, which takes exactly one and drops comments and quoting, and what comes back is
looked at word by word, and is what runs.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from infra.clickhouse import dsn as dsns
from infra.clickhouse import failures
from infra.clickhouse.dsn import Dsn, ServerDsn
from infra.clickhouse.handle import Handle
from schemas.errors import Rejected

LIMITS = {
    "max_execution_time": 30,
    "max_memory_usage": 2 * 1024**3,
    "max_result_rows": 100_000,
    "max_result_bytes": 64 * 1024**2,
    "max_temporary_data_on_disk_size_for_query": 4 * 1024**3,
    # 64-bit hashes travel as strings: JSON numbers end at 2**53.
    "output_format_json_quote_64bit_integers": 1,
}
"""Seconds, bytes, rows. Set before ``readonly``, after which nothing can be set."""

LONGEST_STATEMENT = 256 * 1024
VERBS = ("SELECT", "WITH", "SHOW", "DESCRIBE", "EXPLAIN", "EXISTS")

_QUOTED = re.compile(r"""'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*\"""", re.DOTALL)
_REACHES_OUT = re.compile(r"\bINTO\s+OUTFILE\b|\bPARALLEL\s+WITH\b|\b(?:file|python)\s*\(", re.IGNORECASE)
_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*$", re.IGNORECASE)
_FORMAT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")


class Answer(NamedTuple):
    """What a query gave."""

    body: bytes
    format: str
    """ClickHouse's name of the format of `body`."""


class Reader(Handle):
    """An open read-only handle. Raises as `Handle`."""

    def __init__(self, dsn: Dsn) -> None:
        super().__init__(dsn, database=dsn.database, settings=_settings(dsn))

    def ask(self, sql: str, format: str = "JSONCompact") -> Answer:
        """Run one statement that reads.

        Args:
            format: any of ClickHouse's; a FORMAT clause in `sql` goes before it.

        Raises:
            Rejected: it is no such statement, or the store does not accept it, or it met a limit.
            StoreUnavailable: the store does not answer.
        """
        if not _FORMAT_NAME.fullmatch(format):
            raise Rejected(f"{format!r} is no name of a format", field="format")
        statement = self._admit(sql)
        own = _FORMAT.search(_blank(statement))
        with self.request() as client:
            body = client.raw_query(statement, fmt=None if own else format)
        return Answer(body, own[1] if own else format)

    def _admit(self, sql: str) -> str:
        """The statement as the engine itself writes it, where it is one that may run. Raises `Rejected`."""
        if len(sql) > LONGEST_STATEMENT:
            raise Rejected(f"the statement is longer than {LONGEST_STATEMENT} characters")
        try:
            with self.request() as client:
                [[formatted]] = client.query(
                    "SELECT formatQuerySingleLine({sql:String})", parameters={"sql": sql}
                ).result_rows
        except Rejected as error:  # its statement, without ours around it
            raise Rejected(error.reason.partition(": In scope SELECT formatQuerySingleLine")[0]) from error
        words = _blank(formatted)
        if not words.lstrip("( ").startswith(VERBS) or _REACHES_OUT.search(words):
            raise Rejected(failures.READS_ONLY)
        return str(formatted)


def open_reader(dsn: str) -> Reader:
    """Open the store that a DSN names for reading.

    Raises:
        InvalidSetting: the DSN is wrong, its database does not exist, or the server refuses its user.
        StoreUnavailable: the server does not answer.
        Fatal: another process owns the embedded directory.
    """
    return Reader(dsns.parse(dsn))


def _settings(dsn: Dsn) -> dict[str, int]:
    """`LIMITS` and ``readonly``; nothing for an account that the server itself holds to reading.

    Such an account may not change settings, and has the limits that the server gave it.
    """
    if isinstance(dsn, ServerDsn):
        readonly = "SELECT value FROM system.settings WHERE name = 'readonly'"
        with Handle(dsn) as handle, handle.request() as client:
            [[value]] = client.query(readonly).result_rows
        if value != "0":
            return {}
    return {**LIMITS, "readonly": 1}


def _blank(statement: str) -> str:
    """Without what stands in quotes.

    >>> _blank("SELECT 'into outfile' AS `file`")
    "SELECT '' AS ''"
    """
    return _QUOTED.sub("''", statement)
