"""`group_report`: what a link plane tells the campaign plane of a group that is out of the ordinary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from schemas.evidence import GroupReport, LinkKind, Member
from streams.group_statistics import WORDS, Verdict
from streams.link_sample import LinkSample
from streams.membership import heading, log_odds
from streams.reference import Reference
from streams.summary_table import Rows

ANYBODY = -4.0
"""Log odds that an account that nothing but its words ties to a group belongs to it: one in fifty, a large
campaign's share of a provider's accounts."""


class Told(NamedTuple):
    """Everybody behind the link whom the report names."""

    keys: Sequence[str]
    """Account keys, in the order of `rows`."""
    rows: Rows
    owners: float
    """How many own them, as far as is known."""


def group_report(
    link: LinkSample,
    verdict: Verdict,
    rows: Rows,
    told: Told,
    ordinary: Rows,
    reference: Reference,
    hour: int,
) -> GroupReport:
    """A report with the odds of each account behind the link to belong to the group.

    Args:
        verdict: of `rows`, the accounts of the last day that were judged.
        ordinary: a sample of accounts that are no part of anything.
    """
    core = rows[verdict.core]
    share = len(core) / len(rows)
    # whoever comes near in a meeting place is one of a whole population
    prior = ANYBODY if link.kind == LinkKind.BEHAVIOUR else float(np.log(share / max(1 - share, 0.02)))
    by_words = link.kind in WORDS
    odds = log_odds(
        told.rows, core, ordinary, prior, verdict.measures, reference, hour, by_words=by_words
    )
    members = tuple(
        Member(
            account_id=key.partition(":")[2],
            log_odds=round(float(value), 3),
            requests=int(row["requests"]),
            completed=int(row["completed"]),
            first_hour=int(row["first_hour"]),
            last_hour=int(row["hour"]),
        )
        for key, value, row in zip(told.keys, odds.tolist(), told.rows, strict=True)
    )
    return GroupReport(
        tenant_id=link.tenant_id,
        kind=link.kind,
        value=link.value,
        hour=hour,
        nats=verdict.nats,
        measures=verdict.measures,
        owners=round(told.owners),
        centre=np.rint(127 * heading(core, reference)).astype(np.int8).tobytes(),
        members=members,
    )
