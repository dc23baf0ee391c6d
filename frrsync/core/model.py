"""What a cluster, or a folder of manifests, says: Kubernetes objects and MetalLB's resources.

Only what a decision reads is kept. Everything is frozen; raw documents end in ``core.manifests``.
Names are those of the Kubernetes API and of the ``metallb.io`` resources, in Python's spelling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frrsync.core.address import AddressRange
    from frrsync.core.selector import LabelSelector


EMPTY: Mapping[str, str] = MappingProxyType({})
"""For labels, annotations and the like that an object does not have."""


class Kind(StrEnum):
    """The kinds that frrsync reads."""

    SERVICE = "Service"
    ENDPOINT_SLICE = "EndpointSlice"
    NODE = "Node"
    NAMESPACE = "Namespace"
    SECRET = "Secret"  # noqa: S105 - the name of a kind, not a secret
    IP_ADDRESS_POOL = "IPAddressPool"
    BGP_PEER = "BGPPeer"
    BGP_ADVERTISEMENT = "BGPAdvertisement"
    L2_ADVERTISEMENT = "L2Advertisement"
    BFD_PROFILE = "BFDProfile"
    COMMUNITY = "Community"


class ObjectKey(NamedTuple):
    """What makes an object unique in the API; ``namespace`` is empty for a Node or a Namespace."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return the form that messages use: ``Service default/web``, ``Node n1``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class NamespacedName(NamedTuple):
    """How objects of one kind are told apart; prints as ``namespace/name``."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Return ``namespace/name``, the form of kubectl and of our commands."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an object came from, for messages; never part of a comparison.

    Attributes:
        file: path as the user knows it, or ``kubernetes`` for the API.
        line: first line of the object in that file, from 1; 0 if unknown.

    """

    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The part of ``metadata`` that decisions read.

    ``creation_timestamp`` is RFC 3339 text as the API writes it, or empty in a plain manifest; it
    orders "the older one wins", names break ties.
    """

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    creation_timestamp: str = ""
    origin: Origin = field(default=Origin(), compare=False)

    @property
    def key(self) -> NamespacedName:
        """Return namespace and name."""
        return NamespacedName(self.namespace, self.name)


class TrafficPolicy(StrEnum):
    """``spec.externalTrafficPolicy`` of a Service."""

    CLUSTER = "Cluster"
    LOCAL = "Local"


class IPFamily(StrEnum):
    """``spec.ipFamilies`` of a Service."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"


class IPFamilyPolicy(StrEnum):
    """``spec.ipFamilyPolicy`` of a Service."""

    SINGLE_STACK = "SingleStack"
    PREFER_DUAL_STACK = "PreferDualStack"
    REQUIRE_DUAL_STACK = "RequireDualStack"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """One port of a Service; protocol and port are the unit of address sharing."""

    name: str = ""
    protocol: str = "TCP"
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Service of type LoadBalancer (others are read too: a change of type releases an address).

    Attributes:
        cluster_ips: ``spec.clusterIPs`` (or ``clusterIP``) without ``None``; empty in a plain manifest.
        load_balancer_ip: the deprecated ``spec.loadBalancerIP``, empty if unset.
        ingress: addresses of ``status.loadBalancer.ingress``, canonical text, in the order of the status.

    """

    meta: Metadata
    type: str = "ClusterIP"
    cluster_ips: tuple[str, ...] = ()
    ip_families: tuple[IPFamily, ...] = ()
    ip_family_policy: IPFamilyPolicy | None = None
    load_balancer_ip: str = ""
    load_balancer_class: str = ""
    external_traffic_policy: TrafficPolicy = TrafficPolicy.CLUSTER
    health_check_node_port: int = 0
    selector: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[ServicePort, ...] = ()
    ingress: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint of an EndpointSlice; the conditions are None when the slice does not set them."""

    addresses: tuple[str, ...]
    node_name: str = ""
    ready: bool | None = None
    serving: bool | None = None

    @property
    def is_serving(self) -> bool:
        """Say whether traffic may go here: ready (or not said), or still serving while terminating."""
        return self.ready is not False or self.serving is True


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSlice:
    """The endpoints of a Service, or a part of them (``discovery.k8s.io/v1``)."""

    meta: Metadata
    service_name: str
    endpoints: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine of the cluster.

    Attributes:
        network_unavailable: condition ``NetworkUnavailable`` is True.
        internal_ips: addresses of type InternalIP, canonical text, in the order of the status.

    """

    meta: Metadata
    network_unavailable: bool = False
    internal_ips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A namespace; pools may select Services by its labels."""

    meta: Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A Secret that may hold the password of a BGP session.

    Attributes:
        password: the decoded value of data key ``password``; None when there is no such key.

    """

    meta: Metadata
    type: str = "Opaque"
    password: str | None = field(default=None, repr=False)


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


ModelObject = (
    Service
    | EndpointSlice
    | Node
    | Namespace
    | Secret
    | IPAddressPool
    | BGPPeer
    | BGPAdvertisement
    | L2Advertisement
    | BFDProfile
    | Community
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything known at one moment. Never changed: a new one is made for every change.

    Objects that did not change are the *same* objects in the next snapshot, so that a decision can be
    kept as long as what it read is identical.

    Attributes:
        slices: the EndpointSlices of each Service.
        pools, peers ...: by name; all configuration lives in one namespace.
        secrets: by name, of the configuration namespace.

    """

    services: Mapping[NamespacedName, Service] = field(default_factory=dict)
    slices: Mapping[NamespacedName, tuple[EndpointSlice, ...]] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    pools: Mapping[str, IPAddressPool] = field(default_factory=dict)
    peers: Mapping[str, BGPPeer] = field(default_factory=dict)
    bgp_advertisements: Mapping[str, BGPAdvertisement] = field(default_factory=dict)
    l2_advertisements: Mapping[str, L2Advertisement] = field(default_factory=dict)
    bfd_profiles: Mapping[str, BFDProfile] = field(default_factory=dict)
    communities: Mapping[str, Community] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake in the input, in a form that a person and a program can use.

    Attributes:
        file, line: where; line counts from 1, 0 if unknown.
        kind, name: the object, ``namespace/name`` where it has a namespace; empty for broken syntax.
        field: dotted path such as ``spec.addresses[0]``; empty when it is about the whole object.
        message: what was found and what is allowed, lower-case start, no full stop.

    """

    file: str
    line: int
    kind: str = ""
    name: str = ""
    field: str = ""
    message: str

    def __str__(self) -> str:
        """Return ``file:line: Kind name: field: message``, each part only if it is known."""
        subject = f"{self.kind} {self.name}".strip()
        where = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(part for part in (where, subject, self.field, self.message) if part)
