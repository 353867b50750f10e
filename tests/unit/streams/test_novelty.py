from datetime import timedelta

import msgspec

from schemas.control import Activity, Verdict
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.detectors.novelty import Novelty
from streams.verdicts import Verdicts
from tests.conformance.scenarios import START, stranger

CONFIG = DetectionConfig(max_accounts_per_partition=128)
STRANGE = Activity(
    requests=900, input_tokens=2_700, output_tokens=14_400_000, failures=450, active_hours=10
)
USUAL = Activity(requests=2, input_tokens=1_000, output_tokens=800, active_hours=4)


def lived() -> AccountPlane:
    plane = AccountPlane(CONFIG, detectors=[Novelty()])
    plane.process(list(stranger(1)))
    return plane


def test_what_verdicts_have_taught_adds_to_the_score_of_an_hour() -> None:
    def nats(said: Verdicts) -> dict[str, float]:
        plane = AccountPlane(CONFIG, detectors=[Novelty()], verdicts=said)
        plane.process(list(stranger(1)))
        rows = plane.table.rows["novelty"]
        return {key: float(rows["nats"][slot].max()) for key, slot in plane.table.slots.items()}

    said = Verdicts()
    for number in range(40):
        for malicious, activity in ((True, STRANGE), (False, USUAL)):
            word = "true_positive" if malicious else "false_positive"
            said.take(
                Verdict(id=f"{number}{word}", finding_id="f", verdict=word, time=START, activity=activity)
            )
    without, with_ = nats(Verdicts()), nats(said)
    gained = {key: with_[key] - without[key] for key in with_}
    assert gained["default:stranger"] > 0.2
    assert max(gained, key=lambda key: gained[key]) == "default:stranger"


def test_models_survive_a_restart() -> None:
    plane = lived()
    heir = AccountPlane(CONFIG, detectors=[Novelty()])
    heir.restore(plane.take_changes())
    later = [
        msgspec.structs.replace(one, event_id=f"again-{number}", time=one.time + timedelta(days=4))
        for number, one in enumerate(stranger(2))
    ]
    assert later[0].time > START + timedelta(days=4)
    for one in (plane, heir):
        one.process(later)
    assert heir.detectors[0].shared() == plane.detectors[0].shared()
