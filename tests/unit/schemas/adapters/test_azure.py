"""The Azure trace: real lines, both years' formats, and every column that can be wrong."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from pathlib import Path

import pytest

from schemas.adapters.azure import AzureTrace
from schemas.errors import MalformedRecord

TRACE = Path(os.environ.get("STILLWATCH_DATA", "../shared/data")) / "azure_llm"


@pytest.mark.parametrize(
    ("line", "time"),
    [
        (b"2023-11-16 18:17:03.9799600,1,2", "2023-11-16T18:17:03.979960+00:00"),
        (b"2023-11-16 18:17:03.9999999,1,2\r\n", "2023-11-16T18:17:03.999999+00:00"),
        (b"2023-11-16 18:17:03,1,2", "2023-11-16T18:17:03+00:00"),
        (b"2024-05-10 00:00:00.009930+00:00,1,2", "2024-05-10T00:00:00.009930+00:00"),
    ],
)
def test_times_of_both_years(line: bytes, time: str) -> None:
    event = AzureTrace(10).read(line)
    assert event is not None
    assert event.time.isoformat() == time
    assert (event.input_tokens, event.output_tokens) == (1, 2)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"2023-11-16 18:17:03.97996001,1,2", "TIMESTAMP"),
        (b"2023-13-16 18:17:03,1,2", "TIMESTAMP"),
        (b"16/11/2023,1,2", "TIMESTAMP"),
        (b",1,2", "TIMESTAMP"),
        (b"2023-11-16 18:17:03,NaN,2", "ContextTokens"),
        (b"2023-11-16 18:17:03,-1,2", "ContextTokens"),
        (b"2023-11-16 18:17:03,1,2.5", "GeneratedTokens"),
        (b"2023-11-16 18:17:03,1," + b"9" * 16, "GeneratedTokens"),
        (b"2023-11-16 18:17:03,1,\xff", "GeneratedTokens"),
        (b"2023-11-16 18:17:03,1", "GeneratedTokens"),
        (b"2023-11-16 18:17:03,1,2,3", "GeneratedTokens"),
        (b"2023-11-16 18:17:03", "ContextTokens"),
        (b"2023-11-16 18:17:03,1," + b"1" * 300, "GeneratedTokens"),
        (b"", None),
    ],
)
def test_each_column_is_named(line: bytes, field: str | None) -> None:
    with pytest.raises(MalformedRecord) as caught:
        AzureTrace(10).read(line)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "header",
    [b"TIMESTAMP,ContextTokens,GeneratedTokens", b"\xef\xbb\xbfTimestamp,contexttokens,generatedtokens\r\n"],
)
def test_header_carries_no_request(header: bytes) -> None:
    assert AzureTrace(10).read(header) is None


def test_accounts_depend_on_line_and_seed_alone() -> None:
    line = b"2023-11-16 18:17:03.9799600,4808,10"
    assert AzureTrace(500).read(line) == AzureTrace(500).read(line)
    others = {AzureTrace(500, seed).read(line).account_id for seed in range(20)}  # type: ignore[union-attr]
    assert len(others) > 5


def test_one_account_takes_all() -> None:
    assert AzureTrace(1).read(b"2023-11-16 18:17:03,1,2").account_id == "acct-0"  # type: ignore[union-attr]


@pytest.mark.skipif(not TRACE.is_dir(), reason="no Azure trace under STILLWATCH_DATA")
def test_the_real_trace_reads_whole_with_zipf_accounts() -> None:
    reader = AzureTrace(500)
    files = [gzip.decompress((TRACE / f"{name}.csv.gz").read_bytes()) for name in ("code", "conv")]
    whole = [line for file in files for line in file.splitlines()]
    events = [event for line in whole if (event := reader.read(line)) is not None]
    assert len(events) == 28_185
    assert len({event.event_id for event in events}) == 28_185
    shares = Counter(event.account_id for event in events)
    harmonic = sum(1 / rank for rank in range(1, 501))
    assert shares["acct-000"] == pytest.approx(28_185 / harmonic, rel=0.05)
    assert shares["acct-009"] == pytest.approx(28_185 / harmonic / 10, rel=0.2)
    assert len(shares) > 450
