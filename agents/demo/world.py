"""What the demonstration simulates, and the settings its fleet runs with."""

from __future__ import annotations

import json
from pathlib import Path

from streams.simulation.attackers import HEAVY, TEMPLATED
from streams.simulation.scenario import Scenario

HOURS = 12
"""Event time of the whole demonstration."""
FIRST_HOUR_UTC = 6
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
PARTITIONS = 4

LOOK_ALIKES = ("inline-batch", "evaluation")
"""Honest habits that are left out: one account, one template in each message, no end user named. Seen
alone they are what a templated pipeline is, and the `template` detector says so among its known false
positives; telling them apart takes more than one account's content."""


def scenario(accounts: int, seed: int, now_ms: int) -> Scenario:
    """Half a day that is over by `now_ms`; the same part of the day whenever the demonstration runs, so
    that a seed means the same course of events.

    >>> world = scenario(400, 7, now_ms=1_795_442_400_000)     # 23 November 2026, 14:00 UTC
    >>> (world.end_ms - world.start_ms) // HOUR_MS
    12
    >>> world.end_ms <= 1_795_442_400_000
    True
    """
    latest_start_ms = now_ms - HOURS * HOUR_MS
    start_ms = (latest_start_ms - FIRST_HOUR_UTC * HOUR_MS) // DAY_MS * DAY_MS + FIRST_HOUR_UTC * HOUR_MS
    return Scenario(
        accounts=accounts,
        seed=seed,
        start_ms=start_ms,
        duration_s=HOURS * 3600,
        without=LOOK_ALIKES,
        campaigns=(HEAVY, TEMPLATED),
        # one customer must not take the whole run
        most_visits_per_day=8_000.0,
    )


_FIRST_LINE = "# Settings of one demonstration."


def is_demonstration(folder: Path) -> bool:
    """Whether `write_settings` has been at work there."""
    file = folder / "stillwatch.toml"
    return file.is_file() and file.read_text(errors="replace").startswith(_FIRST_LINE)


def write_settings(folder: Path) -> Path:
    """Settings file of the demonstration's fleet: all of it in one folder, quick to notice the end."""
    file = folder / "stillwatch.toml"
    file.write_text(
        f"""{_FIRST_LINE}
data_dir = {json.dumps(str(folder.absolute()))}

[bus]
url = "embedded:"
partitions = {PARTITIONS}

[sink]
flush_s = 0.5

[fleet]
# the feed ends at once, and what is still open should close soon after
idle_source_s = 3
idle_close_s = 4
"""
    )
    return file
