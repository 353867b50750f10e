"""What `stillwatch doctor` looks at: every setting, and every thing the settings point to.

A check looks and changes nothing: no topic, folder or database is created on the way.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from agents import bus
from agents.setting_errors import variable
from agents.settings import DEFAULT_FILE, DEVELOPMENT_SECRET, Settings, examine, unknown_variables
from infra import cache
from infra.clickhouse import dsn as dsns
from infra.clickhouse import migrate
from infra.clickhouse.handle import owner_of
from infra.clickhouse.store import Store
from infra.kafka import admin, distribution
from infra.kafka.connection import Connection
from infra.kafka.diagnosis import diagnosis
from infra.kafka.topic_state import TopicState
from schemas.errors import InvalidSetting, MissingDependency, StillwatchError

SECRET_BYTES = 16
"""A shorter secret may be guessed. NIST SP 800-131A disallows HMAC keys of fewer than 112 bits."""


class Verdict(Enum):
    """Outcome of one check."""

    OK = "OK"
    SKIP = "SKIP"
    """Could not be looked at, for a reason that is no fault."""
    WARN = "WARN"
    """Works, and is not how production should be."""
    FAIL = "FAIL"
    """Does not work."""


@dataclass(frozen=True)
class Result:
    """One line of the report."""

    verdict: Verdict
    subject: str
    """Setting or thing, by the user's name for it."""
    found: str
    fix: str = ""


def ok(subject: str, found: str) -> Result:
    """It is as it should be."""
    return Result(Verdict.OK, subject, found)


def failure(error: StillwatchError, subject: str, fix: str = "") -> Result:
    """What an error says, as a failed check."""
    match error:
        case InvalidSetting():
            return Result(Verdict.FAIL, error.setting, error.problem, error.fix)
        case MissingDependency():
            return Result(Verdict.FAIL, subject, error.what, error.fix)
        case _:
            return Result(Verdict.FAIL, subject, str(error), fix)


async def results(config: Path | None) -> AsyncIterator[Result]:
    """All checks, the cheap ones first. Where the settings cannot be read, only those that need none."""
    settings, problems = examine(config)
    for problem in problems:
        yield failure(problem, "settings")
    for problem in unknown_variables():
        yield Result(Verdict.WARN, problem.setting, problem.problem, problem.fix)
    if not problems:
        yield ok("settings", f"read from {_source(config)}")
    yield ok("python", platform.python_version())
    if settings is None:
        yield Result(Verdict.SKIP, "the rest", "depends on the settings", "Mend them and run this again")
        return
    if not problems:
        yield ok("detection", f"state marked {settings.detection_config().parameter_hash()}")
    yield data_dir(settings)
    yield fingerprint_secret(settings)
    if bus.is_embedded(settings):
        for result in embedded_kafka():
            yield result
    async for result in kafka(settings):
        yield result
    for result in store(settings):
        yield result


def _source(config: Path | None) -> str:
    named = config or os.environ.get("STILLWATCH_CONFIG")
    file = Path(named) if named else DEFAULT_FILE
    return f"{file} and environment" if file.is_file() else f"environment (no {file})"


def data_dir(settings: Settings) -> Result:
    """Can the run directory be written, or made?"""
    folder = settings.data_dir.absolute()
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not nearest.is_dir():
        return Result(Verdict.FAIL, "data_dir", f"{nearest} is a file", "Set data_dir to a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        fix = f"Make it writable for user {os.getuid()}, or set data_dir to another folder"
        return Result(Verdict.FAIL, "data_dir", f"{nearest} is not writable", fix)
    free_gb = shutil.disk_usage(nearest).free / 1e9
    if free_gb < 1:
        return Result(Verdict.WARN, "data_dir", f"{free_gb:.1f} GB free in {nearest}", "Make room")
    note = "" if folder.exists() else " (made at first use)"
    return ok("data_dir", f"{folder}{note}, {free_gb:.0f} GB free")


def fingerprint_secret(settings: Settings) -> Result:
    """Is the key of the fingerprints secret?"""
    name, secret = "ingest.fingerprint_secret", settings.ingest.fingerprint_secret.get_secret_value()
    fix = f"Set {variable(name.split('.'))} to the output of `openssl rand -hex 32`"
    if secret == DEVELOPMENT_SECRET:
        found = "the development secret, which everybody knows"
        return Result(Verdict.WARN if bus.is_embedded(settings) else Verdict.FAIL, name, found, fix)
    if len(secret.encode()) < SECRET_BYTES:
        return Result(Verdict.WARN, name, f"{len(secret.encode())} bytes can be guessed", fix)
    return ok(name, f"set, generation {settings.ingest.fingerprint_generation}")


def embedded_kafka() -> Iterator[Result]:
    """Is there what the embedded broker needs?"""
    try:
        yield ok("java", str(distribution.find_java().program))
    except MissingDependency as error:
        yield failure(error, "java")
    folder = cache.root() / distribution.cache_name()
    if os.environ.get("STILLWATCH_KAFKA_HOME") or folder.is_dir():
        try:
            yield ok("kafka jars", str(distribution.jars(lambda _: None)))
        except MissingDependency as error:
            yield failure(error, "STILLWATCH_KAFKA_HOME")
        return
    try:
        yield ok("maven", f"{distribution.find_maven()}, will fetch Kafka to {folder} at first start")
    except MissingDependency as error:
        yield failure(error, "maven")


async def kafka(settings: Settings) -> AsyncIterator[Result]:
    """Does the bus answer, and are its topics right?"""
    if bus.is_embedded(settings) and bus.embedded_endpoint(settings) is None:
        yield Result(Verdict.SKIP, "bus.url", "embedded Kafka, not running", "`stillwatch up` starts it")
        return
    try:
        connection = bus.connection(settings)
        problem = await diagnosis(connection)
        if problem is not None:
            fix = "Start the broker, or correct bus.url, bus.security_protocol and bus.sasl_*"
            yield Result(Verdict.FAIL, "bus.url", problem, fix)
            return
        yield ok("bus.url", f"{connection.bootstrap} answers over {connection.security_protocol}")
        for result in transport_security(settings, connection):
            yield result
        states = await admin.describe_topics(connection, settings.bus.partitions)
    except StillwatchError as error:
        yield failure(error, "bus.url", "See the broker's log")
        return
    for result in topics(settings, states):
        yield result


def transport_security(settings: Settings, connection: Connection) -> Iterator[Result]:
    """Is the way to a broker that is not ours protected?"""
    if bus.is_embedded(settings):
        return
    if connection.uses_sasl and connection.sasl_mechanism == "PLAIN" and not connection.uses_ssl:
        found = "PLAIN sends the password readable for everybody on the way"
        yield Result(Verdict.WARN, "bus.security_protocol", found, "Use SASL_SSL, or SCRAM-SHA-512")
    if settings.bus.replication == 1:
        found = "1: a lost broker is lost findings and state"
        yield Result(Verdict.WARN, "bus.replication", found, "Set it to 3 on a cluster of 3 or more brokers")


def topics(settings: Settings, states: dict[str, TopicState | None]) -> Iterator[Result]:
    """Are the topics there, and as defined?"""
    missing = [name for name, state in states.items() if state is None]
    if missing:
        names = "all of them" if len(missing) == len(states) else ", ".join(missing)
        fix = "Run `stillwatch topics create`" + (" (`up` does it too)" if bus.is_embedded(settings) else "")
        yield Result(Verdict.FAIL, "topics", f"missing: {names}", fix)
    drifts = [drift for state in states.values() if state is not None for drift in state.drift]
    if wrong := [drift for drift in drifts if drift.what == "partitions"]:
        error = wrong[0].error()
        others = f" (and {len(wrong) - 1} others)" if len(wrong) > 1 else ""
        yield Result(Verdict.FAIL, error.setting, error.problem + others, error.fix)
    for drift in drifts:
        if drift.what != "partitions":
            error, verdict = drift.error(), Verdict.FAIL if drift.breaks else Verdict.WARN
            yield Result(verdict, error.setting, error.problem, error.fix)
    if not missing and not drifts:
        count = settings.bus.partitions
        yield ok("topics", f"{len(states)} as defined; {count} partitions, the most workers that help")


def store(settings: Settings) -> Iterator[Result]:
    """Does the store answer, and is its schema current?"""
    name = "store.dsn"
    try:
        dsn = dsns.parse(settings.store_dsn)
        if isinstance(dsn, dsns.EmbeddedDsn):
            if not dsn.path.exists():
                found = f"{dsn.path} does not exist yet"
                yield Result(Verdict.SKIP, name, found, "`stillwatch migrate` makes it")
                return
            if (owner := owner_of(dsn)) is not None:
                yield ok(name, f"{dsn.path} is open in process {owner}, most likely the sink")
                return
        with Store(dsn) as opened:
            missing = [entry.migration for entry in migrate.status(opened) if entry.applied_at is None]
            found = f"{dsn}, ClickHouse {opened.version}"
    except StillwatchError as error:
        yield failure(error, name, "Start it, or correct store.dsn")
        return
    if missing:
        found += f"; {len(missing)} migrations to apply"
        yield Result(Verdict.FAIL, name, found, "Run `stillwatch migrate`")
    else:
        yield ok(name, found)
