"""Whether a fleet that was disturbed said what one undisturbed process says."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.event import RequestEvent
from schemas.finding import decode_finding
from schemas.profile import decode_profile
from schemas.topics import DEAD_LETTERS, FINDINGS, PROFILES, REQUESTS
from tests.integration.fleet import (
    TestFleet,
    by_step,
    last_revisions,
    read_topic,
    replayed,
    windows_complete,
    without_repeats,
)


@dataclass(frozen=True)
class Checked:
    """How much was compared."""

    windows: int
    findings: int
    """Messages, repeats left out."""


async def check(fleet: TestFleet, events: list[RequestEvent], timeout_s: float = 90) -> Checked:
    """Windows and findings on the bus are those of one undisturbed process."""
    await windows_complete(fleet.connection, len(events), timeout_s)
    expected = replayed(events, fleet.partitions)
    profiles = [decode_profile(record.value) for record in await read_topic(fleet.connection, PROFILES)]
    assert last_revisions(profiles) == last_revisions(expected.profiles)
    findings = [decode_finding(record.value) for record in await read_topic(fleet.connection, FINDINGS)]
    assert expected.findings, "the traffic must hold something to find"
    assert by_step(without_repeats(findings)) == by_step(expected.findings)
    assert await read_topic(fleet.connection, DEAD_LETTERS) == []
    assert len(await read_topic(fleet.connection, REQUESTS)) >= len(events)
    return Checked(len(last_revisions(profiles)), len(expected.findings))
