import random
from collections.abc import Iterator

import msgspec
import pytest

from schemas.event import RequestEvent
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.detectors.shift import Shift
from streams.detectors.template import Template
from streams.purpose import EVALUATION_REQUESTS
from streams.simulation.text import attacks
from streams.simulation.text.grammar import Dice
from tests.conformance.scenarios import written

CONFIG = DetectionConfig(max_accounts_per_partition=16)


def pipeline(*, requests: int = 250, gap_s: float = 300.0, **settings: object) -> Iterator[RequestEvent]:
    rng = random.Random(4)
    for number in range(requests):
        one = written("account", number, number * gap_s, rng, attacks.pipeline(4, Dice(number)))
        yield msgspec.structs.replace(one, **{"output_tokens": 700, **settings})


def for_others(names: list[str]) -> Iterator[RequestEvent]:
    """The same, each request for one of these end users."""
    for number, one in enumerate(pipeline()):
        yield msgspec.structs.replace(one, end_user_id=names[number % len(names)])


def found(events: Iterator[RequestEvent]) -> bool:
    return bool(AccountPlane(CONFIG, detectors=[Shift(), Template()]).process(list(events)).findings)


def test_a_pipeline_is_found() -> None:
    assert found(pipeline())
    assert found(pipeline(temperature=1.0, max_tokens=4096))


@pytest.mark.parametrize(
    "settings",
    [{"temperature": 0.0}, {"temperature": 0.3}, {"output_tokens": 12}],
    ids=["an evaluation", "a job in the night", "a data job"],
)
def test_content_alone_is_no_alert_where_a_purpose_shows(settings: dict[str, object]) -> None:
    assert not found(pipeline(**settings))


def test_who_names_two_end_users_works_for_others() -> None:
    assert found(for_others(["worker"]))
    assert not found(for_others(["worker", "colleague"]))


def test_no_evaluation_asks_thousands_of_long_questions_in_two_days() -> None:
    many = EVALUATION_REQUESTS + 400
    assert found(pipeline(requests=many, gap_s=60.0, temperature=0.0, output_tokens=1000))
    assert not found(pipeline(requests=many, gap_s=60.0, temperature=0.0))
    assert not found(pipeline(requests=many, gap_s=300.0, temperature=0.0, output_tokens=1000))


def test_answers_of_unknown_length_may_be_long() -> None:
    assert found(pipeline(requests=EVALUATION_REQUESTS + 400, gap_s=60.0, temperature=0.0, output_tokens=0))
