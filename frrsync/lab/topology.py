"""What a lab is made of: devices, links between them, and the addresses that follow from both.

Everything is derived from the topology alone, so a lab can be taken down by a program that has never
seen it being built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import (
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import TYPE_CHECKING, Any, Literal

from frrsync.errors import LabError

if TYPE_CHECKING:
    from ipaddress import IPv4Address
    from pathlib import Path

Kind = Literal["router", "node", "client"]
UPLINK_FIRST: dict[Kind, int] = {"router": 0, "node": 1, "client": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bfd:
    """BFD of the routers; intervals in milliseconds."""

    enabled: bool = True
    interval: int = 100
    multiplier: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A router, a node or a client.

    Attributes:
        name: also the hostname, and the name of the interface at the other end of a link.
        kind: what it does.
        asn: AS number; 0 for a client.
        frr: a version (``10.3``), the root folder of an installation, or ``host``; empty for a client.
        daemons: more daemons of FRR than zebra, bgpd and bfdd.
        config: lines of ``frr.conf`` that are added to what the lab writes.
        agent: whether an agent of frrsync runs here.
        settings: further options of that agent, by the names of ``frrsync.settings``.
        labels: labels of the Kubernetes node.
        loopback4: address that belongs to the device and not to a link.
        loopback6: the same for IPv6.

    """

    name: str
    kind: Kind
    asn: int = 0
    frr: str = ""
    daemons: tuple[str, ...] = ()
    config: str = ""
    agent: bool = False
    settings: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    loopback4: IPv4Address | None = None
    loopback6: IPv6Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of a link."""

    device: str
    interface: str
    ipv4: IPv4Interface | None
    ipv6: IPv6Interface | None

    @property
    def addresses(self) -> tuple[IPv4Interface | IPv6Interface, ...]:
        """Return what is configured on the interface."""
        return tuple(address for address in (self.ipv4, self.ipv6) if address is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A cable between two devices; a router's end comes first and has the lower address."""

    first: End
    second: End
    bfd: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighborhood:
    """A link as one of its two devices sees it."""

    own: End
    other: End
    device: Device
    bfd: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A whole lab, with every address decided; ``source`` is the document that it was parsed from."""

    name: str
    devices: tuple[Device, ...]
    links: tuple[Link, ...]
    bfd: Bfd
    service_prefixes: tuple[IPv4Network | IPv6Network, ...]
    manifests: Path | None
    generate: bool
    source: dict[str, Any] = field(compare=False, repr=False)

    def of_kind(self, kind: Kind) -> tuple[Device, ...]:
        """Return the devices of a kind in the order of the file."""
        return tuple(device for device in self.devices if device.kind == kind)

    def device(self, name: str) -> Device:
        """Return a device by its name."""
        for device in self.devices:
            if device.name == name:
                return device
        known = ", ".join(device.name for device in self.devices)
        raise LabError(f"lab {self.name} has no device {name!r}: it has {known}")

    def namespace(self, device: str) -> str:
        """Return the name of a device's network namespace."""
        return f"{self.name}-{device}"

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Return the names of all network namespaces of the lab."""
        return tuple(self.namespace(device.name) for device in self.devices)

    def neighborhoods(self, name: str, *kinds: Kind) -> tuple[Neighborhood, ...]:
        """Return the links of a device, to devices of some kinds or of any."""
        found = []
        for link in self.links:
            for own, other in ((link.first, link.second), (link.second, link.first)):
                device = self.device(other.device)
                if own.device == name and (not kinds or device.kind in kinds):
                    found.append(Neighborhood(own=own, other=other, device=device, bfd=link.bfd))
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPool:
    """Where addresses come from that nobody has given: links from the lower half, loopbacks from the upper."""

    ipv4: IPv4Network | None
    ipv6: IPv6Network | None

    def link4(self, index: int) -> tuple[IPv4Interface, IPv4Interface] | None:
        """Return both ends of the link with this number: a /31 each (RFC 3021)."""
        return None if self.ipv4 is None else ends4(IPv4Network((self._at4(2 * index), 31)))

    def link6(self, index: int) -> tuple[IPv6Interface, IPv6Interface] | None:
        """Return both ends of the link with this number: a /64 each."""
        if self.ipv6 is None:
            return None
        room = 1 << (64 - self.ipv6.prefixlen)
        if index >= room - 1:
            raise LabError(f"the pool {self.ipv6} has no /64 left for link {index + 1}")
        return ends6(IPv6Network((int(self.ipv6.network_address) + (index << 64), 64)))

    def loopback4(self, index: int) -> IPv4Address | None:
        """Return the address of the device with this number."""
        return None if self.ipv4 is None else self._at4(self.ipv4.num_addresses // 2 + 1 + index)

    def loopback6(self, index: int) -> IPv6Address | None:
        """Return the address of the device with this number, from the last /64."""
        if self.ipv6 is None:
            return None
        return IPv6Address(int(self.ipv6.broadcast_address) - (1 << 64) + 2 + index)

    def _at4(self, offset: int) -> IPv4Address:
        pool = self.ipv4
        if pool is None or offset >= pool.num_addresses:
            raise LabError(f"the pool {pool} is too small for this lab")
        return pool.network_address + offset


def ends4(network: IPv4Network) -> tuple[IPv4Interface, IPv4Interface]:
    """Return the first two usable addresses of a link's network."""
    first = network.network_address + (0 if network.prefixlen == 31 else 1)
    return IPv4Interface((first, network.prefixlen)), IPv4Interface((first + 1, network.prefixlen))


def ends6(network: IPv6Network) -> tuple[IPv6Interface, IPv6Interface]:
    """Return the first two addresses of a link's network; ::0 is the routers' anycast address (RFC 4291)."""
    first = network.network_address + (0 if network.prefixlen == 127 else 1)
    return IPv6Interface((first, network.prefixlen)), IPv6Interface((first + 1, network.prefixlen))
