"""What the demonstration simulates, and the settings its fleet runs with."""

from __future__ import annotations

import json
from pathlib import Path

from streams.simulation.attackers import HEAVY, TEMPLATED, Campaign
from streams.simulation.scenario import Scenario

FIRST_HOUR = 6
HOUR_MS = 3_600_000
PARTITIONS = 4

HYDRA = Campaign(
    name="hydra",
    text="pipeline",
    accounts=180,
    requests_per_day=25.6,
    cv=0.5,
    volume_sigma=0.1,
    starts_after=0.1,
    share={"payment": 18, "network": 36},
)
"""One operator behind many accounts. Requests per account as publicly reported: none of them is busy."""
HYDRA_FROM_ACCOUNTS = 1000
HYDRA_FROM_HOURS = 10
"""A smaller or shorter world has no crowd that the campaign could stand out from, and does without one."""


def scenario(accounts: int, hours: int, seed: int, now_ms: int) -> Scenario:
    """The hours before the last full one. In that world they are always the same part of the day, so that a
    seed means the same course of events whenever the demonstration runs.

    Not longer ago, so that questions about "today" find them.

    >>> world = scenario(400, 12, 7, now_ms=1_795_442_400_001)     # 23 November 2026, 14:00 UTC
    >>> world.end_ms, world.hour_of_day(world.start_ms)
    (1795442400000, 6)
    """
    hydra = accounts >= HYDRA_FROM_ACCOUNTS and hours >= HYDRA_FROM_HOURS
    return Scenario(
        accounts=accounts,
        seed=seed,
        start_ms=(now_ms // HOUR_MS - hours) * HOUR_MS,
        first_hour=FIRST_HOUR,
        duration_s=hours * 3600,
        campaigns=(HEAVY, TEMPLATED, HYDRA) if hydra else (HEAVY, TEMPLATED),
        # no customer must take the whole run
        most_visits_per_day=1_500.0,
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
