"""System prompts that are nobody's own, and what they excuse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from schemas.event import RequestEvent
from schemas.finding import Lifecycle
from streams.account_plane import AccountPlane
from streams.calibration import Marks
from streams.common_systems import SYSTEM_USES, CommonSystems
from streams.config import DetectionConfig
from streams.fingerprint import Fingerprinter
from streams.simulation.text.attacks import ATTACK_TEXTS
from streams.simulation.text.grammar import Dice

HOUR, PROMPT = 1000, 5
START = datetime(2026, 1, 5, tzinfo=UTC)
GENERIC = "You are a helpful assistant."


def common(accounts: int, hour: int = HOUR + 2, organisation: int = 0, form: int = 0) -> bool:
    marks = {
        slot: Marks(
            cohort=0,
            owner=organisation,
            systems={HOUR: PROMPT, HOUR - 1: slot + 100},
            forms={HOUR: form} if form else {},
        )
        for slot in range(accounts)
    }
    known = CommonSystems(marks).common(np.array([PROMPT, 0], np.uint32), np.array([hour, hour]))
    assert not known[1]
    return bool(known[0])


def test_known_two_hours_later_and_for_two_days() -> None:
    hours = (1, 2, 49, 50)
    assert [common(SYSTEM_USES, HOUR + later) for later in hours] == [False, True, True, False]


def test_one_applications_users_share_its_form_as_well() -> None:
    assert not common(40, form=9)


def test_a_customers_own_is_not_common() -> None:
    assert not common(SYSTEM_USES - 1)
    assert not common(40, organisation=7)


def pipeline(account: str, seed: int, systems: list[str], after_h: float = 0.0) -> list[RequestEvent]:
    """200 prompts from one mould, 30 an hour."""
    printer, write, events = Fingerprinter(b"secret", "k1"), ATTACK_TEXTS["pipeline"], []
    for place in range(200):
        fields = printer.fingerprint(
            write(seed, Dice(seed, place)), systems[Dice(seed, place).below(len(systems))]
        )
        events.append(
            RequestEvent(
                schema_version=1, event_id=f"{account}-{place}", account_id=account,
                time=START + timedelta(hours=after_h, minutes=2 * place),
                **{name: getattr(fields, name) for name in fields.__struct_fields__},
            )
        )  # fmt: skip
    return events


def found(*accounts: list[RequestEvent]) -> set[str]:
    events = sorted((event for mine in accounts for event in mine), key=lambda event: event.time)
    opened = AccountPlane(DetectionConfig()).process(events).findings
    return {one.subject_id for one in opened if one.lifecycle is Lifecycle.CREATE}


def test_one_system_prompt_of_its_own_shows_an_application() -> None:
    assert found(pipeline("own", 1, ["You sort the mail of a small company."])) == set()


def test_one_that_changes_shows_none() -> None:
    assert found(pipeline("changing", 1, [f"You are expert number {n}." for n in range(9)])) == {"changing"}


@pytest.mark.parametrize("others", [SYSTEM_USES - 2, SYSTEM_USES])
def test_one_that_other_customers_send_shows_none(others: int) -> None:
    before = [pipeline(f"other-{n}", 50 + n, [GENERIC]) for n in range(others)]
    named = found(pipeline("late", 1, [GENERIC], after_h=5.0), *before)
    assert ("late" in named) == (others >= SYSTEM_USES)
