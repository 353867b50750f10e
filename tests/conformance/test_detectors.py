"""One suite that every account detector passes. Parametrised over the registry: a new one is in at once."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec
import numpy as np
import pytest

from schemas.atlas import technique
from schemas.event import RequestEvent
from streams.account_plane import AccountPlane
from streams.batch import EventBatch
from streams.config import DetectionConfig
from streams.detectors import registry
from streams.detectors.detector import Detector
from streams.segment import Segment
from tests.conformance.scenarios import FIRES, SILENT, event, person

NAMES = [kind.metadata.name for kind in registry.DETECTORS]
CONFIG = DetectionConfig(max_accounts_per_partition=1024)
HOT_STATE_BYTES = 2048
"""DESIGN: an account's hot state is at most 2 KiB."""


@pytest.fixture(params=registry.DETECTORS, ids=NAMES)
def kind(request: pytest.FixtureRequest) -> type[Detector]:
    return request.param


def feed(plane: AccountPlane, events: Iterable[RequestEvent], run: int = 500) -> list:
    """Process a stream in runs; returns findings."""
    findings, pending = [], []
    for one in events:
        pending.append(one)
        if len(pending) == run:
            findings += plane.process(pending).findings
            pending = []
    return findings + plane.process(pending).findings


def test_metadata_is_complete(kind: type[Detector]) -> None:
    data = kind.metadata
    assert data.name.isidentifier()
    assert data.title[0].isupper()
    assert not data.title.endswith(".")
    assert len(data.description) > 100
    assert len(data.runbook) >= 2
    assert data.false_positives
    assert data.references
    assert data.techniques
    for one in data.techniques:
        technique(one)  # raises for an id that ATLAS does not have


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


def test_every_detector_has_a_scenario_it_fires_on() -> None:
    assert set(FIRES) == set(NAMES)


def test_fires_on_its_own_scenario(kind: type[Detector]) -> None:
    if not kind.metadata.alone:
        pytest.skip("only adds to others")
    name = kind.metadata.name
    found = 0
    for seed in range(3):
        findings = feed(AccountPlane(CONFIG, detectors=[kind()]), FIRES[name](seed))
        found += bool(findings)
        for finding in findings:
            assert finding.detector == name
            assert finding.reasons
            assert finding.p_value <= 1e-5
    assert found == 3


def test_one_that_only_adds_has_something_to_say_and_never_alerts(kind: type[Detector]) -> None:
    if kind.metadata.alone:
        pytest.skip("may speak alone")
    for seed in range(3):
        detector = kind()
        said: list[float] = []
        score = detector.score
        detector.score = lambda *given, score=score, said=said: said.append(score(*given)) or said[-1]
        assert feed(AccountPlane(CONFIG, detectors=[detector]), FIRES[kind.metadata.name](seed)) == []
        assert max(map(np.max, said)) > 1.0


@pytest.mark.parametrize("scenario", SILENT)
def test_is_silent_on_innocent_accounts(kind: type[Detector], scenario: str) -> None:
    for seed in range(3):
        findings = feed(AccountPlane(CONFIG, detectors=[kind()]), SILENT[scenario](seed))
        assert findings == []


def test_is_silent_on_a_crowd(kind: type[Detector]) -> None:
    crowd = sorted(
        (one for seed in range(100) for one in person(seed, days=1.0, account=f"person-{seed}")),
        key=lambda one: one.time,
    )
    assert feed(AccountPlane(CONFIG, detectors=[kind()]), crowd) == []


def test_state_is_restored_exactly(kind: type[Detector]) -> None:
    """Stop in the middle, restore elsewhere, go on: same findings and same bytes."""
    events = list(FIRES[kind.metadata.name](7))
    middle = len(events) // 2
    whole, first, second = (AccountPlane(CONFIG, detectors=[kind()]) for _ in range(3))
    expected = feed(whole, events)
    got = feed(first, events[:middle])
    second.restore(first.take_changes())
    got += feed(second, events[middle:])
    assert msgspec.json.encode(got) == msgspec.json.encode(expected)
    assert dict(second.take_changes()) == {**dict(second.take_changes()), **dict(whole.take_changes())}


def test_memory_is_bounded(kind: type[Detector]) -> None:
    """A long stream grows neither the row nor what is kept beside it."""
    detector = kind()
    plane = AccountPlane(CONFIG, detectors=[detector])
    rng = random.Random(1)
    sizes = []
    for part in range(4):
        feed(
            plane,
            (
                event(f"a{rng.randrange(50)}", n, n * 3.0, rng)
                for n in range(part * 25_000, (part + 1) * 25_000)
            ),
            run=2500,
        )
        sizes.append(sum(len(value or b"") for _, value in plane.take_changes()))
    assert detector.columns.itemsize <= HOT_STATE_BYTES
    assert sizes[3] <= sizes[1] * 1.2


def test_all_detectors_fit_a_hot_account() -> None:
    assert AccountPlane(CONFIG).table.row_bytes <= HOT_STATE_BYTES


def test_score_is_finite_and_not_negative(kind: type[Detector]) -> None:
    """Before any event, after one, and after many equal ones."""

    plane = AccountPlane(CONFIG, detectors=[kind()])
    rng = random.Random(2)
    same = event("same", 0, 0.0, rng)
    for count in (1, 5, 200):
        batch = [msgspec.structs.replace(same, event_id=f"{count}-{n}") for n in range(count)]
        plane.process(batch)
        slots = np.array([plane.table.slots["default:same"]])
        context = plane.context(np.array([same.time_ms // 3_600_000]))
        score = plane.detectors[0].score(plane.table, slots, context)
        assert np.isfinite(score).all()
        assert (score >= 0).all()


def test_update_is_additive_over_splits(kind: type[Detector]) -> None:
    """Folding a stretch at once or event by event leaves the same columns."""
    if not kind.columns.itemsize:
        pytest.skip("keeps no columns")
    events = [one for _, one in zip(range(120), FIRES[kind.metadata.name](5), strict=False)]
    columns = []
    for size in (120, 1):
        detector = kind()
        plane = AccountPlane(CONFIG, detectors=[detector])
        for first in range(0, len(events), size):
            batch = EventBatch(events[first : first + size], np.full(len(events[first : first + size]), -1))
            batch.slot, _ = plane.table.find([one.account_key for one in batch.events])
            detector.update(plane.table, Segment(batch, np.arange(len(batch))))
        columns.append(plane.table.rows[kind.metadata.name][0].tobytes())
    assert columns[0] == columns[1]
