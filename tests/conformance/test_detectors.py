"""One suite that every account detector passes. Parametrised over the registry: a new one is in at once."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterable
from itertools import islice, pairwise

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
from streams.segment import segments
from tests.conformance.scenarios import FIRES, SILENT, event, person

NAMES = [kind.metadata.name for kind in registry.DETECTORS]
CONFIG = DetectionConfig(max_accounts_per_partition=1024)
HOT_STATE_BYTES = 2048
"""DESIGN: an account's hot state is at most 2 KiB."""
CONTENT = (
    "fingerprint_id", "prompt_hash", "template_hash", "template_tail_hash", "prompt_embedding",
    "prompt_topic", "prompt_chars", "reasoning_elicitation",
)  # fmt: skip


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


def test_tells_which_rows_have_extras(kind: type[Detector]) -> None:
    """Or they would not be stored."""
    assert (kind.extras is Detector.extras) == (kind.extra_slots is Detector.extra_slots)


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
    snapshot = first.take_changes()
    second.restore(snapshot)
    got += feed(second, events[middle:])
    assert msgspec.json.encode(got) == msgspec.json.encode(expected)
    assert {**dict(snapshot), **dict(second.take_changes())} == dict(whole.take_changes())


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


@pytest.mark.slow
def test_memory_is_bounded_over_a_million_events() -> None:
    """All detectors together; accounts come and go, four times as many as a partition holds."""
    rng = random.Random(3)
    written = (one for seed in range(20) for one in islice(FIRES["shift"](seed), 20))
    texts = [{name: getattr(one, name) for name in CONTENT} for one in written]
    plane = AccountPlane(msgspec.structs.replace(CONFIG, max_accounts_per_partition=512))
    sizes: dict[str, list[int]] = {detector.name: [] for detector in plane.detectors}
    for part in range(20):
        feed(
            plane,
            (
                event(f"a{n // 500 + rng.randrange(100)}", n, n * 2.0, rng, **rng.choice(texts))
                for n in range(part * 50_000, (part + 1) * 50_000)
            ),
            run=5000,
        )
        plane.take_changes()
        for detector in plane.detectors:
            sizes[detector.name].append(len(pickle.dumps(detector)))
    assert plane.stats()["accounts"] <= 512
    assert plane.stats()["evicted_accounts"] > 500
    for name, seen in sizes.items():
        assert max(seen[10:]) <= 1.2 * max(seen[:10]), name


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


@pytest.mark.parametrize("cuts", [(), (40, 80), (40,), (80,), tuple(range(1, 120))], ids=len)
def test_folding_is_associative(kind: type[Detector], cuts: tuple[int, ...]) -> None:
    """Stretches of an account folded together, one after the other, or event by event: the same columns."""
    if not kind.columns.itemsize:
        pytest.skip("keeps no columns")
    events = [one for _, one in zip(range(120), FIRES[kind.metadata.name](5), strict=False)]
    assert folded(kind, events, cuts) == folded(kind, events, (17, 60, 61))


def folded(kind: type[Detector], events: list[RequestEvent], cuts: tuple[int, ...]) -> bytes:
    """Columns of the accounts after the stretches between `cuts`."""
    detector = kind()
    plane = AccountPlane(CONFIG, detectors=[detector])
    for first, last in pairwise((0, *cuts, len(events))):
        stretch = events[first:last]
        batch = EventBatch(stretch, np.full(len(stretch), -1))
        batch.slot, _ = plane.table.find([one.account_key for one in stretch])
        order = np.argsort(batch.slot, kind="stable")
        for segment in segments(batch, np.zeros(len(batch), np.bool_), order):
            detector.update(plane.table, segment)
    return plane.table.rows[kind.metadata.name].tobytes()
