"""When event time may go on without events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents import idle
from agents.idle import IdleWatch
from agents.ingest import source_of
from agents.plane_agent import Lane
from schemas.event import RequestEvent
from schemas.topics import RAW_AZURE, RAW_NATIVE, REQUESTS
from streams.account_plane import AccountPlane
from streams.config import DetectionConfig
from streams.origins import Origin
from streams.plane_output import PlaneOutput

START = datetime(2026, 11, 23, tzinfo=UTC)
NATIVE, AZURE = source_of(RAW_NATIVE.name), source_of(RAW_AZURE.name)


class Lag:
    """What Kafka would say."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, int], int] = {}
        self.known = True

    def of(self, topic: str, partition: int) -> int | None:
        return self.records.get((topic, partition), 0) if self.known else None

    def total(self, topics: Any) -> int | None:
        wanted = set(topics)
        return sum(n for (topic, _), n in self.records.items() if topic in wanted) if self.known else None


class Agent:
    """What the watch asks of the account agent."""

    def __init__(self) -> None:
        self.lanes = {0: Lane()}
        self.output = PlaneOutput()

    def lane(self, partition: int) -> Lane:
        return self.lanes[partition]

    def publish(self, output: PlaneOutput) -> None:
        self.output.extend(output)


class Table:
    def __init__(self, plane: AccountPlane) -> None:
        self.planes = {0: plane}


class World:
    """One plane whose two sources are an hour apart, and a clock to turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 1000.0
        monkeypatch.setattr(idle, "monotonic", lambda: self.now_s)
        self.plane = AccountPlane(DetectionConfig())
        self.lag, self.agent = Lag(), Agent()
        self.watch = IdleWatch(
            Table(self.plane), self.agent, self.lag, idle_source_s=10, idle_close_s=60  # type: ignore[arg-type]
        )
        self.count = 0
        self.send(AZURE, hour=0.5)
        self.send(NATIVE, hour=2.5)

    def send(self, source: int, hour: float) -> None:
        event = RequestEvent(
            schema_version=1, event_id=f"e{self.count}", time=START + timedelta(hours=hour), account_id="a"
        )
        self.agent.publish(self.plane.process([event], [self.count], [Origin(source, 3, self.count)]))
        self.agent.lanes[0].last_record_s = self.now_s
        self.count += 1

    def turn(self, seconds: float) -> int:
        """Let time pass, looking once a second; requests in the windows closed meanwhile."""
        for _ in range(round(seconds)):
            self.now_s += 1
            self.watch.look()
        output, self.agent.output = self.agent.output, PlaneOutput()
        return sum(profile.requests for profile in output.profiles)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_a_silent_source_holds_time_back_no_longer_than_it_may(world: World) -> None:
    assert world.turn(9) == 0
    assert world.turn(3) == 1  # the hour of the slow source closes, that of the other is not over
    assert world.agent.lanes[0].changed


def test_a_source_that_goes_on_is_not_silent(world: World) -> None:
    for _ in range(5):
        world.turn(6)
        world.send(AZURE, hour=0.5)
        world.send(NATIVE, hour=2.5)
    assert world.turn(1) == 0


@pytest.mark.parametrize("place", [(RAW_AZURE.name, 3), (REQUESTS.name, 0)])
def test_a_source_that_is_behind_is_not_silent(world: World, place: tuple[str, int]) -> None:
    world.lag.records[place] = 5
    assert world.turn(40) == 0
    world.lag.records.clear()
    assert world.turn(12) == 1


def test_nothing_is_decided_while_kafka_says_nothing(world: World) -> None:
    world.lag.known = False
    assert world.turn(200) == 0


def test_open_windows_are_closed_once_everything_is_quiet(world: World) -> None:
    assert world.turn(70) == 2
    assert world.turn(300) == 0
    world.send(NATIVE, hour=2.6)
    assert world.turn(70) == 2  # the same hour again, with what came late


def test_open_windows_stay_open_while_anything_raw_waits(world: World) -> None:
    world.lag.records[(RAW_NATIVE.name, 0)] = 1
    assert world.turn(300) == 1
