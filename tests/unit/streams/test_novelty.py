from datetime import timedelta

import msgspec
import numpy as np

from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.detectors.novelty import MIN_VERDICTS, Novelty
from tests.conformance.scenarios import START, stranger

CONFIG = DetectionConfig(max_accounts_per_partition=128)


def lived() -> AccountPlane:
    plane = AccountPlane(CONFIG, detectors=[Novelty()])
    plane.process(list(stranger(1)))
    return plane


def test_verdicts_teach_what_confirmed_accounts_look_like() -> None:
    plane = lived()
    novelty = plane.detectors[0]
    assert isinstance(novelty, Novelty)
    profile = plane.table.rows["novelty"]["profile"]
    strange, usual = plane.table.slots["default:stranger"], plane.table.slots["default:p-3"]
    profile[strange], profile[usual] = [0.6, 0.1, 1.0, 0.5, 0.5], [0.2, 0.5, 0.5, 0.0, 0.1]
    both = profile[[strange, usual]].astype(np.float64)
    assert novelty._confirmed(both).tolist() == [0.0, 0.0]
    for _ in range(20 * MIN_VERDICTS):
        assert plane.learn_verdict("default:stranger", True)
        assert plane.learn_verdict("default:p-3", False)
    confirmed = novelty._confirmed(both)
    assert confirmed[0] > 0.5
    assert confirmed[1] == 0.0
    assert not plane.learn_verdict("default:nobody", True)


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
