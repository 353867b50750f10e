"""`WindowPlane`: the windowed job as a plane of our own fleet, with the guarantees of the account plane.

Same transport, changelog, order of durability and effectively-once state; only what is computed is the
peers' job. State of an account: its open minutes and the offset it has applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.finding import utc_from_ms
from schemas.profile import AccountWindow
from streams.origins import Origin
from streams.plane_output import PlaneOutput
from streams.watermark import NOTHING, Watermark
from tests.bench.windowed_job import FLAG_ABOVE, LATENESS_S, WINDOW_S

MINUTE_MS = WINDOW_S * 1000
PARTITION_KEY = b"\x00partition"
OPEN_MINUTE = np.dtype([("minute", "<i4"), ("requests", "<u4"), ("tokens", "<u8")])


class Usage(msgspec.Struct, gc=False):
    """What the job reads of a request."""

    time: datetime
    account_id: str
    input_tokens: int = 0
    output_tokens: int = 0


class Progress(msgspec.Struct, array_like=True):
    """The partition's own record."""

    applied_offset: int
    newest_ms: int


class WindowPlane:
    """Windows of one partition."""

    decode: Callable[[bytes], Usage] = staticmethod(msgspec.json.Decoder(Usage).decode)

    def read(self, values: Sequence[bytes]) -> list[Usage]:
        """Requests of a run."""
        return list(map(self.decode, values))

    def __init__(self) -> None:
        self.slots: dict[str, int] = {}
        self.keys: list[bytes] = []
        self.open: dict[int, tuple[NDArray[np.uint32], NDArray[np.uint64]]] = {}
        """Minute to requests and tokens by slot."""
        self.offset = np.full(1024, -1, np.int64)
        self.touched = np.zeros(1024, np.bool_)
        self.watermark = Watermark(lateness_ms=LATENESS_S * 1000)  # of the fleet's interface; not used
        self.closed_hour = -(2**31)  # likewise
        self.newest_ms = NOTHING
        self.applied_offset = -1
        self.events = self.late = 0

    def process(
        self,
        events: Sequence[Usage],
        offsets: Sequence[int] | None = None,
        origins: Sequence[Origin | None] | NDArray[Any] | None = None,
    ) -> PlaneOutput:
        """Count a run, close the minutes that are over."""
        if not events or offsets is None:
            return PlaneOutput()
        offset = np.asarray(offsets, np.int64)
        slot = self._find([event.account_id for event in events])
        time_ms = np.fromiter((event.time.timestamp() for event in events), np.float64) * 1000
        minute = np.rint(time_ms).astype(np.int64) // MINUTE_MS
        tokens = np.fromiter((event.input_tokens + event.output_tokens for event in events), np.uint64)
        new = (offset > self.applied_offset) & (offset > self.offset[slot])
        late = minute < self._first_open()
        self.late += int((new & late).sum())
        new &= ~late
        self.events += int(new.sum())
        for number in np.unique(minute[new]).tolist():
            here = new & (minute == number)
            requests, sums = self._window(number)
            np.add.at(requests, slot[here], np.uint32(1))
            np.add.at(sums, slot[here], tokens[here])
        self.touched[slot[new]] = True
        np.maximum.at(self.offset, slot, offset)
        self.applied_offset = max(self.applied_offset, int(offset[-1]))
        self.newest_ms = max(self.newest_ms, int(time_ms.max()))
        output = PlaneOutput()
        for number in sorted(number for number in self.open if number < self._first_open()):
            self._close(number, output)
        return output

    def _first_open(self) -> int:
        """The first minute that is not over."""
        return (self.newest_ms - LATENESS_S * 1000) // MINUTE_MS

    def _find(self, accounts: list[str]) -> NDArray[np.intp]:
        slots = self.slots
        for account in accounts:
            if account not in slots:
                slots[account] = len(slots)
                self.keys.append(f"default:{account}".encode())
        while len(slots) > len(self.offset):
            self.offset = np.concatenate([self.offset, np.full_like(self.offset, -1)])
            self.touched = np.concatenate([self.touched, np.zeros_like(self.touched)])
            for number, columns in self.open.items():
                self.open[number] = tuple(np.concatenate([one, np.zeros_like(one)]) for one in columns)
        return np.fromiter((slots[account] for account in accounts), np.intp, len(accounts))

    def _window(self, minute: int) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
        if minute not in self.open:
            size = len(self.offset)
            self.open[minute] = (np.zeros(size, np.uint32), np.zeros(size, np.uint64))
        return self.open[minute]

    def _close(self, minute: int, output: PlaneOutput) -> None:
        requests, tokens = self.open.pop(minute)
        start = utc_from_ms(minute * MINUTE_MS)
        for slot in np.flatnonzero(requests > FLAG_ABOVE).tolist():
            output.profiles.append(
                AccountWindow(
                    tenant_id="default",
                    account_id=self.keys[slot].decode().partition(":")[2],
                    window_start=start,
                    window_s=WINDOW_S,
                    requests=int(requests[slot]),
                    output_tokens=int(tokens[slot]),
                )
            )

    def take_changes(self) -> list[tuple[bytes, bytes | None]]:
        """One record for each account touched since the last call, the partition's own last."""
        slots = np.flatnonzero(self.touched)
        self.touched[:] = False
        minutes = sorted(self.open)
        rows = np.zeros((len(slots), len(minutes)), OPEN_MINUTE)
        for column, minute in enumerate(minutes):
            requests, tokens = self.open[minute]
            rows["minute"][:, column] = minute
            rows["requests"][:, column] = requests[slots]
            rows["tokens"][:, column] = tokens[slots]
        offsets, data = self.offset[slots].tobytes(), rows.tobytes()
        size = len(minutes) * OPEN_MINUTE.itemsize
        records: list[tuple[bytes, bytes | None]] = [
            (self.keys[slot], offsets[8 * row : 8 * row + 8] + data[size * row : size * row + size])
            for row, slot in enumerate(slots.tolist())
        ]
        progress = Progress(self.applied_offset, self.newest_ms)
        records.append((PARTITION_KEY, msgspec.msgpack.encode(progress)))
        return records

    def restore(self, records: Iterable[tuple[bytes, bytes | None]]) -> None:
        """Apply changelog records, oldest first."""
        for key, value in records:
            if key == PARTITION_KEY and value is not None:
                progress = msgspec.msgpack.decode(value, type=Progress)
                self.applied_offset, self.newest_ms = progress.applied_offset, progress.newest_ms
            elif value is not None:
                slot = int(self._find([key.decode().partition(":")[2]])[0])
                self.offset[slot] = np.frombuffer(value[:8], np.int64)[0]
                for row in np.frombuffer(value[8:], OPEN_MINUTE):
                    requests, tokens = self._window(int(row["minute"]))
                    requests[slot], tokens[slot] = row["requests"], row["tokens"]
        for minute in [minute for minute in self.open if minute < self._first_open()]:
            del self.open[minute]

    def mark_idle(self, source: int, partition: int) -> None:
        """Nothing: event time comes from this partition alone."""

    def close_windows(self) -> PlaneOutput:
        """Nothing: the job ends with a record that closes everything."""
        return PlaneOutput()

    def stats(self) -> dict[str, Any]:
        """As the account plane's."""
        none = dict.fromkeys(("open_findings", "leaked", "duplicate_events", "evicted_accounts"), 0)
        return {"accounts": len(self.slots), "events": self.events, "late_events": self.late, **none}
