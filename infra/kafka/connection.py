"""`Connection`: how a client reaches the Kafka cluster, whoever runs it."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import InvalidSetting

EMBEDDED = "embedded:"
SCHEME = "kafka://"
FORMS = f"Write {EMBEDDED} (a Kafka of our own) or {SCHEME}host:port[,host:port]"

_HOST_PORT = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")


def bootstrap_of(url: str) -> str | None:
    """Bootstrap servers in a bus URL; `None` for the embedded broker, whose address is found at run time.

    >>> bootstrap_of("kafka://a.example:9092,[::1]:9093")
    'a.example:9092,[::1]:9093'
    >>> bootstrap_of("embedded:") is None
    True

    Raises:
        InvalidSetting: it is neither form.
    """
    if url == EMBEDDED:
        return None
    if not url.startswith(SCHEME):
        raise InvalidSetting("bus.url", f"unknown form {url!r}", FORMS)
    servers = url.removeprefix(SCHEME)
    for server in servers.split(","):
        match = _HOST_PORT.fullmatch(server)
        if match is None or not 0 < int(match["port"]) < 65536:
            raise InvalidSetting("bus.url", f"{server!r} in {url!r} is not host:port", FORMS)
    return servers


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Address and credentials of one Kafka cluster. Names and values as in `bus` settings."""

    bootstrap: str
    """``host:port[,host:port]``."""
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_ca_file: Path | None = None
    """Authorities to trust; `None`: the system's."""
    ssl_cert_file: Path | None = None
    """Our own certificate, where brokers ask for one."""
    ssl_key_file: Path | None = None
    """Its key; `None`: in the certificate's file."""

    @property
    def uses_ssl(self) -> bool:
        return self.security_protocol in ("SSL", "SASL_SSL")

    @property
    def uses_sasl(self) -> bool:
        return self.security_protocol in ("SASL_PLAINTEXT", "SASL_SSL")

    def ssl_context(self) -> ssl.SSLContext | None:
        """TLS context that checks the broker's certificate and name; `None` where TLS is off.

        Raises:
            InvalidSetting: a file is missing or holds no certificate or key.
        """
        if not self.uses_ssl:
            return None
        for name in ("ssl_ca_file", "ssl_cert_file", "ssl_key_file"):
            file = getattr(self, name)
            if file is not None and not file.is_file():
                raise InvalidSetting(f"bus.{name}", f"no such file: {file}", "Give the path of a PEM file")
        try:
            context = ssl.create_default_context(cafile=self.ssl_ca_file)
        except (ssl.SSLError, OSError) as error:
            raise InvalidSetting(
                "bus.ssl_ca_file",
                f"cannot read {self.ssl_ca_file}: {error}",
                "Give a PEM file of certificates",
            ) from error
        if self.ssl_cert_file is not None:
            try:
                context.load_cert_chain(self.ssl_cert_file, self.ssl_key_file)
            except (ssl.SSLError, OSError) as error:
                raise InvalidSetting(
                    "bus.ssl_cert_file",
                    f"cannot use {self.ssl_cert_file} with key {self.ssl_key_file or 'inside it'}: {error}",
                    "Give a PEM certificate and the PEM key that belongs to it",
                ) from error
        return context

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments that every aiokafka client takes. Raises as `ssl_context`."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
        }
        if self.uses_ssl:
            options["ssl_context"] = self.ssl_context()
        if self.uses_sasl:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password
        return options
