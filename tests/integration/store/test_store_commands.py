"""`stillwatch migrate` and `stillwatch sql` as their users meet them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.clickhouse import migrate
from infra.clickhouse.libchdb_server import LibchdbServer

pytestmark = pytest.mark.integration

Command = Callable[..., tuple[int, str]]
NAMES = [str(migration) for migration in migrate.load()]


@pytest.fixture(params=["embedded", "server"])
def dsn(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "embedded":
        return ""
    server: LibchdbServer = request.getfixturevalue("server")
    return server.dsn(f"commands_{tmp_path.name}".replace("[", "_").strip("]"))


def test_migrate_then_ask(stillwatch: Command, tmp_path: Path, dsn: str) -> None:
    Path("stillwatch.toml").write_text(f'store.dsn = "{dsn}"\nstore.requests_ttl_days = 9\n')
    code, said = stillwatch("sql", "SELECT 1")
    assert (code, "stillwatch migrate" in said) == (2, True)

    code, said = stillwatch("migrate", "--status")
    assert (code, said.count("to apply")) == (0, len(NAMES))
    code, said = stillwatch("migrate", "--dry-run")
    assert (code, said.count("CREATE TABLE IF NOT EXISTS requests\n")) == (0, 1)
    assert not (tmp_path / ".stillwatch" / "clickhouse").exists()

    code, said = stillwatch("migrate")
    assert (code, [name for name in NAMES if f"applied {name}" not in said]) == (0, [])
    assert "requests are kept for 9 days" in said
    code, said = stillwatch("migrate")
    assert (code, "applied" in said, "is up to date" in said) == (0, False, True)
    code, said = stillwatch("migrate", "--status")
    assert (code, "to apply" in said) == (0, False)

    code, said = stillwatch("sql", "SELECT count() AS n, 'x' AS name, NULL AS nothing FROM requests_current")
    assert (code, said.split()[:6]) == (0, ["n", "name", "nothing", "0", "x", "NULL"])
    wide = ", ".join(f"{n} AS {'long_name' * 5}_{n}" for n in range(12))
    code, said = stillwatch("sql", f"SELECT {wide}")
    assert (code, said.splitlines()[1].split()) == (0, ["long_name" * 5 + "_0", "0"]), "a line for each value"
    code, said = stillwatch("sql", "SELECT [1, 2] AS list, xxh3('a') AS hash", "--format", "json")
    assert json.loads(said) == {"list": [1, 2], "hash": "16629034431890738719"}
    code, said = stillwatch("sql", "SELECT 1 AS a", "-f", "csv")
    assert said == '"a"\n1\n'
    code, said = stillwatch("sql", "SELECT 1 AS a", "-f", "vertical")
    assert "Row 1:" in said
    code, said = stillwatch("sql", "SELECT 1 AS a FORMAT TSVWithNames")
    assert said == "a\n1\n"

    code, said = stillwatch("sql", "DROP TABLE requests")
    assert (code, "only reads" in said) == (1, True)
    code, said = stillwatch("sql", "SELECT * FROM findngs")
    assert (code, "findngs" in said, "Traceback" in said) == (1, True, False)


def test_an_edited_migration_stops_migrate(
    stillwatch: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stillwatch("migrate")
    folder = tmp_path / "migrations"
    folder.mkdir()
    for file in migrate.FOLDER.glob("*.sql"):
        (folder / file.name).write_text(file.read_text() + "-- edited\n")
    monkeypatch.setattr(migrate.load, "__defaults__", (folder,))
    code, said = stillwatch("migrate")
    assert (code, f"migration {NAMES[0]} has changed" in said) == (1, True)
