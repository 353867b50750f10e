"""`Population`: what the accounts of one partition usually write like, learned live, robustly and late.

A random-effects model of one feature group: an account's prompts scatter around its own mean with covariance
*within*, account means scatter around the population's with covariance *between*. So the mean of n prompts
of an account has covariance ``between + within / n``, and its Mahalanobis distance says how unusual an
account is whatever its n. Account means come from real accounts, which are coherent in topic and habit;
random mixtures of prompts would make the null far too narrow and every habit of a person look like an
anomaly.

Kept honest by six rules:

- **One voice each**: an account gives one sample a day (its sum and one prompt), however much it sends.
- **Robust**: a sample far from the rest loses weight (a multivariate-t estimate), what is already suspicious
  is not sampled, and an account that becomes suspicious later takes its sample back.
- **From a prior**: `streams.structure_prior` counts as `PRIOR_ACCOUNTS` accounts, so the model works from the
  first request on, and becomes the deployment's own as live accounts come.
- **In any script**: accounts that write in one that few others use are as usual as these. What a script
  changes in a prompt is known beforehand (`structure_prior.SCRIPTS`): along it no distance is counted, and
  less in all other directions the more an account writes so.
- **Delayed**: an event of hour h is compared with samples of hours up to ``h - DELAY_HOURS``.
- **Exact after a crash**: models are computed from samples, and each sample is stored with its account.

Source: random effects, S. Searle et al., Variance Components (1992); robust scatter by reweighting, R.
Maronna, Annals of Statistics 4 (1976); shrinkage towards the identity, O. Ledoit, M. Wolf, J. Multivariate
Analysis 88 (2004), with a fixed share instead of the estimated one, which is near zero for this many samples.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams import structure_prior
from streams.baselines import DELAY_HOURS
from streams.features import SCALE
from streams.structure import GROUP

Floats = NDArray[np.float64]

PRIOR_ACCOUNTS = 100
"""Accounts the shipped prior counts for. Fewer would find attackers among a few hundred accounts a bit
sooner, but a covariance from few accounts makes everybody else look far: with 40, somebody among 4,700 real
accounts was flagged whenever these were taken 400 at a time, and with 100 nobody was who is not among all
of them."""
PRIOR_TALKS = 30
"""The same for the mean of continuity: one number takes fewer accounts to learn than a covariance."""
RIDGE = 0.1
"""Share of the trace spread evenly over all directions."""
LANGUAGE = 1.0
"""A language changes more in a prompt than its script does: as much again, in directions that nobody knows
beforehand. Counted for accounts from half of the way to a script on, where layout alone hardly takes one."""
FAR = 90.0
"""Squared distance from which a sample's weight falls as ``FAR / distance``; expected are 64."""
ROUNDS = 2

SAMPLES_AN_HOUR = 128
MAX_SAMPLES = 2048
"""About 250 bytes each. Of an hour's samples those with the smallest hash of their account are used (a
bottom-k sample: the same whatever the order of arrival), and of all the most recent."""
KEPT_MODELS = 4
NEVER = 2**31
SAMPLES_KEPT = 3


class Sample(msgspec.Struct, array_like=True):
    """What one account contributes."""

    hour: int
    rank: int
    """Hash of the account: which samples of an hour are used."""
    noise: float
    """1 / n of its mean."""
    mean: bytes
    """float32 (64,)."""
    prompt: bytes
    """int8 (64,): one of its prompts."""
    withdrawn: int = NEVER
    """Hour at which the account turned out not to be usual; models of two hours later leave it out."""
    continuity: float = 0.0
    """`streams.continuity` of its prompts."""


class Model(NamedTuple):
    """A fitted population.

    Attributes:
        mean: (64,).
        basis: (64, 64), directions in which within is the identity and between is diagonal.
        between: (64,), that diagonal.
        scripts: (2, 64), `structure_prior.SCRIPTS` in these directions.
        readings: (64, 2), from there to how far an account writes in each script.
        accounts: how many live accounts it rests on.
        continuity: of these and the prior, on average (`streams.continuity`).
    """

    mean: Floats
    basis: Floats
    between: Floats
    scripts: Floats
    readings: Floats
    accounts: int
    continuity: float = structure_prior.CONTINUITY

    @property
    def prior_share(self) -> float:
        """How much of it is the shipped prior's."""
        return PRIOR_ACCOUNTS / (PRIOR_ACCOUNTS + self.accounts)

    def distance(self, means: Floats, noise: Floats) -> Floats:
        """Squared Mahalanobis distance of account means (m, 64) of `noise` 1 / n each, (m,)."""
        along = (means - self.mean) @ self.basis.T
        written = np.clip(2 * (along @ self.readings) - 1, 0.0, 1.0)
        unknown = LANGUAGE / GROUP * (written**2 @ (self.scripts**2).sum(axis=1))
        squared: Floats = (along**2 / (self.between + (noise + unknown)[:, None])).sum(axis=1)
        return squared


def fit(means: Floats, prompts: Floats, noise: Floats) -> Model:
    """Random-effects model from one mean and one prompt of each account, and the prior.

    Args:
        means: (m, 64) means of 1 / `noise` prompts each.
        prompts: (m, 64) one prompt each that is part of the mean.
        noise: (m,).
    """
    # a prompt deviates from a mean it is part of by (1 - 1/n) of the variance within
    deviations = (prompts - means) / np.sqrt(1 - noise)[:, None]
    weights = np.ones(len(means))
    for _ in range(ROUNDS):
        total = weights.sum() + PRIOR_ACCOUNTS
        center = (weights @ means + PRIOR_ACCOUNTS * structure_prior.MEAN) / total
        within = (_scatter(deviations, weights) + PRIOR_ACCOUNTS * structure_prior.WITHIN) / total
        spread = _scatter(means - center, weights) - (weights @ noise) * within
        between = (spread + PRIOR_ACCOUNTS * structure_prior.BETWEEN) / total
        model = diagonalised(center, within, between, len(means))
        if not len(means):
            break
        weights = np.minimum(1.0, FAR / np.maximum(model.distance(means, noise), 1e-9))
    return model


def _scatter(rows: Floats, weights: Floats) -> Floats:
    product: Floats = (rows * weights[:, None]).T @ rows
    return product


def _ridged(covariance: Floats) -> Floats:
    even = np.trace(covariance) / len(covariance)
    result: Floats = (1 - RIDGE) * covariance + RIDGE * even * np.eye(len(covariance))
    return result


def diagonalised(center: Floats, within: Floats, between: Floats, accounts: int) -> Model:
    """The model of a mean (64,) and two covariances (64, 64), steadied by `RIDGE`; every second account might
    write in another script."""
    whiten = np.linalg.inv(np.linalg.cholesky(_ridged(within)))
    differing = _ridged(between) + structure_prior.SCRIPTS.T @ structure_prior.SCRIPTS / 4
    values, vectors = np.linalg.eigh(whiten @ differing @ whiten.T)
    basis = vectors.T @ whiten
    scripts = structure_prior.SCRIPTS @ basis.T
    return Model(center, basis, np.maximum(values, 1e-3), scripts, np.linalg.pinv(scripts), accounts)


class Population:
    """Samples of accounts, by their row, and the models fitted to them, by hour."""

    def __init__(self) -> None:
        self.samples: dict[int, list[Sample]] = {}
        """The last `SAMPLES_KEPT` of each account: a row may be days ahead of the partition after a crash."""
        self._models: dict[int, tuple[list[Sample], Model]] = {}

    def add(self, slot: int, sample: Sample) -> None:
        """Take an account's sample. Forgets the accounts sampled longest ago when there are too many."""
        self.samples[slot] = [*self.samples.get(slot, ()), sample][-SAMPLES_KEPT:]
        if len(self.samples) > 2 * MAX_SAMPLES:
            recent = heapq.nlargest(MAX_SAMPLES, self.samples.items(), key=lambda item: _recency(item[1][-1]))
            self.samples = dict(recent)

    def withdraw(self, slot: int, hour: int) -> None:
        """The account is suspicious from this hour on."""
        if slot in self.samples:
            self.samples[slot] = [
                msgspec.structs.replace(sample, withdrawn=min(sample.withdrawn, hour))
                for sample in self.samples[slot]
            ]

    def forget(self, slot: int) -> None:
        """The account's row is being reused."""
        self.samples.pop(slot, None)

    def before(self, hour: int) -> Model:
        """The model events of `hour` are compared with; fitted when first asked for."""
        known = self._models.get(hour)
        if known is None:
            samples = self._usable(hour - DELAY_HOURS)
            same = [model for used, model in self._models.values() if used == samples]
            known = self._models[hour] = samples, same[0] if same else _fit_samples(samples)
            for old in sorted(self._models)[:-KEPT_MODELS]:
                del self._models[old]
        return known[1]

    def _usable(self, last_hour: int) -> list[Sample]:
        by_hour: dict[int, list[Sample]] = {}
        for mine in self.samples.values():
            usable = [sample for sample in mine if sample.hour <= last_hour < sample.withdrawn]
            if usable:
                by_hour.setdefault(usable[-1].hour, []).append(usable[-1])
        chosen: list[Sample] = []
        for hour in sorted(by_hour, reverse=True):
            chosen += heapq.nsmallest(SAMPLES_AN_HOUR, by_hour[hour], key=lambda sample: sample.rank)
            if len(chosen) >= MAX_SAMPLES:
                break
        # in an order that does not depend on rows, so that sums do not either
        return sorted(chosen[:MAX_SAMPLES], key=lambda sample: (sample.hour, sample.rank))

    def restore(self, slot: int, data: bytes) -> None:
        """Take back the samples that `stored` gave. Models are fitted anew."""
        self.samples[slot] = _decoder.decode(data)
        self._models.clear()

    def stored(self, slot: int) -> bytes:
        """An account's samples as bytes; empty where there is none."""
        mine = self.samples.get(slot)
        return b"" if mine is None else _encoder.encode(mine)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Sample])


def _recency(sample: Sample) -> tuple[int, int]:
    return sample.hour, -sample.rank


def _fit_samples(samples: Sequence[Sample]) -> Model:
    means = np.frombuffer(b"".join(sample.mean for sample in samples), np.float32).reshape(-1, GROUP)
    prompts = np.frombuffer(b"".join(sample.prompt for sample in samples), np.int8).reshape(-1, GROUP)
    noise = np.array([sample.noise for sample in samples], np.float64)
    model = fit(means.astype(np.float64), prompts / SCALE, noise)
    known = PRIOR_TALKS * structure_prior.CONTINUITY + sum(sample.continuity for sample in samples)
    return model._replace(continuity=known / (PRIOR_TALKS + len(samples)))
