import random

import numpy as np

from schemas.event import RequestEvent
from streams import continuity, links
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.detectors.shift import Shift
from streams.features import SCALE
from streams.structure import GROUP
from tests.conformance.scenarios import written

PROMPTS = 120
TURNS = 6


def plane() -> AccountPlane:
    return AccountPlane(DetectionConfig(max_accounts_per_partition=16), detectors=[Shift()])


def account(topics: list[int], repeat: int = 1) -> list[RequestEvent]:
    """A prompt on each of these topics, in made-up words, each sent so many times."""
    rng = random.Random(5)

    def text(topic: int) -> str:
        return " ".join(f"{chr(97 + topic)}o{chr(97 + rng.randrange(26))}e" for _ in range(12))

    again = [one for one in map(text, topics) for _ in range(repeat)]
    return [written("account", number, 60.0 * number, rng, text) for number, text in enumerate(again)]


def measured(events: list[RequestEvent]) -> tuple[float, float, AccountPlane]:
    judge = plane()
    judge.process(events)
    beyond, deviations = continuity.measure(
        judge.table, judge.table.rows["shift"]["words"], np.array([0])
    )
    return float(beyond[0]), float(deviations[0]), judge


def runs() -> list[int]:
    """Topics that are stayed with for some turns."""
    return [number // TURNS for number in range(PROMPTS)]


def test_people_go_on_about_the_same_and_lists_do_not() -> None:
    talk = runs()
    listed = random.Random(1).sample(talk, len(talk))
    assert measured(account(talk))[1] > 5.0
    assert abs(measured(account(listed))[1]) < 2.5


def test_the_same_prompt_again_is_no_going_on() -> None:
    listed = random.Random(1).sample(runs(), 60)
    assert measured(account(listed, repeat=2))[1] < 2.5


def test_it_is_what_all_pairs_of_prompts_show() -> None:
    events = account(runs())[:100]  # before old prompts count half
    words = np.stack([np.frombuffer(one.prompt_embedding or b"", np.int8)[:GROUP] for one in events]) / SCALE
    products = words @ words.T
    any_two = (products.sum() - len(words)) / (len(words) ** 2 - len(words))
    beyond, _, judge = measured(events)
    assert judge.table.rows[links.NAME]["prompts"][0] == 100
    np.testing.assert_allclose(beyond, np.diag(products, 1).mean() - any_two, atol=2e-3)


def test_old_prompts_fade_and_nothing_jumps() -> None:
    events = account(runs() * 4)
    before, after = measured(events[:125])[0], measured(events[:135])[0]
    assert abs(before - after) < 0.02
    assert measured(events)[1] > 5.0


def test_its_absence_says_nothing_where_nobody_shows_any() -> None:
    listed = random.Random(1).sample(runs(), PROMPTS)
    _, deviations, judge = measured(account(listed))
    detector = judge.detectors[0]
    assert isinstance(detector, Shift)
    hour, n = np.array([10]), np.array([float(PROMPTS)])
    slots = np.array([0])
    assert deviations < 2.5
    assert detector._unconnected(judge.table, slots, hour, n)[0] > 1.0
    model = detector.population.before(10)
    detector.population._models[10] = [], model._replace(continuity=0.0)
    assert detector._unconnected(judge.table, slots, hour, n)[0] == 0.0
