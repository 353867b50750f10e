"""Workers and broker come and go at random, and in the end every number is as if nothing had happened.

Scripted by seed: join, SIGTERM, kill -9, a freeze longer than the session (SIGSTOP), a broker crash. A
worker that ends by itself is started again, as any supervisor would.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable

import pytest

from infra.kafka.embedded import EmbeddedKafka
from tests.chaos.traffic import traffic
from tests.chaos.verdict import check
from tests.integration.fleet import TestFleet, Worker, feed

pytestmark = [pytest.mark.chaos, pytest.mark.integration]

MOST_WORKERS = 3
FREEZE_S = 8.0
PAUSE_S = (1.0, 4.0)


class Storm:
    """Disturbs a fleet until told to stop."""

    def __init__(self, fleet: TestFleet, seed: int, actions: dict[str, int]) -> None:
        self.fleet = fleet
        self.rng = random.Random(seed)
        self.actions = actions
        self.done: list[str] = []
        self.over = False
        self._thaws: set[asyncio.Task[None]] = set()

    async def blow(self) -> None:
        while not self.over:
            await asyncio.sleep(self.rng.uniform(*PAUSE_S))
            name = self.rng.choices(list(self.actions), list(self.actions.values()))[0]
            self.done.append(name)
            await getattr(self, name)()
            if not self._awake():
                self.fleet.start_worker()
        await asyncio.gather(*self._thaws)

    def _awake(self) -> list[Worker]:
        return [worker for worker in self.fleet.running if not worker.frozen]

    async def join(self) -> None:
        if len(self.fleet.running) < MOST_WORKERS:
            self.fleet.start_worker()

    async def leave(self) -> None:
        if self._awake():
            worker = self.rng.choice(self._awake())
            # in order; or the bus was away; or it had not even begun to listen
            assert await asyncio.to_thread(worker.stop, 60) in (0, 1, -signal.SIGTERM)

    async def kill(self) -> None:
        if self.fleet.running:
            self.rng.choice(self.fleet.running).kill()

    async def freeze(self) -> None:
        if self._awake():
            worker = self.rng.choice(self._awake())
            worker.frozen = True
            worker.process.send_signal(signal.SIGSTOP)
            self._thaws.add(asyncio.create_task(self._thaw(worker)))

    async def _thaw(self, worker: Worker) -> None:
        await asyncio.sleep(FREEZE_S)
        worker.frozen = False
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGCONT)

    async def broker(self) -> None:
        self.fleet.broker.kill()
        await asyncio.sleep(1)
        await asyncio.to_thread(self.fleet.broker.start)


async def storm(
    kafka_factory: Callable[..., EmbeddedKafka], seed: int, count: int, actions: dict[str, int]
) -> None:
    fleet = TestFleet(kafka_factory())
    try:
        await fleet.prepare("session_timeout_s = 5\ncommit_stall_s = 60")
        events = traffic(seed, count)
        for _ in range(2):
            fleet.start_worker()
        await fleet.until(lambda all_: any(status.state == "running" for status in all_))
        weather = Storm(fleet, seed, actions)
        blowing = asyncio.create_task(weather.blow())
        await feed(fleet.connection, events, per_s=count / 20)
        weather.over = True
        await blowing
        print(f"seed {seed}: {' '.join(weather.done)}")
        if not fleet.running:
            fleet.start_worker()
        keeping = asyncio.create_task(keep_one(fleet))
        await check(fleet, events)
        keeping.cancel()
    finally:
        fleet.close()
        fleet.broker.stop()


async def keep_one(fleet: TestFleet) -> None:
    """What a supervisor does: a worker that ended (frozen too long, say) is started again."""
    while True:
        if not fleet.running:
            fleet.start_worker()
        await asyncio.sleep(0.5)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(20))
async def test_a_storm_leaves_no_trace(kafka_factory: Callable[..., EmbeddedKafka], seed: int) -> None:
    actions = {"join": 3, "leave": 2, "kill": 3, "freeze": 2, "broker": 1}
    await storm(kafka_factory, seed, 60_000, actions)
