"""Replay: files of raw records through the same planes as the fleet, in event time, without Kafka.

All three planes run in this process: accounts, links, campaigns. One account plane takes all events, so that
a small file's baselines rest on all of its accounts. To get exactly what a fleet gave live, let as many
planes as the fleet has partitions share the events as it shares them.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import msgspec

from agents.controls import Controls
from agents.event_files import LINE_LIMIT_BYTES, EventFile, Line
from agents.readers import reader
from agents.settings import Settings
from schemas.dead_letter import dead_letter, encode_dead_letter
from schemas.errors import MalformedRecord, Rejected
from schemas.event import RequestEvent
from schemas.finding import Finding, encode_finding
from schemas.partitioning import partition_for
from schemas.profile import encode_profile
from streams.account_plane import AccountPlane
from streams.group_pipeline import GroupPipeline
from streams.ingest import REPLAY_MAX_FUTURE_S, Ingest
from streams.plane_output import PlaneOutput
from streams.windows import HOUR_MS

REORDER_EVENTS = 65_536
"""An event may stand this many events from its place in time and is still put there; about 150 MB."""

RUN_EVENTS = 32_768
"""Events taken through the planes at a time, over all partitions."""


TELL_LINES = 1_000
LOT_BYTES = 1 << 20
"""Of a file, read together."""


class Outputs(msgspec.Struct):
    """Open files to write to, one JSON object a line; ``None``: not wanted."""

    findings: BinaryIO | None = None
    profiles: BinaryIO | None = None
    dead_letters: BinaryIO | None = None


class Replayed(msgspec.Struct):
    """What a replay has done so far."""

    lines: int = 0
    skipped: int = 0
    """Lines that carry no request by design (CSV headers)."""
    rejected: int = 0
    events: int = 0
    late: int = 0
    duplicates: int = 0
    accounts: int = 0
    profiles: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    read_bytes: int = 0
    elapsed_s: float = 0.0
    raised: dict[str, Finding] = {}
    """Finding id to its first lifecycle message."""
    latest: dict[str, Finding] = {}
    """Finding id to its newest lifecycle message."""
    reasons: dict[str, int] = {}
    """Rejected lines by field and reason."""


Progress = Callable[[Replayed], None]


class Replay:
    """One replay.

    Args:
        settings: as the fleet's: secrets, account rules, detection parameters.
        format: of all files.
        partitions: planes to share the events; each learns its own baselines.
        by_time: put events in order of time first (within `REORDER_EVENTS`); else take them as they come.
        controls: in force from the beginning, as in the fleet.
    """

    def __init__(
        self,
        settings: Settings,
        format: str,
        outputs: Outputs,
        *,
        partitions: int = 1,
        by_time: bool = True,
        controls: Controls | None = None,
    ) -> None:
        self._controls = Controls() if controls is None else controls
        self._ingest: Ingest = reader(settings, format, max_future_s=REPLAY_MAX_FUTURE_S)
        self._outputs = outputs
        self._by_time = by_time
        config = settings.detection_config()
        # one plane may hold what a whole fleet of the same settings holds
        accounts = config.max_accounts_per_partition * max(settings.bus.partitions // partitions, 1)
        config = msgspec.structs.replace(config, max_accounts_per_partition=accounts)
        said = {"verdicts": self._controls.verdicts, "overrides": self._controls.overrides}
        self._planes = [AccountPlane(config, number, **said) for number in range(partitions)]
        self._groups = GroupPipeline(config, sources=partitions, partitions=partitions)
        self._lateness_ms = config.lateness_s * 1000
        self._place = lru_cache(100_000)(partition_for)
        self._now_ms = round(time.time() * 1000)
        self.done = Replayed()

    def run(self, paths: Sequence[Path], progress: Progress = lambda done: None) -> Replayed:
        """Replay files together, merged by event time; windows are closed at the end, episodes stay open.

        Args:
            progress: called every `TELL_LINES` lines, after each run and at the end.

        Raises:
            InvalidSetting: a file cannot be read.
        """
        started = time.perf_counter()
        files = [EventFile(path) for path in paths]

        def tell() -> None:
            self.done.read_bytes = sum(file.position_bytes for file in files)
            self.done.elapsed_s = time.perf_counter() - started
            progress(self.done)

        events = merged([self._events(file, tell) for file in files])
        if self._by_time:
            events = in_time_order(events, REORDER_EVENTS)
        while run := list(islice(events, RUN_EVENTS)):
            self._take(run)
            tell()
        output = PlaneOutput()
        for plane in self._planes:
            output.extend(plane.close_windows())
        self._tell_groups(output, self._marks())
        output.findings += self._groups.finish()
        self._write(output)
        self._count()
        tell()
        return self.done

    def _events(self, file: EventFile, tell: Callable[[], None]) -> Iterator[RequestEvent]:
        """Events of one file; its bad lines go to the dead letters."""
        done = self.done
        for lot in _lots(file.lines()):
            fit = [line.payload for line in lot if len(line.payload) <= LINE_LIMIT_BYTES]
            found = iter(self._ingest.read_many(fit, now_ms=self._now_ms))
            for line in lot:
                done.lines += 1
                if done.lines % TELL_LINES == 0:
                    tell()
                if len(line.payload) <= LINE_LIMIT_BYTES:
                    event = next(found)
                else:
                    event = MalformedRecord(f"Line longer than {LINE_LIMIT_BYTES} bytes")
                if isinstance(event, Rejected):
                    self._reject(event, file.path, line.number, line.payload)
                elif event is None:
                    done.skipped += 1
                else:
                    yield event

    def _reject(self, error: Rejected, path: Path, number: int, payload: bytes) -> None:
        self.done.rejected += 1
        # Values differ from line to line, field and first words do not: few lines tell what is wrong.
        reason = f"{error.field or 'record'}: {error.reason.partition(',')[0][:60]}"
        if reason in self.done.reasons or len(self.done.reasons) < 100:
            self.done.reasons[reason] = self.done.reasons.get(reason, 0) + 1
        if self._outputs.dead_letters is not None:
            stage = f"replay:{self._ingest.format}"
            letter = dead_letter(error, payload, stage=stage, topic=str(path), partition=0, offset=number)
            self._outputs.dead_letters.write(encode_dead_letter(letter) + b"\n")

    def _take(self, events: list[RequestEvent]) -> None:
        shares: list[list[RequestEvent]] = [[] for _ in self._planes]
        for event in events:
            shares[self._place(event.account_key.encode(), len(self._planes))].append(event)
        output = PlaneOutput()
        for plane, share in zip(self._planes, shares, strict=True):
            if share:
                output.extend(plane.process(share))
        self._tell_groups(output, self._marks())
        self._write(output)
        times = events[0].time_ms, events[-1].time_ms
        done = self.done
        done.first_ms = min(times) if done.first_ms is None else min(done.first_ms, *times)
        done.last_ms = max(times) if done.last_ms is None else max(done.last_ms, *times)
        done.events += len(events)
        self._count()

    def _marks(self) -> list[int]:
        """Hour up to which each account plane has told all evidence. A plane whose accounts are silent keeps
        its hours open; as the events of all planes come in one order, its silence is certain here."""
        newest_ms = max(plane.newest_ms for plane in self._planes)
        over = (newest_ms - self._lateness_ms) // HOUR_MS - 1
        return [min([over, *(hour - 1 for hour in plane.open_hours.hours)]) for plane in self._planes]

    def _tell_groups(self, output: PlaneOutput, marks: list[int]) -> None:
        """Pass evidence on to links and campaigns; their findings join the others."""
        output.findings += self._groups.process(output.evidence, marks)

    def _write(self, output: PlaneOutput) -> None:
        # The order of planes is no order of events; a reader of the file expects time.
        output.findings.sort(key=lambda finding: (finding.time, finding.finding_id, finding.sequence))
        for finding in self._controls.mark_all(output.findings):
            self.done.raised.setdefault(finding.finding_id, finding)
            self.done.latest[finding.finding_id] = finding
            if self._outputs.findings is not None:
                self._outputs.findings.write(encode_finding(finding) + b"\n")
        self.done.profiles += len(output.profiles)
        if self._outputs.profiles is not None:
            self._outputs.profiles.writelines(encode_profile(profile) + b"\n" for profile in output.profiles)

    def _count(self) -> None:
        stats = [plane.stats() for plane in self._planes]
        self.done.late = sum(one["late_events"] for one in stats)
        self.done.duplicates = sum(one["duplicate_events"] for one in stats)
        self.done.accounts = sum(one["accounts"] for one in stats)


def _lots(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Lines to be read together, of `LOT_BYTES` and one line more at most."""
    lot: list[Line] = []
    size = 0
    for line in lines:
        lot.append(line)
        size += len(line.payload)
        if size >= LOT_BYTES:
            yield lot
            lot, size = [], 0
    yield lot


class Timed(Protocol):
    """Anything that has an event time."""

    @property
    def time_ms(self) -> int: ...


T = TypeVar("T", bound=Timed)
_by_time = attrgetter("time_ms")


def merged(sources: Sequence[Iterator[T]]) -> Iterator[T]:
    """Several streams in order of time as one."""
    return sources[0] if len(sources) == 1 else heapq.merge(*sources, key=_by_time)


def in_time_order(items: Iterable[T], window: int) -> Iterator[T]:
    """Items sorted by time, if none stands more than `window` places from where it belongs.

    Equal times keep their order. Holds at most ``2 * window`` items.
    """
    items = iter(items)
    held: list[T] = []
    while block := list(islice(items, window)):
        held += block
        held.sort(key=_by_time)
        if len(held) > window:
            yield from held[:-window]
            del held[:-window]
    yield from held
