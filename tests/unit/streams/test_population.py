import numpy as np
import pytest

from streams import structure_prior
from streams.features import SCALE
from streams.population import Population, Sample, fit
from streams.structure import GROUP


def accounts(rng: np.random.Generator, m: int, n: int, between: float, within: float):
    """Means and one prompt each of accounts around a common center."""
    centers = structure_prior.MEAN + np.sqrt(between) * rng.standard_normal((m, GROUP))
    prompts = centers[:, None] + np.sqrt(within) * rng.standard_normal((m, n, GROUP))
    return prompts.mean(axis=1), prompts[:, -1], np.full(m, 1 / n)


def sample(rng: np.random.Generator, hour: int, shift: float = 0.0) -> Sample:
    means, prompts, noise = accounts(rng, 1, 8, 0.01, 0.02)
    return Sample(
        hour=hour,
        rank=int(rng.integers(2**62)),
        noise=float(noise[0]),
        mean=(means[0] + shift).astype("<f4").tobytes(),
        prompt=np.clip(np.rint((prompts[0] + shift) * SCALE), -127, 127).astype(np.int8).tobytes(),
    )


def test_the_prior_is_two_covariances() -> None:
    for covariance in (structure_prior.WITHIN, structure_prior.BETWEEN):
        assert covariance.shape == (GROUP, GROUP)
        assert np.linalg.eigvalsh(covariance).min() > -1e-4
    assert 1.0 < np.trace(structure_prior.WITHIN + structure_prior.BETWEEN) < 4.0
    assert np.trace(structure_prior.WITHIN) > 2 * np.trace(structure_prior.BETWEEN)


def test_the_prior_is_packed_as_it_is_unpacked() -> None:
    shipped = structure_prior.MEAN, structure_prior.WITHIN, structure_prior.BETWEEN
    for got, expected in zip(structure_prior.unpack(structure_prior.pack(*shipped)), shipped, strict=True):
        np.testing.assert_allclose(got, expected)


def test_scripts_are_packed_as_they_are_unpacked() -> None:
    packed = structure_prior.pack_scripts(structure_prior.SCRIPTS)
    np.testing.assert_allclose(structure_prior.unpack_scripts(packed), structure_prior.SCRIPTS)


@pytest.mark.parametrize(("code", "limit"), [("de", 1.0), ("ru", 1.0), ("zh", 1.0)])
def test_whoever_writes_in_another_script_is_hardly_farther_away(code: str, limit: float) -> None:
    """Nothing of any language but English is known to the model."""
    from streams.fingerprint import Fingerprinter
    from streams.simulation.text.grammar import Dice
    from streams.simulation.text.languages import chat

    printer, model = Fingerprinter(b"any", "k"), fit(np.empty((0, GROUP)), np.empty((0, GROUP)), np.empty(0))

    def distance(texts: list[str]) -> float:
        data = b"".join(printer.fingerprint(text).prompt_embedding for text in texts)
        prompts = np.frombuffer(data, np.int8).reshape(len(texts), -1)[:, GROUP : 2 * GROUP] / SCALE
        return float(model.distance(prompts.mean(axis=0)[None], np.array([1 / len(texts)]))[0])

    other = distance([chat(code).write("first", Dice(n)) for n in range(60)])
    assert other < limit * GROUP


def test_the_prior_fits_what_people_write() -> None:
    """Its mean is near that of prompts worded here, so that nothing is unusual merely for being text."""
    from streams.fingerprint import Fingerprinter
    from streams.simulation.text.writers import person

    printer = Fingerprinter(b"any", "k")
    data = [printer.fingerprint(person(n, n, 0, n).prompt).prompt_embedding for n in range(40)]
    structure = np.frombuffer(b"".join(data), np.int8).reshape(40, -1)[:, GROUP : 2 * GROUP]
    model = fit(np.empty((0, GROUP)), np.empty((0, GROUP)), np.empty(0))
    distance = model.distance(structure / SCALE, np.ones(40))
    assert np.median(distance) < 2 * GROUP


def test_distance_of_ordinary_accounts_is_the_number_of_directions_whatever_their_n() -> None:
    rng = np.random.default_rng(1)
    model = fit(*accounts(rng, 4000, 8, 0.01, 0.03))
    for n in (4, 30):
        means, _, noise = accounts(rng, 500, n, 0.01, 0.03)
        assert 0.8 * GROUP < model.distance(means, noise).mean() < 1.25 * GROUP


def test_scattered_outliers_do_not_widen_what_is_usual() -> None:
    rng = np.random.default_rng(2)
    means, prompts, noise = accounts(rng, 500, 8, 0.01, 0.02)
    clean = fit(means, prompts, noise).distance(means, noise).mean()
    odd = rng.standard_normal((15, GROUP))
    more_means = np.concatenate([means, means[:15] + odd])
    more_prompts = np.concatenate([prompts, prompts[:15] + odd])
    spoiled = fit(more_means, more_prompts, np.full(515, 1 / 8))
    assert spoiled.distance(means, noise).mean() > 0.75 * clean


def test_a_model_knows_only_hours_two_back() -> None:
    rng = np.random.default_rng(3)
    population = Population()
    for slot in range(50):
        population.add(slot, sample(rng, hour=10 + slot % 3))
    assert [population.before(hour).accounts for hour in (11, 12, 13, 20)] == [0, 17, 34, 50]


def test_a_withdrawn_sample_is_left_out_two_hours_later() -> None:
    rng = np.random.default_rng(4)
    population = Population()
    for slot in range(20):
        population.add(slot, sample(rng, hour=10))
    population.withdraw(7, 13)
    assert [population.before(hour).accounts for hour in (12, 14, 15, 16)] == [20, 20, 19, 19]


def test_a_restored_population_gives_the_same_model() -> None:
    rng = np.random.default_rng(5)
    one, other = Population(), Population()
    for slot in range(30):
        one.add(slot, sample(rng, hour=10))
    for slot in reversed(range(30)):
        other.restore(100 + slot, one.stored(slot))
    expected, got = one.before(12), other.before(12)
    assert np.array_equal(expected.basis, got.basis)
    assert np.array_equal(expected.mean, got.mean)
