"""`Lines`: the simulated requests as JSON lines of the native format, a slice of time at once.

The same requests as `streams.simulation.traffic.Traffic` gives for the same scenario; words come as
fingerprints from a bank (`streams.simulation.content`) or not at all. Each slice is drawn by column and
joined by column: there is no step for a single request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import starmap
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streams.simulation.calls import LONGEST_RUN, Calls, CallStream
from streams.simulation.content import Content
from streams.simulation.text_columns import TextBank, joined, texts, where
from streams.simulation.traffic import Traffic
from streams.simulation.usage import FAULTS, MODEL_NAMES, TALKING, Usage, drawn

Ints = NDArray[np.int64]

AHEAD = 4
"""Slices that are drawn while the words of one are still being written."""


# What stands between two columns is kept with one of them: each column takes as long as its texts do.
_ENDS = texts(
    f',{end},"duration_s":'
    for end in (
        *(f'"status":"failure","http_status":{http},"error_type":"{error}"' for http, error in FAULTS),
        '"http_status":200,"finish_reasons":["stop"]',
        '"http_status":200,"finish_reasons":["length"]',
    )
)
_MODELS = texts(
    f'"request_model":"{name}","stream":{stream},"message_count":'
    for name in MODEL_NAMES
    for stream in ("false", "true")
)
_MESSAGES = texts(f'{number},"input_tokens":' for number in range(2 * LONGEST_RUN))
_MILLISECONDS = texts(f'.{number:03}Z",' for number in range(1000))
_REASONING = np.array(["reason" in name for name in MODEL_NAMES])


class Slice(NamedTuple):
    """Requests of one slice, in time order."""

    time_ms: Ints
    account: Ints
    """Rows of the population."""
    data: memoryview
    """JSON objects, each with a line feed at its end."""
    ends: Ints
    """Place after each."""

    @property
    def lines(self) -> Iterator[bytes]:
        """Each object by itself, without its line feed."""
        start = 0
        for end in self.ends.tolist():
            yield bytes(self.data[start : end - 1])
            start = end


class Lines:
    """Requests of a scenario.

    Args:
        traffic: of the scenario; says what each account always sends.
        content: bank of ``endings``, to take fingerprints from; `None`: no content.
    """

    def __init__(self, traffic: Traffic, content: Content[bytes] | None = None) -> None:
        self._traffic = traffic
        self._content = content
        self._bank = TextBank()
        self.population = traffic.population

    def records(self, part: Slice) -> Iterator[tuple[bytes, bytes]]:
        """Record key and JSON object of each request."""
        keys = (self._traffic.key(row) for row in part.account.tolist())
        return zip(keys, part.lines, strict=True)

    def __iter__(self) -> Iterator[Slice]:
        return (draft.write() for draft in self.drafts())

    def drafts(self) -> Iterator[Draft]:
        """Slices yet to be written, which may be done out of order and in other threads."""
        rng = np.random.default_rng(np.random.SeedSequence([self._traffic.scenario.seed, 3]))
        begun: deque[tuple[Draft, int]] = deque()
        for calls in CallStream(self.population):
            if len(calls.time_ms):
                begun.append(self._begin(calls, rng))
                if len(begun) > AHEAD:
                    yield self._finish(*begun.popleft())
        yield from starmap(self._finish, begun)

    def _begin(self, calls: Calls, rng: np.random.Generator) -> tuple[Draft, int]:
        """A slice without its words, and how many the bank must have for them."""
        talks = TALKING[self.population.habit[calls.account]]
        usage = drawn(self.population, calls, rng)
        draft = Draft(calls, usage, *self._traffic.constants.of(calls.account), talks)
        if self._content is None:
            return draft, 0
        said, size = self._content.ask(calls)
        return draft._replace(said=said), size

    def _finish(self, draft: Draft, size: int) -> Draft:
        """With words."""
        if self._content is None:
            return draft
        self._content.have(size)
        self._bank.extend(texts(self._content.kept[len(self._bank) :]))
        return draft._replace(bank=self._bank.all())


class Draft(NamedTuple):
    """All that a slice says, in columns of numbers."""

    calls: Calls
    usage: Usage
    starts: pa.Array
    """What accounts always send."""
    place: Ints
    """Of each request, its account's among `starts`."""
    talks: NDArray[np.bool_]
    said: Ints | None = None
    """Of each request, its words' place in `bank`."""
    bank: pa.Array | None = None
    """Ends of lines."""

    def write(self) -> Slice:
        """The slice. Nearly all of it is Arrow's work, which lets other threads run."""
        calls, usage, talks = self.calls, self.usage, self.talks
        second, millisecond = np.divmod(calls.time_ms, 1000)
        seconds = np.arange(second.min(), second.max() + 1).astype("M8[s]")
        times = texts(f'","time":"{one}' for one in np.datetime_as_string(seconds).tolist())
        again, served = calls.attempt > 0, usage.end_user >= 0
        thinks = _REASONING[usage.model] & ~calls.failed
        streams = usage.stream & ~calls.failed
        said = "}\n" if self.bank is None else self.bank.take(pa.array(self.said))
        data = joined(
            self.starts.take(pa.array(self.place)),
            '"event_id":"evt-',
            calls.event,
            *([where(again, ".", calls.attempt[again])] if again.any() else []),
            times.take(pa.array(second - second.min())),
            _MILLISECONDS.take(pa.array(millisecond)),
            where(talks, '"conversation_id":"conv-', calls.visit[talks], '",'),
            where(served, '"end_user_id":"user-', usage.end_user[served], '",'),
            _MODELS.take(pa.array(2 * usage.model + usage.stream)),
            _MESSAGES.take(pa.array(np.where(talks, 2 * calls.turn + 1, 1))),
            usage.tokens_in,
            ',"output_tokens":',
            usage.tokens_out,
            where(thinks, ',"reasoning_output_tokens":', usage.tokens_out[thinks] * 6 // 10),
            _ENDS.take(pa.array(np.where(calls.failed, usage.fault, usage.cut + len(FAULTS)))),
            usage.duration_s,
            where(streams, ',"time_to_first_chunk_s":', usage.first_s[streams]),
            said,
        )
        _, offsets, written = data.buffers()
        ends = np.frombuffer(offsets, np.int64, len(data) + 1)[1:]
        return Slice(calls.time_ms, calls.account, memoryview(written)[: int(ends[-1])], ends)
