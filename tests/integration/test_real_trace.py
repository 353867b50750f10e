"""Real input, end to end: file -> raw topic -> Faust -> ClickHouse, and the same file through replay."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.finding import decode_finding
from schemas.topics import DEAD_LETTERS, FINDINGS
from tests.integration.fleet import read_topic, without_repeats
from tests.integration.pipeline import Pipeline, lines
from tests.real_trace import REQUESTS, needs_data, write_native

pytestmark = [pytest.mark.integration, needs_data]


@pytest.mark.timeout(600)
async def test_an_hour_of_azure_with_real_prompts(pipeline: Pipeline, tmp_path: Path) -> None:
    fleet = pipeline.fleet
    file, findings_file = tmp_path / "azure.jsonl", tmp_path / "findings.jsonl"
    assert write_native(file) == REQUESTS
    fleet.start_worker()
    fleet.start_worker()
    await fleet.until(lambda all_: sum(len(s.partitions) for s in all_) == fleet.partitions)
    with pipeline.sink():
        pipeline.cli("replay", str(file), "--format", "native", "--to-bus")
        pipeline.until("SELECT count() AS requests FROM requests_current", {"requests": REQUESTS})
        pipeline.until(
            "SELECT sum(requests) AS requests, sum(input_tokens) > 0 AS tokens FROM account_windows_current",
            {"requests": REQUESTS, "tokens": 1},
        )
        pipeline.until("SELECT count() AS letters FROM dead_letters", {"letters": 0})
        stored = pipeline.sql("SELECT finding_id, sequence FROM findings ORDER BY ALL")
    assert await read_topic(fleet.connection, DEAD_LETTERS) == []

    pipeline.cli(
        "replay", str(file), "--format", "native", "--partitions", str(fleet.partitions),
        "--findings", str(findings_file),
    )  # fmt: skip
    records = await read_topic(fleet.connection, FINDINGS)
    live = {(f.finding_id, f.sequence): f for f in without_repeats(decode_finding(r.value) for r in records)}
    replayed = {(row["finding_id"], row.get("sequence", 0)): row for row in lines(findings_file)}
    assert set(live) == set(replayed)
    assert {(row["finding_id"], int(row["sequence"])) for row in stored} == set(live)
    false_findings = sorted({finding.subject_id for finding in live.values()})
    print(f"false findings on {REQUESTS:,} real requests: {len(false_findings)} {false_findings}")
