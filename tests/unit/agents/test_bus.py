"""From settings to a connection."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agents import bus
from agents.settings import Settings
from infra.kafka import endpoint
from infra.kafka.connection import Connection
from schemas.errors import BusUnavailable, InvalidSetting


def test_embedded_broker_is_found_by_its_endpoint(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings()
    with pytest.raises(BusUnavailable, match="stillwatch up"):
        bus.connection(settings)
    folder = tmp_path / "run" / "kafka"
    folder.mkdir(parents=True)
    lock = endpoint.acquire(folder, 0)
    endpoint.write(folder, endpoint.Endpoint(bootstrap="127.0.0.1:20000", pid=1))
    assert bus.connection(settings) == Connection(bootstrap="127.0.0.1:20000")
    os.close(lock)
    with pytest.raises(BusUnavailable):
        bus.connection(settings)


def test_kafka_url_with_credentials(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(
        bus={
            "url": "kafka://a:1,b:2",
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-256",
            "sasl_username": "me",
            "sasl_password": "hunter2",
        }
    )
    assert not bus.is_embedded(settings)
    assert bus.connection(settings) == Connection(
        bootstrap="a:1,b:2",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-256",
        sasl_username="me",
        sasl_password="hunter2",
    )


def test_missing_certificate_is_said_before_any_client_starts(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    settings = make_settings(
        bus={"url": "kafka://a:1", "security_protocol": "SSL", "ssl_ca_file": tmp_path / "ca.pem"}
    )
    with pytest.raises(InvalidSetting, match=r"ca\.pem"):
        bus.connection(settings)
