"""`stillwatch doctor` and `stillwatch topics` as a user meets them: what is wrong is named, with its fix."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from infra.clickhouse import migrate
from infra.clickhouse.store import open_store
from infra.kafka.embedded import EmbeddedKafka
from schemas.topics import ALL

pytestmark = pytest.mark.integration

Command = Callable[..., tuple[int, str]]


def complaint(stillwatch: Command, settings: str) -> tuple[str, str]:
    """The one line of failure that `doctor` prints for these settings, and the line with its fix."""
    Path("stillwatch.toml").write_text(settings)
    code, said = stillwatch("doctor")
    assert code == 1, said
    lines = said.splitlines()
    (number,) = [number for number, line in enumerate(lines) if line.startswith("FAIL")]
    assert lines[number + 1].strip().startswith("fix: ")
    return lines[number], lines[number + 1]


def test_as_a_program(tmp_path: Path) -> None:
    """The installed command itself, once: exit code, and no stack trace for a user's mistake."""
    (tmp_path / "stillwatch.toml").write_text("[bus]\nurl = 'nonsense'\n")
    program = str(Path(sys.executable).with_name("stillwatch"))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, text=True)

    report = run("doctor")
    assert (report.returncode, report.stderr) == (1, "")
    assert "bus.url" in report.stdout
    refusal = run("topics", "list")
    assert (refusal.returncode, refusal.stdout) == (2, "")
    assert "bus.url" in refusal.stderr
    assert "Traceback" not in refusal.stderr


NO_WARNING = "[ingest]\nfingerprint_secret = 'sixteen bytes or more'\n"


@pytest.mark.parametrize(
    ("settings", "named", "problem", "fix"),
    [
        ("bus = {", "config", "no readable TOML", "Mend the file"),
        ("[bus]\npartitons = 4", "bus.partitons", "no such setting", "Did you mean bus.partitions?"),
        ("[bus]\npartitions = 'many'", "bus.partitions", "valid integer", "STILLWATCH_BUS__PARTITIONS"),
        ("[bus]\nurl = 'localhost:9092'", "bus.url", "unknown form", "kafka://host:port"),
        ("[bus]\nurl = 'kafka://127.0.0.1:1'", "bus.url", "nobody listens at 127.0.0.1:1", "Start the br"),
        ("[bus]\nurl = 'kafka://none.invalid:1'", "bus.url", "none.invalid is not known", "correct bus.url"),
        ("[store]\ndsn = 'clickhouse://x'", "store.dsn", "unknown scheme", "chdb:///absolute/path"),
        ("[store]\ndsn = 'http://127.0.0.1:1/x'", "store.dsn", "", "correct store.dsn"),
        (
            "[bus]\nurl = 'kafka://a:1'\nsecurity_protocol = 'SASL_SSL'\nsasl_username = 'me'",
            "bus.sasl_password", "SASL_SSL needs it", "STILLWATCH_BUS__SASL_PASSWORD",
        ),
        (
            "[bus]\nurl = 'kafka://a:1'\nsecurity_protocol = 'SSL'\nssl_ca_file = '/none/ca.pem'",
            "bus.ssl_ca_file", "no such file: /none/ca.pem", "PEM",
        ),
        ("[detection]\nlateness_s = -1", "detection.lateness_s", ">= 0", "STILLWATCH_DETECTION__LATENESS_S"),
        ("data_dir = 'stillwatch.toml/run'", "data_dir", "stillwatch.toml is a file", "to a folder"),
    ],
)  # fmt: skip
def test_broken_setting_is_named_with_its_fix(
    stillwatch: Command, settings: str, named: str, problem: str, fix: str
) -> None:
    found, remedy = complaint(stillwatch, f"{settings}\n{NO_WARNING}")
    assert f" {named} " in found
    assert problem in found
    assert fix in remedy


def test_missing_java_and_maven_are_named(stillwatch: Command, tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "JAVA_HOME": "", "STILLWATCH_CACHE": str(tmp_path)}
    code, said = stillwatch("doctor", **environment)
    assert code == 1
    assert "no `java` in PATH" in said
    assert "no `mvn` in PATH" in said
    assert said.count("STILLWATCH_KAFKA_HOME") == 1


def test_development_secret_fails_a_real_cluster_and_warns_a_laptop(stillwatch: Command) -> None:
    code, said = stillwatch("doctor")
    assert code == 0
    assert "WARN  ingest.fingerprint_secret" in said
    code, said = stillwatch("doctor", STILLWATCH_BUS__URL="kafka://127.0.0.1:1")
    assert code == 1
    assert "FAIL  ingest.fingerprint_secret" in said
    assert "STILLWATCH_INGEST__FINGERPRINT_SECRET" in said


def test_doctor_changes_nothing(stillwatch: Command, tmp_path: Path) -> None:
    stillwatch("doctor")
    assert list(tmp_path.iterdir()) == []


def test_topics_from_missing_to_as_defined(
    stillwatch: Command, tmp_path: Path, kafka_factory: Callable[..., EmbeddedKafka]
) -> None:
    broker = kafka_factory(tmp_path / ".stillwatch")

    code, said = stillwatch("doctor")
    assert code == 1
    assert f"bus.url                    {broker.bootstrap} answers over PLAINTEXT" in said
    assert "FAIL  topics                     missing: all of them" in said
    assert "stillwatch topics create" in said

    code, said = stillwatch("topics", "create")
    assert (code, f"{len(ALL)} created, 0 there already" in said) == (0, True)
    code, said = stillwatch("topics", "create")
    assert (code, f"0 created, {len(ALL)} there already" in said) == (0, True)
    code, said = stillwatch("doctor")
    assert (code, f"OK    topics                     {len(ALL)} as defined" in said) == (0, True)

    other = {"STILLWATCH_BUS__PARTITIONS": "5"}
    code, said = stillwatch("doctor", **other)
    assert code == 1
    assert "has 8 partitions, the setting asks for 5" in said
    assert "Set bus.partitions = 8" in said
    assert stillwatch("topics", "create", **other)[0] == 2
    code, said = stillwatch("topics", "list", **other)
    assert said.count("partitions wrong") == sum(topic.partitions is None for topic in ALL)

    code, said = stillwatch("topics", "describe", "control")
    assert code == 0
    assert "stillwatch.control.v1  as defined" in said
    assert "cleanup.policy=compact" in said
    code, said = stillwatch("topics", "describe", "contrl")
    assert (code, "Did you mean control?" in said) == (2, True)

    asyncio.run(_delete("stillwatch.control.v1", broker))
    code, said = stillwatch("topics", "describe", "control")
    assert (code, "missing" in said) == (1, True)
    broker.stop()
    code, said = stillwatch("topics", "list")
    assert (code, "no embedded Kafka runs" in said) == (1, True)


async def _delete(name: str, broker: EmbeddedKafka) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await client.start()
    await client.delete_topics([name])
    while name in await client.list_topics():
        await asyncio.sleep(0.05)
    await client.close()


def test_store_from_absent_to_current(stillwatch: Command, tmp_path: Path) -> None:
    dsn = f"chdb://{tmp_path}/store"
    Path("stillwatch.toml").write_text(f"[store]\ndsn = '{dsn}'\n{NO_WARNING}")
    code, said = stillwatch("doctor")
    assert (code, "SKIP  store.dsn" in said) == (0, True)

    open_store(dsn).close()
    found, remedy = complaint(stillwatch, Path("stillwatch.toml").read_text())
    assert "store.dsn" in found
    assert "migrations to apply" in found
    assert "stillwatch migrate" in remedy

    with open_store(dsn) as store:
        migrate.migrate(store)
    code, said = stillwatch("doctor")
    assert (code, "OK    store.dsn" in said) == (0, True)
