"""What a cluster, or a folder of manifests, says: Kubernetes objects and MetalLB's resources.

Only what a decision reads is kept. Everything is frozen; raw documents end in ``core.manifests``.
Names are those of the Kubernetes API and of the ``metallb.io`` resources, in Python's spelling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from frrsync.core.metadata import EMPTY, EMPTY_OFFSETS, Kind, Metadata, NamespacedName, ObjectKey, Origin
from frrsync.core.resource import (
    BFDProfile,
    BGPAdvertisement,
    BGPNodeParameters,
    BGPPeer,
    Community,
    IPAddressPool,
    L2Advertisement,
    NodeAddress,
    ParameterSource,
    PreferredNodes,
    ServiceAllocation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "EMPTY",
    "EMPTY_OFFSETS",
    "BFDProfile",
    "BGPAdvertisement",
    "BGPNodeParameters",
    "BGPPeer",
    "Community",
    "Endpoint",
    "EndpointSlice",
    "IPAddressPool",
    "IPFamily",
    "IPFamilyPolicy",
    "Kind",
    "L2Advertisement",
    "Metadata",
    "Mistake",
    "ModelObject",
    "Namespace",
    "NamespacedName",
    "Node",
    "NodeAddress",
    "ObjectKey",
    "Origin",
    "ParameterSource",
    "PreferredNodes",
    "Secret",
    "Service",
    "ServiceAllocation",
    "ServicePort",
    "Snapshot",
    "TrafficPolicy",
]


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
    | BGPNodeParameters
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
    node_parameters: Mapping[str, BGPNodeParameters] = field(default_factory=dict)


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
