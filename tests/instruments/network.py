"""Two network namespaces and a cable: a node with FRR on one end, its peers on the other."""

from __future__ import annotations

import itertools
import os
import subprocess
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

NODE_IPV4, NODE_IPV6 = "10.99.0.1", "fd99::1"
_serial = itertools.count()


def ip(*arguments: str) -> str:
    """Run iproute2 and return its output; a refusal raises with what it said."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607 - our own words
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Cable:
    """The namespaces ``node`` and ``peers``; use as a context manager.

    The node has 10.99.0.1/24 and fd99::1/64, the peers whatever addresses they are given in there.
    """

    def __init__(self, peer_addresses: Sequence[str]) -> None:
        stem = f"frrtest{os.getpid()}x{next(_serial)}"
        self.node, self.peers = f"{stem}n", f"{stem}p"
        self._peer_addresses = peer_addresses

    def __enter__(self) -> Self:
        """Make both namespaces."""
        for namespace in (self.node, self.peers):
            ip("netns", "add", namespace)
            ip("-n", namespace, "link", "set", "lo", "up")
        ip("link", "add", "eth0", "netns", self.node, "type", "veth", "peer", "name", "eth0", "netns", self.peers)
        for namespace, addresses in ((self.node, (NODE_IPV4, NODE_IPV6)), (self.peers, self._peer_addresses)):
            for address in addresses:
                arguments = [f"{address}/64", "nodad"] if ":" in address else [f"{address}/24"]
                ip("-n", namespace, "address", "add", *arguments, "dev", "eth0")
            ip("-n", namespace, "link", "set", "eth0", "up")
        return self

    def __exit__(self, *_: object) -> None:
        """Delete both namespaces; the cable goes with them."""
        for namespace in (self.node, self.peers):
            ip("netns", "delete", namespace)
