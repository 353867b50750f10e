"""Analysts read, within limits, and that is all they do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from infra.clickhouse import read_only
from infra.clickhouse.dsn import EmbeddedDsn
from infra.clickhouse.feeds import FEEDS
from infra.clickhouse.libchdb_server import ANALYST, LibchdbServer
from infra.clickhouse.read_only import Reader, open_reader
from infra.clickhouse.store import Store, open_store
from schemas.errors import InvalidSetting, Rejected
from schemas.topics import REQUESTS
from tests.integration.store.records import request

pytestmark = pytest.mark.integration


@pytest.fixture
def reader(store: Store, store_dsn: str) -> Iterator[Reader]:
    rows = FEEDS[REQUESTS.name].tables["requests"]([request(n) for n in range(10)])
    store.insert("requests", rows, "t")
    with open_reader(store_dsn) as opened:
        yield opened


def test_it_answers_in_the_format_asked_for(reader: Reader) -> None:
    answer = reader.ask("SELECT count() AS n, max(prompt_hash) AS h FROM requests_current")
    assert answer.format == "JSONCompact"
    assert json.loads(answer.body)["data"] == [["10", "0"]], "64-bit numbers travel as strings"
    assert reader.ask("SELECT 1 AS a; -- done", "CSVWithNames").body == b'"a"\n1\n'
    assert reader.ask("SELECT 1 AS a FORMAT TSV") == (b"1\n", "TSV")
    assert reader.ask("WITH 'FORMAT TSV' AS a SELECT a", "TSV").body == b"FORMAT TSV\n"
    for statement in ("SHOW TABLES", "DESCRIBE TABLE requests", "EXPLAIN SELECT 1", "EXISTS TABLE requests"):
        assert reader.ask(statement, "TSV").body


REFUSED = (
    "INSERT INTO requests (account_id) VALUES ('x')",
    "DROP TABLE requests",
    "CREATE TABLE t (a Int8) ENGINE = Memory",
    "CREATE TEMPORARY TABLE t (a Int8)",
    "ALTER TABLE requests DELETE WHERE 1",
    "OPTIMIZE TABLE requests FINAL",
    "SET readonly = 0",
    "SELECT 1 SETTINGS max_execution_time = 0",
    "SELECT 1 SETTINGS readonly = 0",
    "SELECT 1; DROP TABLE requests",
    "SYSTEM STOP MERGES",
    "KILL QUERY WHERE 1",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT file('/etc/passwd')",
    "SELECT `file`('/etc/passwd')",
    "SELECT 1 + length(FILE /* of all */ ('/etc/passwd'))",
    "SELECT * FROM url('http://127.0.0.1:9/', 'LineAsString')",
    "SELECT * FROM remote('127.0.0.1:9', system.one)",
    "SELECT * FROM Python(os)",
    "SELECT 1 PARALLEL WITH DROP TABLE requests",
    "",
    "nonsense",
    "\x00",
)


def test_it_does_nothing_else(reader: Reader, store: Store) -> None:
    ran = []
    for statement in REFUSED:
        with suppress(Rejected):
            ran.append((statement, reader.ask(statement)))
    assert ran == []
    assert store.query("SELECT count() FROM requests") == [(10,)]


def test_it_writes_no_file(reader: Reader, tmp_path: Path) -> None:
    for quoted in ("INTO OUTFILE", "into /* a */ outfile"):
        with pytest.raises(Rejected):
            reader.ask(f"SELECT 1 {quoted} '{tmp_path}/out.tsv'")
    assert list(tmp_path.iterdir()) == []


def test_limits_end_a_statement_and_leave_nothing_behind(
    store: Store, store_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(read_only.LIMITS, "max_execution_time", 1)
    monkeypatch.setitem(read_only.LIMITS, "max_memory_usage", 32 * 1024**2)
    with open_reader(store_dsn) as reader:
        with pytest.raises(Rejected, match="Narrow it"):
            reader.ask("SELECT number FROM numbers(1000000)")
        # chDB answered this with the rows of the statement before.
        assert reader.ask("SELECT 'mine'", "TSV").body == b"mine\n"
        with pytest.raises(Rejected, match="TIMEOUT_EXCEEDED"):
            reader.ask("SELECT sum(sipHash64(number)) FROM numbers(1000000000000)")
        with pytest.raises(Rejected, match="MEMORY_LIMIT_EXCEEDED"):
            reader.ask("SELECT groupArray(number) FROM numbers(1000000000)")
        assert reader.ask("SELECT 'mine'", "TSV").body == b"mine\n"


def test_a_syntax_error_shows_the_authors_statement_only(reader: Reader) -> None:
    with pytest.raises(Rejected, match="Syntax error") as caught:
        reader.ask("SELEC 1")
    assert "formatQuery" not in caught.value.reason


def test_an_account_that_may_only_read_can_be_used(server: LibchdbServer) -> None:
    open_store(server.dsn("for_analysts")).close()
    with open_reader(server.dsn("for_analysts", user=ANALYST)) as reader:
        assert reader.ask("SELECT currentUser()", "TSV").body == b"analyst\n"
        with pytest.raises(Rejected):
            reader.ask("CREATE TABLE t (a Int8) ENGINE = Memory")


def test_a_missing_database_is_named(store: Store) -> None:
    name = "chdb://" + str(store.dsn.path) if isinstance(store.dsn, EmbeddedDsn) else None
    if name is None:
        pytest.skip("the same code")
    with pytest.raises(InvalidSetting, match="no database 'nowhere'"):
        open_reader(f"{name}?database=nowhere")
