"""What an account says it is for: applications, evaluations and data jobs look like pipelines by their
content.

Content cannot tell a single-purpose customer from a collector, so for accounts that show an innocent purpose
it may not raise an alert alone; evidence of another nature, or of other accounts, must. An attacker can show
one as well, at a price: short answers and greedy ones are worth little, and a system prompt is one more thing
that links his accounts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streams.account_table import AccountTable
from streams.common_systems import constant

if TYPE_CHECKING:
    from streams.detectors.detector import Context

PURPOSE_NATS = 9.0
"""Most nats content may give such an account; an alert takes about 15 from one detector."""

COLD_TEMPERATURE = 0.3
"""What is sampled at this or below repeats itself: right for measuring a model or for filling fields, and
poor training data, for which pipelines sample at 0.6 or more (DeepSeek-R1) or at 1 (Stanford Alpaca)."""
COLD_SHARE = 0.9
EVALUATION_REQUESTS = 2000
"""Nearly greedy sampling throughout, up to so many requests in two days: a model evaluation, or a nightly
job. Most of the usual benchmarks have 1,319 questions or fewer."""
EVALUATION_TOKENS = 2_000_000
"""Or up to so many tokens of answers: what a service that fills fields takes with several times as many
requests, and a harvest of answers worth training on (about 1,000 tokens) with no more. The largest of the
usual benchmarks has 14,042 questions, to which this leaves 142 tokens each: D. Hendrycks et al., Measuring
Massive Multitask Language Understanding (ICLR 2021). With requests alone, three services just beyond 2,000
were all false alerts about the population in 47,000 simulated account-days. The price: a greedy harvest of
300 tokens an answer is found after 6,700."""

BRIEF_TOKENS = 100
"""Answers shorter than this on average are labels and fields, no training data."""

NAMES_END_USERS = 2
"""Somebody works for others than himself: a tool of a few colleagues. In two simulated worlds of mostly
applications, both of these that were a false alert in a first part named three."""
SERVES_END_USERS = 4
"""From here on it is an application of many, whose prompts are expected to be of one kind."""


def application(
    table: AccountTable, slots: NDArray[np.intp], context: Context
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which accounts send one system prompt throughout, their own or that of an application whose users they
    are, or name some end users, and which serve several, each (m,); as `streams.detectors.template` counts,
    and nobody where it does not."""
    if "template" not in (table.dtype.names or ()):
        nobody = np.zeros(len(slots), np.bool_)
        return nobody, nobody
    seen = table.rows["template"][slots]
    system = constant(table, slots)
    common = np.flatnonzero(system & context.systems.common(seen["last_system"], context.hours))
    if len(common):
        system[common] = context.fellows.among(table, slots[common], context.hours[common])
    named = np.bitwise_count(seen["end_users"])
    serves: NDArray[np.bool_] = named >= SERVES_END_USERS
    return system | (named >= NAMES_END_USERS), serves


def shown(table: AccountTable, slots: NDArray[np.intp], cold: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which accounts show an innocent purpose, (m,).

    Args:
        cold: they sample nearly greedily throughout.
    """
    rows = table.rows
    answers = rows["hour_output"][slots].sum(axis=1, dtype=np.int64)
    requests = rows["hour_requests"][slots].sum(axis=1, dtype=np.int64)
    brief = (answers > 0) & (answers <= BRIEF_TOKENS * requests)
    few = (requests <= EVALUATION_REQUESTS) | ((answers > 0) & (answers <= EVALUATION_TOKENS))
    result: NDArray[np.bool_] = brief | (cold & few)
    return result
