"""Control messages in force: which findings stay off the alerts topic, what analysts have said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from agents.controls import Controls, read_controls
from schemas.control import Control, Override, Suppression, Verdict, control_key, encode_control
from schemas.errors import InvalidSetting
from schemas.finding import Finding, Lifecycle, Severity

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = datetime(2026, 11, 24, tzinfo=UTC)


def finding(**fields: object) -> Finding:
    facts: dict[str, object] = {
        "finding_id": "fnd_1", "lifecycle": Lifecycle.CREATE, "time": NOON, "detector": "burst",
        "subject_kind": "account", "subject_id": "a1", "severity": Severity.HIGH, "p_value": 1e-9,
        "event_count": 1, "first_seen": NOON, "last_seen": NOON, "title": "t", "reasons": ("r",),
    }  # fmt: skip
    return Finding(**{**facts, **fields})  # type: ignore[arg-type]


def known(*messages: Control) -> Controls:
    controls = Controls()
    for message in messages:
        controls.apply(control_key(message).encode(), encode_control(message))
    return controls


@pytest.mark.parametrize(
    ("message", "silenced"),
    [
        (Suppression(id="x", until=LATER), True),
        (Suppression(id="x", detector="burst", tenant_id="default", subject_id="a1", until=LATER), True),
        (Suppression(id="x", detector="drift", until=LATER), False),
        (Suppression(id="x", subject_id="a2", until=LATER), False),
        (Suppression(id="x", tenant_id="other", until=LATER), False),
        (Suppression(id="x", until=NOON), False),
        (Override(id="x", subject_id="a1", budget_factor=0), True),
        (Override(id="x", subject_id="a1", budget_factor=0.5), False),
        (Override(id="x", account_plan="pro", budget_factor=0), False),
        (Verdict(id="x", finding_id="fnd_1", verdict="benign", time=NOON), False),
    ],
)
def test_a_message_silences_what_it_matches(message: Control, silenced: bool) -> None:
    marked = known(message).mark(finding())
    assert marked.suppressed_by == ("x" if silenced else None)


def test_a_campaign_is_silenced_where_all_of_its_members_are() -> None:
    permitted = [Suppression(id=f"contract-{name}", subject_id=name, until=LATER) for name in ("a1", "a2")]
    facts = {"subject_kind": "campaign", "subject_id": "cmp-1", "detector": "campaign"}
    campaign = finding(**facts, members=("a1", "a2"))
    assert known(*permitted).mark(campaign).suppressed_by == "contract-a2"
    assert known(*permitted).mark(finding(**facts, members=("a1", "a2", "a3"))).suppressed_by is None
    assert known(permitted[0]).mark(campaign).suppressed_by is None
    assert known(*permitted).mark(finding(**facts)).suppressed_by is None
    by_detector = [msgspec.structs.replace(one, detector="shift") for one in permitted]
    assert known(*by_detector).mark(campaign).suppressed_by is None


def test_a_tombstone_takes_a_message_back() -> None:
    controls = known(Suppression(id="x", until=LATER))
    controls.apply(b"suppression:x", None)
    assert controls.mark_all([finding()]) == [finding()]


def test_a_budget_is_for_the_planes_until_a_tombstone_takes_it_back() -> None:
    controls = known(Override(id="x", subject_id="a1", budget_factor=10))
    assert controls.overrides.least_nats < 0
    assert controls.mark_all([finding()]) == [finding()]
    controls.apply(b"override:x", None)
    assert controls.overrides.least_nats == 0


def test_a_message_that_cannot_be_read_takes_the_older_one_back_and_stops_nothing() -> None:
    controls = known(Suppression(id="x", until=LATER))
    controls.apply(b"suppression:x", b"{not json")
    assert len(controls) == 0


def test_a_file_holds_one_message_a_line(tmp_path: Path) -> None:
    file = tmp_path / "control.jsonl"
    messages: list[Control] = [
        Suppression(id="x", subject_id="a1", until=LATER), Override(id="y", subject_id="a2", budget_factor=0)
    ]
    file.write_bytes(b"\n\n".join(map(encode_control, messages)))
    controls = read_controls(file)
    marked = controls.mark_all([finding(), finding(subject_id="a2"), finding(subject_id="a3")])
    assert [one.suppressed_by for one in marked] == ["x", "y", None]


@pytest.mark.parametrize("line", [b"no json", b'{"type":"suppression","id":"x"}'])
def test_a_line_that_is_no_control_message_is_named(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "control.jsonl"
    file.write_bytes(encode_control(Suppression(id="x", until=LATER)) + b"\n" + line)
    with pytest.raises(InvalidSetting, match="line 2"):
        read_controls(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="No such file"):
        read_controls(tmp_path / "none.jsonl")
