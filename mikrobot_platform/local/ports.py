"""Ports: free ones for the databases, the asked one for the web."""

from __future__ import annotations

import contextlib
import errno
import random
import socket

from mikrobot_platform.local.problem import Problem

# Below the range from which systems take ports for outgoing connections (Linux 32768+, macOS 49152+), so that a
# port chosen today is not in somebody's passing use tomorrow.
LOWEST, HIGHEST = 15_000, 30_000


def free_port(preferred: int | None = None, *, avoid: frozenset[int] = frozenset()) -> int:
    """Choose a loopback port nobody listens on, the preferred one if possible."""
    if preferred and preferred not in avoid and is_free(preferred):
        return preferred
    chance = random.SystemRandom()
    for _ in range(200):
        port = chance.randint(LOWEST, HIGHEST)
        if port not in avoid and is_free(port):
            return port
    raise Problem(f"No free port from {LOWEST} to {HIGHEST} was found on 127.0.0.1.", "Stop what listens there.")


def is_free(port: int) -> bool:
    """Tell whether a server could listen on PORT of the loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def reserve_web(port: int) -> list[socket.socket]:
    """Bind PORT on 127.0.0.1, and on ::1 where there is one, so that http://localhost reaches us and nobody else.

    The sockets are ours and only lent to the web server: while it restarts, connections wait instead of failing."""
    held: list[socket.socket] = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            web = socket.socket(family, socket.SOCK_STREAM)
        except OSError:  # no IPv6 in this kernel
            continue
        web.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            web.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            web.bind((address, port))
        except OSError as error:
            web.close()
            if family == socket.AF_INET6 and error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                continue
            for other in held:
                other.close()
            raise _refusal(port, error) from error
        held.append(web)
    return held


def _refusal(port: int, error: OSError) -> Problem:
    if error.errno == errno.EACCES:
        return Problem(f"Port {port} may not be used by this user.", "Choose one above 1023: --port 8000.")
    if error.errno == errno.EADDRINUSE:
        with contextlib.suppress(Problem):
            return Problem(
                f"Port {port} is already in use by another program.",
                f"Stop that program or choose another port, for example --port {free_above(port)}.",
            )
    return Problem(f"Port {port} cannot be used ({error.strerror}).", "Choose another one with --port N.")


def free_above(port: int) -> int:
    """Find the next free port, to propose it."""
    for candidate in range(max(port, 1023) + 1, 65_536):
        if is_free(candidate):
            return candidate
    return free_port()
