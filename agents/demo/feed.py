"""`Feed`: simulated records onto the raw topic, event time running faster than the clock."""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from time import monotonic

import msgspec
from aiokafka import AIOKafkaProducer

from infra.kafka.connection import Connection
from schemas.topics import RAW_NATIVE
from streams.simulation.scenario import Scenario
from streams.simulation.traffic import Traffic

STEP_S = 0.05
"""Records are sent in steps of this length."""
STEP_RECORDS = 500
"""Most records sent without a look at the clock."""


class _Outcome(msgspec.Struct):
    """The one fact the feed keeps of a record."""

    status: str = "success"


_outcome = msgspec.json.Decoder(_Outcome)


class Feed:
    """Sends a scenario in about `seconds`.

    Args:
        connection: the bus.
        scenario: what to send.
        seconds: wall time it should take; more where the fleet cannot follow.
        room: whether the fleet can take more just now.

    Attributes:
        sent: records so far.
        position_ms: event time reached.
        held_s: time spent waiting for the fleet.
    """

    def __init__(
        self, connection: Connection, scenario: Scenario, seconds: float, room: Callable[[], bool]
    ) -> None:
        self._connection = connection
        self._scenario = scenario
        self._seconds = seconds
        self._room = room
        self._traffic = Traffic(scenario)
        self.truth = self._traffic.truth()
        """Who the attackers are. Known here and to the verdict, never sent."""
        self._answers = {
            f"{scenario.tenant_id}:{account}".encode(): array("q")
            for accounts in self.truth.campaigns.values()
            for account in accounts
        }
        self.sent = 0
        self.position_ms = scenario.start_ms
        self.held_s = 0.0

    @property
    def progress(self) -> float:
        """Share of the event time that is sent."""
        done = self.position_ms - self._scenario.start_ms
        return min(1.0, done / (self._scenario.end_ms - self._scenario.start_ms))

    def answers(self, accounts: Iterable[str], until_ms: int | None = None) -> int:
        """Completed answers these attackers were sent, up to and with `until_ms`."""
        times = [self._answers[f"{self._scenario.tenant_id}:{account}".encode()] for account in accounts]
        return sum(len(one) if until_ms is None else bisect_right(one, until_ms) for one in times)

    async def run(self) -> None:
        """Send everything; returns when the bus has it all.

        Raises:
            KafkaError: the bus does not take it.
        """
        producer = AIOKafkaProducer(**self._connection.client_options(), linger_ms=20, acks="all")
        await producer.start()
        try:
            await self._send(producer)
            await producer.flush()
        finally:
            await producer.stop()
        self.position_ms = self._scenario.end_ms

    async def _send(self, producer: AIOKafkaProducer) -> None:
        scenario = self._scenario
        speed = (scenario.end_ms - scenario.start_ms) / self._seconds  # event ms per wall s
        begun = monotonic()
        for record in self._traffic:
            ahead = (record.time_ms - scenario.start_ms) / speed - (monotonic() - begun - self.held_s)
            if ahead > STEP_S or self.sent % STEP_RECORDS == 0:
                await asyncio.sleep(max(ahead, 0.0))
                await self._wait_for_room()
            await producer.send(RAW_NATIVE.name, record.value, key=record.key)
            self.sent += 1
            self.position_ms = record.time_ms
            times = self._answers.get(record.key)
            if times is not None and _outcome.decode(record.value).status == "success":
                times.append(record.time_ms)

    async def _wait_for_room(self) -> None:
        since = monotonic()
        while not self._room():
            await asyncio.sleep(STEP_S)
        self.held_s += monotonic() - since
