"""``stillwatch demo`` and ``stillwatch up`` as a person runs them: real processes, ended by themselves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

STILLWATCH = [sys.executable, "-c", "from agents.cli import main; main()"]


def processes_of(folder: Path) -> list[str]:
    """Command lines of running processes whose arguments or environment name `folder`."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            line = (process / "cmdline").read_bytes()
            about = line + (process / "environ").read_bytes()
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
        if line and str(folder).encode() in about:
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found


def test_the_demonstration_finds_both_attackers_and_leaves_nothing_running(tmp_path):
    folder, picture = tmp_path / "demo", tmp_path / "demo.svg"
    small = ["--seconds", "8", "--accounts", "60", "--hours", "3", "--seed", "1"]
    run = subprocess.run(
        [*STILLWATCH, "demo", *small, "--folder", str(folder), "--svg", str(picture)],
        capture_output=True,
        text=True,
        timeout=150,
        # a bus that must not be touched: the demonstration ignores the user's settings
        env={**os.environ, "STILLWATCH_BUS__URL": "kafka://production.invalid:9092"},
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    lines = run.stdout.splitlines()
    assert sum(line.startswith("ok    ") for line in lines) == 6
    assert any("the templated attacker" in line and "was found after" in line for line in lines)
    assert "\x1b" not in run.stdout
    assert "<svg" in picture.read_text()
    assert processes_of(folder) == []

    # the store stays, and the commands it printed work
    command = next(line for line in lines if "findings_current" in line)
    sql = command.partition('"')[2].removesuffix('"')
    asked = subprocess.run(
        [*STILLWATCH, "sql", "--config", str(folder / "stillwatch.toml"), sql],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert asked.stdout.count("acct-") == 2, asked.stdout


def test_up_serves_restarts_what_dies_and_stops_on_ctrl_c(tmp_path):
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [*STILLWATCH, "up", "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "STILLWATCH_DATA_DIR": str(folder), "STILLWATCH_BUS__PARTITIONS": "2"},
    )
    try:
        assert process.stdout is not None
        assert any("up: Kafka at 127.0.0.1:" in line for line in iter(process.stdout.readline, ""))
        (status,) = (folder / "workers").glob("*.json")
        os.kill(int(status.stem), signal.SIGKILL)
        deadline = time.monotonic() + 60
        while not [f for f in (folder / "workers").glob("*.json") if f != status]:
            assert time.monotonic() < deadline, (folder / "logs" / "worker-1.log").read_text()
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert "stopped" in rest
    assert process.returncode == 0
    assert processes_of(folder) == []
