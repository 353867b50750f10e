"""Hours close behind the watermark, in one partition after the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from schemas.event import RequestEvent
from schemas.finding import Lifecycle
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.plane_state import STAGGER_MS

CONFIG = DetectionConfig(max_accounts_per_partition=100)
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)


def event(time: datetime) -> RequestEvent:
    return RequestEvent(schema_version=1, event_id=time.isoformat(), time=time, account_id="one")


@pytest.mark.parametrize("partition", [0, 3])
def test_an_hour_closes_later_in_every_next_partition(partition: int) -> None:
    plane = AccountPlane(CONFIG, partition)
    due = NINE + timedelta(hours=1, seconds=CONFIG.lateness_s, milliseconds=partition * STAGGER_MS)
    assert not plane.process([event(NINE)]).profiles
    assert not plane.process([event(due - timedelta(milliseconds=1))]).profiles
    (closed,) = plane.process([event(due)]).profiles
    assert (closed.window_start, closed.requests) == (NINE, 1)


def test_a_restored_plane_still_owes_the_hour_that_was_not_due() -> None:
    plane = AccountPlane(CONFIG, 3)
    due = NINE + timedelta(hours=1, seconds=CONFIG.lateness_s, milliseconds=3 * STAGGER_MS)
    plane.process([event(NINE), event(due - timedelta(seconds=1))], offsets=[0, 1])
    again = AccountPlane(CONFIG, 3)
    again.restore(plane.take_changes())
    (closed,) = again.process([event(due)], offsets=[2]).profiles
    assert (closed.window_start, closed.requests) == (NINE, 1)


def test_an_account_that_is_suspicious_every_night_is_one_finding() -> None:
    """Thirty prompts of one template a night, and nothing by day: one episode, told again as it grows."""
    plane, findings = AccountPlane(CONFIG), []
    for number in range(30 * 14):
        night, turn = divmod(number, 30)
        text = {"fingerprint_id": "test/k1", "prompt_hash": f"prompt {number}", "template_hash": "one"}
        nightly = event(NINE + timedelta(days=night, minutes=turn))
        findings += plane.process([msgspec.structs.replace(nightly, **text)]).findings
    findings += plane.process([event(NINE + timedelta(days=17))]).findings
    told = [one.lifecycle for one in findings]
    assert len({one.finding_id for one in findings}) == 1
    assert told[0] is Lifecycle.CREATE
    assert told[-1] is Lifecycle.CLOSE
    assert set(told[1:-1]) == {Lifecycle.UPDATE}
