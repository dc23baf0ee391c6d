"""Namespaces, cables, addresses and static routes of a lab, by pyroute2.

Every cable is made inside a namespace of the lab with its far end directly in another one, so the
host's own namespace never sees an interface, an address or a route of the lab.
"""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING, Any
from zlib import crc32

from pyroute2 import IPRoute, netns

from frrsync.errors import LabError
from frrsync.lab.process import NAMESPACES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from ipaddress import IPv4Address, IPv6Address

    from frrsync.lab.topology import Device, Topology

STATIC = 4  # RTPROT_STATIC, rtnetlink(7): an administrator's route, which zebra leaves alone
SYSCTLS = {
    "ipv4/fib_multipath_hash_policy": "1",  # balance by ports as well, as data centre switches do
    "ipv6/fib_multipath_hash_policy": "1",
    "ipv4/conf/all/rp_filter": "0",  # replies may leave by the other router
    "ipv4/conf/default/rp_filter": "0",
    "ipv6/conf/all/accept_dad": "0",  # an address works at once, not after a second of asking
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/default/accept_ra": "0",
}
FORWARDING = {"ipv4/ip_forward": "1", "ipv6/conf/all/forwarding": "1"}
HASH_SEED = "ipv4/fib_multipath_hash_seed"


def build(topology: Topology) -> None:
    """Make the whole network of a lab."""
    add_namespaces(topology.namespaces)
    _in_thread(lambda: _build_links(topology))


def add_namespaces(names: Iterable[str]) -> None:
    """Make network namespaces that ``ip netns`` lists."""
    _ip_batch([f"netns add {name}" for name in names])


def remove_namespaces(names: Iterable[str]) -> None:
    """Remove the namespaces that are there; the cables in them vanish as well."""
    _ip_batch([f"netns del {name}" for name in names if (NAMESPACES / name).exists()])


def existing(names: Iterable[str]) -> list[str]:
    """Return which of the namespaces are there."""
    return [name for name in names if (NAMESPACES / name).exists()]


def set_link(namespace: str, interface: str, *, up: bool) -> None:
    """Plug a cable in or pull it at one end."""

    def change() -> None:
        _enter(namespace)
        with IPRoute() as routing:
            index = _index(routing, interface)
            routing.link("set", index=index, state="up" if up else "down")

    _in_thread(change)


def _ip_batch(commands: list[str]) -> None:
    """Run commands of ip(8) in one go.

    A process of its own, because a thread that unshares its namespace finds the wrong one at
    /proc/self, and a fork of this process would be one of a program with threads.
    """
    done = subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise LabError(f"ip could not run {'; '.join(commands)}: {done.stderr.strip()}")


def _in_thread(work: Callable[[], None]) -> None:
    """Run in a thread that may change its network namespace and ends there; the rest of us stays."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            failures.append(error)

    thread = threading.Thread(target=guarded, name="lab-network")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def _enter(namespace: str) -> None:
    netns.setns(namespace, flags=0, fork=False)


def _build_links(topology: Topology) -> None:
    for device in topology.devices:
        _enter(topology.namespace(device.name))
        _set_sysctls(device, seed=crc32(topology.namespace(device.name).encode()) or 1)
    for device in topology.devices:
        _enter(topology.namespace(device.name))
        with IPRoute() as routing:
            for link in topology.links:
                if link.first.device == device.name:
                    _add_cable(
                        routing, link.first.interface, link.second.interface, topology.namespace(link.second.device)
                    )
    for device in topology.devices:
        _enter(topology.namespace(device.name))
        with IPRoute() as routing:
            _configure(routing, topology, device)


def _set_sysctls(device: Device, *, seed: int) -> None:
    values = SYSCTLS if device.kind == "client" else SYSCTLS | FORWARDING
    for name, value in values.items():
        (Path("/proc/sys/net") / name).write_text(value, "ascii")
    # Real devices hash differently; with the kernel's one seed for all of them, the router would split
    # what the client has already split in the same way, and use a part of its paths only (Linux 6.11).
    path = Path("/proc/sys/net") / HASH_SEED
    if path.exists():
        path.write_text(str(seed), "ascii")


def _add_cable(routing: Any, interface: str, far_interface: str, far_namespace: str) -> None:
    far = os.open(NAMESPACES / far_namespace, os.O_RDONLY)
    try:
        routing.link("add", ifname=interface, kind="veth", peer={"ifname": far_interface, "net_ns_fd": far})
    finally:
        os.close(far)


def _configure(routing: Any, topology: Topology, device: Device) -> None:
    """Give a device its addresses, bring everything up, and set its static routes."""
    lo = _index(routing, "lo")
    routing.link("set", index=lo, state="up")
    for loopback in (device.loopback4, device.loopback6):
        if loopback is not None:
            routing.addr("add", index=lo, address=str(loopback), prefixlen=loopback.max_prefixlen)
    for neighborhood in topology.neighborhoods(device.name):
        index = _index(routing, neighborhood.own.interface)
        for address in neighborhood.own.addresses:
            routing.addr("add", index=index, address=str(address.ip), prefixlen=address.network.prefixlen)
        routing.link("set", index=index, state="up")
    if device.kind == "router":
        _route_to_loopbacks(routing, topology, device)
    else:
        _route_by_default(routing, topology, device)


def _route_to_loopbacks(routing: Any, topology: Topology, device: Device) -> None:
    """Let a router reach the nodes and clients on its links by their own addresses."""
    for loopback, via in _loopbacks_behind(topology, device):
        family = AF_INET if loopback.version == 4 else AF_INET6
        _add_route(routing, family, f"{loopback}/{loopback.max_prefixlen}", via, None)


def _loopbacks_behind(topology: Topology, device: Device) -> list[tuple[IPv4Address | IPv6Address, list[str]]]:
    found: dict[IPv4Address | IPv6Address, list[str]] = {}
    for neighborhood in topology.neighborhoods(device.name, "node", "client"):
        other, end = neighborhood.device, neighborhood.other
        if other.loopback4 and end.ipv4:
            found.setdefault(other.loopback4, []).append(str(end.ipv4.ip))
        if other.loopback6 and end.ipv6:
            found.setdefault(other.loopback6, []).append(str(end.ipv6.ip))
    return list(found.items())


def _route_by_default(routing: Any, topology: Topology, device: Device) -> None:
    """Send what leaves a node or a client over all of its routers, from its own address."""
    routers = topology.neighborhoods(device.name, "router")
    via4 = [str(item.other.ipv4.ip) for item in routers if item.other.ipv4]
    via6 = [str(item.other.ipv6.ip) for item in routers if item.other.ipv6]
    if via4:
        _add_route(routing, AF_INET, "default", via4, device.loopback4)
    if via6:
        _add_route(routing, AF_INET6, "default", via6, device.loopback6)


def _add_route(
    routing: Any, family: int, target: str, via: list[str], source: IPv4Address | IPv6Address | None
) -> None:
    more = {} if source is None else {"prefsrc": str(source)}
    hops = [{"gateway": address} for address in via]
    path = {"gateway": via[0]} if len(via) == 1 else {"multipath": hops}
    routing.route("add", family=family, dst=target, proto=STATIC, **path, **more)


def _index(routing: Any, interface: str) -> int:
    found = routing.link_lookup(ifname=interface)
    if not found:
        raise LabError(f"no interface {interface} in this namespace")
    return int(found[0])
