"""The typed configuration of one FRR: what the templates print, already decided, named and sorted.

How it works on the wire. Every prefix is one ``network`` line with a *class*: a tiny route-map that
sets a local tag. A class stands for a set of advertisements, so its name and tag never depend on an
attribute or on a position, and its map never changes. Every neighbor has one outbound route-map that
matches tags and sets the attributes that this neighbor is meant to see; what no entry names is denied.
Outbound maps are named after their content and never edited in place: a new attribute is a new map,
and the neighbor is pointed at it. Inbound, one map denies everything.

Template variables have the names of these fields.
"""

from __future__ import annotations

from dataclasses import dataclass, field

INBOUND_MAP = "frrsync-in"
"""Name of the one inbound route-map: it denies everything."""
CLASS_PREFIX = "frrsync-class-"
"""Names of class maps: this prefix and the tag in hexadecimal, so that equal name means equal tag."""
OUTBOUND_PREFIX = "frrsync-out-"
"""Names of outbound maps: this prefix and a hash of the content."""
MARK = "4294967294:0:1"
"""The large community of our prefixes within an FRR that an operator shares with us. It never changes, because
operators match it. The first part is the last private ASN (RFC 6996), the rest has no meaning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BfdProfileConfig:
    """A ``bfd profile``; times in milliseconds. None, and FRR's default values, are not printed."""

    name: str
    detect_multiplier: int | None = None
    transmit_interval: int | None = None
    receive_interval: int | None = None
    echo_interval: int | None = None
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMap:
    """The route-map behind ``network`` lines: sets ``tag`` (1 to 4294967295), nothing else.

    ``description`` names the advertisements, for the person who reads the router. ``large_community`` is the
    mark of our prefixes in an FRR that is shared, else empty.
    """

    name: str
    tag: int
    description: str
    large_community: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundEntry:
    """One ``permit`` entry of an outbound map: what a neighbor sees of the prefixes with this tag.

    Attributes:
        sequence: 1 to 65534.
        communities: sorted as FRR prints them, without duplicates.
        large_communities: ``a:b:c``, sorted by number, without duplicates.
        as_path_prepend: the ASNs to prepend, in order; empty for none.

    """

    sequence: int
    tag: int
    description: str
    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()
    local_preference: int | None = None
    as_path_prepend: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMap:
    """A neighbor's outbound policy; ends with ``deny 65535``."""

    name: str
    entries: tuple[OutboundEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbor:
    """One BGP neighbor.

    Attributes:
        peer: canonical address, or the interface of an unnumbered session.
        unnumbered: ``peer`` is an interface.
        remote_as: a number, ``internal`` or ``external``.
        keepalive_time, hold_time: both or none, seconds.
        ebgp_multihop: 2 to 254 hops, or None.
        password: clear text; never printed outside of the rendered configuration.

    """

    peer: str
    unnumbered: bool = False
    remote_as: str
    description: str = ""
    bfd_profile: str = ""
    password: str = field(default="", repr=False)
    ebgp_multihop: int | None = None
    disable_connected_check: bool = False
    local_as: int | None = None
    port: int | None = None
    update_source: str = ""
    keepalive_time: int | None = None
    hold_time: int | None = None
    connect_time: int | None = None
    graceful_restart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """One ``network`` line: a canonical prefix and the name of its class map."""

    prefix: str
    class_map: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A neighbor within an address family, with its outbound map."""

    peer: str
    outbound_map: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressFamily:
    """``address-family ipv4|ipv6 unicast``; rendered only when it has a neighbor.

    ``networks`` are sorted by address, ``activations`` in the order of the neighbors.
    """

    name: str
    networks: tuple[Network, ...]
    activations: tuple[Activation, ...]
    maximum_paths: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpRouter:
    """One ``router bgp`` block.

    Attributes:
        vrf: empty for the default VRF.
        router_id: dotted quad; always set, a node without IPv4 has none of its own.
        neighbors: unnumbered ones first, then IPv4, then IPv6, each sorted, as FRR prints them.

    """

    asn: int
    vrf: str = ""
    router_id: str
    multipath_relax: bool = True
    preserve_fw_state: bool = False
    neighbors: tuple[Neighbor, ...]
    address_families: tuple[AddressFamily, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrrConfig:
    """Everything that frrsync wants the FRR beside it to run; each tuple sorted by name.

    ``shared`` says that an operator runs this FRR: then nothing is rendered but what is ours.
    """

    shared: bool = False
    bfd_profiles: tuple[BfdProfileConfig, ...] = ()
    class_maps: tuple[ClassMap, ...] = ()
    outbound_maps: tuple[OutboundMap, ...] = ()
    routers: tuple[BgpRouter, ...] = ()
