"""`AccountPlane`: the account-level detection of one partition, from events to findings and profiles.

Pure and deterministic: any split of the same stream into runs, any interleaving of accounts within the
allowed lateness, and any crash and replay from the changelog give the same findings, ids and times
included. Three things make it so: an account is scored at fixed points of its own event sequence
(`streams.checkpoints`), everything shared between accounts is learned from closed hours and used two
hours later (`streams.baselines`), and state carries the offset it has applied.

Memory: at most ``max_accounts_per_partition`` rows of `AccountTable.row_bytes`, plus bounded extras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.event import RequestEvent, decode_trusted_event
from schemas.evidence import NO_MORE, AccountEvidence, HourMark
from schemas.finding import Finding, utc_from_ms
from schemas.profile import AccountWindow
from streams import checkpoints, links, windows
from streams.account_state import AccountExtras, PartitionState, StateCodec
from streams.account_table import RECENT_EVENTS, AccountTable
from streams.baselines import CohortBaselines
from streams.batch import EventBatch, Origin, Segment, origin_array, segments
from streams.calibration import Calibration
from streams.config import DetectionConfig
from streams.detectors import registry
from streams.detectors.detector import Context, Detector
from streams.episodes import Episode
from streams.findings import Judge
from streams.watermark import NOTHING, Watermark
from streams.windows import HOUR_MS, HOURS

Slots = NDArray[np.intp]
OnLook = Callable[[EventBatch, Slots, NDArray[np.float64], NDArray[np.float64]], None]
NO_HOUR = windows.EMPTY
RINGS = ("hour_requests", "hour_failures", "hour_input", "hour_output")
"""Columns with a bucket for each of the last `HOURS` hours."""


class PlaneOutput(msgspec.Struct):
    """What one step of the plane emits, in order."""

    findings: list[Finding] = []
    profiles: list[AccountWindow] = []
    evidence: list[AccountEvidence] = []
    """For the link plane: the accounts of each hour that was closed."""
    marks: list[HourMark] = []
    """Up to which hour evidence is complete with this output."""

    def extend(self, other: PlaneOutput) -> None:
        self.findings += other.findings
        self.profiles += other.profiles
        self.evidence += other.evidence
        self.marks += other.marks


class AccountPlane:
    """Detection state of one partition of the requests topic.

    Args:
        config: parameters; state written under another `DetectionConfig.parameter_hash` is refused.
        partition: number of the partition, for the partition record's key only.
        detectors: default all of `streams.detectors.registry`.
    """

    def __init__(
        self, config: DetectionConfig, partition: int = 0, detectors: Sequence[Detector] | None = None
    ) -> None:
        self.config = config
        self.partition = partition
        self.detectors = tuple(detectors) if detectors is not None else registry.build()
        self.table = AccountTable(
            {links.NAME: links.COLUMNS, **{one.name: one.columns for one in self.detectors}},
            config.max_accounts_per_partition,
            self._forget,
        )
        self.watermark = Watermark(lateness_ms=config.lateness_s * 1000)
        self.cohorts = CohortBaselines()
        self.episodes: dict[int, Episode] = {}
        self.judge = Judge(self.detectors, config)
        self.calibration = Calibration(len(self.detectors))
        self.codec = StateCodec(config, self.table.dtype)
        self.closed_hour = NO_HOUR
        """Hours up to this one are closed."""
        self.active: dict[int, NDArray[np.bool_]] = {}
        """Hour to the rows that have requests in it and no up-to-date profile yet."""
        self.applied_offset = -1
        self.on_look: OnLook | None = None
        """For evaluation: told of every scoring, with the batch, the places in it of the events that accounts
        were scored at, their calibrated nats (m, detectors), and fused (m,)."""
        self._next_close_ms = NOTHING
        """Watermark at which the next hour may have to be closed."""
        self.events = self.late = self.duplicates = 0

    decode: Callable[[bytes], RequestEvent] = staticmethod(decode_trusted_event)
    """Value of a record of the requests topic to its event."""
    read: Callable[[Sequence[bytes]], EventBatch] = staticmethod(EventBatch.decode)
    """Values of a run of records to what `process` takes. Raises as `decode`."""

    # ---- events -------------------------------------------------------------------------------------

    def process(
        self,
        events: Sequence[RequestEvent] | EventBatch,
        offsets: Sequence[int] | None = None,
        origins: Sequence[Origin | None] | NDArray[Any] | None = None,
    ) -> PlaneOutput:
        """Take a run of events in arrival order.

        Args:
            events: as objects, or as `read` gives them, which is faster.
            offsets: their positions in the requests partition, increasing. What the restored state has
                applied already is skipped.
            origins: where INGEST read them, one by one or as `streams.batch.ORIGINS`; a repeated raw record
                is counted once.
        """
        output = PlaneOutput()
        positions = np.full(len(events), -1) if offsets is None else np.asarray(offsets, np.int64)
        batch = events if isinstance(events, EventBatch) else EventBatch(events, positions)
        batch.offsets = positions
        if offsets is not None and len(events):
            batch = batch.part(np.flatnonzero(positions > self.applied_offset))
            self.applied_offset = max(self.applied_offset, int(positions[-1]))
        read_at = origin_array(origins, len(events))[len(events) - len(batch) :]
        new, watermark = self.watermark.admit_run(read_at, batch.time_ms)
        self.duplicates += len(batch) - int(new.sum())
        self.events += int(new.sum())
        self.late += int((new & (batch.time_ms < watermark)).sum())
        start = 0
        while start < len(batch):
            # The baselines of an event's hour rest on hours that may close only with it.
            over = np.flatnonzero(watermark[start:] >= self._next_close_ms)
            end = start + int(over[0]) if len(over) else len(batch)
            self._take(batch.part(start + np.flatnonzero(new[start:end])), output)
            if end < len(batch):
                self._advance(int(watermark[end]), output)
            start = end
        self._advance(self.watermark.time_ms, output)
        return output

    def _take(self, batch: EventBatch, output: PlaneOutput) -> None:
        """Count and score a stretch of events during which no hour closes."""
        if not len(batch):
            return
        for detector in self.detectors:
            detector.observe(batch)
        order = self._arrange(batch)
        order = order[self._new(batch, order)]
        if not len(order):
            return
        boundary = self._boundaries(batch, order)
        for segment in segments(batch, boundary, order):
            self._count(segment)
            links.update(self.table, segment)
            for detector in self.detectors:
                detector.update(self.table, segment)
            self._score(segment, boundary, output)

    def _arrange(self, batch: EventBatch) -> NDArray[np.intp]:
        """Give every event its account's row; positions ordered by row, then arrival."""
        batch.slot, new = self.table.find(batch.account_keys, self.episodes)
        rows = self.table.rows
        for slot, first in new.items():
            event = batch.events[first]
            rows["first_ms"][slot] = batch.time_ms[first]
            rows["cohort"][slot] = self.cohorts.id_of(f"{event.tenant_id}:{event.account_plan or ''}")
        return np.argsort(batch.slot, kind="stable")

    def _new(self, batch: EventBatch, order: NDArray[np.intp]) -> NDArray[np.bool_]:
        """bool (n,) over `order`: neither applied to this row before a crash nor a recent repeat of an id."""
        rows = self.table.rows
        slots = batch.slot[order]
        offsets = batch.offsets[order]
        new: NDArray[np.bool_] = (offsets < 0) | (offsets > rows["offset"][slots])
        hashes = batch.event_hash[order]
        seen = (rows["recent"][slots] == hashes[:, None]).any(axis=1)
        suspects = set(slots[seen].tolist())
        pair = slots.astype(np.uint64) << np.uint64(32) | hashes
        pair.sort()
        twice = pair[1:] == pair[:-1]
        if twice.any():
            suspects.update((pair[1:][twice] >> np.uint64(32)).tolist())
        for slot in suspects:
            recent = [value for value in self._recent(slot) if value]
            for place in np.flatnonzero((slots == slot) & new).tolist():
                value = int(hashes[place])
                if value in recent[-RECENT_EVENTS:]:
                    new[place] = False
                    self.duplicates += 1
                    self.events -= 1
                else:
                    recent.append(value)
        return new

    def _recent(self, slot: int) -> list[int]:
        """Hashes of the account's last events, oldest first."""
        next_place = int(self.table.rows["events"][slot]) % RECENT_EVENTS
        ring: list[int] = self.table.rows["recent"][slot].tolist()
        return ring[next_place:] + ring[:next_place]

    def _boundaries(self, batch: EventBatch, order: NDArray[np.intp]) -> NDArray[np.bool_]:
        """bool (n,) over the batch: score the account after this event (see `streams.checkpoints`)."""
        boundary = np.zeros(len(batch), np.bool_)
        rows, slots = self.table.rows, batch.slot[order]
        hours = batch.time_ms[order] // HOUR_MS
        rank = _rank(slots)
        lifetime = rows["events"][slots].astype(np.int64) + rank + 1
        in_hour = windows.at(rows["hour_requests"], rows["hour_head"], slots, hours).astype(np.int64)
        in_hour += (rank if hours.min() == hours.max() else _rank(slots.astype(np.int64) << 32 | hours)) + 1
        boundary[order] = checkpoints.LIFETIME.due(lifetime) | checkpoints.HOURLY.due(in_hour)
        return boundary

    def _count(self, segment: Segment) -> None:
        """Add a segment to the core columns of its accounts."""
        rows, batch, slots, event_slots = self.table.rows, segment.batch, segment.slots, segment.event_slots
        times, completed = segment.take(batch.time_ms), segment.take(batch.completed)
        newest = np.maximum.reduceat(times, segment.starts)
        place = (rows["events"][event_slots] + segment.rank) % RECENT_EVENTS
        rows["recent"][event_slots, place] = segment.take(batch.event_hash)
        rows["events"][slots] += segment.counts.astype(np.uint32)
        rows["completed"][slots] += np.add.reduceat(completed, segment.starts, dtype=np.uint32)
        rows["last_ms"][slots] = np.maximum(rows["last_ms"][slots], newest)
        rows["offset"][slots] = np.maximum(rows["offset"][slots], batch.offsets[segment.last])

        hours = times // HOUR_MS
        windows.roll(rows, RINGS, "hour_head", slots, newest // HOUR_MS)
        kept = windows.inside(rows["hour_head"], event_slots, hours, HOURS)
        amounts = [~completed, segment.take(batch.input_tokens), segment.take(batch.output_tokens)]
        if not kept.all():
            event_slots, hours = event_slots[kept], hours[kept]
            amounts = [one[kept] for one in amounts]
        windows.add(rows, dict(zip(RINGS, [None, *amounts], strict=True)), event_slots, hours)
        self._note_active(event_slots, hours)
        self.table.dirty[slots] = True

    def _note_active(self, slots: Slots, hours: NDArray[np.int64]) -> None:
        for hour in set(hours[np.r_[True, hours[1:] != hours[:-1]]].tolist() if len(hours) else ()):
            self._active(hour)[slots[hours == hour]] = True

    def _active(self, hour: int) -> NDArray[np.bool_]:
        rows = self.active.get(hour)
        if rows is None:
            rows = self.active[hour] = np.zeros(self.table.capacity, np.bool_)
        return rows

    def _settled_hour(self) -> int:
        """Hours up to this one are behind the watermark, so their profiles are out and up to date."""
        mark = self.watermark.floor_ms
        return NO_HOUR if mark == NOTHING else mark // HOUR_MS - 1

    # ---- scoring ------------------------------------------------------------------------------------

    def _score(self, segment: Segment, boundary: NDArray[np.bool_], output: PlaneOutput) -> None:
        """Score the accounts whose stretch ends at a checkpoint, and open or extend their episodes."""
        at = segment.last[boundary[segment.last]]
        if not len(at):
            return
        batch = segment.batch
        slots = batch.slot[at]
        context = Context(hours=batch.time_ms[at] // HOUR_MS, cohorts=self.cohorts)
        nats = np.stack([detector.score(self.table, slots, context) for detector in self.detectors], axis=1)
        links.fade(self.table, slots)
        cohorts = self.table.rows["cohort"][slots].astype(np.int64)
        self.calibration.note(slots, context.hours, cohorts, nats)
        # Calibration only lowers scores, so most accounts are done here.
        possible = self.judge.fusion.most(nats) >= self.judge.threshold_nats
        suspects = np.flatnonzero(possible if self.on_look is None else np.ones_like(possible))
        if not len(suspects):
            return
        hours = context.hours[suspects]
        nats = self.calibration.correct(nats[suspects], hours, cohorts[suspects])
        fused = self.judge.fusion.fuse(nats)
        if self.on_look is not None:
            self.on_look(batch, at, nats, fused)
        for number in np.flatnonzero(fused >= self.judge.threshold_nats).tolist():
            slot, place = int(slots[suspects[number]]), int(at[suspects[number]])
            here = Context(hours=hours[number : number + 1], cohorts=self.cohorts)
            self._signal(slot, batch.events[place], nats[number], float(fused[number]), here, output)

    def _signal(
        self,
        slot: int,
        event: RequestEvent,
        nats: NDArray[np.float64],
        fused: float,
        context: Context,
        output: PlaneOutput,
    ) -> None:
        """One account is beyond its budget at one event."""
        episode = self.episodes.get(slot)
        if episode is not None and episode.ends_ms(self.quiet_ms) < event.time_ms:
            output.findings.append(self._close(slot))
            episode = None
        if episode is None:
            episode = self.episodes[slot] = self.judge.open(self.table, slot, event, nats, fused)
            output.findings.append(self.judge.create(self.table, slot, episode, event, nats, context))
            self.table.rows["found"][slot] = True
            self.calibration.found(slot, int(context.hours[0]))
            return
        row = self.table.rows[slot]
        episode.signal(event.time_ms, fused, event.event_id, int(row["events"]), int(row["completed"]))
        if episode.grown():
            output.findings.append(self.judge.update(self.table, slot, episode, event, nats, context))

    def _close(self, slot: int) -> Finding:
        """End an episode, dated when its quiet was complete."""
        episode = self.episodes.pop(slot)
        finding = self.judge.close(self.table.key(slot), episode, episode.ends_ms(self.quiet_ms))
        self.table.dirty[slot] = True
        return finding

    @property
    def quiet_ms(self) -> int:
        return self.config.episode_quiet_s * 1000

    # ---- time ---------------------------------------------------------------------------------------

    def mark_idle(self, source: int, partition: int) -> None:
        """A raw partition is silent: it no longer holds the watermark back."""
        self.watermark.set_idle(source, partition)

    def close_windows(self) -> PlaneOutput:
        """No more events are expected soon: close every window that holds any. Episodes stay open.

        An event that still comes for such a window emits its profile again, with a higher revision.
        """
        output = PlaneOutput()
        for hour in sorted(self.active):
            self._close_hour(hour, output)
        output.marks.append(HourMark(self.partition, NO_MORE))
        return output

    def _advance(self, watermark_ms: int, output: PlaneOutput) -> None:
        """Close hours and episodes that end before the watermark."""
        if watermark_ms == NOTHING:
            return
        for hour in sorted(hour for hour in self.active if (hour + 1) * HOUR_MS <= watermark_ms):
            self._close_hour(hour, output)
        self._next_close_ms = (watermark_ms // HOUR_MS + 1) * HOUR_MS
        ends = {slot: episode.ends_ms(self.quiet_ms) for slot, episode in self.episodes.items()}
        overdue = [slot for slot, end_ms in ends.items() if end_ms < watermark_ms]
        for slot in sorted(overdue, key=lambda slot: (ends[slot], self.table.key(slot))):
            output.findings.append(self._close(slot))

    def _close_hour(self, hour: int, output: PlaneOutput) -> None:
        """Emit profiles of an hour; the first time, let baselines and detectors learn from it."""
        rows = self.table.rows
        slots = np.flatnonzero(self.active.pop(hour))
        hours = np.full(len(slots), hour, np.int64)
        requests = windows.at(rows["hour_requests"], rows["hour_head"], slots, hours)
        slots = slots[requests > 0]
        slots = np.array(sorted(slots.tolist(), key=self.table.key), np.intp)
        hours = np.full(len(slots), hour, np.int64)
        output.profiles += self._profiles(hour, slots, hours)
        if hour <= self.closed_hour:
            return
        self.closed_hour = hour
        output.evidence += links.evidence(self.table, slots, hour)
        output.marks.append(HourMark(self.partition, hour))
        requests = windows.at(rows["hour_requests"], rows["hour_head"], slots, hours)
        logs, cohorts = np.log1p(requests.astype(np.float64)), rows["cohort"][slots]
        self.cohorts.learn(hour, {int(number): logs[cohorts == number] for number in np.unique(cohorts)})
        self.calibration.close_hour(hour, cohorts)
        for detector in self.detectors:
            detector.learn_hour(self.table, slots, hour)
        fresh = slots[rows["closed_hour"][slots] < hour]
        context = Context(hours=np.full(len(fresh), hour, np.int64), cohorts=self.cohorts)
        for detector in self.detectors:
            detector.close_hour(self.table, fresh, hour, context)
        rows["closed_hour"][fresh] = hour
        self.table.dirty[fresh] = True

    def _profiles(self, hour: int, slots: Slots, hours: NDArray[np.int64]) -> list[AccountWindow]:
        rows, start = self.table.rows, utc_from_ms(hour * HOUR_MS)
        columns = [
            windows.at(rows[name], rows["hour_head"], slots, hours).tolist()
            for name in ("hour_requests", "hour_failures", "hour_input", "hour_output")
        ]
        profiles = []
        for slot, requests, failures, tokens_in, tokens_out in zip(slots.tolist(), *columns, strict=True):
            tenant_id, _, account_id = self.table.key(slot).partition(":")
            profiles.append(
                AccountWindow(
                    tenant_id=tenant_id,
                    account_id=account_id,
                    window_start=start,
                    window_s=HOUR_MS // 1000,
                    # the count only grows, so it orders the revisions of a window
                    revision=requests,
                    requests=requests,
                    failures=failures,
                    input_tokens=tokens_in,
                    output_tokens=tokens_out,
                )
            )
        return profiles

    def learn_verdict(self, account_key: str, malicious: bool) -> bool:
        """Let detectors learn from an analyst's verdict. False where the account is not known here."""
        slot = self.table.slots.get(account_key)
        if slot is None:
            return False
        for detector in self.detectors:
            detector.learn_verdict(self.table, slot, malicious)
        return True

    # ---- state --------------------------------------------------------------------------------------

    def _forget(self, slot: int) -> None:
        """A row is about to be reused."""
        for detector in self.detectors:
            detector.forget(slot)
        for rows in self.active.values():
            rows[slot] = False
        self.episodes.pop(slot, None)
        self.calibration.forget(slot)

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """Changelog records since the last call; the partition's own record last.

        Written in this order, a crash in between leaves accounts ahead of the partition, never behind
        it, and their own offset tells what they hold already.
        """
        records: list[tuple[bytes, bytes | None]] = []
        records += [(key.encode(), None) for key in sorted(self.table.take_removed())]
        for slot in np.flatnonzero(self.table.dirty).tolist():
            extras = AccountExtras(
                episode=self.episodes.get(slot),
                detectors={
                    detector.name: data for detector in self.detectors if (data := detector.extras(slot))
                },
                marks=self.calibration.marks.get(slot),
            )
            records.append((self.table.key(slot).encode(), self.codec.encode(self.table.rows[slot], extras)))
        self.table.dirty[:] = False
        state = PartitionState(
            applied_offset=self.applied_offset,
            closed_hour=self.closed_hour,
            watermark=self.watermark,
            cohorts=self.cohorts.snapshot(),
            counters=[self.events, self.late, self.duplicates, self.table.evicted],
            active=self.calibration.active,
            detectors={detector.name: data for detector in self.detectors if (data := detector.shared())},
        )
        records.append((self.codec.partition_key(self.partition), self.codec.encode_partition(state)))
        return records

    def restore(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Apply changelog records, oldest first. May be called with one stretch after another.

        Raises:
            schemas.errors.IncompatibleState: the state was written with other parameters.
        """
        for key, value in records:
            if self.codec.is_partition_key(key):
                if value is not None and key == self.codec.partition_key(self.partition):
                    self._restore_partition(self.codec.decode_partition(value))
                continue
            name = key.decode()
            slot = self.table.slots.get(name)
            if value is None:
                if slot is not None:
                    self.table.remove(slot)
                    self.table.take_removed()
                continue
            if slot is None:
                if len(self.table) >= self.table.capacity:
                    continue
                slot = self.table.add(name)
            self._restore_account(slot, value)

    def _restore_partition(self, state: PartitionState) -> None:
        self.applied_offset = state.applied_offset
        self.closed_hour = state.closed_hour
        self.watermark = state.watermark
        self.cohorts = CohortBaselines()
        self.cohorts.restore(state.cohorts)
        self.events, self.late, self.duplicates, self.table.evicted = state.counters
        self.calibration.active = state.active
        for detector in self.detectors:
            if detector.name in state.detectors:
                detector.restore_shared(state.detectors[detector.name])
        for hour in [hour for hour in self.active if hour <= self._settled_hour()]:
            del self.active[hour]

    def _restore_account(self, slot: int, value: bytes) -> None:
        row, extras = self.codec.decode(value)
        for detector in self.detectors:
            detector.forget(slot)
        self.calibration.forget(slot)
        self.table.rows[slot] = row
        self.episodes.pop(slot, None)
        if extras.episode is not None:
            self.episodes[slot] = extras.episode
        if extras.marks is not None:
            self.calibration.marks[slot] = extras.marks
        for detector in self.detectors:
            if detector.name in extras.detectors:
                detector.restore_extras(slot, extras.detectors[detector.name])
        head = int(row["hour_head"])
        for hour in range(max(self._settled_hour() + 1, head - HOURS + 1), head + 1):
            if row["hour_requests"][hour % HOURS]:
                self._active(hour)[slot] = True

    def stats(self) -> dict[str, int]:
        """Counters for operators. `leaked` are answers given to accounts that have or had a finding."""
        rows = self.table.rows[: len(self.table.keys)]
        return {
            "accounts": len(self.table),
            "open_findings": len(self.episodes),
            "events": self.events,
            "late_events": self.late,
            "duplicate_events": self.duplicates,
            "leaked": int(rows["completed"][rows["found"]].sum()),
            "evicted_accounts": self.table.evicted,
        }

    @property
    def newest_ms(self) -> int:
        """Newest event time seen; `streams.watermark.NOTHING` before the first event."""
        return self.watermark.newest_ms


def _rank(groups: NDArray[Any]) -> NDArray[np.int64]:
    """int64 (n,): how many earlier elements are equal to this one."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    rank = np.empty(len(groups), np.int64)
    rank[order] = np.arange(len(groups)) - np.repeat(starts, np.diff(np.r_[starts, len(groups)]))
    return rank
