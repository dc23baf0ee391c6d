"""The configuration: MetalLB's resources and one of our own, as decisions read them.

Everything is frozen; ``core.model`` has the rest of what a cluster says, and offers these names as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from frrsync.core.metadata import EMPTY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frrsync.core.address import AddressRange
    from frrsync.core.metadata import Metadata
    from frrsync.core.selector import LabelSelector


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAllocation:
    """Which Services may take addresses of a pool without asking for it by name.

    ``priority`` 0 sorts last, as in MetalLB; otherwise the lower number goes first.
    """

    priority: int = 0
    namespaces: tuple[str, ...] = ()
    namespace_selectors: tuple[LabelSelector, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IPAddressPool:
    """Addresses that Services can get; ``addresses`` keeps the order of the resource."""

    meta: Metadata
    addresses: tuple[AddressRange, ...]
    auto_assign: bool = True
    avoid_buggy_ips: bool = False
    service_allocation: ServiceAllocation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BGPPeer:
    """A router that nodes open a BGP session to (``metallb.io`` v1beta1 and v1beta2).

    Attributes:
        peer_asn: 1 to 4294967295, or None with ``dynamic_asn``.
        dynamic_asn: ``internal`` or ``external`` (FRR's ``remote-as`` words), or None.
        peer_address: canonical text, or empty with ``interface`` (an unnumbered session).
        hold_time, keepalive_time, connect_time: whole seconds, or None for FRR's default.
        password_secret: name of a Secret of type ``kubernetes.io/basic-auth``, or empty.

    """

    meta: Metadata
    my_asn: int
    peer_asn: int | None = None
    dynamic_asn: str | None = None
    local_asn: int | None = None
    peer_address: str = ""
    interface: str = ""
    source_address: str = ""
    peer_port: int = 179
    hold_time: int | None = None
    keepalive_time: int | None = None
    connect_time: int | None = None
    router_id: str = ""
    node_selectors: tuple[LabelSelector, ...] = ()
    password: str = field(default="", repr=False)
    password_secret: str = ""
    bfd_profile: str = ""
    enable_graceful_restart: bool = False
    ebgp_multi_hop: bool = False
    vrf: str = ""
    dual_stack_address_family: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BGPAdvertisement:
    """How addresses of pools are advertised: prefix lengths, attributes, to which peers, from where.

    Attributes:
        communities: as written: ``65000:1``, ``large:1:2:3``, a well-known name, or an alias of a Community.
        local_pref: None when absent or 0, as MetalLB treats 0 as unset.
        as_path_prepend: how many times the local ASN is prepended, None for not at all.

    """

    meta: Metadata
    aggregation_length: int = 32
    aggregation_length_v6: int = 128
    local_pref: int | None = None
    as_path_prepend: int | None = None
    communities: tuple[str, ...] = ()
    ip_address_pools: tuple[str, ...] = ()
    ip_address_pool_selectors: tuple[LabelSelector, ...] = ()
    node_selectors: tuple[LabelSelector, ...] = ()
    peers: tuple[str, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferredNodes:
    """One soft preference of an L2Advertisement; ``weight`` is 1 to 100."""

    weight: int
    preference: LabelSelector


@dataclass(frozen=True, slots=True, kw_only=True)
class L2Advertisement:
    """Which nodes may answer for addresses of pools on the local network."""

    meta: Metadata
    ip_address_pools: tuple[str, ...] = ()
    ip_address_pool_selectors: tuple[LabelSelector, ...] = ()
    node_selectors: tuple[LabelSelector, ...] = ()
    interfaces: tuple[str, ...] = ()
    service_selectors: tuple[LabelSelector, ...] = ()
    preferred_node_selectors: tuple[PreferredNodes, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BFDProfile:
    """Timers of BFD sessions in milliseconds; None leaves FRR's default (300, 300, 3, 50, 254)."""

    meta: Metadata
    receive_interval: int | None = None
    transmit_interval: int | None = None
    detect_multiplier: int | None = None
    echo_interval: int | None = None
    echo_mode: bool = False
    passive_mode: bool = False
    minimum_ttl: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Community:
    """Names for BGP communities; the names are global over all Community resources."""

    meta: Metadata
    aliases: Mapping[str, str] = field(default_factory=dict)


class NodeAddress(StrEnum):
    """What a node knows of itself: the words of ``fromNode``."""

    DEFAULT_GATEWAY = "DefaultGateway"
    INTERNAL_IP = "InternalIP"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSource:
    """Where the value of one field comes from; exactly one of the first four attributes is set.

    Attributes:
        value: the same on every selected node, as text.
        from_label, from_annotation: a key in the metadata of the Node.
        values: what the texts of the label or annotation stand for; empty when the text is the value itself.
        default: counts where the Node has no such label, annotation or address; None for no default.

    """

    value: str | None = None
    from_label: str = ""
    from_annotation: str = ""
    from_node: NodeAddress | None = None
    values: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    default: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BGPNodeParameters:
    """What BGPPeers have another value for on every node (``frrsync.dev/v1alpha1``).

    Attributes:
        peers: names of BGPPeers; empty for all of them.
        sources: by the name of the field in the spec of a BGPPeer.
        is_broken: its text holds a mistake and was never sound, so nobody knows what it sets; ``peers`` and
            ``node_selectors`` are as far as they could be read.

    """

    meta: Metadata
    peers: tuple[str, ...] = ()
    node_selectors: tuple[LabelSelector, ...] = ()
    sources: Mapping[str, ParameterSource] = field(default_factory=dict)
    is_broken: bool = False
