"""From bus settings to client options."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from infra.kafka.connection import Connection, bootstrap_of
from schemas.errors import InvalidSetting


@pytest.mark.parametrize("servers", ["a:1", "broker-1.example:92,broker_2:93", "10.0.0.1:9092", "[::1]:9092"])
def test_servers_of_a_kafka_url(servers: str) -> None:
    assert bootstrap_of(f"kafka://{servers}") == servers


@pytest.mark.parametrize(
    "url",
    ["", "embedded", "kafka:/a:1", "kafka://", "kafka://a", "kafka://a:", "kafka://a:0", "kafka://a:70000",
     "kafka://a:1,", "kafka://a:1, b:2", "kafka://user@a:1", "kafka://a:1/topic", "http://a:1", "a:9092"],
)  # fmt: skip
def test_any_other_url_is_refused_with_the_two_forms(url: str) -> None:
    with pytest.raises(InvalidSetting) as raised:
        bootstrap_of(url)
    assert raised.value.setting == "bus.url"
    assert "embedded:" in raised.value.fix
    assert "kafka://host:port" in raised.value.fix


def test_plaintext_sends_no_credentials() -> None:
    connection = Connection(bootstrap="a:1", sasl_username="me", sasl_password="hunter2")
    assert connection.client_options() == {"bootstrap_servers": "a:1", "security_protocol": "PLAINTEXT"}


def test_sasl_over_tls() -> None:
    options = Connection(
        bootstrap="a:1",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_username="me",
        sasl_password="hunter2",
    ).client_options()
    context = options.pop("ssl_context")
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert options == {
        "bootstrap_servers": "a:1",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "hunter2",
    }


def test_password_is_not_shown() -> None:
    assert "hunter2" not in repr(Connection(bootstrap="a:1", sasl_password="hunter2"))


@pytest.mark.parametrize("name", ["ssl_ca_file", "ssl_cert_file", "ssl_key_file"])
def test_missing_file_is_named(tmp_path: Path, name: str) -> None:
    connection = Connection(bootstrap="a:1", security_protocol="SSL", **{name: tmp_path / "none.pem"})
    with pytest.raises(InvalidSetting, match=r"none\.pem") as raised:
        connection.client_options()
    assert raised.value.setting == f"bus.{name}"


@pytest.mark.parametrize("name", ["ssl_ca_file", "ssl_cert_file"])
def test_file_without_certificate_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "wrong.pem").write_text("not a certificate")
    connection = Connection(bootstrap="a:1", security_protocol="SSL", **{name: tmp_path / "wrong.pem"})
    with pytest.raises(InvalidSetting, match=r"wrong\.pem") as raised:
        connection.ssl_context()
    assert raised.value.setting == f"bus.{name}"
