"""``frr.conf`` of the lab's devices, as the network team of a small data centre would write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frrsync.lab.topology import Device, Neighborhood, Topology

PROFILE = "lab"


def router_config(topology: Topology, router: Device) -> str:
    """Return the configuration of a router: a session per address family with every linked node and router."""
    neighborhoods = topology.neighborhoods(router.name, "node", "router")
    lines = [*_head(router), *_bfd(topology)]
    # the delay of 5 s that is FRR's default would count before the first session as well
    lines += ["bgp route-map delay-timer 1", "!", "route-map to-node deny 10", "exit", "!"]
    lines += [f"router bgp {router.asn}"]
    if router.loopback4 is not None:
        lines.append(f" bgp router-id {router.loopback4}")
    else:
        number = topology.of_kind("router").index(router) + 1
        lines.append(f" bgp router-id 192.0.2.{number}")  # without IPv4 there is none to take
    lines += [
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
        " bgp bestpath as-path multipath-relax",
        " timers bgp 3 9",
    ]
    for neighborhood in neighborhoods:
        lines += _neighbor(neighborhood)
    for family in ("ipv4", "ipv6"):
        lines += _family(family, neighborhoods)
    lines += ["exit", "!", router.config, ""]
    return "\n".join(lines)


def node_config(node: Device) -> str:
    """Return what a node's FRR starts with, before its agent has said anything."""
    return "\n".join([*_head(node), node.config, ""])


def addresses_of(neighborhood: Neighborhood) -> dict[str, str]:
    """Return the other end's addresses by family."""
    return {f"ipv{address.version}": str(address.ip) for address in neighborhood.other.addresses}


def _head(device: Device) -> list[str]:
    return [
        "frr defaults traditional",
        f"hostname {device.name}",
        "ip nht resolve-via-default",
        "ipv6 nht resolve-via-default",
        "!",
    ]


def _bfd(topology: Topology) -> list[str]:
    bfd = topology.bfd
    return [
        "bfd",
        f" profile {PROFILE}",
        f"  detect-multiplier {bfd.multiplier}",
        f"  transmit-interval {bfd.interval}",
        f"  receive-interval {bfd.interval}",
        " exit",
        "exit",
        "!",
    ]


def _neighbor(neighborhood: Neighborhood) -> list[str]:
    lines = []
    for address in addresses_of(neighborhood).values():
        lines += [
            f" neighbor {address} remote-as {neighborhood.device.asn}",
            f" neighbor {address} description {neighborhood.device.name}",
            f" neighbor {address} timers connect 1",
        ]
        if neighborhood.bfd:
            lines.append(f" neighbor {address} bfd profile {PROFILE}")
    return lines


def _family(family: str, neighborhoods: tuple[Neighborhood, ...]) -> list[str]:
    """Return an address family: nodes are told nothing, routers what else is reachable here."""
    lines = []
    for neighborhood in neighborhoods:
        address = addresses_of(neighborhood).get(family)
        if address is None:
            continue
        lines.append(f"  neighbor {address} activate")
        lines.append(f"  neighbor {address} soft-reconfiguration inbound")
        if neighborhood.device.kind == "node":
            lines.append(f"  neighbor {address} route-map to-node out")
    if not lines:
        return []
    if any(neighborhood.device.kind == "router" for neighborhood in neighborhoods):
        lines = ["  redistribute kernel", "  redistribute connected", *lines]
    return [f" address-family {family} unicast", *lines, "  maximum-paths 64", " exit-address-family"]
