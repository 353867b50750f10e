"""Where the embedded broker's Java and jars come from.

Jars: ``$STILLWATCH_KAFKA_HOME`` (an unpacked Apache Kafka), or what Maven resolves from the `pom.xml` beside
this module, once, into ``$STILLWATCH_CACHE`` (default ``~/.cache/stillwatch``).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from infra import cache
from schemas.errors import MissingDependency

POM = Path(__file__).with_name("pom.xml")
JAVA_VERSION = 17
"""Oldest Java that a Kafka 4 broker runs on (KIP-1013)."""
MAVEN_TIMEOUT_S = 900

WITHOUT_EMBEDDED_BROKER = (
    "or set bus.url to a Kafka you have (kafka://host:port);"
    " `docker compose -f infra/compose.yaml up` starts one"
)
WITHOUT_MAVEN = f"or set STILLWATCH_KAFKA_HOME to an unpacked Apache Kafka, {WITHOUT_EMBEDDED_BROKER}"


def kafka_version() -> str:
    """Version that `POM` pins."""
    element = ElementTree.parse(POM).find(".//{*}properties/{*}kafka.version")
    if element is None or not element.text:
        raise MissingDependency(f"{POM} pins no kafka.version", "Reinstall stillwatch")
    return element.text.strip()


class Java(NamedTuple):
    """A Java that is new enough."""

    program: Path
    build: str
    """What ``java -version`` prints: tells one build from another."""


def find_java() -> Java:
    """The `java` of ``$JAVA_HOME``, else of ``$PATH``; at least `JAVA_VERSION`.

    Raises:
        MissingDependency: there is none, it does not run, or it is too old.
    """
    need = f"the embedded Kafka needs Java {JAVA_VERSION} or newer"
    fix = f"Install it (Debian: apt-get install openjdk-17-jre-headless), {WITHOUT_EMBEDDED_BROKER}"
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    if found is None:
        raise MissingDependency(f"{need}, and there is no `java` in PATH or JAVA_HOME", fix)
    run = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
    version = java_version(run.stderr)
    if run.returncode != 0 or version is None:
        raise MissingDependency(f"{need}, and `{found} -version` says: {run.stderr.strip()[:200]}", fix)
    if version < JAVA_VERSION:
        raise MissingDependency(f"{need}, and {found} is Java {version}", fix)
    return Java(Path(found), run.stderr)


def java_version(report: str) -> int | None:
    """Feature release in what ``java -version`` prints.

    >>> java_version('openjdk version "17.0.15" 2025-04-15'), java_version('java version "1.8.0_402"')
    (17, 8)
    """
    match = re.search(r'version "(?:1\.)?(\d+)', report)
    return int(match[1]) if match else None


def find_maven() -> Path:
    """The `mvn` of ``$PATH``. Raises `MissingDependency`."""
    found = shutil.which("mvn")
    if found is None:
        raise MissingDependency(
            "the embedded Kafka's jars are fetched by Maven once, and there is no `mvn` in PATH"
            f" ({cache.root() / cache_name()} does not exist yet)",
            f"Install it (Debian: apt-get install maven), {WITHOUT_MAVEN}",
        )
    return Path(found)


def cache_name() -> str:
    """Folder in the cache; changes with `POM`, so old jars are never taken for new ones."""
    return f"kafka-{kafka_version()}-{hashlib.sha256(POM.read_bytes()).hexdigest()[:8]}"


def jars(progress: Callable[[str], None]) -> Path:
    """Folder of the broker's jars, resolved first where needed. Safe to call from several processes at once.

    Raises:
        MissingDependency: no usable distribution and no way to get one; says what to do.
    """
    if home := os.environ.get("STILLWATCH_KAFKA_HOME"):
        libs = Path(home).absolute() / "libs"
        if not any(libs.glob("kafka_2.*.jar")):
            raise MissingDependency(
                f"STILLWATCH_KAFKA_HOME={home} has no libs/kafka_2.*.jar",
                "Point it at the folder of an unpacked Apache Kafka, or unset it",
            )
        return libs

    def fetch(target: Path) -> None:
        progress(f"fetching Apache Kafka {kafka_version()} (once, about 45 MB)")
        _fetch(target)

    return cache.fill_once(cache_name(), fetch)


def _fetch(target: Path) -> None:
    """Let Maven copy the jars to the empty folder `target`."""
    maven = find_maven()
    try:
        run = subprocess.run(
            [maven, "-B", "-q", "-Dstyle.color=never", "-f", POM, "dependency:copy-dependencies",
             "-DincludeScope=runtime", f"-DoutputDirectory={target}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=MAVEN_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise MissingDependency(
            f"Maven did not finish within {MAVEN_TIMEOUT_S} s", "Check the network and try again"
        ) from error
    if run.returncode != 0 or not any(target.glob("kafka_2.*.jar")):
        said = "\n".join((run.stdout + run.stderr).strip().splitlines()[:6])
        raise MissingDependency(
            f"Maven could not fetch the embedded Kafka's jars:\n{said}",
            f"Check the network and ~/.m2/settings.xml (proxy, mirror), {WITHOUT_MAVEN}",
        )
