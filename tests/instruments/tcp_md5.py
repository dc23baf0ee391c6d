"""Passwords of TCP connections (TCP-MD5, RFC 2385), for which Python's socket has no names."""

from __future__ import annotations

import socket
import struct

_TCP_MD5SIG = 14
"""Option of Linux (linux/tcp.h); its value is a ``struct tcp_md5sig``."""


def protect(server: socket.socket, remote: str, password: str) -> None:
    """Ask for this password in connections from an address that begin from now on; empty: none any more."""
    if ":" in remote:
        address = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, remote), 0)
    else:
        address = struct.pack("=HH4s", socket.AF_INET, 0, socket.inet_aton(remote))
    key = password.encode()
    server.setsockopt(socket.IPPROTO_TCP, _TCP_MD5SIG, struct.pack("=128sBBHI80s", address, 0, 0, len(key), 0, key))
