"""Reads `streams.evaluation.material.Material` from the folder of public collections."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq

from agents.prompt_collections import Collections
from schemas.errors import MissingDependency
from streams.evaluation.material import Client, Material

SLOTS_PER_DAY = 144
ACTIVE_SHARE = 0.3
"""ServeGen clients that send in fewer slots are left out: their course is mostly gaps of the trace."""


def material(collections: Collections) -> Material:
    """Everything an account evaluation needs. Raises `MissingDependency`."""
    talks: dict[str, list[str]] = {}
    for root, text in collections.benign():
        talks.setdefault(root, []).append(text)
    template, examples = collections.teacher_examples()
    return Material(
        conversations=list(talks.values()),
        benchmark=collections.benchmark(),
        tasks=collections.gsm8k_train(),
        template=template,
        examples=examples,
        clients=clients(collections),
    )


def clients(collections: Collections) -> list[Client]:
    """Language clients of the ServeGen trace: hourly course relative to the mean, burstiness."""
    path = collections.folder / "servegen" / "client_rates.parquet"
    if not path.is_file():
        fix = "Put them there, or name the folder by --data"
        raise MissingDependency(f"no ServeGen rates at {path}", fix)
    table = pq.read_table(path)
    models, families = (table[name].combine_chunks() for name in ("model", "family"))
    names, model = models.dictionary.to_pylist(), models.indices.to_numpy()
    number, time_s, rate, cv = (table[name].to_numpy() for name in ("client", "t_s", "rate", "cv"))
    # slots without requests have no family
    family = families.indices.fill_null(-1).to_numpy()
    weibull = family == families.dictionary.to_pylist().index("Weibull")
    order = np.lexsort((time_s, number, model))
    changes = (np.diff(model[order]) != 0) | (np.diff(number[order]) != 0)
    edges = [0, *(np.flatnonzero(changes) + 1).tolist(), len(order)]
    found = []
    for first, last in pairwise(edges):
        rows = order[first:last]
        active = rate[rows] > 0
        if not names[model[rows[0]]].startswith("language/") or active.mean() < ACTIVE_SHARE:
            continue
        whole_days = len(rows) // SLOTS_PER_DAY * SLOTS_PER_DAY
        course = rate[rows][:whole_days].astype(np.float64)
        spread = cv[rows][active]
        spread = spread[np.isfinite(spread) & (spread > 0)]
        found.append(
            Client(
                rate=course / course.mean(),
                cv=float(np.exp(np.log(spread).mean())) if len(spread) else 1.0,
                weibull=bool(weibull[rows][active].mean() > 0.5),
            )
        )
    return found
