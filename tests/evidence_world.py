"""A small world of accounts, told as the account plane would: summaries once an hour, no events in between.

Everything is drawn by column from one seed, so that thousands of accounts take a second. Parameters are ours.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from schemas.evidence import HOURS_TOLD, AccountEvidence, LinkKind
from streams.hashing import hash64

START_HOUR = 490_000
DIMENSIONS = 256
ALWAYS = (LinkKind.PAYMENT, LinkKind.DEVICE, LinkKind.NETWORK)
"""Links that everybody has; the others exist where a crowd shares them."""
SITTINGS = np.array([0, 0, 0, 0, 0, 0, 0, 1, 3, 4, 4, 3, 2, 3, 4, 3, 2, 1, 1, 2, 3, 3, 1, 0], float)


@dataclass
class Crowd:
    """Accounts of one kind."""

    name: str
    size: int
    log_volume: float = 1.6
    """Mean log of requests a day ..."""
    volume_sd: float = 1.0
    """... and its spread over accounts."""
    topics: int = 40
    """Different subjects among them; 1: a single purpose."""
    narrow: float = 0.3
    """How much an account's own taste adds to its subject."""
    steady: bool = False
    """Round the clock, evenly at random."""
    begins: int = 0
    """Hour after the start of its first request."""
    made_within_h: float = 24 * 365
    share: dict[LinkKind, int] = field(default_factory=dict)
    """Link kind to how many different values the crowd spreads over."""
    organisations: int | None = None
    """How many own the accounts; `None`: everyone its own."""
    constants: int = 6
    found_after: int | None = None
    """Requests of an account until it has a finding of its own."""


class World:
    """Evidence of several crowds."""

    def __init__(self, crowds: list[Crowd], hours: int, seed: int = 0) -> None:
        self.hours = hours
        self.members: dict[str, set[str]] = {}
        self.by_hour: dict[int, list[AccountEvidence]] = defaultdict(list)
        self.answers: dict[str, np.ndarray] = {}
        """Crowd to its requests by hour."""
        base = np.random.default_rng(1).normal(0, 4, DIMENSIONS)
        for crowd in crowds:
            rng = np.random.default_rng([seed, hash64(crowd.name) & 0xFFFFFFFF])
            self._add(crowd, base, rng)

    def _add(self, crowd: Crowd, base: np.ndarray, rng: np.random.Generator) -> None:
        n, hours = crowd.size, self.hours
        names = [f"{crowd.name}-{number}" for number in range(n)]
        self.members[crowd.name] = set(names)
        subjects = np.random.default_rng(2).normal(0, 8, (40, DIMENSIONS))
        if crowd.topics == 1:
            subjects = rng.normal(0, 8, (1, DIMENSIONS))
        taste = subjects[rng.integers(0, len(subjects), n)] + rng.normal(0, 8 * crowd.narrow, (n, DIMENSIONS))
        a_day = np.exp(crowd.log_volume + crowd.volume_sd * rng.standard_normal(n))
        if crowd.steady:
            rate = np.repeat(a_day[:, None] / 24, hours, axis=1)
        else:
            zone = rng.integers(0, 24, n)
            profile = SITTINGS / SITTINGS.sum()
            rate = a_day[:, None] * profile[(np.arange(hours) + zone[:, None]) % 24]
            rate = rate * rng.gamma(0.4, 2.5, (n, hours))  # sittings, not a trickle
        rate[:, : crowd.begins] = 0
        counts = rng.poisson(rate)
        self.answers[crowd.name] = counts.sum(axis=0)
        values = {kind: rng.integers(0, most, n) for kind, most in crowd.share.items()}
        owner = rng.integers(0, crowd.organisations, n) if crowd.organisations else np.arange(n)
        made = START_HOUR + crowd.begins - (rng.random(n) * crowd.made_within_h).astype(int)
        settings = rng.integers(0, crowd.constants, n)
        total, first = np.zeros(n, int), np.full(n, -1)
        for hour in range(hours):
            total += counts[:, hour]
            active = np.flatnonzero(counts[:, hour])
            first[active[first[active] < 0]] = hour
            window = np.zeros((n, HOURS_TOLD), int)
            seen = counts[:, max(0, hour + 1 - HOURS_TOLD) : hour + 1]
            window[:, HOURS_TOLD - seen.shape[1] :] = seen
            noise = rng.normal(0, 12, (len(active), DIMENSIONS))
            noise /= np.sqrt(np.minimum(total[active], 128))[:, None]
            means = np.clip(np.rint(2 * (base + taste[active] + noise)), -127, 127).astype(np.int8)
            for place, number in enumerate(active.tolist()):
                shared = {kind: f"{crowd.name} {values[kind][number]}" for kind in values}
                own = dict.fromkeys(ALWAYS, names[number]) | shared
                links = [(int(kind), hash64(f"{kind} {own[kind]}")) for kind in sorted(own)]
                self.by_hour[START_HOUR + hour].append(
                    AccountEvidence(
                        tenant_id="default",
                        account_id=names[number],
                        hour=START_HOUR + hour,
                        links=tuple(links),
                        owner=hash64(f"{crowd.name} owner {owner[number]}"),
                        prompts=min(int(total[number]), 200),
                        mean=means[place].tobytes(),
                        requests=int(total[number]),
                        completed=int(total[number]),
                        hourly=np.minimum(window[number], 255).astype(np.uint8).tobytes(),
                        created_hour=int(made[number]),
                        first_hour=START_HOUR + int(first[number]),
                        constants=int(settings[number]),
                        found=crowd.found_after is not None and int(total[number]) >= crowd.found_after,
                    )
                )


PEOPLE = Crowd("people", 1500, share={LinkKind.NETWORK: 60})


def hydra(size: int = 200, begins: int = 30, **changes: object) -> Crowd:
    """One operator's accounts: 25.6 requests a day each, round the clock, one source."""
    values: dict[str, object] = {
        "log_volume": float(np.log(25.6)), "volume_sd": 0.0, "topics": 1, "steady": True, "begins": begins,
        "made_within_h": 72, "constants": 1,
    }  # fmt: skip
    return Crowd("hydra", size, **{**values, **changes})  # type: ignore[arg-type]
