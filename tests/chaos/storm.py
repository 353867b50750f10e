"""`storm`: workers and broker come and go at random, and in the end every number is as if nothing had been.

Scripted by seed: join, SIGTERM, kill -9, a freeze (SIGSTOP) longer than the session, a broker crash. A worker
that ends by itself is started again, as any supervisor would.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from dataclasses import dataclass

from agents.run_consumer import DELETED
from infra.kafka.embedded import EmbeddedKafka
from tests.chaos.traffic import traffic
from tests.chaos.verdict import Checked, check
from tests.integration.fleet import TestFleet, Worker, feed

ACTIONS = {"join": 3, "leave": 2, "kill": 3, "freeze": 2, "broker": 1}
"""What may happen, and how often beside the others."""
SETTINGS = "session_timeout_s = 5\ncommit_stall_s = 60"
CALM_S = 240
"""So long the fleet may take, after the storm, to have everything counted."""
MOST_WORKERS = 3
PAUSE_S = (1.0, 4.0)


class Storm:
    """Disturbs a fleet until told to stop."""

    def __init__(self, fleet: TestFleet, seed: int, freeze_s: float) -> None:
        self.fleet = fleet
        self.rng = random.Random(seed)
        self.freeze_s = freeze_s
        self.done: Counter[str] = Counter()
        self.over = False
        self._thaws: set[asyncio.Task[None]] = set()

    async def blow(self) -> None:
        while not self.over:
            await asyncio.sleep(self.rng.uniform(*PAUSE_S))
            name = self.rng.choices(list(ACTIONS), list(ACTIONS.values()))[0]
            self.done[name] += 1
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
        await asyncio.sleep(self.freeze_s)
        worker.frozen = False
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGCONT)

    async def broker(self) -> None:
        self.fleet.broker.kill()
        await asyncio.sleep(1)
        await asyncio.to_thread(self.fleet.broker.start)


@dataclass(frozen=True)
class Outcome:
    """What one storm did, and what was compared after it."""

    seed: int
    actions: Counter[str]
    checked: Checked


async def storm(broker: EmbeddedKafka, seed: int, requests: int, feed_s: float, freeze_s: float) -> Outcome:
    """Feed requests to two workers over some seconds, disturb them meanwhile, and check what came out.

    Raises:
        AssertionError: windows or findings differ from those of one undisturbed process, or a worker
            claims that records were lost.
    """
    fleet = TestFleet(broker)
    try:
        await fleet.prepare(SETTINGS)
        events = traffic(seed, requests)
        for _ in range(2):
            fleet.start_worker()
        await fleet.until(lambda all_: any(status.state == "running" for status in all_))
        weather = Storm(fleet, seed, freeze_s)
        blowing = asyncio.create_task(weather.blow())
        await feed(fleet.connection, events, per_s=requests / feed_s)
        weather.over = True
        await blowing
        keeping = asyncio.create_task(_keep_one(fleet))
        checked = await check(fleet, events, CALM_S)
        keeping.cancel()
        claims = [worker.log for worker in fleet.workers if DELETED in worker.log.read_text()]
        assert not claims, f"nothing was lost, whatever {claims} say"
        return Outcome(seed, weather.done, checked)
    finally:
        fleet.close()
        broker.stop()


async def _keep_one(fleet: TestFleet) -> None:
    """What a supervisor does: a worker that ended (frozen too long, say) is started again."""
    while True:
        if not fleet.running:
            fleet.start_worker()
        await asyncio.sleep(0.5)
