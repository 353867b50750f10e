"""The run transport: Faust's Kafka driver, handing over one message per run of records.

Stock Faust spends 60-80 us of asyncio machinery on every record. Here one Faust message is a *run*:
consecutive records of one partition, as fetched, undecoded (`agents.run_consumer`). Everything else stays
Faust's: the consumer group, rebalancing, flow control, agents, the commit timer.

Written for faust-streaming 0.15.3, mode 0.7 and aiokafka 0.14, which `pyproject.toml` pins.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import AppT

from agents.run_consumer import RunConsumer


class RunProducer(driver.Producer):  # type: ignore[misc]
    """Faust's own producer. The fleet writes through `agents.outbox`; this one only has to connect."""

    def _settings_extra(self) -> Mapping[str, Any]:
        options: Mapping[str, Any] = self.transport.client_options
        return options


async def _nothing() -> None:
    pass


def _nobody(topic: str, records: int) -> None:
    pass


class RunTransport(driver.Transport):  # type: ignore[misc]
    """Set on an app with ``app.transport = RunTransport(app, ...)``; all its topics then come in runs.

    Args:
        client_options: aiokafka client arguments: ``bootstrap_servers`` and security.
        run_records: most records in one run.
        aligned_topics: topics whose partitions are kept together, by when their records were produced.
        align_ms: how far a run may get ahead of the oldest record held of its topic.
    """

    Consumer = RunConsumer
    Producer = RunProducer

    drain: Callable[[], Awaitable[None]] = staticmethod(_nothing)
    """Called, repeatedly, while runs in hand are waited for: flush now what the agents would flush later."""

    lost: Callable[[str, int], None] = staticmethod(_nobody)
    """Told how many records of a topic retention has taken unread."""

    def __init__(
        self,
        app: AppT,
        client_options: Mapping[str, Any],
        *,
        run_records: int = 4000,
        aligned_topics: Iterable[str] = (),
        align_ms: int = 30_000,
    ) -> None:
        super().__init__(list(app.conf.broker), app)
        self.client_options = dict(client_options)
        self.run_records = run_records
        self.aligned_topics = frozenset(aligned_topics)
        self.align_ms = align_ms
