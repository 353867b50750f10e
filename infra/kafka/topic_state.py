"""A topic as it is on the cluster, and how that differs from its definition in `schemas.topics`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.errors import InvalidSetting
from schemas.topics import Topic

BREAKING = ("partitions", "cleanup.policy")
"""Differences under which detection is wrong: state no longer lies with its source, or is deleted."""


@dataclass(frozen=True)
class Drift:
    """One property in which a topic on the cluster is not what its definition says."""

    topic: str
    what: str
    """``partitions`` or the name of a topic setting."""
    defined: str
    actual: str

    @property
    def breaks(self) -> bool:
        """Whether the fleet must not run so; any other difference may be an operator's choice."""
        return self.what in BREAKING

    def error(self) -> InvalidSetting:
        """What to do about it."""
        if self.what == "partitions":
            return InvalidSetting(
                "bus.partitions",
                f"topic {self.topic} has {self.actual} partitions, the setting asks for {self.defined}",
                f"Set bus.partitions = {self.actual}, or delete the topics, with their data, and begin anew",
            )
        return InvalidSetting(
            f"topic {self.topic}",
            f"{self.what} is {self.actual}, must be {self.defined}",
            f"kafka-configs.sh --alter --topic {self.topic} --add-config {self.what}={self.defined}",
        )


@dataclass(frozen=True)
class TopicState:
    """A topic as it is on the cluster."""

    name: str
    partitions: int
    replication: int
    offsets: dict[int, tuple[int, int]]
    """Partition to its first offset and the one after its last record."""
    config: dict[str, str]
    """The settings that its definition names."""
    drift: tuple[Drift, ...]

    @property
    def records(self) -> int:
        """Span of the offsets: an upper bound where the topic is compacted."""
        return sum(end - first for first, end in self.offsets.values())


def wanted_partitions(topic: Topic, partitions: int) -> int:
    """Partitions of `topic` in a fleet of `partitions`."""
    return topic.partitions or partitions


def drifts(
    placements: dict[str, tuple[int, int]],
    configs: dict[str, dict[str, str]],
    topics: Sequence[Topic],
    partitions: int,
) -> Iterator[Drift]:
    """Every difference between `topics` as defined and as they are.

    Args:
        placements: name of each topic that exists to its numbers of partitions and of replicas.
        configs: topic name to the actual values of its settings.
        partitions: setting ``bus.partitions``.
    """
    for topic in topics:
        if topic.name not in placements:
            continue
        defined = {"partitions": str(wanted_partitions(topic, partitions)), **topic.config()}
        actual = {"partitions": str(placements[topic.name][0]), **configs[topic.name]}
        for what, value in defined.items():
            if actual.get(what, value) != value:
                yield Drift(topic=topic.name, what=what, defined=value, actual=actual[what])
