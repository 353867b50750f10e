"""From settings to a `Connection`: the one place that knows where the bus is."""

from __future__ import annotations

from agents.settings import Settings
from infra.kafka import endpoint
from infra.kafka.connection import Connection, bootstrap_of
from infra.kafka.endpoint import Endpoint
from schemas.errors import BusUnavailable


def is_embedded(settings: Settings) -> bool:
    """Whether the bus is our own broker under `Settings.data_dir`."""
    return bootstrap_of(settings.bus.url) is None


def embedded_endpoint(settings: Settings) -> Endpoint | None:
    """The embedded broker that runs now; `None` where none does."""
    return endpoint.read(settings.data_dir / "kafka")


def connection(settings: Settings) -> Connection:
    """How to reach the bus. Does not reach for it yet.

    Raises:
        BusUnavailable: the bus is the embedded one and none runs in `Settings.data_dir`.
        InvalidSetting: a TLS file is missing or unusable.
    """
    bus = settings.bus
    bootstrap = bootstrap_of(bus.url)
    if bootstrap is None:
        running = embedded_endpoint(settings)
        if running is None:
            raise BusUnavailable(
                f"no embedded Kafka runs in {settings.data_dir}. Start one with `stillwatch up`, or set"
                " bus.url to a Kafka you have: kafka://host:port"
            )
        return Connection(bootstrap=running.bootstrap)
    found = Connection(
        bootstrap=bootstrap,
        security_protocol=bus.security_protocol,
        sasl_mechanism=bus.sasl_mechanism,
        sasl_username=bus.sasl_username,
        sasl_password=bus.sasl_password.get_secret_value() if bus.sasl_password else None,
        ssl_ca_file=bus.ssl_ca_file,
        ssl_cert_file=bus.ssl_cert_file,
        ssl_key_file=bus.ssl_key_file,
    )
    found.ssl_context()  # a wrong file is worth knowing now, and not in the middle of a start
    return found
