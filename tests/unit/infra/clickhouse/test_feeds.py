"""Topics become rows; what cannot be read is told apart, record by record."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from infra.clickhouse.feeds import CHUNK_RECORDS, FEEDS, rows
from schemas.control import Override, Verdict, encode_control
from schemas.errors import MalformedRecord
from schemas.event import RequestEvent, encode_event
from schemas.topics import CONTROL, REQUESTS
from tests.integration.store.records import FULL, START, request


class Record(NamedTuple):
    offset: int
    value: bytes | None
    key: bytes | None = None
    timestamp: int = 1_700_000_000_000


def test_every_field_of_a_request_but_the_vector_is_read() -> None:
    (table,) = rows(FEEDS[REQUESTS.name], [Record(0, encode_event(FULL))]).tables.values()
    assert set(table.column_names) == set(RequestEvent.__struct_fields__) - {
        "prompt_embedding", "schema_version",
    }  # fmt: skip


def test_unreadable_records_are_refused_with_the_field_and_the_rest_is_kept() -> None:
    good = [Record(n, encode_event(request(n))) for n in range(CHUNK_RECORDS + 50)]
    good[3] = Record(3, None)
    good[4] = Record(4, b"{")
    good[CHUNK_RECORDS + 1] = Record(CHUNK_RECORDS + 1, good[1].value.replace(b'"acct-0"', b"7"))  # type: ignore[union-attr]
    tables, refused = rows(FEEDS[REQUESTS.name], good)
    assert tables["requests"].num_rows == len(good) - 3
    assert [record.offset for record, _ in refused] == [3, 4, CHUNK_RECORDS + 1]
    assert refused[2][1].field == "account_id"
    assert "the record is empty" in refused[0][1].reason


def test_a_value_without_a_column_names_the_batch() -> None:
    good = encode_event(request(1))
    huge = good.replace(b'"account_id"', b'"seed":99999999999999999999,"account_id"')
    with pytest.raises(MalformedRecord, match="does not fit its column"):
        rows(FEEDS[REQUESTS.name], [Record(0, good), Record(1, huge)])


def test_control_keeps_verdicts_and_their_withdrawal() -> None:
    verdict = Verdict(id="v", finding_id="f", verdict="benign", time=START)
    feed = [
        Record(5, encode_control(verdict)),
        Record(6, encode_control(Override(id="o"))),
        Record(7, None, key=b"override:o"),
        Record(8, None, key=b"verdict:v"),
        Record(9, None, key=None),
    ]
    tables, refused = rows(FEEDS[CONTROL.name], feed)
    assert refused == []
    kept = tables["verdicts"].select(["id", "version", "withdrawn"]).to_pylist()
    assert kept == [{"id": "v", "version": 5, "withdrawn": 0}, {"id": "v", "version": 8, "withdrawn": 1}]


def test_a_batch_of_nothing_to_keep_has_no_table() -> None:
    assert rows(FEEDS[CONTROL.name], [Record(0, None, key=b"override:o")]).tables == {}
