"""Migrations are applied once, in order, and never quietly changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.clickhouse import migrate
from infra.clickhouse.migrate import Migration
from infra.clickhouse.store import Store, open_store
from schemas.errors import Fatal, IncompatibleState

pytestmark = pytest.mark.integration

NAMES = [str(migration) for migration in migrate.load()]


def test_all_are_applied_once(store_dsn: str) -> None:
    assert [entry.applied_at for entry in migrate.inspect(store_dsn)] == [None] * len(NAMES)
    with open_store(store_dsn) as store:
        assert [str(migration) for migration in migrate.migrate(store)] == NAMES
        assert migrate.migrate(store) == []
    assert all(entry.applied_at is not None for entry in migrate.inspect(store_dsn))


def test_a_half_applied_migration_is_finished(store_dsn: str) -> None:
    broken = Migration(1, "two", "CREATE TABLE IF NOT EXISTS a (x Int8) ENGINE = Memory;\nCREATE NONSENSE;\n")
    mended = Migration(1, "two", broken.sql.replace("NONSENSE", "TABLE b (x Int8) ENGINE = Memory"))
    with open_store(store_dsn) as store:
        with pytest.raises(Fatal, match="migration 0001_two failed at its statement 2"):
            migrate.migrate(store, [broken])
        assert migrate.status(store, [mended])[0].applied_at is None
        migrate.migrate(store, [mended])
        assert {name for (name,) in store.query("SHOW TABLES")} == {"a", "b", "schema_migrations"}


def test_an_edited_migration_is_named(store_dsn: str) -> None:
    first = Migration(1, "first", "CREATE TABLE a (x Int8) ENGINE = Memory;\n")
    with open_store(store_dsn) as store:
        migrate.migrate(store, [first])
        edited = first._replace(sql=first.sql + "-- just a comment\n")
        with pytest.raises(IncompatibleState, match="migration 0001_first has changed"):
            migrate.migrate(store, [edited])


def test_a_store_newer_than_the_program_is_left_alone(store: Store) -> None:
    with pytest.raises(IncompatibleState, match=f"it has migration {NAMES[-1]}, this program ends at 0002"):
        migrate.migrate(store, migrate.load()[:2])


def test_retention_follows_the_setting(store: Store) -> None:
    assert not migrate.set_retention(store, 30), "the migrations' own value"
    assert migrate.set_retention(store, 3)
    assert not migrate.set_retention(store, 3)
    [[ddl]] = store.query("SHOW CREATE TABLE requests")
    assert "toIntervalDay(3)" in ddl


def test_files_must_be_numbered_without_gaps(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1;")
    (tmp_path / "0003_c.sql").write_text("SELECT 1;")
    with pytest.raises(Fatal, match=r"found \[1, 3\]"):
        migrate.load(tmp_path)
    (tmp_path / "0002-b.sql").write_text("SELECT 1;")
    with pytest.raises(Fatal, match=r"0002-b\.sql"):
        migrate.load(tmp_path)
