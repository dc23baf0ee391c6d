"""What each peer of a node should have, computed from plain manifests by brute force.

Written from the documentation of MetalLB alone and imports nothing of the product: where the two differ,
one of them is wrong. There is no caching and no cleverness here, and there must never be.

Out of scope, so a test must not use it: layer 2, VRFs, unnumbered peers, several router IDs, mistakes in
manifests, and advertisements that contradict each other without time stamps: there it matters what ran before.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from instruments.documents import Document, Key
from instruments.route import Route

if TYPE_CHECKING:
    from instruments.route import Tables

Documents = Mapping[Key, Document]
Allocations = Mapping[str, Sequence[str]]
"""``namespace/name`` of a Service to its addresses."""

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
SERVICE_LABEL = "kubernetes.io/service-name"
WELL_KNOWN = {
    "graceful-shutdown": "65535:0",
    "accept-own": "65535:1",
    "llgr-stale": "65535:6",
    "no-llgr": "65535:7",
    "blackhole": "65535:666",
    "no-export": "65535:65281",
    "no-advertise": "65535:65282",
    "local-AS": "65535:65283",
    "no-peer": "65535:65284",
}
DEFAULT_LOCAL_PREF = 100


def expected(documents: Documents, allocations: Allocations, node: str) -> Tables:
    """Return for every peer of the node the prefixes it should have, and how."""
    offers = []
    slices = _of_kind(documents, "EndpointSlice")
    rules = {key: found for key, found in documents.items() if key[0] not in {"Service", "EndpointSlice"}}
    for service in _of_kind(documents, "Service"):
        own = [found for found in slices if _belongs(found, service)]
        offers.extend(_offers(rules, allocations, node, service, own))
    tables: Tables = {}
    for peer in _of_kind(documents, "BGPPeer"):
        if not _selected(peer["spec"].get("nodeSelectors"), _node_labels(documents, node)):
            continue
        name = peer["metadata"]["name"]
        routes: dict[str, list[Document]] = {}
        for prefix, advertisement in offers:
            if name in (advertisement["spec"].get("peers") or [name]) and _carries(peer, prefix):
                routes.setdefault(prefix, []).append(advertisement)
        tables[name] = {
            prefix: _route(rules, peer, prefix, advertisements) for prefix, advertisements in routes.items()
        }
    return tables


def _of_kind(documents: Documents, kind: str) -> list[Document]:
    return [document for key, document in documents.items() if key[0] == kind]


def _node_labels(documents: Documents, node: str) -> dict[str, str]:
    document = documents.get(("Node", "", node), {"metadata": {}})
    return document["metadata"].get("labels") or {}


def _offers(
    documents: Documents, allocations: Allocations, node: str, service: Document, slices: list[Document]
) -> list[tuple[str, Document]]:
    """Return the prefixes of a Service on this node, each with an advertisement that asks for it."""
    metadata = service["metadata"]
    addresses = allocations.get(f"{metadata['namespace']}/{metadata['name']}", ())
    if service["spec"].get("type") != "LoadBalancer" or not addresses:
        return []
    pool = _pool_of(documents, addresses)
    if pool is None or not _node_may_announce(documents, node) or not _endpoints_allow(node, service, slices):
        return []
    matching = [
        advertisement
        for advertisement in _of_kind(documents, "BGPAdvertisement")
        if covers_pool(advertisement["spec"], pool)
        and _selected(advertisement["spec"].get("nodeSelectors"), _node_labels(documents, node))
        and _selected(advertisement["spec"].get("serviceSelectors"), metadata.get("labels") or {})
    ]
    return [
        (_aggregate(address, advertisement["spec"]), advertisement)
        for advertisement in matching
        for address in addresses
    ]


def _node_may_announce(documents: Documents, node: str) -> bool:
    if EXCLUDE_LABEL in _node_labels(documents, node):
        return False
    status = documents.get(("Node", "", node), {}).get("status", {})
    for condition in status.get("conditions", []):
        if condition["type"] == "NetworkUnavailable" and condition["status"] == "True":
            return False
    return True


def _belongs(found: Document, service: Document) -> bool:
    """Say whether an EndpointSlice is one of this Service."""
    if found["metadata"]["namespace"] != service["metadata"]["namespace"]:
        return False
    return bool(found["metadata"]["labels"].get(SERVICE_LABEL) == service["metadata"]["name"])


def _endpoints_allow(node: str, service: Document, slices: list[Document]) -> bool:
    """Say whether a serving endpoint exists, with policy Local on this node."""
    serving_nodes = []
    for found in slices:
        for endpoint in found.get("endpoints") or []:
            conditions = endpoint.get("conditions") or {}
            is_serving = conditions.get("ready") in {None, True} or conditions.get("serving") is True
            if is_serving and endpoint.get("addresses"):
                serving_nodes.append(endpoint.get("nodeName"))
    if service["spec"].get("externalTrafficPolicy") == "Local":
        return node in serving_nodes
    return bool(serving_nodes)


def _pool_of(documents: Documents, addresses: Sequence[str]) -> Document | None:
    """Return the one pool that holds all the addresses."""
    for pool in _of_kind(documents, "IPAddressPool"):
        if all(in_pool(address, pool) for address in addresses):
            return pool
    return None


def in_pool(address: str, pool: Document) -> bool:
    """Say whether an address is one of a pool."""
    wanted = ipaddress.ip_address(address)
    for entry in pool["spec"]["addresses"]:
        if "-" in entry:
            first, last = (ipaddress.ip_address(end.strip()) for end in entry.split("-"))
            if first.version == wanted.version and int(first) <= int(wanted) <= int(last):
                return True
        elif wanted in ipaddress.ip_network(entry, strict=False):
            return True
    return False


def covers_pool(spec: Mapping[str, Any], pool: Document) -> bool:
    """Say whether an advertisement is about this pool."""
    names = spec.get("ipAddressPools") or []
    selectors = spec.get("ipAddressPoolSelectors") or []
    if not names and not selectors:
        return True
    labels = pool["metadata"].get("labels") or {}
    return pool["metadata"]["name"] in names or any(_matches(selector, labels) for selector in selectors)


def _selected(selectors: Sequence[Document] | None, labels: Mapping[str, str]) -> bool:
    """Say whether one of the selectors matches; no selectors select everything."""
    return not selectors or any(_matches(selector, labels) for selector in selectors)


def _matches(selector: Document, labels: Mapping[str, str]) -> bool:
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for expression in selector.get("matchExpressions") or []:
        value = labels.get(expression["key"])
        values = expression.get("values") or []
        holds = {
            "In": value is not None and value in values,
            "NotIn": value is None or value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[expression["operator"]]
        if not holds:
            return False
    return True


def _aggregate(address: str, spec: Mapping[str, Any]) -> str:
    length = spec.get("aggregationLengthV6", 128) if ":" in address else spec.get("aggregationLength", 32)
    return str(ipaddress.ip_network(f"{address}/{length}", strict=False))


def in_conflict(one: Document, other: Document, pool: Document) -> bool:
    """Say whether two advertisements of one Service ask for different values at the same prefix and peer."""
    first, second = one["spec"], other["spec"]
    same_preference = (first.get("localPref") or 0) == (second.get("localPref") or 0)
    if same_preference and first.get("asPathPrepend") == second.get("asPathPrepend"):
        return False
    peers, other_peers = first.get("peers") or [], second.get("peers") or []
    if peers and other_peers and not set(peers) & set(other_peers):
        return False
    versions = {6 if ":" in entry else 4 for entry in pool["spec"]["addresses"]}
    differs = []
    if 4 in versions:
        differs.append(first.get("aggregationLength", 32) != second.get("aggregationLength", 32))
    if 6 in versions:
        differs.append(first.get("aggregationLengthV6", 128) != second.get("aggregationLengthV6", 128))
    return not all(differs)


def _age(advertisement: Document) -> tuple[str, str]:
    metadata = advertisement["metadata"]
    return metadata.get("creationTimestamp", "9999"), metadata["name"]


def _wishes(spec: Mapping[str, Any]) -> tuple[int, int]:
    """Return what a route has once: local preference and prepending."""
    return spec.get("localPref") or 0, spec.get("asPathPrepend") or 0


def _carries(peer: Document, prefix: str) -> bool:
    """Say whether the session carries this family: that of its address, or both when asked for."""
    return bool(peer["spec"].get("dualStackAddressFamily")) or (":" in prefix) == (":" in peer["spec"]["peerAddress"])


def _route(documents: Documents, peer: Document, prefix: str, advertisements: list[Document]) -> Route:
    """Return what the peer should see: communities add up, as far as nobody contradicts the oldest advertisement.

    This is one of the differences from MetalLB, which would not announce the Service at all.
    """
    communities: set[str] = set()
    local_pref, prepend = DEFAULT_LOCAL_PREF, 0
    oldest = min(advertisements, key=_age)["spec"]
    for advertisement in advertisements:
        if _wishes(advertisement["spec"]) != _wishes(oldest):
            continue
        spec = advertisement["spec"]
        for text in spec.get("communities") or []:
            communities.add(_community(documents, text))
        local_pref = spec.get("localPref") or local_pref
        prepend = spec.get("asPathPrepend") or prepend
    spec = peer["spec"]
    my_asn, is_internal = spec["myASN"], spec["myASN"] == spec.get("peerASN")
    own = spec.get("localASN") or my_asn
    path = () if is_internal else (own,)
    return Route(
        as_path=path + (my_asn if is_internal else own,) * prepend,
        next_hop_family=6 if ":" in prefix else 4,
        communities=frozenset(text for text in communities if text.count(":") == 1),
        large_communities=frozenset(text for text in communities if text.count(":") == 2),
        local_pref=local_pref if is_internal else None,
    )


def _community(documents: Documents, text: str) -> str:
    """Return ``a:b`` or, for a large one, ``a:b:c``."""
    for resource in _of_kind(documents, "Community"):
        for entry in resource["spec"]["communities"]:
            if entry["name"] == text:
                text = entry["value"]
    text = WELL_KNOWN.get(text, text)
    return text.removeprefix("large:")
