"""What a failure of the store means: try again, give up on these rows, or stop.

Decided by ClickHouse's numeric error code, never by message text: chDB and the server word the same error
differently. SOURCE of the retryable codes: ``Utils.java`` of ClickHouse's own Kafka Connect sink; of names
and numbers: ``src/Common/ErrorCodes.cpp`` of ClickHouse.
"""

from __future__ import annotations

import re

from clickhouse_connect.driver.exceptions import (
    ClickHouseError,
    DatabaseError,
    OperationalError,
    StreamFailureError,
)

from schemas.errors import Fatal, InvalidSetting, Rejected, StillwatchError, StoreUnavailable

RETRYABLE = {
    3: "UNEXPECTED_END_OF_FILE",  # the connection broke in mid-request
    75: "CANNOT_WRITE_TO_FILE_DESCRIPTOR",  # disk full, as seen by the file system
    76: "CANNOT_OPEN_FILE",  # too many open files
    107: "FILE_DOESNT_EXIST",
    159: "TIMEOUT_EXCEEDED",
    164: "READONLY",  # a server that is being switched over
    173: "CANNOT_ALLOCATE_MEMORY",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    236: "ABORTED",  # the server is shutting down
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",  # rows wait in Kafka until somebody makes room
    252: "TOO_MANY_PARTS",  # slow down
    279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS",
    319: "UNKNOWN_STATUS_OF_INSERT",  # safe to repeat under the same token
    394: "QUERY_WAS_CANCELLED",
    425: "SYSTEM_ERROR",
    999: "KEEPER_EXCEPTION",
    1000: "POCO_EXCEPTION",
    1001: "STD_EXCEPTION",
}
"""The same insert may succeed later."""

SYSTEMIC = {
    16: "NO_SUCH_COLUMN_IN_TABLE",
    20: "NUMBER_OF_COLUMNS_DOESNT_MATCH",
    47: "UNKNOWN_IDENTIFIER",
    60: "UNKNOWN_TABLE",
    62: "SYNTAX_ERROR",
    81: "UNKNOWN_DATABASE",
    115: "UNKNOWN_SETTING",
    497: "ACCESS_DENIED",
}
"""The fault is in the schema or the rights: every row would fail alike, so none is to blame."""

CREDENTIALS = {
    192: "UNKNOWN_USER",
    193: "WRONG_PASSWORD",
    194: "REQUIRED_PASSWORD",
    516: "AUTHENTICATION_FAILED",
}

TOO_MUCH = {
    158: "TOO_MANY_ROWS",
    159: "TIMEOUT_EXCEEDED",
    241: "MEMORY_LIMIT_EXCEEDED",
    307: "TOO_MANY_BYTES",
    396: "TOO_MANY_ROWS_OR_BYTES",
}
"""A query met one of its limits."""

READS_ONLY = "refused: this handle only reads, within fixed limits (no SETTINGS, no table functions)"

_NOISE = re.compile(
    r"Received ClickHouse exception, code: \d+, server response: "
    r"|\s*\(version [^()]*(\([^()]*\))?\)|\(for url \S+\)|DB::Exception: "
)


def message(error: BaseException) -> str:
    """The store's words, without what is only of use to its developers.

    >>> message(DatabaseError("Code: 60. DB::Exception: Table a.b does not exist. (UNKNOWN_TABLE)"))
    'Code: 60. Table a.b does not exist. (UNKNOWN_TABLE)'
    """
    if isinstance(error, OperationalError):
        root: BaseException = error
        while (below := root.__cause__ or root.__context__) is not None:
            root = below
        return f"no answer ({root})"
    return _NOISE.sub("", str(error)).strip()[:2000]


def of_insert(error: ClickHouseError, table: str) -> StillwatchError:
    """Error of an insert as one of ours: `StoreUnavailable`, `Rejected` (some row is at fault) or `Fatal`."""
    code = getattr(error, "code", None)
    said = f"{table}: {message(error)}"
    if code in CREDENTIALS:
        return _refused_login(error)
    if code in SYSTEMIC:
        return Fatal(f"the store's schema or rights do not fit: {said}\nRun `stillwatch migrate --status`")
    if code in RETRYABLE or _is_transport(error):
        return StoreUnavailable(said)
    if code is None:
        return Fatal(said)
    return Rejected(said)


def of_query(error: ClickHouseError) -> StillwatchError:
    """Error of a query as one of ours. What the query's author can mend is `Rejected`."""
    code = getattr(error, "code", None)
    if code in CREDENTIALS:
        return _refused_login(error)
    if code in TOO_MUCH:
        return Rejected(f"{message(error)}\nNarrow it: a time range, an account, LIMIT")
    if code == 164:
        return Rejected(READS_ONLY)
    if code in RETRYABLE or _is_transport(error):
        return StoreUnavailable(message(error))
    return Rejected(message(error))


def _is_transport(error: ClickHouseError) -> bool:
    """No answer from ClickHouse itself: refused, reset, timed out, or a proxy's error page."""
    if isinstance(error, OperationalError | StreamFailureError):
        return True
    return isinstance(error, DatabaseError) and error.code is None


def _refused_login(error: ClickHouseError) -> InvalidSetting:
    return InvalidSetting(
        "store.dsn",
        f"the server refuses the login ({getattr(error, 'name', None) or 'authentication failed'})",
        "Check user and password; escape special characters (%40 for @)",
    )
