"""Numbered SQL migrations: ``migrations/NNNN_name.sql``, applied in order, each once, forward only.

Own small runner, because the usual one (the clickhouse-migrations package) speaks the native protocol, which
an embedded store does not offer and a server behind an HTTP balancer does not expose.

ClickHouse has no transactions for DDL, so a migration may stop halfway. Every statement is therefore written
to be repeatable (``IF NOT EXISTS``), and a migration counts as applied only after its last statement. Two
processes that migrate at once do each other no harm for the same reason.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from infra.clickhouse import dsn as dsns
from infra.clickhouse.dsn import EmbeddedDsn
from infra.clickhouse.handle import Handle
from infra.clickhouse.store import Store, open_store
from schemas.errors import Fatal, IncompatibleState, Rejected

FOLDER = Path(__file__).with_name("migrations")

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_END_OF_STATEMENT = re.compile(r";[ \t]*(?:\n|\Z)")
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    version UInt32,
    name String,
    checksum FixedString(64),
    applied_at DateTime('UTC') DEFAULT now('UTC')
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY version
"""


class Migration(NamedTuple):
    """One file."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def statements(self) -> list[str]:
        """A statement ends with a semicolon at the end of a line.

        >>> Migration(1, "two", "SELECT ';' AS a;\\nSELECT 2;\\n").statements
        ["SELECT ';' AS a", 'SELECT 2']
        """
        return [statement.strip() for statement in _END_OF_STATEMENT.split(self.sql) if statement.strip()]

    def __str__(self) -> str:
        return f"{self.version:04}_{self.name}"


class Status(NamedTuple):
    """A migration and when this store got it; `None`: not yet."""

    migration: Migration
    applied_at: datetime | None


def load(folder: Path = FOLDER) -> list[Migration]:
    """Migrations in order. Raises `Fatal` for a misnamed file or a gap in the numbers."""
    found = []
    for file in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(file.name)
        if match is None:
            raise Fatal(f"{file.name}: a migration is named NNNN_lower_case.sql")
        found.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
    if [m.version for m in found] != list(range(1, len(found) + 1)):
        raise Fatal(f"migrations are numbered 1, 2, 3, ... without gaps; found {[m.version for m in found]}")
    return found


def status(store: Store, migrations: Sequence[Migration] | None = None) -> list[Status]:
    """Where this store stands. Reads only.

    Raises:
        IncompatibleState: an applied migration was edited since, or the store is newer than this program.
    """
    known = load() if migrations is None else migrations
    ledger = _applied(store)
    for migration in known:
        entry = ledger.get(migration.version)
        if entry is not None and entry.checksum != migration.checksum:
            raise IncompatibleState(
                f"migration {migration} has changed since {store.dsn} got it on {entry.applied_at:%Y-%m-%d}"
                f" (checksum {entry.checksum[:12]}, file {migration.checksum[:12]}).\n"
                "An applied migration is never edited: restore the file and put the change into a new one"
            )
    unknown = sorted(set(ledger) - {migration.version for migration in known})
    if unknown:
        newest = f"{unknown[-1]:04}_{ledger[unknown[-1]].name}"
        raise IncompatibleState(
            f"{store.dsn} is newer than this program: it has migration {newest}, this program ends at"
            f" {len(known):04}.\nUpgrade Stillwatch"
        )
    return [Status(m, ledger[m.version].applied_at if m.version in ledger else None) for m in known]


def inspect(dsn: str) -> list[Status]:
    """`status` of the store that a DSN names, which is neither made nor changed. Raises as `open_store`."""
    target = dsns.parse(dsn)
    nothing = [Status(migration, None) for migration in load()]
    if isinstance(target, EmbeddedDsn) and not target.path.exists():
        return nothing
    with Handle(target) as handle, handle.request() as client:
        named = f"SELECT 1 FROM system.databases WHERE name = '{target.database}'"
        if not client.query(named).result_rows:
            return nothing
        with Store(target) as store:
            return status(store)


def migrate(store: Store, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Apply what is missing; returns it. Raises as `status`, and `Fatal` where a statement fails."""
    missing = [entry.migration for entry in status(store, migrations) if entry.applied_at is None]
    if missing:
        store.command(_LEDGER)
    for migration in missing:
        for number, statement in enumerate(migration.statements, start=1):
            try:
                store.command(statement)
            except Rejected as error:
                raise Fatal(f"migration {migration} failed at its statement {number}: {error}") from error
        store.command(
            "INSERT INTO schema_migrations (version, name, checksum) SETTINGS async_insert = 0 VALUES"
            f" ({migration.version}, '{migration.name}', '{migration.checksum}')"
        )
    return missing


def open_current(dsn: str, retention_days: int, note: Callable[[str], None]) -> Store:
    """Open a store, up to date; `note` is told of each change. Raises as `open_store` and `migrate`."""
    store = open_store(dsn)
    try:
        for migration in migrate(store):
            note(f"applied {migration}")
        if set_retention(store, retention_days):
            note(f"requests are kept for {retention_days} days")
    except BaseException:
        store.close()
        raise
    return store


def set_retention(store: Store, days: int) -> bool:
    """Keep rows of `requests` and its rollups for `days` once stored; returns whether that changed.

    Not a migration, because it is a setting. Counted from storage and not from event time, so that a replayed
    trace of last year is not expired on arrival.
    """
    changed = False
    for table in ("requests", "link_hours", "template_hours"):
        [[ddl]] = store.query(
            "SELECT create_table_query FROM system.tables"
            " WHERE database = currentDatabase() AND name = {table:String}",
            {"table": table},
        )
        if f"toIntervalDay({days})" not in ddl:
            store.command(f"ALTER TABLE {table} MODIFY TTL stored_at + toIntervalDay({days})")
            changed = True
    return changed


class _Entry(NamedTuple):
    name: str
    checksum: str
    applied_at: datetime


def _applied(store: Store) -> dict[int, _Entry]:
    if not store.query("EXISTS TABLE schema_migrations")[0][0]:
        return {}
    rows = store.query("SELECT version, name, checksum, applied_at FROM schema_migrations FINAL")
    return {
        version: _Entry(name, checksum.decode() if isinstance(checksum, bytes) else checksum, applied_at)
        for version, name, checksum, applied_at in rows
    }
