"""`Lines`: the simulated requests as JSON lines of the native format, a slice of time at once.

The same requests as `streams.simulation.traffic.Traffic` gives for the same scenario; words come as
fingerprints from a bank (`streams.simulation.content`) or not at all. Each slice is drawn by column and
joined by column: there is no step for a single request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import starmap
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.simulation.calls import LONGEST_RUN, Calls, CallStream
from streams.simulation.content import Content
from streams.simulation.traffic import CACHED_ACCOUNTS, Traffic
from streams.simulation.usage import FAULTS, MODEL_NAMES, Usage, drawn

Ints = NDArray[np.int64]

AHEAD = 4
"""Slices that are drawn while the words of one are still being written."""


def _texts(values: Iterable[str]) -> pa.Array:
    return pa.array(values, pa.large_string())


_NOTHING = pa.scalar("", pa.large_string())
# What stands between two columns is kept with one of them: each column takes as long as its texts do.
_ENDS = _texts(
    f',{end},"duration_s":'
    for end in (
        *(f'"status":"failure","http_status":{http},"error_type":"{error}"' for http, error in FAULTS),
        '"http_status":200,"finish_reasons":["stop"]',
        '"http_status":200,"finish_reasons":["length"]',
    )
)
_MODELS = _texts(
    f'"request_model":"{name}","stream":{stream},"message_count":'
    for name in MODEL_NAMES
    for stream in ("false", "true")
)
_MESSAGES = _texts(f'{number},"input_tokens":' for number in range(2 * LONGEST_RUN))
_MILLISECONDS = _texts(f'.{number:03}Z",' for number in range(1000))
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
        self._bank = _Bank()
        self._starts = _Starts(traffic)
        self.population = traffic.population

    def records(self, part: Slice) -> Iterator[tuple[bytes, bytes]]:
        """Record key and JSON object of each request."""
        keys = (self._traffic.account(row).key for row in part.account.tolist())
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
        draft = Draft(calls, drawn(self.population, calls, rng), *self._starts.of(calls.account))
        if self._content is None:
            return draft, 0
        said, size = self._content.ask(calls)
        return draft._replace(said=said), size

    def _finish(self, draft: Draft, size: int) -> Draft:
        """With words."""
        if self._content is None:
            return draft
        self._content.have(size)
        self._bank.extend(self._content.kept[len(self._bank) :])
        return draft._replace(bank=self._bank.texts())


class Draft(NamedTuple):
    """All that a slice says, in columns of numbers."""

    calls: Calls
    usage: Usage
    starts: pa.Array
    """What accounts always send."""
    where: Ints
    """Of each request, its account's place among `starts`."""
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
        times = _texts(f'","time":"{one}' for one in np.datetime_as_string(seconds).tolist())
        again, served = calls.attempt > 0, usage.end_user >= 0
        thinks = _REASONING[usage.model] & ~calls.failed
        streams = usage.stream & ~calls.failed
        said = "}\n" if self.bank is None else self.bank.take(pa.array(self.said))
        data = _joined(
            self.starts.take(pa.array(self.where)),
            _digits(calls.event),
            *([_where(again, ".", calls.attempt[again])] if again.any() else []),
            times.take(pa.array(second - second.min())),
            _MILLISECONDS.take(pa.array(millisecond)),
            _where(talks, '"conversation_id":"conv-', calls.visit[talks], '",'),
            _where(served, '"end_user_id":"user-', usage.end_user[served], '",'),
            _MODELS.take(pa.array(2 * usage.model + usage.stream)),
            _MESSAGES.take(pa.array(np.where(talks, 2 * calls.turn + 1, 1))),
            _digits(usage.tokens_in),
            ',"output_tokens":',
            _digits(usage.tokens_out),
            _where(thinks, ',"reasoning_output_tokens":', usage.tokens_out[thinks] * 6 // 10),
            _ENDS.take(pa.array(np.where(calls.failed, usage.fault, usage.cut + len(FAULTS)))),
            _digits(usage.duration_s),
            _where(streams, ',"time_to_first_chunk_s":', usage.first_s[streams]),
            said,
        )
        _, offsets, texts = data.buffers()
        ends = np.frombuffer(offsets, np.int64, len(data) + 1)[1:]
        return Slice(calls.time_ms, calls.account, memoryview(texts)[: int(ends[-1])], ends)


class _Starts:
    """What accounts always send, described when they first ask; all anew when there are too many."""

    def __init__(self, traffic: Traffic) -> None:
        self._describe = traffic.account
        accounts = traffic.population.size
        self._place = np.full(accounts, -1)
        self._talks = np.zeros(accounts, np.bool_)
        self._bank = _Bank()

    def of(self, account: Ints) -> tuple[pa.Array, Ints, NDArray[np.bool_]]:
        """Texts, the place of each account among them, and whether its requests are talks."""
        if len(self._bank) > CACHED_ACCOUNTS:
            self._place[:] = -1
            self._bank = _Bank()
        new = np.unique(account[self._place[account] < 0])
        described = [self._describe(row) for row in new.tolist()]
        self._place[new] = len(self._bank) + np.arange(len(new))
        self._talks[new] = [one.talks for one in described]
        self._bank.extend([one.constant + b'"event_id":"evt-' for one in described])
        return self._bank.texts(), self._place[account], self._talks[account]


class _Bank:
    """Texts in one piece of memory that grows at its end: from several Arrow takes by joining them first."""

    def __init__(self) -> None:
        self._data = np.empty(1 << 20, np.uint8)
        self._ends = np.zeros(1 << 14, np.int64)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def extend(self, encoded: Sequence[bytes]) -> None:
        data = np.frombuffer(b"".join(encoded), np.uint8)
        first, size = int(self._ends[self._size]), self._size + len(encoded)
        self._data = _roomy(self._data, first + len(data))
        self._data[first : first + len(data)] = data
        self._ends = _roomy(self._ends, size + 1)
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        self._ends[self._size + 1 : size + 1] = first + np.cumsum(lengths)
        self._size = size

    def texts(self) -> pa.Array:
        """All of them."""
        buffers = [None, pa.py_buffer(self._ends), pa.py_buffer(self._data)]
        return pa.Array.from_buffers(pa.large_string(), self._size, buffers)


def _roomy(values: NDArray[Any], size: int) -> NDArray[Any]:
    """The same values with room for so many, twice as much as before where there was none."""
    if size <= len(values):
        return values
    roomy = np.empty(max(size, 2 * len(values)), values.dtype)
    roomy[: len(values)] = values
    return roomy


def _joined(*columns: str | pa.Array) -> pa.Array:
    """Rows of the columns, one after the other."""
    return pc.binary_join_element_wise(*map(_text, columns), _NOTHING)


def _text(column: str | pa.Array) -> Any:
    return pa.scalar(column, pa.large_string()) if isinstance(column, str) else column


def _digits(numbers: NDArray[Any]) -> pa.Array:
    """Numbers as JSON has them."""
    return pc.cast(pa.array(numbers), pa.large_string())


def _where(mask: NDArray[np.bool_], before: str, numbers: NDArray[Any], after: str = "") -> pa.Array:
    """Texts around numbers in the places of the mask, nothing elsewhere."""
    found = pa.concat_arrays([_joined(before, _digits(numbers), after), _texts([""])])
    return found.take(pa.array(np.where(mask, np.cumsum(mask) - 1, len(numbers))))
