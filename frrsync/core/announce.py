"""Which Services this node announces by BGP, and for each of the others the reason why not.

The rules are MetalLB's (speaker/bgp_controller.go and the common preconditions of its speaker). The
checks stand in the order in which an operator looks for a cause: the Service, its address, its
advertisements, the node, its endpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from frrsync.core.address import parse_address, prefix_of
from frrsync.core.advertisement import length_for
from frrsync.core.model import Metadata, Node, TrafficPolicy
from frrsync.core.selector import matches_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.core.advertisement import Resolved
    from frrsync.core.allocate import Allocation
    from frrsync.core.model import EndpointSlice, NamespacedName, Service, Snapshot
    from frrsync.core.width import Wide

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


class Reason(StrEnum):
    """Why a Service is not announced from a node; MetalLB's words where it has one."""

    NOT_LOAD_BALANCER = "notLoadBalancer"
    FOREIGN_CLASS = "loadBalancerClassMismatch"
    NO_IP_ALLOCATED = "noIPAllocated"
    NO_MATCHING_ADVERTISEMENT = "noMatchingAdvertisement"
    NOT_OWNER = "notOwner"
    NODE_NETWORK_UNAVAILABLE = "nodeNetworkUnavailable"
    NODE_LABELED_EXCLUDE_BALANCERS = "nodeLabeledExcludeBalancers"
    NODE_DRAINED = "nodeDrained"
    NO_ENDPOINTS = "noEndpoints"
    NO_LOCAL_ENDPOINTS = "noLocalEndpoints"
    NO_PEER = "noPeer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One prefix that a Service puts on the wire, and the sorted names of the advertisements behind it."""

    prefix: str
    advertisements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision for one Service on one node.

    Attributes:
        reason: None when it is announced.
        detail: one sentence for the person who asks why not; names the objects concerned.

    """

    service: NamespacedName
    addresses: tuple[str, ...] = ()
    reason: Reason | None = None
    detail: str = ""
    routes: tuple[Route, ...] = ()

    @property
    def announced(self) -> bool:
        """Say whether this node announces the Service."""
        return self.reason is None

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the prefixes that the Service puts on the wire from here."""
        return tuple(route.prefix for route in self.routes)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRules:
    """What every decision on one node shares; a new one is made when one of its sources changed.

    Attributes:
        advertisements: those that select this node, by name.
        by_pool: of each pool, the advertisements that cover it from this node.
        elsewhere: of each pool, the names of advertisements that cover it, but select other nodes.
        left_out: of each pool, the names of advertisements that would cover it, but hold a mistake.
        too_wide: names of advertisements whose prefixes reach beyond a pool, with the pool and the IP version.
        drained: why a drain keeps the node from announcing anything; empty when none does.

    """

    node: Node
    advertisements: Mapping[str, Resolved]
    by_pool: Mapping[str, tuple[Resolved, ...]]
    elsewhere: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, tuple[str, ...]]
    too_wide: Wide = frozenset()
    load_balancer_class: str
    ignore_exclude_label: bool
    drained: str = ""


def node_of(snapshot: Snapshot, name: str) -> Node:
    """Return the Node; without an object for it, one that has the label every kubelet sets."""
    found = snapshot.nodes.get(name)
    return found or Node(meta=Metadata(name=name, labels={"kubernetes.io/hostname": name}))


def decide_service(
    rules: NodeRules, service: Service, slices: Iterable[EndpointSlice], allocation: Allocation | None
) -> Verdict:
    """Decide for one Service, with the first reason that speaks against it."""
    name = service.meta.key
    addresses = allocation.addresses if allocation else ()
    refusal = _service_reason(rules, service, allocation)
    if refusal is None and allocation is not None:
        matching = tuple(
            item
            for item in rules.by_pool.get(allocation.pool, ())
            if matches_any(item.advertisement.service_selectors, service.meta.labels)
        )
        refusal = (
            _advertisement_reason(rules, allocation.pool, matching)
            or _node_reason(rules)
            or _endpoint_reason(rules, service, slices)
        )
        if refusal is None:
            routes = _routes(rules, allocation, matching)
            if routes:
                return Verdict(service=name, addresses=addresses, routes=routes)
            refusal = _width_reason(allocation.pool, matching)
    reason, detail = refusal or (Reason.NO_IP_ALLOCATED, "no address")
    return Verdict(service=name, addresses=addresses, reason=reason, detail=detail)


_Refusal = tuple[Reason, str] | None


def _service_reason(rules: NodeRules, service: Service, allocation: Allocation | None) -> _Refusal:
    if service.type != "LoadBalancer":
        return Reason.NOT_LOAD_BALANCER, f"its type is {service.type}"
    if service.load_balancer_class != rules.load_balancer_class:
        found = service.load_balancer_class or "none"
        return (
            Reason.FOREIGN_CLASS,
            f"its loadBalancerClass is {found}, ours is {rules.load_balancer_class or 'none'}",
        )
    if allocation is None:
        return Reason.NO_IP_ALLOCATED, "it has no address yet"
    return None


def _advertisement_reason(rules: NodeRules, pool: str, matching: tuple[Resolved, ...]) -> _Refusal:
    if matching:
        return None
    here = rules.by_pool.get(pool, ())
    if here:
        names = ", ".join(item.name for item in here)
        return (
            Reason.NO_MATCHING_ADVERTISEMENT,
            f"no service selector of BGPAdvertisement {names} matches its labels",
        )
    broken = rules.left_out.get(pool, ())
    if broken:
        return Reason.NO_MATCHING_ADVERTISEMENT, f"a mistake keeps BGPAdvertisement {', '.join(broken)} out"
    others = rules.elsewhere.get(pool, ())
    if others:
        return (
            Reason.NOT_OWNER,
            f"BGPAdvertisement {', '.join(others)} selects other nodes than {rules.node.meta.name}",
        )
    return Reason.NO_MATCHING_ADVERTISEMENT, f"no BGPAdvertisement covers pool {pool}"


def _node_reason(rules: NodeRules) -> _Refusal:
    node = rules.node
    if rules.drained:
        return Reason.NODE_DRAINED, rules.drained
    if node.network_unavailable:
        return Reason.NODE_NETWORK_UNAVAILABLE, f"Node {node.meta.name} has condition NetworkUnavailable"
    if EXCLUDE_LABEL in node.meta.labels and not rules.ignore_exclude_label:
        return Reason.NODE_LABELED_EXCLUDE_BALANCERS, f"Node {node.meta.name} has label {EXCLUDE_LABEL}"
    return None


def _endpoint_reason(rules: NodeRules, service: Service, slices: Iterable[EndpointSlice]) -> _Refusal:
    serving = [endpoint for part in slices for endpoint in part.endpoints if endpoint.addresses and endpoint.is_serving]
    if not serving:
        return Reason.NO_ENDPOINTS, "no endpoint is ready or serving"
    here = rules.node.meta.name
    if service.external_traffic_policy is TrafficPolicy.LOCAL and all(item.node_name != here for item in serving):
        nodes = ", ".join(sorted({item.node_name for item in serving if item.node_name})) or "none"
        return (
            Reason.NO_LOCAL_ENDPOINTS,
            f"externalTrafficPolicy is Local and only these nodes have endpoints: {nodes}",
        )
    return None


def _routes(rules: NodeRules, allocation: Allocation, matching: Iterable[Resolved]) -> tuple[Route, ...]:
    """Return the prefixes of the addresses; several advertisements may meet in one prefix."""
    found: dict[str, set[str]] = {}
    for text in allocation.addresses:
        address = parse_address(text)
        for item in matching:
            if rules.too_wide and (item.name, allocation.pool, address.version) in rules.too_wide:
                continue
            prefix = prefix_of(address, length_for(item.advertisement, address.version))
            found.setdefault(prefix, set()).add(item.name)
    return tuple(Route(prefix=prefix, advertisements=tuple(sorted(names))) for prefix, names in sorted(found.items()))


def _width_reason(pool: str, matching: Iterable[Resolved]) -> _Refusal:
    names = ", ".join(item.name for item in matching)
    text = f"the prefixes of BGPAdvertisement {names} reach beyond pool {pool}"
    return Reason.NO_MATCHING_ADVERTISEMENT, text
