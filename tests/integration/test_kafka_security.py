"""TLS and SASL against a real broker: right and wrong certificates, users and passwords."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from agents.outbox import Outbox
from agents.settings import Settings
from infra.kafka import admin, distribution, embedded
from infra.kafka.broker_config import server_properties
from infra.kafka.connection import Connection
from infra.kafka.diagnosis import diagnosis
from infra.kafka.embedded import EmbeddedKafka
from infra.ports import free_port
from schemas.errors import BusUnavailable
from schemas.topics import Topic
from tests.integration.run_apps import PARTITIONS, committed, running, until

pytestmark = pytest.mark.integration

STORE_PASSWORD = "changeit"
EVENTS = Topic(name="events", key="any", value="any", partitions=1)


def keytool(*arguments: str | Path) -> None:
    """The JDK's certificate tool, which every Java comes with."""
    program = distribution.find_java().program.resolve().with_name("keytool")
    subprocess.run([program, *arguments, "-storepass", STORE_PASSWORD], check=True, capture_output=True)


@pytest.fixture(scope="module")
def secure(
    kafka_factory: Callable[..., EmbeddedKafka], tmp_path_factory: pytest.TempPathFactory
) -> Connection:
    """A broker that, beside its own listener, has one with TLS and passwords; and how a user reaches it."""
    folder = tmp_path_factory.mktemp("certificates")
    store, authority = folder / "broker.p12", folder / "ca.pem"
    keytool(
        "-genkeypair", "-alias", "broker", "-keystore", store, "-keyalg", "EC", "-dname", "CN=127.0.0.1",
        "-ext", "SAN=IP:127.0.0.1", "-validity", "2",
    )  # fmt: skip
    keytool("-exportcert", "-rfc", "-alias", "broker", "-keystore", store, "-file", authority)
    port = free_port()

    def with_secure_listener(*arguments: object) -> dict[str, str]:
        config = server_properties(*arguments)
        login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        return config | {
            "listeners": f"{config['listeners']},SECURE://127.0.0.1:{port}",
            "listener.security.protocol.map": f"{config['listener.security.protocol.map']},SECURE:SASL_SSL",
            "listener.name.secure.ssl.keystore.location": str(store),
            "listener.name.secure.ssl.keystore.password": STORE_PASSWORD,
            "listener.name.secure.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.secure.plain.sasl.jaas.config": f'{login} user_reader="hunter2";',
        }

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "server_properties", with_secure_listener)
        kafka_factory()
    return Connection(
        bootstrap=f"127.0.0.1:{port}",
        security_protocol="SASL_SSL",
        sasl_username="reader",
        sasl_password="hunter2",
        ssl_ca_file=authority,
    )


async def test_topics_and_records_over_tls_with_password(secure: Connection) -> None:
    assert await diagnosis(secure) is None
    assert await admin.create_topics(secure, 1, topics=[EVENTS]) == ["events"]
    async with AIOKafkaProducer(**secure.client_options()) as producer:
        await producer.send_and_wait("events", b"secret")
    state = (await admin.describe_topics(secure, 1, [EVENTS]))["events"]
    assert state is not None
    assert state.records == 1


async def test_a_worker_reads_writes_and_commits_over_tls_with_password(
    secure: Connection, make_settings: Callable[..., Settings]
) -> None:
    topic = Topic(name="runs", key="any", value="any", partitions=PARTITIONS)
    await admin.create_topics(secure, PARTITIONS, topics=[topic])
    outbox = Outbox(secure.client_options())
    await outbox.start()
    for number in range(10):
        outbox.put(topic.name, b"k", b"%d" % number, partition=0)
    await outbox.mark()
    await outbox.stop()
    values: list[bytes] = []

    async def take(event: Any) -> None:
        values.extend(record.value for record in event.value)
        event.ack()

    async with running(secure, make_settings, topic, take):
        await until(lambda: len(values) == 10)
    assert values == [b"%d" % number for number in range(10)]
    assert (await committed(secure, topic.name, topic))[0] == 10


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"sasl_password": "hunter3"}, "refuses the credentials"),
        ({"ssl_ca_file": None}, "do not agree on TLS: CERTIFICATE_VERIFY_FAILED"),
        ({"sasl_mechanism": "SCRAM-SHA-512"}, "does not know SCRAM-SHA-512"),
        ({"security_protocol": "PLAINTEXT"}, "does not answer in Kafka over PLAINTEXT"),
        ({"security_protocol": "SASL_PLAINTEXT"}, "does not answer in Kafka over SASL_PLAINTEXT"),
    ],
)
async def test_what_is_wrong_is_said(secure: Connection, changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(BusUnavailable, match=complaint):
        await admin.list_topics(dataclasses.replace(secure, **changes))


async def test_tls_asked_of_a_plain_port_is_said(kafka: Connection) -> None:
    with pytest.raises(BusUnavailable, match=r"(do not agree on TLS|does not answer in Kafka over SSL)"):
        await admin.list_topics(dataclasses.replace(kafka, security_protocol="SSL"))
