"""BGP peers that cost next to nothing: they take sessions, count the /32 routes that they are sent, and forget them.

Run as ``python -m bench.sink ASN ADDRESS...`` in the namespace of the peers: one speaker an address. Each line
on standard input is answered with one line of counts, in the order of the addresses.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

from instruments import bgp_wire

if TYPE_CHECKING:
    from collections.abc import Sequence

HOLD_SECONDS = 900
HOST_ROUTE_BYTES = 5  # of a /32 in an UPDATE: its length and four octets (RFC 4271, 4.3)
_START_SECONDS = 10.0


class Sink:
    """The peers, seen from the measurement; use as a context manager."""

    def __init__(self, namespace: str, asn: int, addresses: Sequence[str]) -> None:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parent.parent)}
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, "-m", "bench.sink", str(asn), *addresses],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self) -> Self:
        """Wait until the peers listen."""
        self.counts()
        return self

    def __exit__(self, *_: object) -> None:
        """End the peers."""
        if self._process.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait(_START_SECONDS)
        if self._process.stdout:
            self._process.stdout.close()

    def counts(self) -> list[int]:
        """Return how many announcements each peer has got since the start."""
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("opened as pipes above")
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        found: list[int] = json.loads(self._process.stdout.readline())
        return found

    def wait(self, before: Sequence[int], more: int, seconds: float) -> float:
        """Return the monotonic moment in which every peer had got so many more announcements."""
        deadline = time.monotonic() + seconds
        while min(now - then for now, then in zip(self.counts(), before, strict=True)) < more:
            if time.monotonic() > deadline:
                raise TimeoutError(f"expected {more} announcements at each peer within {seconds:g} s")
            time.sleep(0.01)
        return time.monotonic()


class _Speaker:
    """One peer: a listening socket, and the session over the connection that came last."""

    def __init__(self, selector: selectors.BaseSelector, asn: int, address: str) -> None:
        self._selector = selector
        self._asn, self._address = asn, address
        self._buffer = b""
        self.count = 0
        self._server = socket.create_server((address, 179), backlog=8)
        selector.register(self._server, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        connection, _ = self._server.accept()
        connection.sendall(bgp_wire.open_message(self._asn, HOLD_SECONDS, self._address))
        self._buffer = b""
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._receive(connection))

    def _receive(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(1 << 18)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(connection)
            connection.close()
            return
        messages, self._buffer = bgp_wire.split(self._buffer + data)
        for kind, body in messages:
            if kind == bgp_wire.OPEN:
                connection.sendall(bgp_wire.message(bgp_wire.KEEPALIVE))
            elif kind == bgp_wire.UPDATE:
                self.count += _host_routes(body)


def _host_routes(body: bytes) -> int:
    """Return how many /32 an UPDATE announces: what stands behind withdrawn routes and attributes."""
    withdrawn = int.from_bytes(body[:2])
    attributes = int.from_bytes(body[2 + withdrawn : 4 + withdrawn])
    return (len(body) - 4 - withdrawn - attributes) // HOST_ROUTE_BYTES


def main() -> None:
    """Serve until standard input ends."""
    selector = selectors.DefaultSelector()
    speakers = [_Speaker(selector, int(sys.argv[1]), address) for address in sys.argv[2:]]

    def answer() -> None:
        for _ in sys.stdin:
            print(json.dumps([speaker.count for speaker in speakers]), flush=True)
        os._exit(0)

    threading.Thread(target=answer, daemon=True).start()
    while True:
        for key, _ in selector.select():
            key.data()


if __name__ == "__main__":
    main()
