"""`Scenario`: one simulated world in one value, readable from TOML. Equal scenarios give equal events."""

from __future__ import annotations

import tomllib
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.errors import InvalidSetting
from streams.simulation.attackers import HEAVY, TEMPLATED, Campaign

HOUR_MS = 3_600_000


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to simulate.

    >>> Scenario(accounts=10).duration_s
    43200
    """

    accounts: Annotated[int, Meta(ge=1, le=5_000_000)]
    """Benign accounts; those of the campaigns come on top."""
    start_ms: Annotated[int, Meta(ge=0)] = 1_767_225_600_000
    """Epoch milliseconds; default 2026-01-01 00:00 UTC."""
    first_hour: Annotated[int, Meta(ge=0, lt=24)] | None = None
    """Hour of the day, UTC, that it is at the start for those who live in this world; default: what
    `start_ms` says. Lets a world begin at any time and still take the same course."""
    duration_s: Annotated[int, Meta(ge=600)] = 43_200
    seed: Annotated[int, Meta(ge=0)] = 0
    tenant_id: Annotated[str, Meta(min_length=1)] = "default"
    without: tuple[str, ...] = ()
    """Habits that nobody has; the others take their share."""
    most_visits_per_day: Annotated[float, Meta(gt=0)] = 20_000.0
    """Ceiling of one benign account's mean rate: it cuts the tail that a small world cannot hold."""
    incidents_per_day: Annotated[float, Meta(ge=0)] = 2.0
    """Outages of the provider, which make clients retry."""
    campaigns: tuple[Campaign, ...] = (HEAVY, TEMPLATED)

    def hour_of_day(self, time_ms: float) -> int:
        """Hour of the day at UTC, as this world counts it.

        >>> Scenario(accounts=1, start_ms=7_200_000, first_hour=6).hour_of_day(3 * 3_600_000)
        7
        """
        shift_h = 0 if self.first_hour is None else self.first_hour - self.start_ms // HOUR_MS
        return int(time_ms // HOUR_MS + shift_h) % 24

    @property
    def end_ms(self) -> int:
        return self.start_ms + 1000 * self.duration_s


def from_toml(text: str) -> Scenario:
    """Scenario from TOML text; campaigns are ``[[campaigns]]`` tables.

    >>> from_toml("accounts = 5").accounts
    5

    Raises:
        InvalidSetting: names the field and what is wrong with it.
    """
    try:
        return msgspec.convert(tomllib.loads(text), Scenario)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSetting("scenario", f"no valid TOML: {error}", "Mend the file") from error
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        field = f"scenario.{path.rstrip('`')}" if path else "scenario"
        raise InvalidSetting(
            field, reason, "See the fields of streams.simulation.scenario.Scenario"
        ) from error
