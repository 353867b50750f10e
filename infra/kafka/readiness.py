"""Is a broker ready? Asked in Kafka's own protocol: an open port only means that a JVM is starting."""

from __future__ import annotations

import socket
import struct

_METADATA, _VERSION, _CORRELATION_ID = 3, 1, 1
_CLIENT = b"stillwatch"
_REQUEST = (
    struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION_ID, len(_CLIENT))
    + _CLIENT
    + struct.pack(">i", 0)  # no topics, brokers only
)
_REPLY_LIMIT_BYTES = 1024 * 1024


def brokers_in_service(port: int, timeout_s: float = 2.0) -> int:
    """How many brokers the loopback broker at `port` names in a Metadata reply; 0 where none answers.

    A broker names itself only once the controller has taken it into service, which is when topics can be
    created. Source: Kafka protocol guide, request header v1, Metadata request and response v1.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as connection:
            connection.sendall(struct.pack(">i", len(_REQUEST)) + _REQUEST)
            with connection.makefile("rb") as stream:
                (size,) = struct.unpack(">i", stream.read(4))
                reply = stream.read(min(size, _REPLY_LIMIT_BYTES))
        correlation_id, brokers = struct.unpack_from(">ii", reply)
    except (OSError, struct.error):  # not listening, not answering, or closed in the middle of an answer
        return 0
    return int(brokers) if correlation_id == _CORRELATION_ID else 0
