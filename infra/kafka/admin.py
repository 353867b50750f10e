"""Topics on the cluster against their definitions in `schemas.topics`: create, list, compare."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from infra.kafka.connection import Connection
from infra.kafka.diagnosis import diagnosis
from infra.kafka.topic_state import TopicState, drifts, wanted_partitions
from schemas.errors import BusUnavailable, InvalidSetting
from schemas.topics import ALL, Topic

# Its complaints reach us as exceptions; without a handler they would be printed as well.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())

TIMEOUT_S = 20.0
"""For one question to the cluster, however many topics it is about."""

async def create_topics(
    connection: Connection, partitions: int, replication: int = 1, topics: Sequence[Topic] = ALL
) -> list[str]:
    """Create the topics that are missing; the others are compared, never changed.

    Returns:
        Names of the topics that this call created.

    Raises:
        InvalidSetting: a topic exists with other partitions or another cleanup policy, or the cluster has too
            few brokers for `replication`.
        BusUnavailable: no broker answers.
    """
    async with _admin(connection) as admin:
        present = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in present]
        created = await _create(admin, missing, partitions, replication) if missing else []
        others = [topic for topic in topics if topic.name not in created]
        placements, configs = await _placements(admin, others), await _configs(admin, others)
        for drift in drifts(placements, configs, others, partitions):
            if drift.breaks:
                raise drift.error()
        if created:
            await _wait_for_leaders(admin, created)
    return created


async def list_topics(connection: Connection) -> list[str]:
    """Names of all topics of the cluster, sorted. Raises `BusUnavailable`."""
    async with _admin(connection) as admin:
        return sorted(await admin.list_topics())


async def describe_topics(
    connection: Connection, partitions: int, topics: Sequence[Topic] = ALL
) -> dict[str, TopicState | None]:
    """Each topic's state on the cluster; `None` where it does not exist.

    Args:
        partitions: setting ``bus.partitions``, to compare with.

    Raises:
        BusUnavailable: no broker answers.
    """
    async with _admin(connection) as admin:
        present = set(await admin.list_topics())
        existing = [topic for topic in topics if topic.name in present]
        placements = await _placements(admin, existing)
        configs = await _configs(admin, existing)
    offsets = await _offsets(connection, {name: count for name, (count, _) in placements.items()})
    differences = list(drifts(placements, configs, existing, partitions))
    return {
        topic.name: TopicState(
            name=topic.name,
            partitions=placements[topic.name][0],
            replication=placements[topic.name][1],
            offsets=offsets[topic.name],
            config=configs[topic.name],
            drift=tuple(drift for drift in differences if drift.topic == topic.name),
        )
        if topic.name in placements
        else None
        for topic in topics
    }


@asynccontextmanager
async def _admin(connection: Connection) -> AsyncIterator[AIOKafkaAdminClient]:
    """An open admin client, every failure of which is `BusUnavailable`."""
    admin = AIOKafkaAdminClient(**connection.client_options(), request_timeout_ms=int(TIMEOUT_S * 1000))
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await admin.start()
            yield admin
    except (KafkaError, TimeoutError, OSError) as error:
        raise BusUnavailable(await diagnosis(connection) or f"{connection.bootstrap}: {error!r}") from error
    finally:
        await admin.close()


async def _create(
    admin: AIOKafkaAdminClient, missing: Sequence[Topic], partitions: int, replication: int
) -> list[str]:
    """Names of those of `missing` that were created here and not, meanwhile, by somebody else."""
    wanted = [
        NewTopic(topic.name, wanted_partitions(topic, partitions), replication, topic_configs=topic.config())
        for topic in missing
    ]
    reply = await admin.create_topics(wanted)
    created = []
    for name, code, message in reply.topic_errors:
        error = for_code(code)
        if code == 0:
            created.append(name)
        elif error is InvalidReplicationFactorError:
            raise InvalidSetting(
                "bus.replication", f"the cluster has fewer brokers than {replication} ({message})", "Lower it"
            )
        elif error.retriable:
            raise error(message)
        elif error is not TopicAlreadyExistsError:
            raise InvalidSetting(
                f"topic {name}",
                f"the cluster refuses to create it: {error.__name__}: {message}",
                "Give bus.sasl_username the right to create topics, or have somebody else create them",
            )
    return created


async def _placements(admin: AIOKafkaAdminClient, topics: Iterable[Topic]) -> dict[str, tuple[int, int]]:
    """Topic name to its numbers of partitions and of replicas."""
    names = [topic.name for topic in topics]
    if not names:  # the protocol takes "no names" for "all topics"
        return {}
    return {
        topic["topic"]: (len(topic["partitions"]), len(topic["partitions"][0]["replicas"]))
        for topic in await admin.describe_topics(names)
        if topic["partitions"]
    }


async def _configs(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    """Topic name to the actual values of the settings its definition names."""
    if not topics:
        return {}
    kind = ConfigResourceType.TOPIC
    replies = await admin.describe_configs(
        [ConfigResource(kind, topic.name, dict.fromkeys(topic.config())) for topic in topics]
    )
    return {
        name: {entry[0]: entry[1] for entry in entries}
        for reply in replies
        for _code, _message, _kind, name, entries in reply.resources
    }


async def _offsets(
    connection: Connection, partitions: dict[str, int]
) -> dict[str, dict[int, tuple[int, int]]]:
    """Topic name to partition to first and next offset."""
    every = [TopicPartition(name, number) for name, count in partitions.items() for number in range(count)]
    offsets: dict[str, dict[int, tuple[int, int]]] = {name: {} for name in partitions}
    if not every:
        return offsets
    # The client learns of one topic's leaders at a time, and pauses after each.
    consumer = AIOKafkaConsumer(**connection.client_options(), enable_auto_commit=False, retry_backoff_ms=5)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await consumer.start()
            first, end = await consumer.beginning_offsets(every), await consumer.end_offsets(every)
    except (KafkaError, TimeoutError, OSError) as error:
        raise BusUnavailable(f"{connection.bootstrap} does not give offsets: {error!r}") from error
    finally:
        await consumer.stop()
    for place in every:
        offsets[place.topic][place.partition] = (first[place], end[place])
    return offsets


async def _wait_for_leaders(admin: AIOKafkaAdminClient, names: list[str]) -> None:
    """A topic exists a moment before its partitions can be written; the caller's timeout bounds the wait."""
    while not all(_has_leaders(topic) for topic in await admin.describe_topics(names)):
        await asyncio.sleep(0.02)


def _has_leaders(topic: dict[str, Any]) -> bool:
    partitions = topic["partitions"]
    return not topic["error_code"] and bool(partitions) and all(part["leader"] >= 0 for part in partitions)
