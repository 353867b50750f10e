"""Budgets of single tenants, plans and accounts."""

from __future__ import annotations

from math import inf

import msgspec
import pytest

from schemas.control import Override
from schemas.event import RequestEvent
from schemas.finding import Lifecycle
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.overrides import Overrides
from tests.chaos.traffic import traffic

EVENTS = [msgspec.structs.replace(event, account_plan="trial") for event in traffic(seed=3, count=6_000)]


def overrides(*messages: Override) -> Overrides:
    known = Overrides()
    for message in messages:
        known.take(message)
    return known


def farm_found_after(known: Overrides) -> int | None:
    """Requests of the templated account until its finding."""
    plane = AccountPlane(DetectionConfig(), overrides=known)
    findings = plane.process(EVENTS).findings
    opened = [one for one in findings if one.subject_id == "farm-1" and one.lifecycle is Lifecycle.CREATE]
    return opened[0].event_count if opened else None


def test_a_budget_moves_what_is_found() -> None:
    usual = farm_found_after(Overrides())
    generous = farm_found_after(overrides(Override(id="x", account_plan="trial", budget_factor=10_000)))
    frugal = farm_found_after(overrides(Override(id="x", subject_id="farm-1", budget_factor=1e-4)))
    assert usual is not None
    assert generous is not None
    assert generous < usual
    assert frugal is None or frugal > usual


@pytest.mark.parametrize("other", [{"tenant_id": "t2"}, {"account_plan": "pro"}, {"subject_id": "farm-2"}])
def test_a_budget_of_others_changes_nothing(other: dict[str, str]) -> None:
    known = overrides(Override(id="x", budget_factor=0, **other))
    assert farm_found_after(known) == farm_found_after(Overrides())


def test_factors_multiply_and_nothing_at_all_wins() -> None:
    event: RequestEvent = EVENTS[0]
    twice = Override(id="a", budget_factor=2), Override(id="b", account_plan="trial", budget_factor=0.5)
    assert overrides(*twice).extra_nats(event) == pytest.approx(0)
    assert overrides(*twice, Override(id="c", budget_factor=0)).extra_nats(event) == inf


def test_what_is_withdrawn_is_forgotten() -> None:
    known = overrides(Override(id="x", budget_factor=0), Override(id="y", budget_factor=7))
    known.withdraw("x")
    known.withdraw("y")
    known.withdraw("never said")
    assert known.extra_nats(EVENTS[0]) == known.least_nats == 0
