"""One suite for both kinds of store: what is written comes back, once, and errors mean the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from infra.clickhouse import columns, failures
from infra.clickhouse.dsn import EmbeddedDsn
from infra.clickhouse.feeds import FEEDS
from infra.clickhouse.libchdb_server import LibchdbServer
from infra.clickhouse.store import INSERT_SETTINGS, Store, open_store
from schemas.control import Verdict
from schemas.dead_letter import DeadLetter
from schemas.errors import Fatal, InvalidSetting, Rejected, StoreUnavailable
from schemas.profile import AccountWindow
from tests.integration.store.records import FULL, START, finding, request

pytestmark = pytest.mark.integration

EXAMPLES: dict[str, list[Any]] = {
    "requests": [FULL],
    "account_windows": [
        AccountWindow(
            tenant_id="acme", account_id="a", window_start=START.replace(microsecond=0), window_s=60,
            revision=2, requests=5, failures=1, input_tokens=10, output_tokens=2**40, scores={"burst": 0.5},
        )
    ],
    "findings": [finding(1, members=("a", "b"), labels={"k": "v"}, models=("m",), suppressed_by="rule")],
    "finding_members": [finding(1, members=("a", "b"))],
    "verdicts": [
        (7, Verdict(id="v", finding_id="fnd_1", verdict="benign", analyst="ada", note="é", time=START))
    ],
    "dead_letters": [
        DeadLetter(
            reason="Expected `int`", field="input_tokens", stage="native", error="MalformedRecord",
            origin_topic="t", origin_partition=3, origin_offset=2**40, time=START, payload=b"\x00\xff",
            payload_bytes=2,
        )
    ],
}  # fmt: skip
BUILDERS = {name: build for feed in FEEDS.values() for name, build in feed.tables.items()}


def table(name: str, records: list[Any]) -> pa.Table:
    return BUILDERS[name](records)


def scalar(store: Store, sql: str) -> Any:
    [[value]] = store.query(sql)
    return value


def columns_of(store: Store, name: str) -> dict[str, str]:
    sql = "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {t:String}"
    return dict(store.query(sql, {"t": name}))


@pytest.mark.parametrize("name", EXAMPLES)
def test_arrow_and_ddl_have_the_same_columns(store: Store, name: str) -> None:
    assert set(table(name, EXAMPLES[name]).column_names) == set(columns_of(store, name)) - {"stored_at"}


def test_every_field_of_a_request_comes_back(store: Store) -> None:
    store.insert("requests", table("requests", [FULL]), "t")
    names = [name for name in columns_of(store, "requests") if name != "stored_at"]
    [values] = store.query(f"SELECT {', '.join(names)} FROM requests")
    row = dict(zip(names, values, strict=True))
    plain = msgspec.structs.asdict(FULL)
    for name in names:
        expected = plain[name]
        if name == "prompt_simhash":
            expected = 0xFEDCBA9876543210
        elif name == "prompt_minhash":
            expected = [0x0706050403020100, 0x0F0E0D0C0B0A0908]
        elif name.endswith("_hash"):
            expected = columns.digest64(expected)
        elif name == "client_address":
            expected = IPv6Address("::ffff:203.0.113.9")
        elif name == "finish_reasons":
            expected = list(expected)
        assert row[name] == expected, name


def test_a_request_with_only_required_fields_is_absent_not_zero(store: Store) -> None:
    store.insert("requests", table("requests", [request(1)]), "t")
    [row] = store.query(
        "SELECT temperature, max_tokens, account_created_at, cost_usd, account_verified, prompt_chars,"
        " payment_hash, prompt_simhash, provider, client_address, prompt_minhash, labels FROM requests"
    )
    assert tuple(row[:6]) == (None,) * 6
    assert tuple(row[6:]) == (0, 0, "", IPv6Address("::"), [], {})


def test_digests_can_be_looked_up_by_their_text(store: Store) -> None:
    store.insert("requests", table("requests", [FULL]), "t")
    found = f"SELECT countIf(template_hash = h), countIf(payment_hash = h), xxh3('{FULL.template_hash}') AS h"
    assert store.query(f"{found} FROM requests") == [(1, 0, columns.digest64(FULL.template_hash))]


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "requests"])
def test_other_records_come_back(store: Store, name: str) -> None:
    store.insert(name, table(name, EXAMPLES[name]), "t")
    expected = {
        "account_windows": (
            "acme", "a", 60, START.replace(microsecond=0), 2, 5, 1, 10, 2**40, {"burst": 0.5},
        ),
        "findings": (
            "fnd_1", 1, "update", START + timedelta(minutes=1), "high", ["rate"], [9.0], ["many", "fast"],
            {"k": "v"}, ["m"], "rule", 2,
        ),
        "finding_members": ("fnd_1", "a", START + timedelta(minutes=1), 1),
        "verdicts": ("v", "fnd_1", "benign", "ada", "é", START, 7, 0),
        "dead_letters": (
            "t", 3, 2**40, "native", "MalformedRecord", "input_tokens", "Expected `int`", START, 2,
        ),
    }[name]  # fmt: skip
    select = {
        "account_windows": "tenant_id, account_id, window_s, window_start, revision, requests, failures,"
        " input_tokens, output_tokens, scores",
        "findings": "finding_id, sequence, lifecycle, time, severity, features.name, features.value, reasons,"
        " labels, models, suppressed_by, member_count",
        "finding_members": "finding_id, account_id, first_named, last_sequence",
        "verdicts": "id, finding_id, verdict, analyst, note, time, version, withdrawn",
        "dead_letters": "origin_topic, origin_partition, origin_offset, stage, error, field, reason, time,"
        " payload_bytes",
    }[name]
    row = store.query(f"SELECT {select} FROM {name} ORDER BY ALL LIMIT 1")[0]
    assert tuple(row) == expected
    if name == "dead_letters":
        assert scalar(store, "SELECT hex(payload) FROM dead_letters") == "00FF"


def test_the_same_token_is_stored_once_whoever_brings_it(store: Store, store_dsn: str) -> None:
    rows = table("requests", [request(n, account=n % 3, template_hash=FULL.template_hash) for n in range(50)])
    store.command("SYSTEM STOP MERGES")
    store.insert("requests", rows, "topic-0-0-49")
    store.insert("requests", rows, "topic-0-0-49")
    assert scalar(store, "SELECT count() FROM requests") == 50
    store.close()
    with open_store(store_dsn) as again:
        again.insert("requests", rows, "topic-0-0-49")
        assert scalar(again, "SELECT count() FROM requests") == 50
        again.insert("requests", rows, "topic-0-50-99")
        assert scalar(again, "SELECT count() FROM requests_current") == 50


def test_rows_delivered_twice_count_once_everywhere(store: Store) -> None:
    """A producer that repeats itself sends the same requests under other offsets, hence other tokens."""
    same = {"fingerprint_id": "f", "template_hash": FULL.template_hash, "payment_hash": FULL.payment_hash}
    events = [request(n, account=n % 4, **same) for n in range(40)]
    store.command("SYSTEM STOP MERGES")
    for token in ("a", "b", "c"):
        store.insert("requests", table("requests", events), token)
    assert scalar(store, "SELECT count() FROM requests") == 120
    assert scalar(store, "SELECT count() FROM requests_current") == 40
    assert store.query("SELECT account_count, request_count FROM template_spread") == [(4, 40)]
    assert store.query("SELECT kind, account_count, request_count FROM link_spread") == [("payment", 4, 40)]


def test_a_later_revision_of_a_window_replaces_the_earlier(store: Store) -> None:
    [window] = EXAMPLES["account_windows"]
    newer = msgspec.structs.replace(window, revision=3, requests=6)
    for token, content in (("late", newer), ("early", window), ("again", window)):
        store.insert("account_windows", table("account_windows", [content]), token)
    assert store.query("SELECT revision, requests FROM account_windows_current") == [(3, 6)]


def test_an_old_trace_is_kept(store: Store) -> None:
    """Retention counts from storage; by event time a replayed trace would expire on arrival."""
    old = [request(n, time=datetime(2023, 11, 16, tzinfo=UTC) + timedelta(days=n)) for n in range(105)]
    for _ in range(2):  # the token stands for all parts that the batch falls into
        store.insert("requests", table("requests", old), "t")
        assert scalar(store, "SELECT count() FROM requests") == 105
    store.command("OPTIMIZE TABLE requests FINAL")
    assert scalar(store, "SELECT count() FROM requests") == 105  # of more days than a server takes by default


def test_a_value_no_row_may_have_is_rejected_by_the_store(store: Store) -> None:
    wrong = request(1, time=datetime(2200, 1, 1, tzinfo=UTC))
    with pytest.raises(Rejected, match="time_has_a_day"):
        store.insert("requests", table("requests", [request(2), wrong]), "t")
    assert scalar(store, "SELECT count() FROM requests") == 0


def test_a_missing_table_or_column_stops_the_writer(store: Store) -> None:
    with pytest.raises(Fatal, match="stillwatch migrate"):
        store.insert("no_such_table", table("requests", [request(1)]), "t")
    strange = table("requests", [request(1)]).append_column("strange", pa.array(["x"]))
    with pytest.raises(Fatal, match="strange"):
        store.insert("requests", strange, "t")
    store.insert("requests", table("requests", [request(1)]), "t")
    assert scalar(store, "SELECT count() FROM requests") == 1


def test_a_wrong_query_is_its_authors_mistake(store: Store) -> None:
    with pytest.raises(Rejected, match="UNKNOWN_TABLE"):
        store.query("SELECT * FROM nowhere")
    assert scalar(store, "SELECT 1") == 1


def test_error_codes_have_the_names_we_know_them_by(store: Store) -> None:
    known = failures.RETRYABLE | failures.SYSTEMIC | failures.CREDENTIALS | failures.TOO_MUCH
    codes = ", ".join(f"({code}, errorCodeToName({code}))" for code in known)
    assert dict(scalar(store, f"SELECT [{codes}]")) == known


def test_insert_settings_exist_under_these_names(store: Store) -> None:
    ours = {*INSERT_SETTINGS, "insert_deduplication_token"}
    assert ours <= {name for (name,) in store.query("SELECT name FROM system.settings")}


def test_a_server_that_is_down_is_worth_another_try(server_factory: Callable[[], LibchdbServer]) -> None:
    server = server_factory()
    with open_store(server.dsn("down")) as store:
        store.command("CREATE TABLE t (a Int64) ENGINE = MergeTree ORDER BY a")
        rows = pa.table({"a": [1]})
        server.kill()
        with pytest.raises(StoreUnavailable, match="no answer"):
            store.insert("t", rows, "t")
        with pytest.raises(StoreUnavailable, match="no answer"):
            store.query("SELECT 1")
        with pytest.raises(StoreUnavailable, match="no answer"):
            open_store(server.dsn("down"))
        server.start()
        store.insert("t", rows, "t")
        assert scalar(store, "SELECT count() FROM t") == 1
    server.stop()


def test_a_refused_login_names_the_setting_and_not_the_password(server: LibchdbServer) -> None:
    with pytest.raises(InvalidSetting) as caught:
        open_store(server.dsn("x").replace(server.password, "wrong-secret"))
    assert caught.value.setting == "store.dsn"
    assert "wrong-secret" not in str(caught.value)


def test_a_second_process_on_an_embedded_directory_is_told_who_has_it(store: Store, store_dsn: str) -> None:
    if not isinstance(store.dsn, EmbeddedDsn):
        pytest.skip("a server is there for many")
    program = (
        "from infra.clickhouse.store import open_store\nfrom schemas.errors import Fatal\nimport os\n"
        f"try: open_store({store_dsn!r})\nexcept Fatal as error: print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert "in use by another process" in run.stdout, run.stderr
    assert "stillwatch sql" in run.stdout
    assert run.stderr == ""
