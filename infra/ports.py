"""Free ports on loopback for a server that must come back on the same one."""

from __future__ import annotations

import random
import socket

EPHEMERAL_FROM = 32_768
"""Linux hands out ports from here to outgoing connections (ip(7), ip_local_port_range)."""


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(besides: int = 0) -> int:
    """A free port below the ephemeral ones.

    With an ephemeral port, a client that keeps trying to reach a server that is down would one day be given
    the server's own port for its end, connect to itself, and hold the port when the server wants it back.
    """
    while True:
        port = random.randrange(EPHEMERAL_FROM // 2, EPHEMERAL_FROM)
        if port != besides and is_free(port):
            return port
