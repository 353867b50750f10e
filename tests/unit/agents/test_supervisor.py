"""The supervisor with small Python programs in the place of workers."""

import asyncio
import os
import sys
import time

import pytest

from agents import supervisor
from agents.supervisor import Supervisor
from schemas.errors import Fatal

RUN_FOR_EVER = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
IGNORE_SIGTERM = (
    "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
)


def program(code: str, *arguments) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
async def services(tmp_path):
    made = Supervisor(tmp_path / "logs")
    yield made
    await made.stop()


async def test_ready_then_stopped(services, tmp_path):
    mark = tmp_path / "up"
    service = await services.start("one", program(RUN_FOR_EVER, mark), lambda _: mark.exists())
    assert alive(service.pid)
    await services.stop()
    assert not alive(service.pid)
    assert services.services == []


async def test_an_end_while_starting_carries_the_last_words(services):
    code = "print('no room in the inn'); raise SystemExit(3)"
    with pytest.raises(Fatal, match=r"(?s)one ended while starting \(code 3\).*no room in the inn"):
        await services.start("one", program(code), lambda _: False)


async def test_never_ready_is_an_error_and_leaves_nothing_running(services, monkeypatch):
    monkeypatch.setattr(supervisor, "START_TIMEOUT_S", 0.5)
    with pytest.raises(Fatal, match="not ready after"):
        await services.start("one", program("import time; time.sleep(600)"), lambda _: False)
    (service,) = services.services
    await services.stop()
    assert not alive(service.pid)


async def test_what_dies_is_started_again_and_its_log_kept(services, tmp_path):
    mark = tmp_path / "up"
    service = await services.start("one", program(RUN_FOR_EVER, mark), lambda _: mark.exists())
    first = service.pid
    again = asyncio.Event()
    watching = asyncio.create_task(services.watch(lambda _: again.set()))
    os.kill(first, 9)
    await asyncio.wait_for(again.wait(), 20)
    watching.cancel()
    assert service.pid != first
    assert alive(service.pid)
    assert service.log.with_name("one.log.1").exists()


async def test_what_dies_again_and_again_is_given_up(services, tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "RESTARTS", 1)
    marks = tmp_path / "starts"
    code = "import sys, time; open(sys.argv[1], 'a').write('x'); time.sleep(0.3); print('oh no')"
    seen = {"n": 0}

    def ready(_: int) -> bool:
        n = len(marks.read_text()) if marks.exists() else 0
        fresh, seen["n"] = n > seen["n"], n
        return fresh

    await services.start("one", program(code, marks), ready)
    with pytest.raises(Fatal, match=r"(?s)ended 2 times.*oh no"):
        await asyncio.wait_for(services.watch(), 30)


async def test_stopping_is_in_reverse_and_by_force_where_it_must(services, tmp_path, monkeypatch):
    monkeypatch.setattr(supervisor, "STOP_TIMEOUT_S", 0.5)
    pids = []
    for name, code in (("sink", RUN_FOR_EVER), ("worker-1", IGNORE_SIGTERM), ("worker-2", RUN_FOR_EVER)):
        mark = tmp_path / name
        service = await services.start(name, program(code, mark), lambda _, mark=mark: mark.exists())
        pids.append(service.pid)
    order = []
    stop = supervisor.ChildProcess.stop

    def noted(self, timeout_s):
        order.append((self.pid, time.monotonic()))
        return stop(self, timeout_s)

    monkeypatch.setattr(supervisor.ChildProcess, "stop", noted)
    await services.stop()
    assert {pid for pid, _ in order[:2]} == set(pids[1:])
    assert order[2][0] == pids[0]
    assert not any(alive(pid) for pid in pids)
