"""`Scenario`: one simulated world in one value, readable from TOML. Equal scenarios give equal events.

Scenarios that come with the program lie in ``streams/simulation/scenarios``. They are declared at the size
they are about, and simulated at a `Scenario.scale`: every number of accounts is multiplied by it, nothing
else. So the *share* of attackers, what each account does, and how many accounts a network or a card joins
stay as declared; there are fewer networks, fewer applications and a smaller campaign.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from schemas.errors import InvalidSetting
from streams.simulation.attackers import HEAVY, TEMPLATED, Campaign
from streams.simulation.crowds import Crowd, Shared
from streams.simulation.habits import HABITS
from streams.simulation.random_campaigns import random_campaigns
from streams.simulation.text.writers import WRITERS

HOUR_MS = 3_600_000
FEWEST_SCALED = 30
"""A crowd or campaign is not scaled below this many accounts, unless it is declared with fewer."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to simulate.

    >>> Scenario(accounts=10).duration_s
    43200
    """

    accounts: Annotated[int, Meta(ge=1, le=5_000_000)]
    """Single benign accounts; those of crowds and campaigns come on top."""
    scale: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """Share of all accounts that is simulated; see `scaled`."""
    about: str = ""
    """What it is for."""
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
    release_after: Annotated[float, Meta(ge=0, le=1)] = 0.6
    """Share of the span that passes before a new model comes out. Only who `pivots` uses it."""
    crowds: tuple[Crowd, ...] = ()
    campaigns: tuple[Campaign, ...] = (HEAVY, TEMPLATED)
    random_campaigns: Annotated[int, Meta(ge=0, le=1000)] = 0
    """So many more at random settings; see `drawn`."""

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

    @property
    def release_ms(self) -> int:
        return self.start_ms + int(1000 * self.duration_s * self.release_after)

    @property
    def declared_accounts(self) -> float:
        """Accounts of the world it is about, crowds at their median sizes."""
        crowds = sum(one.groups * math.sqrt(one.accounts[0] * one.accounts[1]) for one in self.crowds)
        return self.accounts + crowds + sum(one.accounts for one in self.campaigns)

    def scaled(self) -> Scenario:
        """The world at its `scale`: fewer single accounts, fewer groups of a crowd of many groups, smaller
        groups of a crowd of one, smaller campaigns.

        >>> full = Scenario(accounts=1000, scale=0.1, campaigns=(Campaign(
        ...     name="hydra", text="tasks", accounts=500, requests_per_day=25.6),))
        >>> small = full.scaled()
        >>> small.accounts, small.campaigns[0].accounts, small.scale
        (100, 50, 1.0)
        """
        if self.scale == 1:
            return self
        return msgspec.structs.replace(
            self,
            scale=1.0,
            accounts=max(round(self.accounts * self.scale), 1),
            crowds=tuple(_scaled_crowd(one, self.scale) for one in self.crowds),
            campaigns=tuple(_scaled_campaign(one, self.scale) for one in self.campaigns),
        )

    def drawn(self) -> Scenario:
        """The world with its random campaigns declared like the others, at sizes that no scale changes.

        >>> world = Scenario(accounts=5_000, campaigns=(), random_campaigns=8).drawn()
        >>> len(world.campaigns), world.random_campaigns, world.drawn() == world
        (8, 0, True)
        """
        found = random_campaigns(self.seed, self.random_campaigns, self.accounts)
        return msgspec.structs.replace(self, campaigns=(*self.campaigns, *found), random_campaigns=0)


def _scaled(accounts: int, scale: float) -> int:
    return max(round(accounts * scale), min(accounts, FEWEST_SCALED))


def _scaled_share(share: dict[Shared, int], ratio: float) -> dict[Shared, int]:
    """As many accounts to a card, network or domain as before."""
    return {kind: max(round(distinct * ratio), 1) for kind, distinct in share.items()}


def _scaled_campaign(campaign: Campaign, scale: float) -> Campaign:
    accounts = _scaled(campaign.accounts, scale)
    share = _scaled_share(campaign.share, accounts / campaign.accounts)
    return msgspec.structs.replace(campaign, accounts=accounts, share=share)


def _scaled_crowd(crowd: Crowd, scale: float) -> Crowd:
    if crowd.groups > 1:
        return msgspec.structs.replace(crowd, groups=max(round(crowd.groups * scale), 1))
    least, most = (_scaled(accounts, scale) for accounts in crowd.accounts)
    share = _scaled_share(crowd.share, most / crowd.accounts[1])
    return msgspec.structs.replace(crowd, accounts=(least, most), share=share)


def from_toml(text: str, base: dict[str, Any] | None = None) -> Scenario:
    """Scenario from TOML text; crowds are ``[[crowds]]`` tables, campaigns ``[[campaigns]]`` tables.

    Args:
        base: `fields` of the scenario that this one begins from.

    >>> from_toml("accounts = 5").accounts
    5

    Raises:
        InvalidSetting: names the field and what is wrong with it.
    """
    try:
        scenario = msgspec.convert({**(base or {}), **fields(text)}, Scenario)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        field = f"scenario.{path.rstrip('`')}" if path else "scenario"
        raise InvalidSetting(
            field, reason, "See the fields of streams.simulation.scenario.Scenario"
        ) from error
    for number, crowd in enumerate(scenario.crowds):
        if crowd.writer is not None and crowd.writer not in WRITERS:
            field, fix = f"scenario.crowds[{number}].writer", f"Name one of {', '.join(WRITERS)}"
            raise InvalidSetting(field, f"nobody writes {crowd.writer!r}", fix)
    check_habits("scenario.without", scenario.without)
    names = [campaign.name for campaign in scenario.campaigns]
    for number, name in enumerate(names):
        if name in names[:number]:
            problem, fix = f"a second campaign named {name!r}", "Give each a name of its own"
            raise InvalidSetting(f"scenario.campaigns[{number}].name", problem, fix)
    return scenario


def check_habits(setting: str, without: Iterable[str]) -> None:
    """A population may do without some habits.

    Raises:
        InvalidSetting: a name that is no habit's, or those of all.
    """
    habits = {habit.name for habit in HABITS}
    unknown = set(without) - habits
    if unknown or habits.issubset(without):
        problem = f"nobody has the habit {min(unknown)!r}" if unknown else "nobody is left"
        raise InvalidSetting(setting, problem, f"Name some, not all, of {', '.join(sorted(habits))}")


BASE = "base"


def fields(text: str) -> dict[str, Any]:
    """What TOML text names, without `BASE`, which says where the rest comes from.

    Raises:
        InvalidSetting: it is no TOML.
    """
    found = _parsed(text)
    found.pop(BASE, None)
    return found


def base_of(text: str) -> str | None:
    """Name of the scenario that the text begins from: it has all fields of that one but for those it names.

    >>> base_of('base = "hydra"')
    'hydra'

    Raises:
        InvalidSetting: it is no TOML, or names something else.
    """
    name = _parsed(text).get(BASE)
    if name is not None and not isinstance(name, str):
        raise InvalidSetting("scenario.base", f"{name!r} is no name", "Name a scenario that comes with us")
    return name


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSetting("scenario", f"no valid TOML: {error}", "Mend the file") from error
