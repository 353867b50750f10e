"""Campaigns at random settings: operators nobody has thought of while writing a detector.

A scenario that declares `Scenario.random_campaigns` gets so many, drawn from its seed. Ranges are ours, as
wide as the operators we can imagine; every setting is drawn by itself, so most campaigns evade in some
respect and are careless in another. **What is found of them says how detection does where it was not
fitted**, not how often such operators are met.
"""

from __future__ import annotations

import math

import numpy as np

from streams.simulation.attackers import Campaign
from streams.simulation.crowds import KINDS, Shared

SIZE = (10, 1_000)
LARGEST_SHARE = 0.04
"""Of the single benign accounts: a larger campaign in a small world is part of what is ordinary there."""
REQUESTS_PER_DAY = (8.0, 200.0)
VOLUME_SIGMA = (0.0, 1.2)
CV = (0.3, 2.0)
TEXTS = ("pipeline", "reasoning", "grading", "tasks", "agentic")
WORDINGS = (1, 1, 3, 12, 100)
DAYS = ("flat", "flat", "customers", "office", "evening", "night")
COVERED, COVER = 0.4, (0.2, 0.9)
"""Chance of cover traffic, and its share."""
WARMED_UP, WARM_UP_DAYS = 0.2, (0.5, 1.5)
AGE_DAYS = (1.0, 400.0)
SIGNED_UP_AT_ONCE, SIGN_UP_H = 0.3, (1.0, 72.0)
JOINING, JOINS_OVER_H = 0.4, (2.0, 24.0)
PIVOTING, PIVOTS = 0.2, (0.2, 0.9)
SHARING = 0.3
"""Chance that its accounts have common cards; likewise devices, networks and e-mail domains."""
FEWEST_TO_A_VALUE = 2.0
"""Accounts to a card (device, network, domain) where they are common: from so many up to all."""
TEMPERATURES = (None, 0.0, 0.7, 1.0)
MAX_TOKENS = (None, 1024, 4096, 16_384)
OUTPUT_TOKENS = (200.0, 3_000.0)
STARTS_AFTER = (0.35, 0.7)


def random_campaigns(seed: int, count: int, accounts: int) -> tuple[Campaign, ...]:
    """`count` campaigns in a world of so many single benign `accounts`.

    >>> one, two = random_campaigns(7, 2, 5_000)
    >>> one.name, two.name, one == random_campaigns(7, 1, 5_000)[0]
    ('random-1', 'random-2', True)
    """
    seeds = np.random.SeedSequence([seed, 4]).spawn(count)
    return tuple(
        _drawn(f"random-{number}", accounts, np.random.default_rng(one))
        for number, one in enumerate(seeds, 1)
    )


def _drawn(name: str, accounts: int, rng: np.random.Generator) -> Campaign:
    largest = max(min(SIZE[1], accounts * LARGEST_SHARE), SIZE[0])
    size = round(_log_uniform(SIZE[0], largest, rng))
    text = rng.choice(TEXTS).item()
    return Campaign(
        name=name,
        text=text,
        templates=int(rng.choice(WORDINGS)),
        accounts=size,
        requests_per_day=round(_log_uniform(*REQUESTS_PER_DAY, rng), 1),
        starts_after=round(rng.uniform(*STARTS_AFTER), 3),
        cv=round(rng.uniform(*CV), 2),
        volume_sigma=round(rng.uniform(*VOLUME_SIGMA), 2),
        day=rng.choice(DAYS).item(),
        cover=_sometimes(COVERED, COVER, rng),
        warm_up_days=_sometimes(WARMED_UP, WARM_UP_DAYS, rng),
        pivots=_sometimes(PIVOTING, PIVOTS, rng),
        model=int(rng.integers(4)),
        temperature=TEMPERATURES[rng.integers(len(TEMPERATURES))],
        max_tokens=MAX_TOKENS[rng.integers(len(MAX_TOKENS))],
        output_tokens=round(_log_uniform(*OUTPUT_TOKENS, rng)),
        age_days=round(_log_uniform(*AGE_DAYS, rng), 1),
        sign_up_h=_sometimes(SIGNED_UP_AT_ONCE, SIGN_UP_H, rng) or None,
        joins_over_h=_sometimes(JOINING, JOINS_OVER_H, rng),
        share=_shared(size, rng),
    )


def _shared(size: int, rng: np.random.Generator) -> dict[Shared, int]:
    share: dict[Shared, int] = {}
    for kind in KINDS:
        common, to_a_value = rng.random() < SHARING, _log_uniform(FEWEST_TO_A_VALUE, size, rng)
        if common:
            share[kind] = max(round(size / to_a_value), 1)
    return share


def _sometimes(chance: float, between: tuple[float, float], rng: np.random.Generator) -> float:
    """0, or with a chance something between; draws as much either way."""
    some, value = rng.random() < chance, rng.uniform(*between)
    return round(value, 2) if some else 0.0


def _log_uniform(least: float, most: float, rng: np.random.Generator) -> float:
    return math.exp(rng.uniform(math.log(least), math.log(most)))


_PLURAL: dict[Shared, str] = {
    "payment": "cards", "device": "devices", "network": "networks", "email_domain": "e-mail domains",
}  # fmt: skip


def in_words(campaign: Campaign) -> str:
    """Its settings for a person.

    >>> in_words(Campaign(name="farm", text="pipeline", accounts=40, requests_per_day=25.6, cover=0.5,
    ...                   age_days=30.0, share={"payment": 4}))
    'pipeline, one wording; 25.6 a day; 50 % cover; made within 30 days; 4 cards'
    """
    own = campaign.text in ("tasks", "agentic")
    wordings = "one wording" if campaign.templates == 1 else f"{campaign.templates} wordings"
    made = f"within {campaign.age_days:g} days"
    if campaign.sign_up_h is not None:
        made = f"in {campaign.sign_up_h:g} h {campaign.age_days:g} days before"
    said = [
        f"{campaign.text}, {'own words' if own else wordings}",
        f"{campaign.requests_per_day:g} a day"
        + (f", log spread {campaign.volume_sigma:g}" if campaign.volume_sigma else "")
        + (f", {campaign.day} hours" if campaign.day != "flat" else ""),
        f"{campaign.cover:.0%} cover".replace("%", " %") if campaign.cover else "",
        f"{campaign.warm_up_days:g} days of warm-up" if campaign.warm_up_days else "",
        f"{campaign.pivots:.0%} to the new model".replace("%", " %") if campaign.pivots else "",
        f"made {made}",
        f"joining over {campaign.joins_over_h:g} h" if campaign.joins_over_h else "",
        ", ".join(
            f"{distinct} {_PLURAL[kind] if distinct > 1 else _PLURAL[kind].removesuffix('s')}"
            for kind, distinct in campaign.share.items()
        )
        or "nothing shared",
    ]
    return "; ".join(one for one in said if one)
