"""The constants in `streams.simulation.parameters` are what the traces say."""

import csv
import gzip
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from streams.simulation import fit, parameters

DATA = Path(os.environ.get("STILLWATCH_DATA", "../shared/data"))


def needed(path: str) -> Path:
    file = DATA / path
    if not file.is_file():
        pytest.skip(f"trace not at hand: {file} (set STILLWATCH_DATA)")
    return file


@pytest.fixture(scope="module")
def clients():
    """Language clients of ServeGen: (model, 10-minute rates, 10-minute CVs), in time order."""
    table = pq.read_table(needed("servegen/client_rates.parquet"))
    model = table["model"].combine_chunks()
    names = np.array(model.dictionary.to_pylist())[model.indices.to_numpy()]
    client, time, rate, cv = (table[c].to_numpy() for c in ("client", "t_s", "rate", "cv"))
    gamma = np.array([f == "Gamma" for f in table["family"].to_pylist()])
    order = np.lexsort((time, client, names))
    keys = np.array([f"{n}/{c}" for n, c in zip(names, client, strict=True)])[order]
    starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]])
    found = []
    for rows in np.split(order, starts[1:]):
        if names[rows[0]].startswith("language/"):
            found.append((names[rows[0]], rate[rows].astype(float), cv[rows].astype(float), gamma[rows]))
    return found


def hourly(rates: np.ndarray) -> np.ndarray:
    return rates[: len(rates) // 144 * 144].reshape(-1, 6).mean(axis=1)


def busy(clients):
    """Clients active in at least 30 % of the slots: the others have too few hours to fit a course to."""
    return [client for client in clients if (client[1] > 0).mean() >= 0.3]


def test_spread_of_client_rates(clients):
    models = {name for name, *_ in clients}
    groups = [np.array([rate.mean() for name, rate, *_ in clients if name == model]) for model in models]
    assert fit.pooled_log_sigma(groups) == pytest.approx(parameters.CLIENT_RATE_LOG_SIGMA, abs=0.01)


def test_burstiness_of_clients(clients):
    logs = [np.log(cv[cv > 0]).mean() for _, _, cv, _ in busy(clients)]
    assert np.mean(logs) == pytest.approx(parameters.CLIENT_CV.mu, abs=0.01)
    assert np.std(logs) == pytest.approx(parameters.CLIENT_CV.sigma, abs=0.01)
    active = np.concatenate([gamma[rate > 0] for _, rate, _, gamma in clients])
    assert active.mean() == pytest.approx(parameters.GAMMA_SHARE, abs=0.01)


def test_course_of_the_day_and_wander(clients):
    rates = [hourly(rate) for _, rate, *_ in busy(clients)]
    profile = fit.day_profile(np.array(rates))
    assert profile == pytest.approx(parameters.DAY_PROFILE, abs=0.01)
    wanders = []
    for rate in rates:
        try:
            wanders.append(fit.wander(rate))
        except ValueError:
            continue
    median = np.median(np.array(wanders), axis=0)
    assert median[0] == pytest.approx(parameters.WANDER.sigma, abs=0.01)
    assert median[1] == pytest.approx(parameters.WANDER.correlation, abs=0.01)


def test_token_lengths_of_clients():
    rows = pq.read_table(needed("servegen/token_quantiles.parquet")).to_pylist()
    for prefix, field, across, within in (
        ("language/", "input_tokens", parameters.CLIENT_INPUT, parameters.CLIENT_INPUT_WITHIN),
        ("language/", "output_tokens", parameters.CLIENT_OUTPUT, parameters.CLIENT_OUTPUT_WITHIN),
        ("reason/", "output_tokens", parameters.REASONING_OUTPUT, parameters.REASONING_OUTPUT_WITHIN),
    ):
        mine = [
            r for r in rows if r["field"] == field and r["model"].startswith(prefix) and r["p50"] is not None
        ]
        medians = fit.log_normal(np.array([r["p50"] for r in mine], float))
        sigma = fit.quantile_sigma(
            np.array([r["p10"] for r in mine], float), np.array([r["p90"] for r in mine], float)
        )
        assert medians == pytest.approx(tuple(across), abs=0.01)
        assert np.median(sigma) == pytest.approx(within, abs=0.01)


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("conv", (parameters.CHAT_INPUT, parameters.CHAT_OUTPUT)),
        ("code", (parameters.COMPLETION_INPUT, parameters.COMPLETION_OUTPUT)),
    ],
)
def test_lengths_of_the_azure_trace(name, constants):
    with gzip.open(needed(f"azure_llm/{name}.csv.gz"), "rt") as file:
        rows = list(csv.DictReader(file))
    for column, expected in zip(("ContextTokens", "GeneratedTokens"), constants, strict=True):
        assert fit.log_normal(np.array([int(r[column]) for r in rows], float)) == pytest.approx(
            tuple(expected), abs=0.01
        )


def test_conversations_of_mooncake():
    with gzip.open(needed("mooncake/conversation_trace.jsonl.gz")) as file:
        rows = [json.loads(line) for line in file]
    turns = fit.conversation_turns(
        [fit.Call(r["timestamp"] / 1000, r["input_length"], r["hash_ids"]) for r in rows]
    )
    assert fit.turn_tail(turns.turn) == pytest.approx(parameters.TURN_TAIL, abs=0.01)
    assert fit.log_normal(turns.gap_s[turns.gap_s > 0]) == pytest.approx(tuple(parameters.THINK_S), abs=0.01)
    growth = turns.growth_tokens[turns.growth_tokens > 0]
    assert fit.log_normal(growth) == pytest.approx(tuple(parameters.TURN_GROWTH), abs=0.01)


def test_turns_are_recovered_from_prefixes():
    calls = [
        fit.Call(0, 1000, [1, 2]),
        fit.Call(5, 900, [1, 9]),  # the same system prompt, another conversation
        fit.Call(60, 1500, [1, 2, 3]),  # goes on with the first
        fit.Call(90, 1900, [1, 2, 3, 4]),
    ]
    turns = fit.conversation_turns(calls)
    assert turns.turn.tolist() == [1, 1, 2, 3]
    assert turns.gap_s.tolist() == [60, 30]
    assert turns.growth_tokens.tolist() == [500, 400]
