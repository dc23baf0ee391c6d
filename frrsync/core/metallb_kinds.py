"""The kinds of ``metallb.io`` other than BGPPeer, from plain data to the model.

Judged by the schemas of MetalLB's resources and by the rules of its parser that concern one object.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from frrsync.core.address import parse_range
from frrsync.core.grammar import alias_name, community, community_value, dns_subdomain, interface_name
from frrsync.core.model import (
    EMPTY,
    BFDProfile,
    BGPAdvertisement,
    Community,
    IPAddressPool,
    L2Advertisement,
    PreferredNodes,
    ServiceAllocation,
)
from frrsync.core.selector import LabelSelector
from frrsync.core.selector_fields import read_selector, read_selectors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frrsync.core.fields import Fields
    from frrsync.core.model import (
        Metadata,
    )

TOP: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_POOL: Final = frozenset({"addresses", "autoAssign", "avoidBuggyIPs", "serviceAllocation"})
_ALLOCATION: Final = frozenset({"priority", "namespaces", "namespaceSelectors", "serviceSelectors"})
_BGP_ADVERTISEMENT: Final = frozenset(
    {
        "aggregationLength",
        "aggregationLengthV6",
        "asPathPrepend",
        "communities",
        "ipAddressPoolSelectors",
        "ipAddressPools",
        "localPref",
        "nodeSelectors",
        "peers",
        "serviceSelectors",
    }
)
_L2_ADVERTISEMENT: Final = frozenset(
    {
        "interfaces",
        "ipAddressPoolSelectors",
        "ipAddressPools",
        "nodeSelectors",
        "preferredNodeSelectors",
        "serviceSelectors",
    }
)
_PREFERRED: Final = frozenset({"weight", "preference"})
_BFD_PROFILE: Final = frozenset(
    {
        "detectMultiplier",
        "echoInterval",
        "echoMode",
        "minimumTtl",
        "passiveMode",
        "receiveInterval",
        "transmitInterval",
    }
)
_COMMUNITIES: Final = frozenset({"communities"})
_ALIAS: Final = frozenset({"name", "value"})


def spec_of(top: Fields, known: frozenset[str], *, required: bool = False, hints: Mapping[str, str] = EMPTY) -> Fields:
    """Return the spec of a custom resource; its status is ours to write, never to read."""
    top.expect(TOP).check((("status", dict),))
    if required:
        top.require("spec")
    spec = top.fields("spec")
    spec.null_is_absent = False
    return spec.expect(known, hints=hints)


def read_pool(top: Fields, meta: Metadata) -> IPAddressPool:
    """Read an IPAddressPool; overlaps between pools are judged where all of them are known."""
    spec = spec_of(top, _POOL, required=True)
    spec.drop_null("autoAssign", "avoidBuggyIPs")
    spec.require("addresses")
    addresses = spec.texts("addresses", parse_range)
    if spec.data.get("addresses") == []:
        spec.add("addresses", "found no range, at least one is needed")
    if not spec.report.mistakes:
        for index, item in enumerate(addresses):
            other = next((other for other in addresses[:index] if other.overlaps(item)), None)
            if other is not None:
                spec.report.add(
                    (*spec.path, "addresses", index), f"found {item}, which overlaps {other} of the same pool"
                )
    return IPAddressPool(
        meta=meta,
        addresses=addresses,
        auto_assign=spec.boolean("autoAssign", default=True),
        avoid_buggy_ips=spec.boolean("avoidBuggyIPs"),
        service_allocation=_allocation(spec) if spec.has("serviceAllocation") else None,
    )


def _allocation(spec: Fields) -> ServiceAllocation:
    fields = spec.fields("serviceAllocation", _ALLOCATION)
    return ServiceAllocation(
        priority=fields.integer("priority", -(2**31), 2**31 - 1, 0),
        namespaces=fields.texts("namespaces", unique=True),
        namespace_selectors=read_selectors(fields, "namespaceSelectors"),
        service_selectors=read_selectors(fields, "serviceSelectors"),
    )


def read_bgp_advertisement(top: Fields, meta: Metadata) -> BGPAdvertisement:
    """Read a BGPAdvertisement; what it means for each pool is judged where the pools are known."""
    spec = spec_of(top, _BGP_ADVERTISEMENT)
    spec.drop_null("aggregationLength", "aggregationLengthV6")
    result = BGPAdvertisement(
        meta=meta,
        aggregation_length=spec.integer("aggregationLength", 1, 32, 32),
        aggregation_length_v6=spec.integer("aggregationLengthV6", 1, 128, 128),
        local_pref=spec.integer("localPref", 0, 2**32 - 1, None) or None,
        as_path_prepend=spec.integer("asPathPrepend", 1, 10, None),
        communities=spec.texts("communities", community, unique=True),
        ip_address_pools=spec.texts("ipAddressPools", dns_subdomain, unique=True),
        ip_address_pool_selectors=read_selectors(spec, "ipAddressPoolSelectors"),
        node_selectors=read_selectors(spec, "nodeSelectors"),
        peers=spec.texts("peers", dns_subdomain, unique=True),
        service_selectors=read_selectors(spec, "serviceSelectors"),
    )
    if result.service_selectors:
        for name, found, allowed in (
            ("aggregationLength", result.aggregation_length, 32),
            ("aggregationLengthV6", result.aggregation_length_v6, 128),
        ):
            if found != allowed:
                spec.add(name, f"found {found} together with serviceSelectors, allowed is {allowed}")
    return result


def read_l2_advertisement(top: Fields, meta: Metadata) -> L2Advertisement:
    """Read an L2Advertisement."""
    spec = spec_of(top, _L2_ADVERTISEMENT)
    return L2Advertisement(
        meta=meta,
        ip_address_pools=spec.texts("ipAddressPools", dns_subdomain, unique=True),
        ip_address_pool_selectors=read_selectors(spec, "ipAddressPoolSelectors"),
        node_selectors=read_selectors(spec, "nodeSelectors"),
        interfaces=spec.texts("interfaces", interface_name),
        service_selectors=read_selectors(spec, "serviceSelectors"),
        preferred_node_selectors=tuple(
            _preferred(item) for item in spec.fields_list("preferredNodeSelectors", _PREFERRED)
        ),
    )


def _preferred(item: Fields) -> PreferredNodes:
    item.require("weight")
    preference = LabelSelector()
    if item.require("preference"):
        preference = read_selector(item.fields("preference", frozenset({"matchLabels", "matchExpressions"})))
    return PreferredNodes(weight=item.integer("weight", 1, 100, 1), preference=preference)


def read_bfd_profile(top: Fields, meta: Metadata) -> BFDProfile:
    """Read a BFDProfile; intervals are milliseconds."""
    spec = spec_of(top, _BFD_PROFILE)
    return BFDProfile(
        meta=meta,
        receive_interval=spec.integer("receiveInterval", 10, 60000, None),
        transmit_interval=spec.integer("transmitInterval", 10, 60000, None),
        detect_multiplier=spec.integer("detectMultiplier", 2, 255, None),
        echo_interval=spec.integer("echoInterval", 10, 60000, None),
        echo_mode=spec.boolean("echoMode"),
        passive_mode=spec.boolean("passiveMode"),
        minimum_ttl=spec.integer("minimumTtl", 1, 254, None),
    )


def read_community(top: Fields, meta: Metadata) -> Community:
    """Read a Community; a name in two objects is judged where all of them are known."""
    spec = spec_of(top, _COMMUNITIES)
    aliases: dict[str, str] = {}
    for item in spec.fields_list("communities", _ALIAS):
        item.require("name")
        item.require("value")
        name = item.parsed("name", alias_name, "")
        value = item.parsed("value", community_value, "")
        if name and name in aliases:
            item.add("name", f"found {name!r} twice, once is allowed")
        for field in ("name", "value"):
            if item.data.get(field) == "":
                item.add(field, "found an empty text")
        aliases[name] = value
    return Community(meta=meta, aliases=MappingProxyType(aliases))
