"""What groups have in common that innocent groups have not."""

from __future__ import annotations

import numpy as np

from schemas.evidence import LinkKind
from streams.group_statistics import NEEDED, Verdict, judge
from streams.reference import Reference
from streams.summary_table import ROW, Rows

HOUR = 490_000
REFERENCE = Reference(accounts=400, centre=np.zeros(256).tobytes(), alike=0.6)


def accounts(alike: int, others: int, volumes: list[int]) -> Rows:
    """Accounts of old, some of which write of one subject and each of the others of its own."""
    rng = np.random.default_rng(0)
    subjects = rng.normal(0, 20, (1 + others, 256))
    rows = np.zeros(alike + others, ROW)
    rows["account"] = rows["owner"] = rows["constants"] = np.arange(len(rows))
    rows["hour"], rows["prompts"] = HOUR, 30
    which = np.r_[np.zeros(alike, int), 1 + np.arange(others)]
    rows["mean"] = np.clip(subjects[which] + rng.normal(0, 3, (len(rows), 256)), -127, 127)
    rows["hourly"][:, -8:] = np.array(volumes)[:, None] // 8
    return rows


def judged(rows: Rows, kind: LinkKind, exponent: float = 0.0) -> Verdict:
    verdict = judge(rows, REFERENCE, HOUR, kind=kind, owners=len(rows), exponent=exponent)
    assert verdict is not None
    return verdict


def test_evenness_of_everybody_behind_a_link_counts_although_few_write_alike() -> None:
    even = judged(accounts(9, 4, [24] * 13), LinkKind.PAYMENT)
    assert even.core.sum() == 9
    assert even.suspicious
    uneven = judged(accounts(9, 4, [24] * 9 + [8, 320, 16, 640]), LinkKind.PAYMENT)
    assert uneven.families["sameness"] >= NEEDED
    assert not uneven.suspicious


def test_a_group_that_its_words_have_formed_has_left_others_out() -> None:
    by_words = judged(accounts(9, 4, [24] * 13), LinkKind.BEHAVIOUR)
    assert by_words.families["machine"] < NEEDED


def test_two_prompts_each_are_enough_of_many_new_accounts_on_one_card() -> None:
    rows = accounts(40, 4, [0] * 44)
    rows["created_hour"], rows["prompts"], rows["hourly"][:, -1] = HOUR - 24, 2, 2
    assert judged(rows, LinkKind.PAYMENT, exponent=2.2).suspicious
    rows["prompts"] = 1
    assert not judged(rows, LinkKind.PAYMENT, exponent=2.2).suspicious
    rows["prompts"], rows["created_hour"] = 2, 0
    assert not judged(rows, LinkKind.NETWORK, exponent=0.5).suspicious
