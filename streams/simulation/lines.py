"""`Lines`: the simulated requests as JSON lines of the native format, as fast as Python writes them.

The same requests as `streams.simulation.traffic.Traffic` gives for the same scenario; words come as
fingerprints from a bank (`streams.simulation.content`) or not at all. Each slice of time is drawn by column
and written by one format string per request.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.simulation.calls import Calls, CallStream
from streams.simulation.content import Content
from streams.simulation.traffic import Traffic
from streams.simulation.usage import FAULTS, MODEL_NAMES, drawn

_ENDS = (
    *(f'"status":"failure","http_status":{http},"error_type":"{error}",' for http, error in FAULTS),
    '"http_status":200,"finish_reasons":["stop"],',
    '"http_status":200,"finish_reasons":["length"],',
)
_STREAM = ("false", "true")
_REASONING = np.array(["reason" in name for name in MODEL_NAMES])


class Slice(NamedTuple):
    """Requests of one slice, in time order."""

    time_ms: list[int]
    account: list[int]
    """Rows of the population."""
    lines: list[str]
    """JSON objects."""


class Lines:
    """Requests of a scenario.

    Args:
        traffic: of the scenario; says what each account always sends.
        content: bank to take fingerprints from, made with ``fragments``; `None`: no content.
    """

    def __init__(self, traffic: Traffic, content: Content | None = None) -> None:
        self._traffic = traffic
        self._content = content
        self.population = traffic.population

    def key(self, row: int) -> bytes:
        """Record key of an account."""
        return self._traffic.account(row).key

    def __iter__(self) -> Iterator[Slice]:
        rng = np.random.default_rng(np.random.SeedSequence([self._traffic.scenario.seed, 3]))
        for calls in CallStream(self.population):
            if len(calls.time_ms):
                yield self._written(calls, rng)

    def _written(self, calls: Calls, rng: np.random.Generator) -> Slice:
        usage = drawn(self.population, calls, rng)
        describe = self._traffic.account
        rows, where = np.unique(calls.account, return_inverse=True)
        accounts = [describe(row) for row in rows.tolist()]
        starts = [one.constant.decode() for one in accounts]
        talks = np.array([one.talks for one in accounts])[where]
        times = np.datetime_as_string(calls.time_ms.astype("M8[ms]")).tolist()
        # what most requests lack is written for the others only
        talking = _where(talks, [f'"conversation_id":"conv-{n:x}",' for n in calls.visit[talks].tolist()])
        served = usage.end_user >= 0
        users = _where(served, [f'"end_user_id":"user-{n:x}",' for n in usage.end_user[served].tolist()])
        thinks = _REASONING[usage.model] & ~calls.failed
        thought = (usage.tokens_out[thinks] * 6 // 10).tolist()
        thinking = _where(thinks, [f'"reasoning_output_tokens":{n},' for n in thought])
        streams = usage.stream & ~calls.failed
        chunks = _where(streams, [f',"time_to_first_chunk_s":{n}' for n in usage.first_s[streams].tolist()])
        again = calls.attempt > 0
        attempts = _where(again, [f".{n}" for n in calls.attempt[again].tolist()])
        end = np.where(calls.failed, usage.fault, usage.cut + len(FAULTS))
        turns = np.where(talks, 2 * calls.turn + 1, 1)
        said = [""] * len(times)
        if self._content is not None and self._content.fragments is not None:
            fragments = self._content.fragments
            said = [f",{fragments[row]}" for row in self._content.rows(calls).tolist()]
        columns = (
            where, calls.event, attempts, times, talking, users, usage.model, usage.stream, turns,
            usage.tokens_in, usage.tokens_out, thinking, end, usage.duration_s, chunks, said,
        )  # fmt: skip
        lists = (one if isinstance(one, list) else one.tolist() for one in columns)
        lines = [
            f'{starts[place]}"event_id":"evt-{event:x}{attempt}","time":"{time}Z",{talk}{user}'
            f'"request_model":"{MODEL_NAMES[model]}","stream":{_STREAM[stream]},"message_count":{turn},'
            f'"input_tokens":{used},"output_tokens":{gave},{thought}{_ENDS[ends]}"duration_s":{duration}'
            f"{chunk}{words}}}"
            for (
                place, event, attempt, time, talk, user, model, stream, turn, used, gave, thought, ends,
                duration, chunk, words,
            ) in zip(*lists, strict=True)
        ]  # fmt: skip
        return Slice(calls.time_ms.tolist(), calls.account.tolist(), lines)


def _where(mask: NDArray[np.bool_], texts: list[str]) -> list[str]:
    """`texts` in the places of the mask, nothing elsewhere."""
    found = np.full(len(mask), "", object)
    found[mask] = texts
    written: list[str] = found.tolist()
    return written
