"""`Dsn`: which ClickHouse store, from one line of settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from schemas.errors import InvalidSetting

DEFAULT_DATABASE = "stillwatch"
SETTING = "store.dsn"
FORMS = "Write chdb:///absolute/path (embedded) or http(s)://user:password@host:port/database"
ESCAPING = "In a password write %23 for #, %2F for /, %3A for :, %3F for ?, %40 for @"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class EmbeddedDsn(NamedTuple):
    """A chDB directory. One process at a time can open it."""

    path: Path
    database: str

    def __str__(self) -> str:
        return f"chdb://{self.path} (database {self.database})"


class ServerDsn(NamedTuple):
    """A ClickHouse server, over HTTP."""

    secure: bool
    host: str
    port: int
    user: str
    password: str
    database: str

    def __str__(self) -> str:
        """For people and logs: without the password."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{self.user}@{self.host}:{self.port}/{self.database}"


Dsn = EmbeddedDsn | ServerDsn


def parse(text: str) -> Dsn:
    """DSN from its text form.

    >>> str(parse("chdb:///var/lib/stillwatch/clickhouse"))
    'chdb:///var/lib/stillwatch/clickhouse (database stillwatch)'
    >>> str(parse("https://writer:s%2Fcret@ch.example:9443/llm"))
    'https://writer@ch.example:9443/llm'

    Raises:
        InvalidSetting: says what is wrong and how to write it. Never repeats the password.
    """
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:  # not quoted: what it takes for a port may be half a password
        raise InvalidSetting(SETTING, "its host and port cannot be read", f"{FORMS}. {ESCAPING}") from None
    if parts.scheme == "chdb":
        return _embedded(parts)
    if parts.scheme in ("http", "https"):
        return _server(parts)
    raise InvalidSetting(SETTING, f"unknown scheme {parts.scheme!r}", FORMS)


def _embedded(parts: SplitResult) -> EmbeddedDsn:
    if parts.netloc or not parts.path.startswith("/") or parts.path == "/":
        raise InvalidSetting(SETTING, "chdb: needs an absolute path", "Write chdb:///absolute/path")
    options = parse_qs(parts.query)
    database = options.pop("database", [DEFAULT_DATABASE])[-1]
    if options:
        unknown = next(iter(options))
        raise InvalidSetting(SETTING, f"unknown option {unknown!r}", "Only ?database=NAME is known")
    return EmbeddedDsn(Path(unquote(parts.path)), _database(database))


def _server(parts: SplitResult) -> ServerDsn:
    if not parts.hostname:
        raise InvalidSetting(SETTING, "no host", FORMS)
    if parts.query or parts.fragment:
        raise InvalidSetting(
            SETTING, "options after ? or # are not supported",
            f"{ESCAPING}. Set server options in the user's settings profile",
        )  # fmt: skip
    secure = parts.scheme == "https"
    return ServerDsn(
        secure=secure,
        host=parts.hostname,
        port=parts.port or (8443 if secure else 8123),
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=_database(parts.path.strip("/") or DEFAULT_DATABASE),
    )


def _database(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidSetting(SETTING, f"{name!r} is no database name", "Use letters, digits and underscores")
    return name
