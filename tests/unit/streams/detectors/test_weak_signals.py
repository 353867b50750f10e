"""Capability, reasoning, harvest, pivot and ramp: what their columns hold and how far their word goes."""

from __future__ import annotations

import random
from datetime import timedelta

import numpy as np
import pytest

from schemas.event import RequestEvent
from streams.account_plane import AccountPlane
from streams.batch import EventBatch
from streams.config import DetectionConfig
from streams.detectors.capability import Capability
from streams.detectors.detector import Detector
from streams.detectors.harvest import Harvest, marks
from streams.detectors.pivot import Pivot, product_nats
from streams.detectors.ramp import Ramp
from streams.detectors.reasoning import BANDS, STEPS, Reasoning
from tests.conformance.scenarios import START, event

CONFIG = DetectionConfig(max_accounts_per_partition=64)
WEAK = (Capability, Reasoning, Harvest, Pivot, Ramp)


def plane_of(detector: Detector, events: list[RequestEvent]) -> AccountPlane:
    plane = AccountPlane(CONFIG, detectors=[detector])
    plane.process(events)
    return plane


def score(detector: Detector, plane: AccountPlane, at: RequestEvent) -> float:
    context = plane.context(np.array([at.time_ms // 3_600_000]))
    slot = plane.table.slots[at.account_key]
    return float(detector.score(plane.table, np.array([slot]), context)[0])


def stream(count: int, **fields: object) -> list[RequestEvent]:
    rng = random.Random(4)
    return [event("one", number, number * 40.0, rng, **fields) for number in range(count)]


def test_together_they_take_little_room() -> None:
    assert sum(kind.columns.itemsize for kind in WEAK) <= 120


def test_cusum_is_that_of_the_textbook() -> None:
    rng, choices = random.Random(9), [None, 0.0, 0.0, 0.35, 0.7, 0.9]
    events = [
        event("one", number, number * 50.0, rng, reasoning_elicitation=rng.choice(choices))
        for number in range(400)
    ]
    detector = Reasoning()
    # no look happens while rows are read, so that sums are not halved
    detector.score = lambda table, slots, context: np.zeros(len(slots))  # type: ignore[method-assign]
    row = plane_of(detector, events).table.rows["reasoning"][0]
    level, scores, prompts = 0, 0, 0
    for one in events:
        if one.reasoning_elicitation is not None:
            thousandths = round(1000 * one.reasoning_elicitation)
            level += int(STEPS[int(np.searchsorted(BANDS, thousandths, side="right"))])
            scores += thousandths
            prompts += 1
        if level <= 0:
            level = scores = prompts = 0
    assert (row["cusum"], row["scores"], row["prompts"]) == (level, scores, prompts)


def test_a_short_stretch_of_pressing_says_less_than_a_long_one() -> None:
    said = []
    for count in (8, 60, 300):
        detector, events = Reasoning(), stream(count, reasoning_elicitation=0.95)
        said.append(score(detector, plane_of(detector, events), events[-1]))
    assert 3 < said[0] < said[1] < said[2] < 12.5


def test_a_specialist_is_as_suspicious_as_his_class_is_rare() -> None:
    said = {}
    for topic in ("chat", "translation", "coding", "reasoning", "grading"):
        detector, events = Capability(), stream(300, prompt_topic=topic)
        said[topic] = score(detector, plane_of(detector, events), events[-1])
    assert said["chat"] == said["translation"] == 0
    assert said["coding"] < said["reasoning"] + 0.5 <= said["grading"] + 0.5 < 6


def test_events_without_a_topic_are_no_evidence_and_cast_no_vote() -> None:
    detector = Capability()
    plane = plane_of(detector, stream(300))
    assert not plane.table.rows["capability"]["counts"].any()
    plane.close_windows()
    assert not detector.mix._votes


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"output_tokens": 100, "input_tokens": 400}, 0),
        ({"output_tokens": 900, "input_tokens": 100}, 1),
        ({"output_tokens": 900, "input_tokens": 900, "max_tokens": 900}, 1),
        ({"output_tokens": 50, "max_tokens": 50}, 0),
        ({"max_tokens": 4096, "temperature": 1.0, "choice_count": 4, "logprobs": True}, 3),
        ({"output_tokens": 4096, "max_tokens": 4096, "temperature": 1.0, "input_tokens": 9}, 3),
    ],
)
def test_marks_of_maximal_output(fields: dict[str, object], expected: int) -> None:
    batch = EventBatch(stream(1, **fields), np.array([-1]))
    assert marks(batch).tolist() == [expected]


def test_requests_without_an_answer_bear_no_marks() -> None:
    detector = Harvest()
    plane = plane_of(detector, stream(50, status="failure", choice_count=8, logprobs=True))
    assert not plane.table.rows["harvest"]["requests"].any()


def test_a_ramp_needs_a_creation_time_and_fades_with_age() -> None:
    said = []
    for age in (None, timedelta(hours=2), timedelta(days=5), timedelta(days=40)):
        detector = Ramp()
        rng = random.Random(1)
        events = [
            event("one", n, n * 2.0, rng, **({} if age is None else {"account_created_at": START - age}))
            for n in range(3000)
        ]
        said.append(score(detector, plane_of(detector, events), events[-1]))
    assert said[0] == said[3] == 0
    assert said[1] > said[2] >= 0
    assert said[1] > 5


def test_the_product_of_two_uniform_chances_is_an_honest_chance() -> None:
    rng = np.random.default_rng(2)
    nats = product_nats(-np.log(rng.random(100_000)) - np.log(rng.random(100_000)))
    for level in (1.0, 3.0, 5.0):
        assert (nats > level).mean() <= 1.15 * np.exp(-level)


def test_nobody_pivots_before_a_model_appears() -> None:
    detector, events = Pivot(), stream(500)
    assert score(detector, plane_of(detector, events), events[-1]) == 0
