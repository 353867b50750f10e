from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from schemas.control import Activity, Verdict
from streams import verdicts
from streams.verdicts import MIN_OF_EACH_LABEL, MOST_NATS, Verdicts
from streams.windows import HOUR_MS

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOON_HOUR = round(NOON.timestamp() * 1000) // HOUR_MS
BAD = Activity(requests=400, input_tokens=4_000, output_tokens=800_000, failures=0, active_hours=24)
GOOD = Activity(requests=4, input_tokens=4_000, output_tokens=800, failures=0, active_hours=3)


def judged(number: int, malicious: bool, **fields: object) -> Verdict:
    facts = {
        "id": f"v{number}-{malicious}", "finding_id": f"fnd_{number}",
        "time": NOON + timedelta(seconds=number),
        "verdict": "true_positive" if malicious else "benign", "activity": BAD if malicious else GOOD,
    }  # fmt: skip
    return Verdict(**{**facts, **fields})  # type: ignore[arg-type]


def taught(count: int = 40) -> Verdicts:
    known = Verdicts()
    for number in range(count):
        known.take(judged(number, True))
        known.take(judged(number, False))
    return known


def profile(seen: Activity) -> np.ndarray:
    return verdicts.profiles(*(np.array([float(getattr(seen, fact))]) for fact in verdicts.FACTS))


BOTH = np.concatenate([profile(BAD), profile(GOOD)])


def test_what_was_confirmed_scores_and_what_was_refuted_does_not() -> None:
    bad, good = taught().nats(BOTH, NOON_HOUR + 1)
    assert 0.2 < bad <= MOST_NATS
    assert good == 0.0


def test_a_verdict_counts_for_hours_that_begin_after_it() -> None:
    known = taught()
    assert known.nats(BOTH, NOON_HOUR).tolist() == [0.0, 0.0]
    later = known.nats(BOTH, NOON_HOUR + 1)
    assert later[0] > 0
    assert known.nats(BOTH, NOON_HOUR).tolist() == [0.0, 0.0], "an older hour after a newer one"
    assert known.nats(BOTH, NOON_HOUR + 1).tolist() == later.tolist()


def test_order_of_arrival_does_not_matter_nor_does_hearing_twice() -> None:
    said = [judged(number, malicious) for number in range(20) for malicious in (True, False)]
    known = Verdicts()
    for verdict in [*reversed(said), *said]:
        known.take(verdict)
        known.nats(BOTH, NOON_HOUR + 1)
    assert known.nats(BOTH, NOON_HOUR + 1).tolist() == taught(20).nats(BOTH, NOON_HOUR + 1).tolist()
    assert len(known) == len(said)


def test_a_verdict_taken_back_is_unlearned() -> None:
    known = taught(MIN_OF_EACH_LABEL)
    assert known.nats(BOTH, NOON_HOUR + 1).any()
    known.withdraw("v0-True")
    assert not known.nats(BOTH, NOON_HOUR + 1).any(), "one label has too few"


@pytest.mark.parametrize("fields", [{"activity": None}, {"verdict": "duplicate"}, {"verdict": "suspicious"}])
def test_a_verdict_that_says_nothing_about_an_account_teaches_nothing(fields: dict[str, object]) -> None:
    known = Verdicts()
    known.take(judged(1, True, **fields))
    assert len(known) == 0


def test_memory_is_bounded_and_the_oldest_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "MOST_VERDICTS", 10)
    known = taught(20)
    assert len(known) == 10
    assert min(time_ms for time_ms, *_ in known._known) == round(NOON.timestamp() * 1000) + 15_000
