"""`Traffic`: the simulated requests as records of the native raw topic, in time order.

A record holds `RequestEvent` fields and, with `text`, the raw ``prompt`` and ``system_prompt`` that INGEST
turns into fingerprints. What an account always sends is encoded once and kept; only the rest is encoded
for each request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from schemas.finding import utc_from_ms
from streams.simulation.calls import Calls, CallStream
from streams.simulation.constants import Constants
from streams.simulation.population import Population, Truth, Voice
from streams.simulation.scenario import Scenario
from streams.simulation.text.writers import WRITERS, Writer
from streams.simulation.usage import FAULTS, MODEL_NAMES, TALKING, drawn

CACHED_ACCOUNTS = 50_000
"""Accounts whose key and voices are kept, some hundred bytes each."""
_CHARS_PER_TOKEN = 4


class Record(NamedTuple):
    """One record for the raw topic."""

    time_ms: int
    key: bytes
    value: bytes
    """JSON."""


class _Request(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What differs from request to request."""

    event_id: str
    time: datetime
    conversation_id: str | None = None
    end_user_id: str | None = None
    request_model: str
    stream: bool
    message_count: int
    input_tokens: int
    output_tokens: int = 0
    reasoning_output_tokens: int | None = None
    status: Literal["success", "failure"] = "success"
    http_status: int
    error_type: str | None = None
    finish_reasons: tuple[str, ...] = ()
    duration_s: float
    time_to_first_chunk_s: float | None = None
    prompt: str | None = None
    system_prompt: str | None = None


class Traffic:
    """Requests of a scenario.

    Args:
        scenario: what to simulate; the same one gives the same records, byte for byte.
        text: with raw prompts. Without them generation is several times faster.
        writers: who writes them, by the names of `WRITERS`.

    Attributes:
        constants: what each account always sends.
        key: record key of a row of the population.
    """

    def __init__(
        self, scenario: Scenario, *, text: bool = True, writers: Mapping[str, Writer] = WRITERS
    ) -> None:
        self.scenario = scenario
        self._writers = writers
        self.population = Population(scenario)
        self.text = text
        self._encoder = msgspec.json.Encoder()
        self.constants = Constants(self.population)
        self.key = lru_cache(maxsize=CACHED_ACCOUNTS)(self._key)
        self._voices = lru_cache(maxsize=CACHED_ACCOUNTS)(self._voices_of)

    def truth(self) -> Truth:
        """Who the attackers are."""
        return self.population.truth()

    def __iter__(self) -> Iterator[Record]:
        """Records in time order. Every iteration starts from the beginning."""
        rng = np.random.default_rng(np.random.SeedSequence([self.scenario.seed, 3]))
        for calls in CallStream(self.population):
            if len(calls.time_ms):
                yield from self._records(calls, rng)

    def _key(self, row: int) -> bytes:
        return f"{self.scenario.tenant_id}:{self.population.account_id(row)}".encode()

    def _voices_of(self, row: int) -> tuple[Voice, Voice]:
        """What an account writes as a rule, and in its own words."""
        return self.population.voice(row), self.population.own_voice(row)

    def _records(self, calls: Calls, rng: np.random.Generator) -> Iterator[Record]:
        """Records of one slice: numbers drawn by column, then written row by row."""
        usage = drawn(self.population, calls, rng)
        aside = self.population.is_aside(calls.account, calls.event, calls.time_ms)
        talks = TALKING[self.population.habit[calls.account]]
        starts, where = self.constants.of(calls.account)
        constants = starts.take(pa.array(where)).cast(pa.large_binary()).to_pylist()
        columns = (column.tolist() for column in (talks, *calls, aside, *usage))
        for row in zip(constants, *columns, strict=True):
            yield self._record(*row)

    def _record(
        self,
        constant: bytes,
        talks: bool,
        time_ms: int,
        row: int,
        visit: int,
        turn: int,
        event: int,
        attempt: int,
        failed: bool,
        aside: bool,
        tokens_in: int,
        tokens_out: int,
        cut: bool,
        first_s: float,
        duration_s: float,
        model: int,
        end_user: int,
        stream: bool,
        fault: int,
    ) -> Record:
        prompt = system = None
        if self.text:
            voice = self._voices(row)[aside]
            prompt, system = self._writers[voice.writer](voice.seed_of(event), visit, turn, event)
            tokens_in = max(tokens_in, (len(prompt) + len(system or "")) // _CHARS_PER_TOKEN)
        http_status, error_type = FAULTS[fault] if failed else (200, None)
        name = MODEL_NAMES[model]
        request = _Request(
            event_id=f"evt-{event}.{attempt}" if attempt else f"evt-{event}",
            time=utc_from_ms(time_ms),
            conversation_id=f"conv-{visit}" if talks else None,
            end_user_id=f"user-{end_user}" if end_user >= 0 else None,
            request_model=name,
            stream=stream,
            message_count=2 * turn + 1 if talks else 1,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            reasoning_output_tokens=tokens_out * 6 // 10 if "reason" in name and not failed else None,
            status="failure" if failed else "success",
            http_status=http_status,
            error_type=error_type,
            finish_reasons=() if failed else ("length",) if cut else ("stop",),
            duration_s=duration_s,
            time_to_first_chunk_s=first_s if stream and not failed else None,
            prompt=prompt,
            system_prompt=system,
        )
        return Record(time_ms, self.key(row), constant + self._encoder.encode(request)[1:])
