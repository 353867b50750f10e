"""Distribution shift: prompts that come from one source, and from none that people are.

People wander: what they write next resembles what they wrote last more than what they wrote an hour ago, and
their layout changes with their purpose. A pipeline draws its prompts independently from one source. Three
measurements on the structure of an account's distinct prompts make a score (`streams.one_source`):

- **alike**: mean inner product of all pairs of its prompts;
- **far**: log of the whitened distance of its mean prompt from the live population (`streams.population`), a
  two-sample test of the account against all others;
- **wandering**: correlation of consecutive prompts beyond that of any two, which speaks for a person.

After some dozens of prompts it counts as well whether their *words* go on from one to the next
(`streams.continuity`), as far as those of the live population do: people come back to what they wrote, a list
goes through. The words of many people behind one key do not go on either, but they have no one layout.

Applications that serve end users are single-purpose by design and are left alone here; where a constant
system prompt or `streams.purpose` shows an innocent purpose, content alone does not raise an alert. Nor does
it where requests carry a system prompt, as those of clients do, as long as the prompts are no more alike than
people's, or, where other requests carry none, than those of nine in ten people; and as long as it is not
shown that they never go on.
"""

from __future__ import annotations

from collections.abc import KeysView
from dataclasses import replace

import numpy as np
import xxhash
from numpy.typing import NDArray

from schemas.finding import Feature
from streams import continuity, one_source
from streams.account_table import AccountTable
from streams.common_systems import at_times, constant
from streams.detectors.detector import Context, Detector, DetectorMetadata, Evidence, Scores, Slots
from streams.features import LENGTH_SQUARED, SCALE
from streams.population import Population, Sample
from streams.purpose import COLD_SHARE, COLD_TEMPERATURE, PURPOSE_NATS, application, shown
from streams.segment import Segment, stretch_lengths, stretches
from streams.structure import GROUP

STRUCTURE = slice(GROUP, 2 * GROUP)
"""The group used. On 9,440 real conversations and 17 kinds of attack, the distances of the other three groups
got no positive weight beside it, and it is the one group that needs no live data."""

LONGEST_SQUARED = 1.5 * LENGTH_SQUARED
"""Vectors longer than this on average are no fingerprints of ours, and are not judged."""
MIN_PROMPTS = 6
MIN_CHARS = 20
""""continue", "yes", "try again": no task, and alike without meaning anything."""
MEMORY_PROMPTS = 128
SEEN_BITS = 256

SAMPLE_HOURS = 24
SAMPLE_NATS = 3.0
"""An account above this, or more alike than nine of ten people (`one_source.MOST_ALIKE`), is not part of what
is usual. The second keeps out pipelines that nobody has noticed yet."""

METADATA = DetectorMetadata(
    name="shift",
    version="1",
    title="Prompts come from one source that is unlike the accounts around it",
    description=__doc__,
    kind="statistical",
    nature="content",
    weight=4.0,
    techniques=("AML.T0024.002", "AML.T0040"),
    runbook=(
        "Read the lengths, topics and templates of the account's `requests`: one kind of task, or many?",
        "Look for other accounts with the same template, system prompt, network or payment.",
        "Ask the owner what produces the prompts, and what the answers are used for.",
    ),
    false_positives=(
        "A single-purpose application without end-user ids",
        "A model evaluation at a temperature above 0",
        "A person who fills a template of their own by hand, dozens of times",
        "A browser extension that adds a fixed text to every prompt (translators, prompt libraries)",
        "A key with many customers of another kind than other accounts, none of whom uses a system prompt",
    ),
    references=(
        "MMD-LLM (arXiv:2606.05725): two-sample tests on windows of prompts",
        "Information gain of query streams: Kesarwani et al. (arXiv:1711.07221)",
    ),
)


class Shift(Detector):
    """Structure of an account's prompts against the population's."""

    metadata = METADATA
    # Integers, so that they do not depend on how a stream is cut into runs.
    columns = np.dtype(
        [
            ("sum", "<i2", (GROUP,)),
            ("last", "i1", (GROUP,)),  # the last prompt counted
            ("seen", "<u8", (SEEN_BITS // 64,)),  # of prompts already counted
            ("own", "<u4"),  # sum of squared lengths
            ("lag", "<i4"),  # sum of inner products of consecutive prompts
            ("count", "<u2"),
            ("squares", "<u2"),  # sum of squared weights: less than count once old prompts count half
            ("pairs", "<u2"),
            ("cold", "<u2"),  # at temperatures up to COLD_TEMPERATURE
            ("sampled", "<i4"),  # hour of the last sample for the population
            ("words", continuity.COLUMNS),
        ]
    )

    def __init__(self) -> None:
        self.population = Population()

    # ---- counting -----------------------------------------------------------------------------------

    def update(self, table: AccountTable, segment: Segment) -> None:
        mine, batch = self.mine(table), segment.batch
        continuity.update(mine["words"], segment)
        kept = self._fresh(mine, segment)
        if not len(kept):
            return
        slots = segment.event_slots[kept]
        prompts = batch.features[segment.index[kept], STRUCTURE].astype(np.int32)
        starts = stretches(slots)
        owners = slots[starts]
        before = np.empty_like(prompts)
        before[1:] = prompts[:-1]
        before[starts] = mine["last"][owners]
        paired = np.ones(len(kept), np.uint16)
        paired[starts] = mine["count"][owners] > 0
        lag = np.einsum("ij,ij->i", prompts, before)
        own = np.einsum("ij,ij->i", prompts, prompts)
        cold = batch.temperature[segment.index[kept]] <= COLD_TEMPERATURE
        lengths = stretch_lengths(starts, len(kept))
        counts = lengths.astype(np.uint16)
        mine["sum"][owners] += np.add.reduceat(prompts, starts, axis=0).astype(np.int16)
        mine["last"][owners] = prompts[starts + lengths - 1]
        mine["own"][owners] += np.add.reduceat(own, starts).astype(np.uint32)
        mine["lag"][owners] += np.add.reduceat(lag, starts)
        mine["count"][owners] += counts
        mine["squares"][owners] += counts
        mine["pairs"][owners] += np.add.reduceat(paired, starts, dtype=np.uint16)
        mine["cold"][owners] += np.add.reduceat(cold, starts, dtype=np.uint16)

    @staticmethod
    def _fresh(mine: NDArray[np.void], segment: Segment) -> NDArray[np.intp]:
        """Places in the segment of prompts with content of their own: no repeats, no one-word replies."""
        batch = segment.batch
        usable = np.flatnonzero(segment.take(batch.has_features & (batch.prompt_chars >= MIN_CHARS)))
        if not len(usable):
            return usable
        slots = segment.event_slots[usable]
        bit = (batch.prompt_hash[segment.index[usable]] >> np.uint64(20)) % np.uint64(SEEN_BITS)
        word, mask = (bit // 64).astype(np.intp), np.uint64(1) << (bit % np.uint64(64))
        known = mine["seen"][slots, word] & mask != 0
        _, first = np.unique(slots * SEEN_BITS + bit.astype(np.intp), return_index=True)
        new = np.zeros(len(usable), np.bool_)
        new[first] = True
        new &= ~known
        np.bitwise_or.at(mine["seen"], (slots[new], word[new]), mask[new])
        fresh: NDArray[np.intp] = usable[new]
        return fresh

    # ---- scoring ------------------------------------------------------------------------------------

    def _measure(
        self, table: AccountTable, slots: Slots, context: Context
    ) -> tuple[NDArray[np.float64], Scores, Scores]:
        """(alike, far, wandering) (m, 3), effective number of prompts and score, (m,)."""
        mine = self.mine(table)[slots]
        count, squares = mine["count"].astype(np.float64), mine["squares"].astype(np.float64)
        total = mine["sum"] / SCALE
        pairs = np.maximum(count**2 - squares, 1.0) * LENGTH_SQUARED
        alike = ((total**2).sum(axis=1) - mine["own"] / SCALE**2) / pairs
        consecutive = mine["lag"] / SCALE**2 / np.maximum(mine["pairs"], 1) / LENGTH_SQUARED
        n = np.maximum(count**2 / np.maximum(squares, 1.0), 1.0)
        means = total / np.maximum(count, 1.0)[:, None]
        far = np.zeros(len(slots))
        for hour in sorted(set(context.hours.tolist())):
            here = context.hours == hour
            far[here] = np.log(self.population.before(hour).distance(means[here], 1 / n[here]))
        wandering = (consecutive - alike) / np.maximum(1 - alike, 0.03) * np.sqrt(n)
        measured = np.stack([alike, far, wandering], axis=1)
        return measured, n, one_source.score(measured, n)

    def score(self, table: AccountTable, slots: Slots, context: Context) -> Scores:
        mine = self.mine(table)
        nats = np.zeros(len(slots))
        ours = mine["own"][slots] <= LONGEST_SQUARED * SCALE**2 * mine["squares"][slots]
        ready = np.flatnonzero((mine["count"][slots] >= MIN_PROMPTS) & ours)
        if len(ready):
            here, hours = slots[ready], context.hours[ready]
            measured, n, score = self._measure(table, here, replace(context, hours=hours))
            lack = self._unconnected(table, here, hours, n)
            alike = measured[:, 0]
            raw = one_source.surprise(score + lack, n)
            self._sample(table, here, hours, n, (raw < SAMPLE_NATS) & (alike < one_source.MOST_ALIKE))
            high = np.flatnonzero(raw > 0)
            if len(high):
                going_on = np.where(lack[high] == 0, alike[high], np.inf)
                most = self._most(table, here[high], context.at(ready[high]), going_on)
                nats[ready[high]] = np.minimum(raw[high], most)
        continuity.fade(table, mine["words"], slots)
        old = slots[mine["count"][slots] >= MEMORY_PROMPTS]
        if len(old):
            for name in ("sum", "lag", "count", "pairs", "cold"):
                mine[name][old] = np.fix(mine[name][old] / 2)
            for name in ("own", "squares"):
                mine[name][old] //= 4
            mine["seen"][old] = 0
        return nats

    def _unconnected(
        self, table: AccountTable, slots: Slots, hours: NDArray[np.int64], n: Scores
    ) -> Scores:
        """What is added to the score where prompts do not go on from one to the next, (m,)."""
        added = np.zeros(len(slots))
        long = np.flatnonzero(n > continuity.LONG)
        if len(long):
            _, deviations = continuity.measure(table, self.mine(table)["words"], slots[long])
            for hour in sorted(set(hours[long].tolist())):
                here, model = hours[long] == hour, self.population.before(hour)
                added[long[here]] = continuity.lack(
                    deviations[here], n[long[here]], model.continuity, model.prior_share
                )
        return added

    def _most(self, table: AccountTable, slots: Slots, context: Context, alike: Scores) -> Scores:
        """What content may say at most about accounts of this kind, nats, (m,).

        Args:
            alike: how alike their prompts are, infinitely where these are known not to go on.
        """
        mine = self.mine(table)
        cold = mine["cold"][slots] >= COLD_SHARE * mine["count"][slots]
        system, serves = application(table, slots, context)
        # Who uses a client, an agent's mostly, writes unlike those who do not, and so does a key with many
        # customers of whom some do: another population, and no one source as long as it is this and that.
        # Of the second, where only some requests carry a system prompt, less is asked: in two simulated
        # worlds of agents alone they were a false alert 15 times in 107 account-days, 4 times with `ALIKE`.
        various = alike < np.where(constant(table, slots), one_source.ALIKE, one_source.MOST_ALIKE)
        purpose = system | (various & at_times(table, slots)) | shown(table, slots, cold)
        most: Scores = np.where(serves, 0.0, np.where(purpose, PURPOSE_NATS, np.inf))
        return most

    def _sample(
        self, table: AccountTable, slots: Slots, hours: NDArray[np.int64], n: Scores, usual: NDArray[np.bool_]
    ) -> None:
        """Let accounts that look like others add to what is usual, once a day each; the others no more."""
        mine = self.mine(table)
        for number in np.flatnonzero(~usual & (mine["sampled"][slots] > 0)).tolist():
            self.population.withdraw(int(slots[number]), int(hours[number]))
        due = usual & (hours - mine["sampled"][slots] >= SAMPLE_HOURS)
        for number in np.flatnonzero(due).tolist():
            slot = int(slots[number])
            row = mine[slot]
            beyond, _ = continuity.measure(table, mine["words"], np.array([slot]))
            mean = (row["sum"] / (SCALE * row["count"])).astype("<f4")
            self.population.add(
                slot,
                Sample(
                    hour=int(hours[number]),
                    rank=xxhash.xxh3_64_intdigest(table.key(slot).encode()) >> 1,
                    noise=float(1 / n[number]),
                    mean=mean.tobytes(),
                    prompt=row["last"].tobytes(),
                    continuity=float(beyond[0]),
                ),
            )
            mine["sampled"][slot] = hours[number]

    def explain(self, table: AccountTable, slot: int, context: Context) -> Evidence:
        slots = np.array([slot])
        measured, n, _ = self._measure(table, slots, context)
        alike, far, wandering = (float(value) for value in measured[0])
        count = int(self.mine(table)["count"][slot])
        model = self.population.before(int(context.hours[0]))
        basis = f"{model.accounts:,} accounts of this partition" if model.accounts else "shipped prior only"
        similar = "built alike" if alike > one_source.ALIKE else "as various as people's"
        if self._unconnected(table, slots, context.hours[:1], n)[0] > 0:
            order = "do not go on from one to the next as people's do, but as if taken from a list"
        elif wandering < one_source.WANDERING:
            order = "follow each other without drift, as if drawn at random from one source"
        else:
            order = "drift no less than people's"
        return Evidence(
            reason=f"the last {count:,} different prompts are {similar} (similarity {alike:.2f}; people "
            f"have {one_source.ALIKE:.2f}), lie {np.exp(far / 2):.0f} standard deviations from what accounts "
            f"write (8 are usual; {basis}), and {order}",
            features=(
                Feature(name="prompt_similarity", value=alike, baseline=one_source.ALIKE, contribution=0.0),
                Feature(
                    name="distance_from_population",
                    value=float(np.exp(far / 2)),
                    baseline=float(np.sqrt(GROUP)),
                    contribution=0.0,
                    unit="standard deviations",
                ),
            ),
        )

    def forget(self, slot: int) -> None:
        self.population.forget(slot)

    def extra_slots(self) -> KeysView[int]:
        return self.population.samples.keys()

    def extras(self, slot: int) -> bytes:
        return self.population.stored(slot)

    def restore_extras(self, slot: int, data: bytes) -> None:
        self.population.restore(slot, data)
