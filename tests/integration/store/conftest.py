"""Stores to test on: embedded chDB and a real ClickHouse server, a fresh database for each test.

A process can have one chDB directory open at a time, so the tests of a module share one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from infra.clickhouse import migrate
from infra.clickhouse.dsn import parse
from infra.clickhouse.handle import Handle
from infra.clickhouse.libchdb_server import LibchdbServer
from infra.clickhouse.store import Store, open_store
from infra.kafka import admin
from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka
from schemas.errors import MissingDependency
from tests.integration.store import feed

_number = count(1)


@pytest.fixture(scope="session")
def server_factory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], LibchdbServer]]:
    """Starts ClickHouse servers; a test that stops one starts its own."""
    started: list[LibchdbServer] = []

    def start() -> LibchdbServer:
        try:
            server = LibchdbServer(tmp_path_factory.mktemp("clickhouse"))
        except MissingDependency as error:
            if os.environ.get("STILLWATCH_REQUIRE_SERVERS"):
                raise
            pytest.skip(f"no ClickHouse server: {error}")
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(server_factory: Callable[[], LibchdbServer]) -> LibchdbServer:
    return server_factory()


@pytest.fixture(scope="module")
def chdb_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Directory of an embedded store that stays open, and thereby quick to open, until the module ends."""
    folder = tmp_path_factory.mktemp("chdb") / "data"
    with Handle(parse(f"chdb://{folder}")):
        yield folder


@pytest.fixture(params=["embedded", "server"])
def store_dsn(request: pytest.FixtureRequest) -> str:
    """DSN of a database that does not exist yet, on each kind of store."""
    database = f"test_{next(_number)}"
    if request.param == "embedded":
        return f"chdb://{request.getfixturevalue('chdb_folder')}?database={database}"
    server: LibchdbServer = request.getfixturevalue("server")
    return server.dsn(database)


@pytest.fixture
def store(store_dsn: str) -> Iterator[Store]:
    """An open store with every migration applied."""
    with open_store(store_dsn) as opened:
        migrate.migrate(opened)
        yield opened
    with open_store(store_dsn) as opened:  # not the same handle: a test may have closed it
        opened.command(f"DROP DATABASE {opened.dsn.database}")


@pytest.fixture(scope="session")
def broker(kafka_factory: Callable[..., EmbeddedKafka]) -> Iterator[EmbeddedKafka]:
    with kafka_factory() as running:
        yield running


@pytest.fixture
async def bus(broker: EmbeddedKafka) -> Connection:
    """The broker with all topics new."""
    connection = Connection(bootstrap=broker.bootstrap)
    client = AIOKafkaAdminClient(**connection.client_options())
    await client.start()
    while ours := [name for name in await client.list_topics() if name.startswith("stillwatch.")]:
        await client.delete_topics(ours)
        await asyncio.sleep(0.05)
    await client.close()
    await admin.create_topics(connection, feed.PARTITIONS)
    return connection
