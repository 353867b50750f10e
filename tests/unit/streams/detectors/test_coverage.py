"""Coverage counts different prompts once, and says nothing of applications."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from schemas.event import RequestEvent
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.detectors.coverage import BITS, MIN_PROMPTS, WORDS, Coverage, counted
from streams.detectors.template import Template
from tests.conformance.scenarios import press

CONFIG = DetectionConfig(max_accounts_per_partition=16)


def most_nats(events: Iterable[RequestEvent]) -> float:
    """The highest score of the one account at any look."""
    coverage = Coverage()
    said = [0.0]
    plane = AccountPlane(CONFIG, detectors=[Template(), coverage])
    plane.on_look = lambda batch, at, nats, fused: said.append(float(nats[:, 1].max()))
    plane.process(list(events))
    return max(said)


def test_a_mould_lies_in_fewer_cells_than_people_reach() -> None:
    assert most_nats(press(1)) > 4


def test_an_application_is_single_purpose_by_design() -> None:
    events = enumerate(press(1))
    assert most_nats(msgspec.structs.replace(one, end_user_id=f"user-{n % 9}") for n, one in events) == 0


def test_one_prompt_again_and_again_is_one_prompt() -> None:
    some = list(press(1))[: MIN_PROMPTS // 2]
    times = (one.time for one in press(1))
    again = (
        msgspec.structs.replace(some[number % len(some)], event_id=f"again-{number}", time=time)
        for number, time in enumerate(times)
    )
    assert most_nats(again) == 0


def test_counts_are_right_within_a_tenth_up_to_the_size_of_its_memory() -> None:
    rng = np.random.default_rng(1)
    for number in (24, 64, 128):
        bitmaps = np.zeros((200, WORDS), np.uint64)
        bits = rng.integers(0, BITS, (200, number)).astype(np.uint64)
        rows = np.repeat(np.arange(200), number)
        flat = bits.ravel()
        np.bitwise_or.at(bitmaps, (rows, (flat // 64).astype(np.intp)), np.uint64(1) << flat % np.uint64(64))
        estimates = counted(bitmaps)
        assert abs(estimates.mean() / number - 1) < 0.02
        assert estimates.std() / number < 0.1
