"""The sink on real Kafka and real stores: every record once, whatever dies, and nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
import pytest

from agents import sink as sink_module
from agents import sink_bus
from agents.settings import Settings
from agents.sink import Sink
from agents.sink_bus import Commit, SinkBus
from infra.clickhouse import migrate
from infra.clickhouse.libchdb_server import LibchdbServer
from infra.clickhouse.store import Store, open_store
from infra.kafka.connection import Connection
from infra.kafka.embedded import EmbeddedKafka
from schemas.control import Suppression, Verdict, control_key, encode_control
from schemas.errors import Fatal
from schemas.event import encode_event
from schemas.finding import encode_finding
from schemas.profile import AccountWindow, encode_profile
from schemas.topics import CONTROL, FINDINGS, PROFILES, REQUESTS
from tests.integration.run_apps import committed, delete
from tests.integration.store.feed import CURRENT, DISTINCT, PATIENCE_S, RAW, produce, requests, until
from tests.integration.store.records import START, finding, request

pytestmark = pytest.mark.integration

_number = count(1)


@pytest.fixture
def store(server: LibchdbServer) -> Iterator[Store]:
    """A database of its own on the server, whose merges hide no duplicate."""
    with open_store(server.dsn(f"sink_{next(_number)}")) as opened:
        migrate.migrate(opened)
        for table in ("requests", "account_windows", "findings"):
            opened.command(f"SYSTEM STOP MERGES {table}")
        yield opened


@pytest.fixture
def settings(make_settings: Callable[..., Settings], store: Store, server: LibchdbServer) -> Settings:
    return make_settings(
        store={"dsn": server.dsn(store.dsn.database)},
        sink={"batch_rows": 300, "flush_s": 0.2},
        fleet={"application_id": f"test-{next(_number)}", "session_timeout_s": 6},
    )


@asynccontextmanager
async def running(settings: Settings, bus: Connection) -> AsyncIterator[Sink]:
    """A sink that has its partitions; stopped at the end."""
    sink, ready = Sink(settings, bus), asyncio.Event()
    task = asyncio.create_task(sink.run(ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S)
    assert ready.is_set(), task
    try:
        yield sink
    finally:
        sink.stop()
        await task


async def test_each_topic_reaches_its_tables(settings: Settings, bus: Connection, store: Store) -> None:
    window = AccountWindow(
        tenant_id="default", account_id="a", window_start=START.replace(microsecond=0), window_s=60,
        requests=3,
    )  # fmt: skip
    verdict = Verdict(id="v1", finding_id="fnd_1", verdict="benign", time=START)
    withdrawn = msgspec.structs.replace(verdict, id="v2")
    silence = Suppression(id="s", until=datetime(2030, 1, 1, tzinfo=UTC))
    control = [(control_key(m).encode(), encode_control(m)) for m in (verdict, withdrawn, silence)]
    await produce(bus, REQUESTS, requests(range(2000)))
    await produce(bus, PROFILES, [(b"k", encode_profile(window))])
    campaign = finding(0, members=("a", "b", "c"), subject_kind="campaign")
    await produce(bus, FINDINGS, [(b"k", encode_finding(campaign))])
    await produce(bus, CONTROL, [*control, (b"verdict:v2", None), (b"suppression:s", None)])
    async with running(settings, bus):
        await until(store, RAW, 2000)
        await until(store, "SELECT count() FROM account_windows_current", 1)
        await until(store, "SELECT count() FROM finding_members_current", 3)
        await until(store, "SELECT groupArray(id) FROM verdicts_current", ["v1"])
    assert store.query("SELECT count() FROM dead_letters") == [(0,)]


async def test_a_crash_after_the_insert_repeats_the_batch_under_its_token(
    settings: Settings, bus: Connection, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = SinkBus.commit

    async def only_plans(self: SinkBus, offsets: dict[Any, Commit]) -> bool:
        if any(not entry.plan for entry in offsets.values()):
            raise MemoryError("the process ends here")
        return await commit(self, offsets)

    await produce(bus, REQUESTS, requests(range(1000)))
    with monkeypatch.context() as patch:
        patch.setattr(SinkBus, "commit", only_plans)
        with pytest.raises(MemoryError):
            await Sink(settings, bus).run()
    [(before,)] = store.query(RAW)
    assert before > 0
    # Cut by other rules the second time: it is the plan that decides.
    settings.sink.batch_rows, settings.sink.flush_s = 17, 0.05
    await produce(bus, REQUESTS, requests(range(1000, 1100)))
    async with running(settings, bus):
        await until(store, DISTINCT, 1100)
    assert store.query(RAW) == [(1100,)]


async def test_what_retention_has_taken_unread_is_told(
    settings: Settings, bus: Connection, store: Store
) -> None:
    def lost(sink: Sink) -> float:
        told = sink.metrics.registry.get_sample_value
        return told("stillwatch_sink_lost_records_total", {"topic": REQUESTS.name}) or 0

    await produce(bus, REQUESTS, requests(range(300)))
    async with running(settings, bus) as sink:
        await until(store, DISTINCT, 300)
        assert lost(sink) == 0
    await produce(bus, REQUESTS, requests(range(300, 500)))
    ends = await committed(bus, f"{settings.fleet.application_id}-sink", REQUESTS)
    await delete(bus, REQUESTS, {number: end + 10 for number, end in ends.items() if end})
    async with running(settings, bus) as sink:
        gone = 10 * sum(bool(end) for end in ends.values())
        await until(store, DISTINCT, 500 - gone)
        assert lost(sink) == gone > 0


async def test_without_a_plan_the_views_still_count_once(
    settings: Settings, bus: Connection, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after the loss of the group's offsets: rows come again under other tokens."""
    await produce(bus, REQUESTS, requests(range(500)))
    for batch_rows, group in ((40, "one"), (33, "two")):
        settings.sink.batch_rows, settings.fleet.application_id = batch_rows, f"{next(_number)}-{group}"
        async with running(settings, bus) as sink:
            while sink.metrics.rows.labels("requests")._value.get() < 500:
                await asyncio.sleep(0.05)
    assert store.query(RAW)[0][0] > 500
    assert store.query(CURRENT) == [(500,)]


async def test_poison_is_found_and_buried_and_the_rest_goes_on(
    settings: Settings, bus: Connection, store: Store
) -> None:
    good = [(key, value or b"") for key, value in requests(range(400))]
    wrong = {
        100: b"not json",
        101: b"",
        102: good[102][1].replace(b'"schema_version":1', b'"schema_version":2'),
        150: good[150][1].replace(b'"account_id"', b'"seed":99999999999999999999,"account_id"'),
        151: encode_event(request(151, time=datetime(2300, 1, 1, tzinfo=UTC))),
        399: b"\xff\xfe",
    }
    await produce(bus, REQUESTS, [(None, wrong.get(n, value)) for n, (_, value) in enumerate(good)])
    async with running(settings, bus):
        await until(store, RAW, 400 - len(wrong))
        await until(store, "SELECT count() FROM dead_letters_current", len(wrong))
    letters = store.query(
        "SELECT origin_offset, stage, error, field, reason, hex(payload) FROM dead_letters_current ORDER BY 1"
    )
    assert [offset for offset, *_ in letters] == sorted(wrong)
    assert [bytes.fromhex(payload) for *_, payload in letters] == [wrong[n] for n in sorted(wrong)]
    assert {stage for _, stage, *_ in letters} == {"sink"}
    said = {offset: f"{error} {field}: {reason}" for offset, _, error, field, reason, _ in letters}
    assert "schema_version" in said[102]
    assert "does not fit its column" in said[150]
    assert "time_has_a_day" in said[151]


async def test_a_store_outage_delays_and_loses_nothing(
    make_settings: Callable[..., Settings],
    server_factory: Callable[[], LibchdbServer],
    bus: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sink_module, "BUFFER_BYTES", 200_000)
    monkeypatch.setattr(sink_bus, "PARTITION_FETCH_BYTES", 16_384)
    server = server_factory()
    settings = make_settings(
        store={"dsn": server.dsn("outage")},
        sink={"batch_rows": 50, "flush_s": 0.1},
        fleet={"application_id": "outage", "session_timeout_s": 6},
    )
    async with running(settings, bus) as sink:
        await produce(bus, REQUESTS, requests(range(200)))
        with open_store(server.dsn("outage")) as store:
            await until(store, RAW, 200)
        server.stop()
        await produce(bus, REQUESTS, requests(range(200, 4000)))
        while sink.metrics.retries._value.get() < 3:
            await asyncio.sleep(0.05)
        held = sink._buffered()
        assert 0 < held < 1_000_000, "of 3,800 records, about 2.5 MB as the lanes count them"
        await asyncio.sleep(0.5)
        assert sink._buffered() == held, "it has stopped reading"
        server.start()
        with open_store(server.dsn("outage")) as store:
            await until(store, DISTINCT, 4000)
            await until(store, CURRENT, 4000)
    server.stop()


async def test_a_sink_started_before_its_server_waits(
    make_settings: Callable[..., Settings], server_factory: Callable[[], LibchdbServer], bus: Connection
) -> None:
    server = server_factory()
    server.stop()
    settings = make_settings(store={"dsn": server.dsn("later")}, fleet={"application_id": "later"})
    sink, ready = Sink(settings, bus), asyncio.Event()
    task = asyncio.create_task(sink.run(ready.set))
    await asyncio.sleep(0.5)
    assert not task.done()
    server.start()
    await asyncio.wait_for(ready.wait(), PATIENCE_S)
    sink.stop()
    await task
    server.stop()


async def test_partitions_that_move_between_sinks_are_stored_once(
    settings: Settings, bus: Connection, store: Store
) -> None:
    async def feed(numbers: Sequence[int]) -> None:
        for start in range(0, len(numbers), 200):
            await produce(bus, REQUESTS, requests(numbers[start : start + 200]))

    feeding = asyncio.create_task(feed(range(4000)))
    async with running(settings, bus):
        async with running(settings, bus):
            await until(store, "SELECT count() > 500 FROM requests", 1)
        async with running(settings, bus):
            await feeding
            await until(store, DISTINCT, 4000)
    assert store.query(RAW) == [(4000,)]


async def test_a_broker_that_crashes_and_comes_back_is_waited_for(
    settings: Settings, broker: EmbeddedKafka, bus: Connection, store: Store
) -> None:
    async with running(settings, bus):
        await produce(bus, REQUESTS, requests(range(1000)))
        await until(store, "SELECT count() > 0 FROM requests", 1)
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        await produce(bus, REQUESTS, requests(range(1000, 2000)))
        await until(store, DISTINCT, 2000)
    assert store.query(RAW) == [(2000,)]


async def test_a_dropped_table_stops_the_sink_and_buries_nothing(
    settings: Settings, bus: Connection, store: Store
) -> None:
    sink, ready = Sink(settings, bus), asyncio.Event()
    task = asyncio.create_task(sink.run(ready.set))
    await asyncio.wait_for(ready.wait(), PATIENCE_S)
    store.command("DROP TABLE requests SYNC")
    await produce(bus, REQUESTS, requests(range(10)))
    with pytest.raises(Fatal, match="stillwatch migrate"):
        await asyncio.wait_for(task, PATIENCE_S)
    assert store.query("SELECT count() FROM dead_letters") == [(0,)]
