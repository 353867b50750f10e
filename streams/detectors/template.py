"""Template repetition: many different prompts poured into one mould.

A pipeline that queries a teacher model fills slots of a fixed text, so the keyed hash of its prompts'
first or last words repeats while the prompts as a whole differ. Per account: two small histograms of
hashed heads and tails, additive and therefore mergeable, and a third one of whole prompts, so that
plain repetition (retries, a favourite question) does not count as a template.

Applications have templates too. An account that names many end users, or sends one system prompt, is
expected to repeat itself and needs far more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.finding import Feature
from streams.account_table import AccountTable
from streams.common_systems import CONSTANT_SHARE
from streams.detectors.detector import (
    LOOKS_NATS,
    Context,
    Detector,
    DetectorMetadata,
    Evidence,
    Scores,
    Slots,
)
from streams.purpose import COLD_SHARE, COLD_TEMPERATURE, PURPOSE_NATS, application, shown
from streams.segment import Segment

BUCKETS = 16
PROMPT_BUCKETS = 16
MEMORY_PROMPTS = 96
"""Histograms are halved when they hold this many prompts, so that a change of habit shows; between two looks
come at most 128 more, which fits a byte."""

MIN_PROMPTS = 5

USUAL_SHARE = 0.15
"""Share of a person's prompts that start (or end) alike, hash collisions in 16 buckets included."""
SYSTEM_SHARE = 0.6
"""The same where every prompt comes with one system prompt: an application of some kind."""
END_USERS_SHARE = 0.97
"""The same where the account serves many end users."""
MANY_END_USERS = 4

BY_HAND = ((5.0, 3.0), (10.0, 6.5), (20.0, 8.5), (40.0, 11.0), (64.0, 14.5), (128.0, 20.0))
"""Prompts in one mould to the most nats they can give. People fill templates of their own by hand: of 9,440
real conversations 13 have eight prompts in a row that start or end alike, 9 have ten, 3 have sixteen, 2 have
twenty-five and 1 has forty. Beyond that is extrapolated. Prompts alike count by their share of all: a person
who begins half of a hundred prompts with one phrase has a habit (of 120 conversations with sixty prompts or
more, nine have a third alike and two a half), and a pipeline writes nothing else."""


def chernoff_nats(hits: Scores, trials: Scores, share: Scores) -> Scores:
    """Chernoff bound: minus log of P(Binomial(trials, share) >= hits), a lower bound on the surprise.

    Source: H. Chernoff, Annals of Mathematical Statistics 23 (1952); n KL(k/n || q).

    >>> chernoff_nats(np.array([10.0]), np.array([10.0]), np.array([0.1])).round(1).tolist()
    [23.0]
    """
    n = np.maximum(trials, 1e-9)
    rate = np.clip(hits / n, 1e-12, 1 - 1e-12)
    divergence = rate * np.log(rate / share) + (1 - rate) * np.log((1 - rate) / (1 - share))
    return np.where(rate > share, n * divergence, 0.0)


METADATA = DetectorMetadata(
    name="template",
    version="1",
    title="One account fills a prompt template again and again",
    description=__doc__,
    kind="fingerprinting",
    nature="content",
    weight=4.0,
    techniques=("AML.T0065", "AML.T0024.002"),
    runbook=(
        "Group the account's `requests` by `template_hash` and `template_tail_hash`.",
        "Look for other accounts with the same template hash: a template shared by unrelated accounts "
        "needs a second link before it means a campaign.",
        "Ask for a sample prompt from the customer, or from your gateway's own retention.",
    ),
    false_positives=(
        "An application with its prompt in the user message and no system prompt",
        "A batch evaluation with one prompt wrapper",
        "A person's favourite prompt from a public list",
        "A browser extension that adds a fixed text to every prompt",
    ),
    references=(
        "Blacklight: Scalable Defense for Neural Networks against Query-Based Black-Box Attacks "
        "(USENIX Security 2022): repeated content fingerprints",
    ),
)


class Template(Detector):
    """Repeated heads or tails over differing prompts."""

    metadata = METADATA
    columns = np.dtype(
        [
            ("heads", "u1", (BUCKETS,)),
            ("tails", "u1", (BUCKETS,)),
            ("prompts", "u1", (PROMPT_BUCKETS,)),
            ("with_system", "<u2"),  # one and the same system prompt as before, that is
            ("last_system", "<u4"),  # 0: none
            ("cold", "<u2"),  # at temperatures up to COLD_TEMPERATURE
            ("total", "<u2"),
            ("end_users", "<u8"),
            ("last_prompt", "<u8"),
        ]
    )

    def update(self, table: AccountTable, segment: Segment) -> None:
        mine, batch, slots = self.mine(table), segment.batch, segment.slots
        prompt = segment.take(batch.prompt_hash)
        repeated = prompt == segment.previous(batch.prompt_hash, mine["last_prompt"][slots])
        fresh = (prompt != 0) & ~repeated
        rows = segment.event_slots
        for name, column, size in (
            ("heads", batch.head_hash, BUCKETS),
            ("tails", batch.tail_hash, BUCKETS),
            ("prompts", batch.prompt_hash, PROMPT_BUCKETS),
        ):
            value = segment.take(column)
            counted = fresh & (value != 0)
            np.add.at(mine[name], (rows[counted], (value[counted] >> np.uint64(40)) % np.uint64(size)), 1)
        mine["total"][slots] += np.add.reduceat(fresh, segment.starts, dtype=np.uint16)
        systems = batch.system_hash.astype(np.uint32)
        before = segment.previous(systems, mine["last_system"][slots])
        system = segment.take(systems)
        with_system = fresh & (system != 0) & ((before == 0) | (before == system))
        mine["last_system"][slots] = systems[segment.last]
        mine["with_system"][slots] += np.add.reduceat(with_system, segment.starts, dtype=np.uint16)
        cold = fresh & (segment.take(batch.temperature) <= COLD_TEMPERATURE)
        mine["cold"][slots] += np.add.reduceat(cold, segment.starts, dtype=np.uint16)
        user = segment.take(batch.end_user_hash)
        bits = np.where(user != 0, np.uint64(1) << (user % np.uint64(64)), np.uint64(0))
        mine["end_users"][slots] |= np.bitwise_or.reduceat(bits, segment.starts)
        mine["last_prompt"][slots] = batch.prompt_hash[segment.last]

    def _shape(self, mine: NDArray[np.void], slots: Slots) -> tuple[Scores, Scores, Scores]:
        """Prompts alike beyond plain repetition, prompts, and share expected; each (m,)."""
        heads, tails = mine["heads"][slots].max(axis=1), mine["tails"][slots].max(axis=1)
        top = np.maximum(heads, tails).astype(np.float64)
        same = mine["prompts"][slots].max(axis=1).astype(np.float64)
        total = mine["total"][slots].astype(np.float64)
        by_chance = total / PROMPT_BUCKETS
        alike = np.maximum(top - np.maximum(same - by_chance - 1, 0.0), 0.0)
        system = mine["with_system"][slots] > CONSTANT_SHARE * total
        serves = np.bitwise_count(mine["end_users"][slots]) >= MANY_END_USERS
        share = np.where(serves, END_USERS_SHARE, np.where(system, SYSTEM_SHARE, USUAL_SHARE))
        return alike, total, share

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        mine = self.mine(table)
        alike, total, share = self._shape(mine, slots)
        length, most = np.array(BY_HAND).T
        moulded = alike * alike / np.maximum(total, 1.0)
        bound = np.interp(np.log(np.maximum(moulded, 1.0)), np.log(length), most)
        nats = np.minimum(chernoff_nats(alike, total, share) - LOOKS_NATS, bound)
        nats = np.where(total >= MIN_PROMPTS, nats, 0.0)
        high = np.flatnonzero(nats > PURPOSE_NATS)
        if len(high):
            cold = mine["cold"][slots[high]] > COLD_SHARE * total[high]
            system, _ = application(table, slots[high], context.at(high))
            nats[high[system | shown(table, slots[high], cold)]] = PURPOSE_NATS
        old = slots[total >= MEMORY_PROMPTS]
        if len(old):
            for name in ("heads", "tails", "prompts", "with_system", "cold", "total"):
                mine[name][old] //= 2
        return np.maximum(nats, 0.0)

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        shape = self._shape(self.mine(table), np.array([slot]))
        alike, total, share = (float(value[0]) for value in shape)
        seen = alike / max(total, 1.0)
        return Evidence(
            reason=f"{seen:.0%} of the last {total:,.0f} different prompts begin or end with the same words; "
            f"{share:.0%} is usual for an account of its kind",
            features=(
                Feature(name="template_share", value=seen, baseline=share, contribution=0.0, unit="share"),
            ),
        )
