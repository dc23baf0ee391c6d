"""From a Service's address to the backend on the node: what kube-proxy does in a cluster, by nftables."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from frrsync.errors import LabError
from frrsync.lab import backend, process

if TYPE_CHECKING:
    from frrsync.lab.topology import Device, Topology

SERVICE_PORT = 80


def rules(topology: Topology, node: Device) -> str:
    """Return the nftables rules of a node.

    The target is the node's own address, not a ``redirect``: that would choose an address of the
    interface, for IPv6 perhaps a link-local one. The counters count connections.
    """
    lines = []
    for version, family, address in ((4, "ip", node.loopback4), (6, "ip6", node.loopback6)):
        prefixes = [str(prefix) for prefix in topology.service_prefixes if prefix.version == version]
        if prefixes and address is not None:
            target = f"{address}:{backend.PORT}" if version == 4 else f"[{address}]:{backend.PORT}"
            services = f"{family} daddr {{ {', '.join(prefixes)} }} tcp dport {SERVICE_PORT}"
            lines.append(f"    {services} counter dnat {family} to {target}")
    chain = ["  chain services {", "    type nat hook prerouting priority dstnat;", *lines, "  }"]
    return "\n".join(["table inet frrsync_lab {", *chain, "}", ""])


def install(topology: Topology, node: Device) -> None:
    """Load the rules into the node's namespace."""
    command = process.inside(topology.namespace(node.name), ["nft", "-f", "-"])
    try:
        done = subprocess.run(command, input=rules(topology, node), text=True, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise LabError(f"{error.filename} is missing: apt-get install util-linux nftables") from error
    if done.returncode != 0:
        raise LabError(f"nftables of {topology.namespace(node.name)}: {done.stderr.strip()}")
