"""Peers' programs: an environment of its own for each, made once from pinned requirements, and kept."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from infra import cache

ENGINES = Path(__file__).with_name("engines")
PEERS = ("faust", "quixstreams", "bytewax", "flink")
FLINK_CONNECTOR = "org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2"
MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


def python_of(peer: str, progress: Callable[[str], None]) -> Path:
    """The interpreter of a peer's environment."""
    requirements = ENGINES / "requirements" / f"{peer}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:8]

    def fill(folder: Path) -> None:
        progress(f"installing {peer} (once)")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run(
            [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--no-deps", "-r", requirements],
            check=True,
        )  # fmt: skip

    return cache.fill_once(f"bench-{peer}-{digest}", fill) / "bin" / "python"


def flink_connector(progress: Callable[[str], None]) -> Path:
    """The jar of Flink's Kafka connector, from Maven."""

    def fill(folder: Path) -> None:
        progress("fetching Flink's Kafka connector (once)")
        subprocess.run(
            ["mvn", "-B", "-q", MAVEN_COPY, f"-Dartifact={FLINK_CONNECTOR}", f"-DoutputDirectory={folder}"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    folder = cache.fill_once(f"bench-{FLINK_CONNECTOR.replace(':', '-')}", fill)
    return next(folder.glob("*.jar"))


def command(engine: str, job: str, progress: Callable[[str], None]) -> list[str | Path]:
    """Program and fixed arguments of an engine; the job's own arguments follow."""
    program = ENGINES / f"{engine}_job.py"
    if engine == "stillwatch":
        return [sys.executable, program, job]
    python = python_of(engine, progress)
    return [python, program, flink_connector(progress)] if engine == "flink" else [python, program]
