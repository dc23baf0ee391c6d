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
from frrsync.core.advertisement import Resolved, resolve
from frrsync.core.community import CommunitySet
from frrsync.core.model import Metadata, Node, TrafficPolicy
from frrsync.core.selector import matches_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.core.allocate import Allocation
    from frrsync.core.model import EndpointSlice, Mistake, NamespacedName, Service, Snapshot

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


class Reason(StrEnum):
    """Why a Service is not announced from a node; MetalLB's words where it has one."""

    NOT_LOAD_BALANCER = "notLoadBalancer"
    FOREIGN_CLASS = "loadBalancerClassMismatch"
    NO_IP_ALLOCATED = "noIPAllocated"
    NO_MATCHING_ADVERTISEMENT = "noMatchingAdvertisement"
    NOT_OWNER = "notOwner"
    CONFLICTING_ADVERTISEMENTS = "conflictingAdvertisements"
    NODE_NETWORK_UNAVAILABLE = "nodeNetworkUnavailable"
    NODE_LABELED_EXCLUDE_BALANCERS = "nodeLabeledExcludeBalancers"
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

    """

    node: Node
    advertisements: Mapping[str, Resolved]
    by_pool: Mapping[str, tuple[Resolved, ...]]
    elsewhere: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, tuple[str, ...]]
    load_balancer_class: str
    ignore_exclude_label: bool


def node_of(snapshot: Snapshot, name: str) -> Node:
    """Return the Node; without an object for it, one that has the label every kubelet sets."""
    found = snapshot.nodes.get(name)
    return found or Node(meta=Metadata(name=name, labels={"kubernetes.io/hostname": name}))


class Announcer:
    """Decides for one node, and keeps each decision as long as everything that it read is the same.

    The result never depends on what is kept: keeping only saves time, so that one change among ten
    thousand Services costs one decision.
    """

    def __init__(self, node: str, *, load_balancer_class: str = "", ignore_exclude_label: bool = False) -> None:
        self._node = node
        self._load_balancer_class = load_balancer_class
        self._ignore_exclude_label = ignore_exclude_label
        self._sources: tuple[object, ...] = ()
        self._rules: NodeRules | None = None
        self.mistakes: tuple[Mistake, ...] = ()
        self._kept: dict[NamespacedName, tuple[Service, object, object, Verdict]] = {}

    @property
    def advertisements(self) -> Mapping[str, Resolved]:
        """Return the advertisements that counted in the last decision, by name."""
        return self._rules.advertisements if self._rules else {}

    def decide(
        self, snapshot: Snapshot, allocated: Mapping[NamespacedName, Allocation]
    ) -> dict[NamespacedName, Verdict]:
        """Return the verdict for every Service of the snapshot."""
        rules = self._refresh(snapshot, {allocation.pool for allocation in allocated.values()})
        kept, fresh = self._kept, {}
        verdicts: dict[NamespacedName, Verdict] = {}
        for name, service in snapshot.services.items():
            slices, allocation = snapshot.slices.get(name), allocated.get(name)
            old = kept.get(name)
            if old is None or old[0] is not service or old[1] is not slices or old[2] != allocation:
                old = (service, slices, allocation, decide_service(rules, service, slices or (), allocation))
            fresh[name] = old
            verdicts[name] = old[3]
        self._kept = fresh
        return verdicts

    def _refresh(self, snapshot: Snapshot, pools: set[str]) -> NodeRules:
        """Make the shared part anew if a source of it is another object than last time."""
        node = node_of(snapshot, self._node)
        sources = (snapshot.pools, snapshot.bgp_advertisements, snapshot.communities)
        known = self._sources
        if (
            self._rules is not None
            and all(new is old or new == old for new, old in zip(sources, known, strict=True))
            and self._rules.node == node
            and pools <= self._rules.by_pool.keys()
        ):
            return self._rules
        rules, mistakes = self._make_rules(snapshot, node, pools)
        self._sources, self._rules, self.mistakes, self._kept = sources, rules, tuple(mistakes), {}
        return rules

    def _make_rules(self, snapshot: Snapshot, node: Node, pools: set[str]) -> tuple[NodeRules, list[Mistake]]:
        everywhere = snapshot.bgp_advertisements
        here, mistakes = resolve(everywhere.values(), snapshot.communities, node.meta.labels)
        by_pool: dict[str, tuple[Resolved, ...]] = {}
        elsewhere: dict[str, tuple[str, ...]] = {}
        others = [
            Resolved(advertisement=item, communities=CommunitySet())
            for name, item in sorted(everywhere.items())
            if name not in here
        ]
        left_out: dict[str, tuple[str, ...]] = {}
        for name in pools | set(snapshot.pools):
            pool = snapshot.pools.get(name)
            covering = [item.advertisement for item in others if item.covers_pool(name, pool)]
            selected = {item.meta.name for item in covering if matches_any(item.node_selectors, node.meta.labels)}
            by_pool[name] = tuple(item for item in here.values() if item.covers_pool(name, pool))
            elsewhere[name] = tuple(item.meta.name for item in covering if item.meta.name not in selected)
            left_out[name] = tuple(sorted(selected))
        rules = NodeRules(
            node=node,
            advertisements=here,
            by_pool=by_pool,
            elsewhere=elsewhere,
            left_out=left_out,
            load_balancer_class=self._load_balancer_class,
            ignore_exclude_label=self._ignore_exclude_label,
        )
        return rules, mistakes


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
            routes = _routes(addresses, matching)
            refusal = _conflict(routes, rules.advertisements)
            if refusal is None:
                return Verdict(service=name, addresses=addresses, routes=routes)
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


def _routes(addresses: Iterable[str], matching: Iterable[Resolved]) -> tuple[Route, ...]:
    """Return the prefixes of the addresses; several advertisements may meet in one prefix."""
    found: dict[str, set[str]] = {}
    for text in addresses:
        address = parse_address(text)
        for item in matching:
            wanted = item.advertisement
            length = wanted.aggregation_length if address.version == 4 else wanted.aggregation_length_v6
            found.setdefault(prefix_of(address, length), set()).add(item.name)
    return tuple(Route(prefix=prefix, advertisements=tuple(sorted(names))) for prefix, names in sorted(found.items()))


def _conflict(routes: Iterable[Route], advertisements: Mapping[str, Resolved]) -> _Refusal:
    """Refuse two local preferences for one prefix at one peer, as MetalLB does; absent counts as a value."""
    for route in routes:
        items = [advertisements[name].advertisement for name in route.advertisements]
        for position, left in enumerate(items):
            for right in items[position + 1 :]:
                shared = not left.peers or not right.peers or set(left.peers) & set(right.peers)
                if shared and left.local_pref != right.local_pref:
                    return Reason.CONFLICTING_ADVERTISEMENTS, (
                        f"BGPAdvertisement {left.meta.name} and {right.meta.name} give {route.prefix} different "
                        f"local preferences ({left.local_pref or 'none'} and {right.local_pref or 'none'})"
                    )
    return None
