"""Why no Kafka client gets through, in words."""

from __future__ import annotations

import asyncio
import socket
import ssl

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from infra.kafka.connection import Connection

TIMEOUT_S = 3.0
"""For one server."""


async def diagnosis(connection: Connection) -> str | None:
    """One reason per server that cannot be used; `None` as soon as one can.

    A client library only reports that it could not bootstrap. Here each server is tried by hand.

    Raises:
        InvalidSetting: a TLS file is missing or unusable.
    """
    options = connection.client_options()
    reasons = []
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers"), randomize=False):
        reason = await _reason(connection, host, port, options)
        if reason is None:
            return None
        reasons.append(reason)
    return "; ".join(reasons)


async def _reason(connection: Connection, host: str, port: int, options: dict[str, object]) -> str | None:
    timeout_ms = int(TIMEOUT_S * 1000)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            wire = await create_conn(
                host, port, client_id="stillwatch", request_timeout_ms=timeout_ms, **options
            )
    except ConnectionRefusedError:
        return f"nobody listens at {host}:{port}"
    except socket.gaierror:
        return f"the name {host} is not known"
    except ssl.SSLError as error:
        return f"{host}:{port} and we do not agree on TLS: {error.reason or error}"
    except UnsupportedSaslMechanismError:
        return f"{host}:{port} does not know {connection.sasl_mechanism}"
    except (AuthenticationFailedError, SaslAuthenticationFailed) as error:
        return f"{host}:{port} refuses the credentials: {error}"
    except (TimeoutError, KafkaError, OSError) as error:
        return (
            f"{host}:{port} does not answer in Kafka over {connection.security_protocol} within"
            f" {TIMEOUT_S:g} s ({str(error) or type(error).__name__})"
        )
    wire.close()
    return None
