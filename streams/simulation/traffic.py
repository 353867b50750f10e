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

from schemas.finding import utc_from_ms
from streams.simulation.calls import Calls, CallStream
from streams.simulation.habits import HABITS
from streams.simulation.identity import CLIENTS, COUNTRIES, NOBODY, digest, tls_fingerprint
from streams.simulation.population import Population, Truth, Voice
from streams.simulation.scenario import Scenario
from streams.simulation.text.writers import WRITERS, Writer
from streams.simulation.usage import FAULTS, MODEL_NAMES, TALKS, drawn

CACHED_ACCOUNTS = 50_000
"""Accounts whose constant part is kept encoded, about 1 kB each."""
_CHARS_PER_TOKEN = 4


class Record(NamedTuple):
    """One record for the raw topic."""

    time_ms: int
    key: bytes
    value: bytes
    """JSON."""


class _Constant(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What every request of an account carries. Names as in `schemas.event.RequestEvent`."""

    schema_version: int
    tenant_id: str
    account_id: str
    organization_id: str | None = None
    credential_id: str
    account_created_at: datetime
    account_plan: str
    account_verified: bool
    payment_hash: str
    email_domain_hash: str
    device_hash: str | None = None
    provider: str
    temperature: float | None = None
    max_tokens: int | None = None
    tool_count: int | None = None
    client_network_hash: str
    client_asn: int
    client_country: str
    user_agent: str
    tls_fingerprint: str


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


class _Account(NamedTuple):
    """What is kept of an account."""

    key: bytes
    constant: bytes
    """JSON object without its closing brace."""
    voice: Voice
    own: Voice
    talks: bool


class Traffic:
    """Requests of a scenario.

    Args:
        scenario: what to simulate; the same one gives the same records, byte for byte.
        text: with raw prompts. Without them generation is several times faster.
        writers: who writes them, by the names of `WRITERS`.
    """

    def __init__(
        self, scenario: Scenario, *, text: bool = True, writers: Mapping[str, Writer] = WRITERS
    ) -> None:
        self.scenario = scenario
        self._writers = writers
        self.population = Population(scenario)
        self.text = text
        self._encoder = msgspec.json.Encoder()
        self.account = lru_cache(maxsize=CACHED_ACCOUNTS)(self._describe)

    def truth(self) -> Truth:
        """Who the attackers are."""
        return self.population.truth()

    def __iter__(self) -> Iterator[Record]:
        """Records in time order. Every iteration starts from the beginning."""
        rng = np.random.default_rng(np.random.SeedSequence([self.scenario.seed, 3]))
        for calls in CallStream(self.population):
            if len(calls.time_ms):
                yield from self._records(calls, rng)

    def _describe(self, row: int) -> _Account:
        """The constant part of an account's requests."""
        population, seed = self.population, self.scenario.seed
        identity = population.identity
        campaign = int(population.campaign[row])
        habit = HABITS[int(population.habit[row])] if campaign == NOBODY else None
        country, _, _ = COUNTRIES[int(identity.country[row])]
        organisation, client = int(identity.organisation[row]), int(identity.client[row])
        account_id = population.account_id(row)
        temperature = float(population.temperature[row])
        constant = _Constant(
            schema_version=1,
            tenant_id=self.scenario.tenant_id,
            account_id=account_id,
            organization_id=None if organisation == NOBODY else f"org-{organisation:x}",
            credential_id=digest("credential", seed, row)[12:28],
            account_created_at=utc_from_ms(int(identity.created_ms[row])),
            account_plan=habit.plans[int(population.plan[row])] if habit else "pro",
            provider="tern",
            account_verified=bool(identity.verified[row]),
            payment_hash=digest("payment", seed, int(identity.payment[row])),
            email_domain_hash=digest("email_domain", seed, int(identity.email_domain[row])),
            # a server has no device to fingerprint
            device_hash=(
                digest("device", seed, int(identity.device[row]))
                if CLIENTS[client].startswith("Mozilla")
                else None
            ),
            temperature=None if np.isnan(temperature) else temperature,
            max_tokens=int(population.max_tokens[row]) or None,
            tool_count=int(population.tools[row]) or None,
            client_network_hash=digest("network", seed, int(identity.network[row])),
            client_asn=64_512 + int(identity.asn[row]),
            client_country=country,
            user_agent=CLIENTS[client],
            tls_fingerprint=tls_fingerprint(client),
        )
        return _Account(
            key=f"{self.scenario.tenant_id}:{account_id}".encode(),
            constant=self._encoder.encode(constant)[:-1] + b",",
            voice=population.voice(row),
            own=population.own_voice(row),
            talks=habit is not None and habit.name in TALKS,
        )

    def _records(self, calls: Calls, rng: np.random.Generator) -> Iterator[Record]:
        """Records of one slice: numbers drawn by column, then written row by row."""
        usage = drawn(self.population, calls, rng)
        aside = self.population.is_aside(calls.account, calls.event, calls.time_ms)
        for row in zip(*(column.tolist() for column in (*calls, aside, *usage)), strict=True):
            yield self._record(*row)

    def _record(
        self,
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
        who = self.account(row)
        prompt = system = None
        if self.text:
            voice = who.own if aside else who.voice
            prompt, system = self._writers[voice.writer](voice.seed_of(event), visit, turn, event)
            tokens_in = max(tokens_in, (len(prompt) + len(system or "")) // _CHARS_PER_TOKEN)
        http_status, error_type = FAULTS[fault] if failed else (200, None)
        name = MODEL_NAMES[model]
        request = _Request(
            event_id=f"evt-{event}.{attempt}" if attempt else f"evt-{event}",
            time=utc_from_ms(time_ms),
            conversation_id=f"conv-{visit}" if who.talks else None,
            end_user_id=f"user-{end_user}" if end_user >= 0 else None,
            request_model=name,
            stream=stream,
            message_count=2 * turn + 1 if who.talks else 1,
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
        return Record(time_ms, who.key, who.constant + self._encoder.encode(request)[1:])
