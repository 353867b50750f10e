"""Settings from file and environment, and how a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.settings import examine, load, unknown_variables
from schemas.errors import InvalidSetting


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "stillwatch.toml"


def problems(file: Path, text: str) -> list[tuple[str, str, str]]:
    file.write_text(text)
    return [(found.setting, found.problem, found.fix) for found in examine(file)[1]]


def test_defaults_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert examine()[1] == []
    assert load().bus.url == "embedded:"


def test_environment_comes_before_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[bus]\npartitions = 3\nembedded_heap_mb = 200\n[detection]\nlateness_s = 5")
    monkeypatch.setenv("STILLWATCH_BUS__PARTITIONS", "5")
    settings = load(file)
    assert settings.bus.partitions == 5
    assert settings.bus.embedded_heap_mb == 200
    assert settings.detection_config().lateness_s == 5


def test_file_is_found_by_variable(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('log_level = "debug"')
    monkeypatch.setenv("STILLWATCH_CONFIG", str(file))
    assert load().log_level == "debug"


def test_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(InvalidSetting, match="no such file") as raised:
        load(file)
    assert raised.value.setting == "config"


@pytest.mark.parametrize(
    ("text", "setting", "fix"),
    [
        ("bus = {", "config", "Mend the file"),
        ("data_dirr = 'a'", "data_dirr", "Did you mean data_dir?"),
        ("[bus]\npartition = 3", "bus.partition", "Did you mean bus.partitions?"),
        ("[sinks]\nflush_s = 1", "sinks", "Did you mean sink?"),
        ("[bus]\nxyz = 3", "bus.xyz", "Known here: embedded_heap_mb, partitions,"),
        ("[bus]\npartitions = 'eight'", "bus.partitions", "STILLWATCH_BUS__PARTITIONS"),
        ("[bus]\npartitions = 0", "bus.partitions", "STILLWATCH_BUS__PARTITIONS"),
        ("[bus]\nsasl_mechanism = 'SCRAM'", "bus.sasl_mechanism", "STILLWATCH_BUS__SASL_MECHANISM"),
        ("bus = 3", "bus", "STILLWATCH_BUS"),
        ("[bus]\nurl = 'localhost:9092'", "bus.url", "kafka://host:port"),
        ("[bus]\nreplication = 3", "bus.replication", "kafka://host:port"),
        ("[bus]\nsecurity_protocol = 'SSL'", "bus.security_protocol", "kafka://host:port"),
        ("[store]\ndsn = 'postgres://a/b'", "store.dsn", "chdb:///absolute/path"),
        ("[detection]\nlatenes_s = 3", "detection.latenes_s", "Did you mean detection.lateness_s?"),
        ("[detection]\nlateness_s = 'x'", "detection.lateness_s", "STILLWATCH_DETECTION__LATENESS_S"),
    ],
)
def test_wrong_setting_is_named_with_its_fix(file: Path, text: str, setting: str, fix: str) -> None:
    found = problems(file, text)
    assert [name for name, _, _ in found] == [setting]
    assert fix in found[0][2]


@pytest.mark.parametrize(
    ("lines", "setting"),
    [
        ("security_protocol = 'SASL_SSL'", "bus.sasl_username"),
        ("security_protocol = 'SASL_SSL'\nsasl_username = 'me'", "bus.sasl_password"),
        ("security_protocol = 'SASL_SSL'\nsasl_username = 'me'\nsasl_password = ''", "bus.sasl_password"),
        ("sasl_username = 'me'\nsasl_password = 'x'", "bus.security_protocol"),
        ("ssl_ca_file = 'ca.pem'", "bus.security_protocol"),
        ("security_protocol = 'SSL'\nssl_key_file = 'key.pem'", "bus.ssl_cert_file"),
    ],
)
def test_settings_that_do_not_go_together(file: Path, lines: str, setting: str) -> None:
    assert [name for name, _, _ in problems(file, f"[bus]\nurl = 'kafka://a:1'\n{lines}")] == [setting]


def test_every_problem_is_found_at_once(file: Path) -> None:
    text = "typo = 1\n[bus]\nurl = 'x'\npartitions = 'y'\n[store]\ndsn = 'z'\n[sink]\nflush_s = -1"
    assert {name for name, _, _ in problems(file, text)} == {
        "typo", "bus.url", "bus.partitions", "store.dsn", "sink.flush_s",
    }  # fmt: skip


def test_secrets_are_not_repeated(file: Path) -> None:
    text = (
        "[bus]\nsasl_password = 123456789\n[ingest]\nfingerprint_secret = 123456789\n"
        "[store]\ndsn = 'http://me:123456789@a/b?c=d'"
    )
    found = problems(file, text)
    assert len(found) == 3
    assert "123456789" not in str(found)


def test_section_in_one_variable_must_be_json(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLWATCH_BUS", "{broken")
    assert [name for name, _, _ in problems(file, "")] == ["environment"]


def test_variable_that_nothing_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLWATCH_BUSS__URL", "kafka://a:1")
    monkeypatch.setenv("STILLWATCH_KAFKA_HOME", "/opt/kafka")
    assert [(found.setting, found.fix) for found in unknown_variables()] == [
        ("STILLWATCH_BUSS__URL", "Did you mean STILLWATCH_BUS__URL?")
    ]
