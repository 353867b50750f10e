"""Topics on a real cluster against their definitions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from infra.kafka import admin
from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka
from infra.ports import free_port
from schemas.errors import BusUnavailable, InvalidSetting
from schemas.topics import ACCOUNT_STATE, ALL, CONTROL, REQUESTS, Topic

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def cluster(kafka_factory: Callable[..., EmbeddedKafka]) -> Connection:
    """A broker of this module's own: all topics of the fleet are counted here."""
    return Connection(bootstrap=kafka_factory().bootstrap)


async def create(cluster: Connection, name: str, partitions: int, **config: str) -> None:
    """A topic as an operator, and not we, would make it."""
    client = AIOKafkaAdminClient(**cluster.client_options())
    await client.start()
    reply = await client.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
    assert [code for _, code, _ in reply.topic_errors] == [0]
    await client.close()


async def test_every_topic_of_the_fleet_as_defined(cluster: Connection) -> None:
    assert set(await admin.create_topics(cluster, 3)) == {topic.name for topic in ALL}
    assert await admin.create_topics(cluster, 3) == [], "creating again is no error and changes nothing"
    states = await admin.describe_topics(cluster, 3)
    for topic in ALL:
        state = states[topic.name]
        assert state is not None
        assert state.partitions == (topic.partitions or 3)
        assert state.config == topic.config()
        assert state.drift == ()
    control, state = states[CONTROL.name], states[ACCOUNT_STATE.name]
    assert control is not None
    assert control.partitions == 1
    assert state is not None
    assert state.config["cleanup.policy"] == "compact"


async def test_offsets_count_records(cluster: Connection) -> None:
    topic = Topic(name="counted", key="any", value="any", partitions=2)
    await admin.create_topics(cluster, 1, topics=[topic])
    async with AIOKafkaProducer(**cluster.client_options()) as producer:
        for number in range(5):
            await producer.send_and_wait("counted", b"x", partition=number % 2)
    state = (await admin.describe_topics(cluster, 1, [topic]))["counted"]
    assert state is not None
    assert state.offsets == {0: (0, 3), 1: (0, 2)}
    assert state.records == 5


async def test_missing_topic_is_none(cluster: Connection) -> None:
    absent = Topic(name="absent", key="any", value="any")
    assert await admin.describe_topics(cluster, 1, [absent]) == {"absent": None}


async def test_other_partitions_are_an_error_with_both_numbers(cluster: Connection) -> None:
    topic = Topic(name="narrow", key="any", value="any")
    await create(cluster, "narrow", 2)
    with pytest.raises(InvalidSetting) as raised:
        await admin.create_topics(cluster, 5, topics=[topic])
    assert raised.value.setting == "bus.partitions"
    assert "narrow has 2 partitions" in raised.value.problem
    assert "bus.partitions = 2" in raised.value.fix
    state = (await admin.describe_topics(cluster, 5, [topic]))["narrow"]
    assert state is not None
    assert state.partitions == 2, "nobody repartitions a topic with data in it"
    partitions = [drift for drift in state.drift if drift.what == "partitions"]
    assert [(drift.defined, drift.actual, drift.breaks) for drift in partitions] == [("5", "2", True)]


async def test_state_topic_that_forgets_is_an_error(cluster: Connection) -> None:
    topic = Topic(name="state", key="any", value="any", partitions=1, cleanup="compact")
    await create(cluster, "state", 1, **{"cleanup.policy": "delete"})
    with pytest.raises(InvalidSetting, match=r"cleanup\.policy is delete, must be compact"):
        await admin.create_topics(cluster, 1, topics=[topic])


async def test_other_retention_is_the_operators_choice(cluster: Connection) -> None:
    topic = Topic(name="kept-long", key="any", value="any", partitions=1, retention_ms=1000)
    await create(cluster, "kept-long", 1, **{"retention.ms": "5000", "max.message.bytes": "1048576"})
    assert await admin.create_topics(cluster, 1, topics=[topic]) == []
    state = (await admin.describe_topics(cluster, 1, [topic]))["kept-long"]
    assert state is not None
    (drift,) = state.drift
    assert (drift.what, drift.defined, drift.actual, drift.breaks) == ("retention.ms", "1000", "5000", False)


async def test_replication_beyond_the_brokers_is_named(cluster: Connection) -> None:
    topic = Topic(name="replicated", key="any", value="any")
    with pytest.raises(InvalidSetting) as raised:
        await admin.create_topics(cluster, 1, replication=3, topics=[topic])
    assert raised.value.setting == "bus.replication"


async def test_illegal_definition_is_refused_in_the_brokers_words(cluster: Connection) -> None:
    topic = Topic(name="no spaces", key="any", value="any")
    with pytest.raises(InvalidSetting, match="InvalidTopic"):
        await admin.create_topics(cluster, 1, topics=[topic])


async def test_no_broker_is_said_with_its_address() -> None:
    nowhere = Connection(bootstrap=f"127.0.0.1:{free_port()}")
    for question in (
        admin.list_topics(nowhere),
        admin.create_topics(nowhere, 1, topics=[REQUESTS]),
        admin.describe_topics(nowhere, 1),
    ):
        with pytest.raises(BusUnavailable, match=f"nobody listens at {nowhere.bootstrap}"):
            await question
