"""`AccountPlane`: the account-level detection of one partition, from events to findings and profiles.

Pure and deterministic: any split of the same stream into runs, any interleaving of accounts within the
allowed lateness, and any crash and replay from the changelog give the same findings, ids and times
included. Three things make it so: an account is scored at fixed points of its own event sequence
(`streams.checkpoints`), everything shared between accounts is learned from closed hours and used two
hours later (`streams.baselines`), and state carries the offset it has applied (`streams.plane_state`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.event import RequestEvent, decode_trusted_event
from streams import admission, links, windows
from streams.account_table import RECENT_EVENTS
from streams.batch import EventBatch
from streams.common_systems import sent
from streams.detectors.detector import Context
from streams.open_hours import RINGS
from streams.origins import Origin, origin_array
from streams.plane_output import PlaneOutput
from streams.plane_time import PlaneTime
from streams.segment import Segment, segments
from streams.windows import HOUR_MS, HOURS, MINUTE_MS, MINUTES

MINUTE_RING = "minute_requests"
NATS_DIGITS = 6

Slots = NDArray[np.intp]
OnLook = Callable[[EventBatch, Slots, NDArray[np.float64], NDArray[np.float64]], None]


class AccountPlane(PlaneTime):
    """Detection in one partition of the requests topic; arguments as of `PlaneTime`."""

    on_look: OnLook | None = None
    """For evaluation: told of every scoring, with the batch, the places in it of the events that accounts
    were scored at, their calibrated nats (m, detectors), and fused (m,)."""

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
            origins: where INGEST read them, one by one or as `streams.origins.ORIGINS`; a repeated raw record
                is counted once.
        """
        self.settle()
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
        order = admission.arrange(self.table, self.cohorts, batch, self.episodes)
        order = order[self._unapplied(batch, order)]
        repeated = admission.repeated_ids(self.table, batch, order)
        if repeated.any():
            order = order[~repeated]
            self.duplicates += int(repeated.sum())
            self.events -= int(repeated.sum())
        if not len(order):
            return
        look = admission.looks(self.table, batch, order)
        for segment in segments(batch, look, order):
            self._count(segment)
            links.update(self.table, segment)
            self.forms.update(self.table, segment)
            for detector in self.detectors:
                detector.update(self.table, segment)
            self._score(segment, look, output)

    def _unapplied(self, batch: EventBatch, order: Slots) -> NDArray[np.bool_]:
        """bool (n,) over `order`: not applied to this row before a crash."""
        offsets = batch.offsets[order]
        fresh: NDArray[np.bool_] = (offsets < 0) | (offsets > self.table.rows["offset"][batch.slot[order]])
        return fresh

    def _count(self, segment: Segment) -> None:
        """Add a segment to the core columns of its accounts."""
        rows, batch, slots, event_slots = self.table.rows, segment.batch, segment.slots, segment.event_slots
        times, completed = segment.times_ms, segment.take(batch.completed)
        newest = np.maximum.reduceat(times, segment.starts)
        place = (rows["events"][event_slots] + segment.rank) % RECENT_EVENTS
        rows["recent"][event_slots, place] = segment.take(batch.event_hash)
        rows["events"][slots] += segment.counts.astype(np.uint32)
        rows["completed"][slots] += np.add.reduceat(completed, segment.starts, dtype=np.uint32)
        rows["last_ms"][slots] = np.maximum(rows["last_ms"][slots], newest)
        rows["offset"][slots] = np.maximum(rows["offset"][slots], batch.offsets[segment.last])

        minutes = times // MINUTE_MS
        windows.roll(rows, (MINUTE_RING,), "minute_head", slots, newest // MINUTE_MS)
        kept = windows.inside(rows["minute_head"], event_slots, minutes, MINUTES)
        windows.add(rows, {MINUTE_RING: None}, event_slots[kept], minutes[kept])
        hours = segment.hours
        windows.roll(rows, RINGS, "hour_head", slots, newest // HOUR_MS)
        kept = windows.inside(rows["hour_head"], event_slots, hours, HOURS)
        amounts = [~completed, segment.take(batch.input_tokens), segment.take(batch.output_tokens)]
        if not kept.all():
            event_slots, hours = event_slots[kept], hours[kept]
            amounts = [one[kept] for one in amounts]
        windows.add(rows, dict(zip(RINGS, [None, *amounts], strict=True)), event_slots, hours)
        self.open_hours.note(event_slots, hours)
        self.table.dirty[slots] = True

    # ---- scoring ------------------------------------------------------------------------------------

    def _score(self, segment: Segment, look: NDArray[np.bool_], output: PlaneOutput) -> None:
        """Score the accounts whose stretch ends at a checkpoint, and open or extend their episodes."""
        at = segment.last[look[segment.last]]
        if not len(at):
            return
        batch = segment.batch
        slots = batch.slot[at]
        context = self.context(batch.time_ms[at] // HOUR_MS)
        scores = [detector.score(self.table, slots, context) for detector in self.detectors]
        # A matrix product differs in the last bits with the number of its rows, so with how runs are cut.
        nats = np.stack(scores, axis=1).round(NATS_DIGITS)
        links.fade(self.table, slots)
        cohorts = self.table.rows["cohort"][slots].astype(np.int64)
        owners = self.table.rows[links.NAME]["owner"][slots]
        noted = self.calibration.note(slots, context.hours, cohorts, owners, sent(self.table, slots), nats)
        self.fellows.note(self.table, slots[noted], context.hours[noted])
        # Calibration only lowers scores, so most accounts are done here.
        threshold_nats = self.judge.threshold_nats
        least_nats = threshold_nats + self.overrides.least_nats
        possible = self.judge.fusion.most(nats) >= least_nats
        suspects = np.flatnonzero(possible if self.on_look is None else np.ones_like(possible))
        if not len(suspects):
            return
        hours = context.hours[suspects]
        nats = self.calibration.correct(nats[suspects], hours, cohorts[suspects])
        nats = self.houses.correct(nats, hours, owners[suspects])
        nats = self.forms.correct(nats, hours, self.table, slots[suspects])
        fused = self.judge.fusion.fuse(nats)
        if self.on_look is not None:
            self.on_look(batch, at, nats, fused)
        for number in np.flatnonzero(fused >= least_nats).tolist():
            slot, event = int(slots[suspects[number]]), batch.events[int(at[suspects[number]])]
            if fused[number] >= threshold_nats + self.overrides.extra_nats(event):
                here = self.context(hours[number : number + 1])
                self._signal(slot, event, nats[number], float(fused[number]), here, output)

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
        episode, row = self.episodes.get(slot), self.table.rows[slot]
        if episode is not None and episode.ends_ms(self.quiet_ms) < event.time_ms:
            output.findings.append(self._close(slot))
            episode = None
        if episode is None:
            episode = self.episodes[slot] = self.judge.open(self.table, slot, event, nats, fused)
            output.findings.append(self.judge.create(self.table, slot, episode, event, nats, context))
            row["found_hour"] = row["found_hour"] or int(context.hours[0])
            self.calibration.found(slot, int(context.hours[0]))
            return
        episode.signal(event.time_ms, fused, event.event_id, int(row["events"]), int(row["completed"]))
        if episode.grown():
            output.findings.append(self.judge.update(self.table, slot, episode, event, nats, context))
