"""Replay: the fleet's planes over files, with nothing lost and nothing said twice."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.cli import main
from agents.replay import Outputs, Replay, in_time_order
from agents.settings import Settings
from schemas.dead_letter import decode_dead_letter
from schemas.event import RequestEvent, encode_event
from schemas.finding import Finding, Lifecycle, decode_finding
from schemas.partitioning import partition_for
from schemas.profile import decode_profile
from streams.account_plane import AccountPlane
from tests.malformed_corpus import corpus
from tests.property.events import StreamShape, make_stream

MakeSettings = Callable[..., Settings]


class Written:
    """What a replay wrote."""

    def __init__(self, settings: Settings, paths: list[Path], **options: Any) -> None:
        files = [io.BytesIO() for _ in range(3)]
        self.done = Replay(settings, "native", Outputs(*files), **options).run(paths)
        findings, profiles, letters = (file.getvalue().splitlines() for file in files)
        self.findings = [decode_finding(line) for line in findings]
        self.profiles = [decode_profile(line) for line in profiles]
        self.letters = [decode_dead_letter(line) for line in letters]


def write(path: Path, events: list[RequestEvent]) -> Path:
    path.write_bytes(b"".join(encode_event(event) + b"\n" for event in events))
    return path


def templated_stream() -> list[RequestEvent]:
    return make_stream(StreamShape(seed=3, events=1500, accounts=30, hours=8))


def test_findings_are_those_of_the_planes_themselves(tmp_path: Path, make_settings: MakeSettings) -> None:
    settings, events = make_settings(), templated_stream()
    path, partitions = write(tmp_path / "events.jsonl", events), settings.bus.partitions
    written = Written(settings, [path], partitions=partitions)
    planes = [AccountPlane(settings.detection_config(), number) for number in range(settings.bus.partitions)]
    expected: list[Finding] = []
    requests = 0
    for number, plane in enumerate(planes):
        share = [e for e in events if partition_for(e.account_key.encode(), len(planes)) == number]
        for output in (plane.process(share), plane.close_windows()):
            expected += output.findings
            requests += sum(profile.requests for profile in output.profiles)
    assert {finding.subject_id for finding in written.findings} >= {"acct-0"}
    key = lambda finding: (finding.finding_id, finding.sequence)  # noqa: E731
    assert sorted(written.findings, key=key) == sorted(expected, key=key)
    assert sum(profile.requests for profile in written.profiles) == requests == len(events)


def test_findings_stand_in_order_of_time_and_begin_with_create(
    tmp_path: Path, make_settings: MakeSettings
) -> None:
    written = Written(make_settings(), [write(tmp_path / "events.jsonl", templated_stream())])
    times = [finding.time for finding in written.findings]
    assert times == sorted(times)
    seen: set[str] = set()
    for finding in written.findings:
        assert (finding.lifecycle is Lifecycle.CREATE) == (finding.finding_id not in seen)
        seen.add(finding.finding_id)
    assert set(written.done.latest) == set(written.done.raised) == seen


def test_order_of_lines_and_split_over_files_do_not_matter(
    tmp_path: Path, make_settings: MakeSettings
) -> None:
    settings, events = make_settings(), templated_stream()
    whole = Written(settings, [write(tmp_path / "whole.jsonl", events)])
    shuffled = random.Random(1).sample(events, len(events))
    thirds = [write(tmp_path / f"{n}.jsonl", shuffled[n::3]) for n in range(3)]
    split = Written(settings, thirds)
    assert split.findings == whole.findings
    assert split.profiles == whole.profiles
    assert split.done.late == 0
    as_is = Written(settings, [write(tmp_path / "shuffled.jsonl", shuffled)], by_time=False)
    assert as_is.done.late > 500


def test_gzip_reads_the_same(tmp_path: Path, make_settings: MakeSettings) -> None:
    path = write(tmp_path / "events.jsonl", templated_stream()[:500])
    packed = tmp_path / "events.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    settings = make_settings()
    assert Written(settings, [packed]).profiles == Written(settings, [path]).profiles


def test_every_bad_line_is_a_dead_letter_with_its_line_and_the_rest_goes_on(
    tmp_path: Path, make_settings: MakeSettings
) -> None:
    now = datetime.now(UTC) - timedelta(hours=1)
    samples = [s for s in corpus(400, now=now, huge=0) if b"\n" not in s.payload]
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b"".join(sample.payload + b"\n" for sample in samples))
    written = Written(make_settings(), [path])
    expected = [(number, s.field) for number, s in enumerate(samples, 1) if not s.accepted]
    assert [(letter.origin_offset, letter.field) for letter in written.letters] == expected
    assert {letter.origin_topic for letter in written.letters} == {str(path)}
    accepted = sum(sample.accepted for sample in samples)
    assert written.done.events == accepted
    assert written.done.rejected == len(samples) - accepted
    assert sum(written.done.reasons.values()) == written.done.rejected


def test_events_far_ahead_are_simulated_not_wrong(tmp_path: Path, make_settings: MakeSettings) -> None:
    ahead = datetime.now(UTC) + timedelta(days=100)
    event = RequestEvent(schema_version=1, event_id="e", time=ahead, account_id="a")
    assert Written(make_settings(), [write(tmp_path / "f", [event])]).done.events == 1


@pytest.mark.parametrize("window", [1, 3, 50])
def test_time_order_is_restored_within_the_window(window: int) -> None:
    rng = random.Random(window)
    events = templated_stream()[:300]
    places = sorted(range(300), key=lambda place: place + rng.uniform(0, window))
    assert list(in_time_order([events[place] for place in places], window)) == events


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["stillwatch", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_command_writes_files_and_shows_what_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "events.jsonl", templated_stream())
    outputs = [tmp_path / "out" / f"{name}.jsonl" for name in ("findings", "profiles", "dead")]
    names = ("--findings", "--profiles", "--dead-letters")
    options = [text for name, output in zip(names, outputs, strict=True) for text in (name, str(output))]
    assert run_command(monkeypatch, "replay", str(path), "--format", "native", *options) == 0
    shown = capsys.readouterr().out
    assert "acct-0" in shown
    assert "1,500" in shown
    findings = [json.loads(line) for line in outputs[0].read_bytes().splitlines()]
    wanted = "finding_id time lifecycle detector subject_kind subject_id members severity p_value reasons"
    assert {*wanted.split(), "event_count"} <= set(findings[0])
    assert outputs[1].read_bytes().count(b"\n") > 30
    assert outputs[2].read_bytes() == b""


def test_a_permitted_customer_is_found_and_kept_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path, findings = write(tmp_path / "events.jsonl", templated_stream()), tmp_path / "findings.jsonl"
    control = tmp_path / "control.jsonl"
    control.write_text('{"type":"suppression","id":"contract-7","subject_id":"acct-0","until":"2100-01-01T00:00:00Z"}')
    options = ["--findings", str(findings), "--control", str(control)]
    assert run_command(monkeypatch, "replay", str(path), *options) == 0
    assert "suppressed" in capsys.readouterr().out
    said = [json.loads(line) for line in findings.read_bytes().splitlines()]
    assert {one["suppressed_by"] for one in said if one["subject_id"] == "acct-0"} == {"contract-7"}


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        (b"TIMESTAMP,ContextTokens,GeneratedTokens\n", ["--format", "native"], "Try --format azure"),
        (b'{"account_id": 1}\n', ["--format", "azure"], "Try --format native"),
        (b"what is this\n", [], "Say --format"),
        (b"{}\n", ["--format", "csv"], "Use one of"),
    ],
)
def test_a_wrong_format_is_answered_with_the_right_one(
    content: bytes, arguments: list[str], said: str,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(content)
    assert run_command(monkeypatch, "replay", "file", *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_file_without_one_good_line_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_bytes(b"{}\nnull\n")
    assert run_command(monkeypatch, "replay", "file", "--format", "native") == 1
    assert "2 of 2" in capsys.readouterr().out
