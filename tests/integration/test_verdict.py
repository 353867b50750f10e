"""What an analyst says on the command line: in the store, on the bus, and in force in a worker."""

from __future__ import annotations

import pytest

from agents.controls import Controls
from schemas.topics import CONTROL
from tests.chaos.traffic import traffic
from tests.integration.fleet import TestFleet, feed, read_topic
from tests.integration.pipeline import Pipeline

pytestmark = pytest.mark.integration


async def controls(fleet: TestFleet) -> Controls:
    """What a worker that reads the control topic now knows."""
    known = Controls()
    for record in await read_topic(fleet.connection, CONTROL):
        known.apply(record.key, record.value)
    return known


@pytest.mark.timeout(300)
async def test_a_verdict_a_suppression_and_a_budget(pipeline: Pipeline) -> None:
    fleet, events = pipeline.fleet, traffic(seed=3, count=6_000)
    fleet.start_worker()
    with pipeline.sink():
        await feed(fleet.connection, events)
        pipeline.until("SELECT sum(requests) AS n FROM account_windows_current", {"n": len(events)})
        farm = "subject_id = 'farm-1'"
        pipeline.until(f"SELECT count() > 0 AS found FROM findings_current WHERE {farm}", {"found": 1})
        id = pipeline.sql(f"SELECT finding_id FROM findings_current WHERE {farm}")[0]["finding_id"]
        told = pipeline.cli("verdict", id[:16], "true_positive", "--note", "one template", "--analyst", "ann")
        assert "true positive" in told
        judged = f"SELECT verdict = 'true_positive' AS judged FROM findings_current WHERE {farm}"
        pipeline.until(judged, {"judged": 1})
        most = "SELECT max(requests) AS n FROM account_windows_current WHERE account_id = 'farm-1'"
        busiest = pipeline.sql(most)
        assert len((await controls(fleet)).verdicts) == 1
        said = (await read_topic(fleet.connection, CONTROL))[-1].value
        assert f'"requests":{busiest[0]["n"]}'.encode() in said
        pipeline.cli("verdict", id, "--withdraw")
        pipeline.until(judged, {"judged": 0})
        assert len(await controls(fleet)) == 0
    pipeline.cli("suppress", "contract-17", "--subject", "farm-1", "--for", "30d", "--reason", "permitted")
    assert len(await controls(fleet)) == 1
    pipeline.cli("suppress", "contract-17", "--lift")
    assert len(await controls(fleet)) == 0
    told = pipeline.cli("budget", "trials", "--plan", "trial", "--factor", "10")
    assert "100 false alerts per million" in told
    assert round((await controls(fleet)).overrides.least_nats, 1) == -2.3
    pipeline.cli("budget", "trials", "--lift")
    assert (await controls(fleet)).overrides.least_nats == 0
