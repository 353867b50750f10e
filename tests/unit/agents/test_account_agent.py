"""What the account agent tells the link planes about silence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from aiokafka import ConsumerRecord
from faust.types import TP

from agents.accounts import AccountAgent
from agents.controls import Controls
from agents.metrics import Metrics
from agents.runs import Run
from schemas.event import encode_event
from schemas.evidence import NO_MORE, HourMark, decode_evidence
from schemas.topics import EVIDENCE, REQUESTS
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.hour_marks import NEVER
from tests.chaos.traffic import traffic


class Marks:
    """An outbox that remembers the marks put into every partition, and nothing else."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def put(self, *_: Any, **__: Any) -> None:
        pass

    def put_everywhere(self, topic: str, key: bytes, value: bytes) -> None:
        mark = decode_evidence(value)
        assert topic == EVIDENCE.name
        assert isinstance(mark, HourMark)
        self.told.append(mark.hour)

    def take(self) -> list[int]:
        told, self.told = self.told, []
        return told


def run(first: int, last: int) -> Any:
    events = traffic(seed=1, count=10_000)[first:last]
    records = [
        ConsumerRecord(REQUESTS.name, 0, first + number, 0, 0, None, encode_event(event), None, 0, 0, ())
        for number, event in enumerate(events)
    ]
    return SimpleNamespace(message=Run(TP(REQUESTS.name, 0), records, 1))


async def test_a_partition_says_that_it_is_silent_no_more() -> None:
    """10,000 events are four hours."""
    plane, marks = AccountPlane(DetectionConfig()), Marks()
    table = SimpleNamespace(planes={0: plane})
    parts: Any = {"checkpoint_s": 1, "before_write": lambda: None, "failed": lambda _: None}
    agent = AccountAgent(table, marks, Controls(), Metrics(), **parts)  # type: ignore[arg-type]
    await agent._take(plane, 0, run(0, 100))
    assert marks.take() == [NEVER]
    await agent._take(plane, 0, run(100, 200))
    assert marks.take() == []
    agent.publish(plane.close_windows())
    closed, silent = marks.take()
    assert (closed, silent) == (plane.closed_hour, NO_MORE)
    await agent._take(plane, 0, run(200, 2600))
    assert marks.take() == [closed]
    agent.keep_only(set())
    agent.keep_only({0})  # somebody else may have said that it is silent
    await agent._take(plane, 0, run(2600, 2700))
    assert marks.take() == [closed]
