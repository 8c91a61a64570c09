"""Which ports of 127.0.0.1 are free?"""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> list[int]:
    """As many different ports that nobody listens on right now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def is_free(port: int) -> bool:
    """Whether a listener could be opened on this port now."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def wanted_or_free(port: int) -> int:
    """The wanted port, or another that is free."""
    return port if is_free(port) else free_ports(1)[0]
