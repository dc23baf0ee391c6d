"""Which Service gets which address: each rule once, told by its name."""

from __future__ import annotations

from typing import Any

import pytest

from allocation_builders import full_name, pinned, pool, record, run, service, short, snapshot
from frrsync.core.allocate import NoteReason, pool_mistakes
from frrsync.core.model import IPFamily, IPFamilyPolicy, Metadata, Namespace, TrafficPolicy

PREFER = IPFamilyPolicy.PREFER_DUAL_STACK
REQUIRE = IPFamilyPolicy.REQUIRE_DUAL_STACK
SINGLE = IPFamilyPolicy.SINGLE_STACK
LOCAL = TrafficPolicy.LOCAL
POOL = pool("p", "192.0.2.0/30")
DUAL = pool("dual", "192.0.2.8/30", "2001:db8::8/126")
OTHER = "metallb.universe.tf/"

FRESH: dict[str, tuple[list[Any], dict[str, str]]] = {
    "the lowest address of a prefix is given first, dot zero included": ([POOL, service("a")], {"a": "192.0.2.0"}),
    "a range is given from its start": ([pool("p", "192.0.2.5-192.0.2.6"), service("a")], {"a": "192.0.2.5"}),
    "an IPv6 pool starts with the zero host": ([pool("p", "2001:db8::/64"), service("a")], {"a": "2001:db8::"}),
    "Services without a creation time go in order of namespace and name": (
        [POOL, service("z/a"), service("b"), service("a")],
        {"a": "192.0.2.0", "b": "192.0.2.1", "z/a": "192.0.2.2"},
    ),
    "the older Service goes first": (
        [POOL, service("a", created="2025-02-01T00:00:00Z"), service("b", created="2025-01-01T00:00:00Z")],
        {"a": "192.0.2.1", "b": "192.0.2.0"},
    ),
    "explicit requests go before the lowest free address": (
        [POOL, service("a"), service("b", ips="192.0.2.0")],
        {"a": "192.0.2.1", "b": "192.0.2.0"},
    ),
    "entries of a pool are used in their order": (
        [pool("p", "192.0.2.9/32", "192.0.2.1/32"), service("a"), service("b")],
        {"a": "192.0.2.9", "b": "192.0.2.1"},
    ),
    "pools of equal rank are used in order of their names": (
        [pool("q", "192.0.2.9/32"), pool("p", "192.0.2.8/32"), service("a"), service("b")],
        {"a": "192.0.2.8", "b": "192.0.2.9"},
    ),
    "a full pool leaves the others waiting": (
        [pool("p", "192.0.2.1/32"), service("a"), service("b")],
        {"a": "192.0.2.1", "b": "poolExhausted"},
    ),
    "without any pool everybody waits": ([service("a")], {"a": "noPool"}),
    "a pool with autoAssign false is not used by itself": (
        [pool("p", "192.0.2.0/30", auto_assign=False), service("a")],
        {"a": "noPool"},
    ),
    "a pool with autoAssign false is used by name and by address": (
        [
            pool("p", "192.0.2.0/30", auto_assign=False),
            service("a", pool_name="p"),
            service("b", ips="192.0.2.3"),
        ],
        {"a": "192.0.2.0", "b": "192.0.2.3"},
    ),
    "avoidBuggyIPs leaves out a last octet of 0 or 255 whatever the prefix": (
        [pool("p", "192.0.1.255-192.0.2.1", avoid_buggy_ips=True), service("a"), service("b")],
        {"a": "192.0.2.1", "b": "poolExhausted"},
    ),
    "avoidBuggyIPs does not concern IPv6": (
        [pool("p", "2001:db8::/126", avoid_buggy_ips=True), service("a")],
        {"a": "2001:db8::"},
    ),
    "an avoided address is refused on request": (
        [pool("p", "192.0.2.0/30", avoid_buggy_ips=True), service("a", ips="192.0.2.0")],
        {"a": "requestedAddressAvoided"},
    ),
    "a Service that is not of type LoadBalancer is left alone": ([POOL, service("a", type="ClusterIP")], {}),
    "a Service of a foreign class is left alone": ([POOL, service("a", load_balancer_class="x")], {}),
    "the older annotation counts": (
        [POOL, service("a", annotations={OTHER + "loadBalancerIPs": "192.0.2.2"})],
        {"a": "192.0.2.2"},
    ),
    "the current annotation hides the older one": (
        [POOL, service("a", ips="192.0.2.1", annotations={OTHER + "loadBalancerIPs": "192.0.2.2"})],
        {"a": "192.0.2.1"},
    ),
    "the current annotation hides the older one even if it is empty": (
        [POOL, service("a", ips="", annotations={OTHER + "loadBalancerIPs": "192.0.2.2"})],
        {"a": "192.0.2.0"},
    ),
    "spec.loadBalancerIP counts": ([POOL, service("a", load_balancer_ip="192.0.2.3")], {"a": "192.0.2.3"}),
    "the annotation and spec.loadBalancerIP exclude each other": (
        [POOL, service("a", ips="192.0.2.3", load_balancer_ip="192.0.2.3")],
        {"a": "invalidRequest"},
    ),
    "spec.loadBalancerIP can hold one address only": (
        [DUAL, service("a", load_balancer_ip="192.0.2.8,2001:db8::8")],
        {"a": "invalidRequest"},
    ),
    "a request that is no address is refused": ([POOL, service("a", ips="192.0.2")], {"a": "invalidRequest"}),
    "two addresses of one family are refused": (
        [POOL, service("a", ips="192.0.2.1,192.0.2.2")],
        {"a": "invalidRequest"},
    ),
    "spaces around requested addresses do not matter, and IPv4 comes first": (
        [DUAL, service("a", ips=" 2001:db8::9 , 192.0.2.9 ")],
        {"a": "192.0.2.9,2001:db8::9"},
    ),
    "a requested address outside of every pool is refused": (
        [POOL, service("a", ips="198.51.100.1")],
        {"a": "requestedAddressNotInPool"},
    ),
    "two requested addresses have to come from one pool": (
        [POOL, pool("q", "2001:db8::/64"), service("a", ips="192.0.2.1,2001:db8::1")],
        {"a": "requestedPoolMismatch"},
    ),
    "a requested address has to lie in the requested pool": (
        [POOL, DUAL, service("a", ips="192.0.2.1", pool_name="dual")],
        {"a": "requestedPoolMismatch"},
    ),
    "a requested address that is in use is refused to the younger": (
        [POOL, service("a", ips="192.0.2.1"), service("b", ips="192.0.2.1")],
        {"a": "192.0.2.1", "b": "requestedAddressInUse"},
    ),
    "a pool that does not exist is named": ([POOL, service("a", pool_name="nowhere")], {"a": "unknownPool"}),
    "a pool that cannot give the family is named": (
        [POOL, service("a", ip_families=(IPFamily.IPV6,))],
        {"a": "familyNotInPool"},
    ),
}

FAMILIES: dict[str, tuple[list[Any], dict[str, str]]] = {
    "with nothing said IPv4 goes first": ([DUAL, service("a")], {"a": "192.0.2.8"}),
    "with nothing said and no IPv4 pool it is IPv6": ([pool("p", "2001:db8::/126"), service("a")], {"a": "2001:db8::"}),
    "with nothing said the request decides": ([DUAL, service("a", ips="2001:db8::9")], {"a": "2001:db8::9"}),
    "with nothing said a request may hold both families": (
        [DUAL, service("a", ips="192.0.2.9,2001:db8::9")],
        {"a": "192.0.2.9,2001:db8::9"},
    ),
    "one IPv6 cluster IP means IPv6": ([DUAL, service("a", cluster_ips=("fd00::1",))], {"a": "2001:db8::8"}),
    "one cluster IP with PreferDualStack means one address": (
        [DUAL, service("a", cluster_ips=("10.0.0.1",), ip_family_policy=PREFER)],
        {"a": "192.0.2.8"},
    ),
    "two cluster IPs with PreferDualStack mean two addresses": (
        [DUAL, service("a", cluster_ips=("fd00::1", "10.0.0.1"), ip_family_policy=PREFER)],
        {"a": "192.0.2.8,2001:db8::8"},
    ),
    "two cluster IPs with PreferDualStack refuse one requested address": (
        [DUAL, service("a", cluster_ips=("fd00::1", "10.0.0.1"), ip_family_policy=PREFER, ips="192.0.2.9")],
        {"a": "requestedFamilyMismatch"},
    ),
    "one cluster IP with RequireDualStack is refused": (
        [DUAL, service("a", cluster_ips=("10.0.0.1",), ip_family_policy=REQUIRE)],
        {"a": "invalidIPFamilies"},
    ),
    "two cluster IPs of one family are refused": (
        [DUAL, service("a", cluster_ips=("10.0.0.1", "10.0.0.2"))],
        {"a": "invalidIPFamilies"},
    ),
    "a request of another family than the cluster IP is refused": (
        [DUAL, service("a", cluster_ips=("10.0.0.1",), ips="2001:db8::9")],
        {"a": "requestedFamilyMismatch"},
    ),
    "PreferDualStack in a plain manifest takes both when the pool can": (
        [DUAL, service("a", ip_family_policy=PREFER)],
        {"a": "192.0.2.8,2001:db8::8"},
    ),
    "PreferDualStack takes the first dual pool before a pool of one family": (
        [pool("a", "192.0.2.0/30"), DUAL, service("a", ip_family_policy=PREFER)],
        {"a": "192.0.2.8,2001:db8::8"},
    ),
    "PreferDualStack takes IPv4 if there is no pool of both": (
        [pool("p", "2001:db8::/126"), pool("q", "192.0.2.0/30"), service("a", ip_family_policy=PREFER)],
        {"a": "192.0.2.0"},
    ),
    "PreferDualStack takes the family that stands first": (
        [
            pool("p", "2001:db8::/126"),
            pool("q", "192.0.2.0/30"),
            service("a", ip_family_policy=PREFER, ip_families=(IPFamily.IPV6, IPFamily.IPV4)),
        ],
        {"a": "2001:db8::"},
    ),
    "PreferDualStack takes the other family if the first one is not to be had": (
        [pool("p", "2001:db8::/126"), service("a", ip_family_policy=PREFER)],
        {"a": "2001:db8::"},
    ),
    "PreferDualStack in a plain manifest may ask for one address": (
        [DUAL, service("a", ip_family_policy=PREFER, ips="2001:db8::9")],
        {"a": "2001:db8::9"},
    ),
    "RequireDualStack takes both from one pool or nothing": (
        [POOL, pool("q", "2001:db8::/64"), service("a", ip_family_policy=REQUIRE)],
        {"a": "familyNotInPool"},
    ),
    "RequireDualStack refuses one requested address": (
        [DUAL, service("a", ip_family_policy=REQUIRE, ips="192.0.2.9")],
        {"a": "requestedFamilyMismatch"},
    ),
    "two families without a policy are required, as the API server takes it": (
        [DUAL, service("a", ip_families=(IPFamily.IPV6, IPFamily.IPV4))],
        {"a": "192.0.2.8,2001:db8::8"},
    ),
    "SingleStack takes the family that stands first": (
        [DUAL, service("a", ip_families=(IPFamily.IPV6,), ip_family_policy=SINGLE)],
        {"a": "2001:db8::8"},
    ),
    "SingleStack refuses a request of two": (
        [DUAL, service("a", ip_family_policy=SINGLE, ips="192.0.2.9,2001:db8::9")],
        {"a": "requestedFamilyMismatch"},
    ),
}

WEB = Namespace(meta=Metadata(name="web", labels={"tier": "front"}))
SERVICE_ALLOCATION: dict[str, tuple[list[Any], dict[str, str]]] = {
    "a pinned pool goes before the others": (
        [pool("a", "192.0.2.0/30"), pool("b", "192.0.2.8/30", service_allocation=pinned(priority=5)), service("a")],
        {"a": "192.0.2.8"},
    ),
    "the lower priority goes first and 0 goes last": (
        [
            pool("a", "192.0.2.0/32", service_allocation=pinned()),
            pool("b", "192.0.2.8/32", service_allocation=pinned(priority=9)),
            pool("c", "192.0.2.16/32", service_allocation=pinned(priority=2)),
            *(service(name) for name in "abc"),
        ],
        {"a": "192.0.2.16", "b": "192.0.2.8", "c": "192.0.2.0"},
    ),
    "a pinned pool serves its namespaces only": (
        [pool("p", "192.0.2.0/30", service_allocation=pinned(namespaces=("web",))), service("a"), service("web/a")],
        {"a": "noPool", "web/a": "192.0.2.0"},
    ),
    "a pinned pool that is full is followed by the others": (
        [pool("p", "192.0.2.0/32", service_allocation=pinned()), pool("q", "192.0.2.8/32"), service("a"), service("b")],
        {"a": "192.0.2.0", "b": "192.0.2.8"},
    ),
    "namespaces are selected by their labels": (
        [
            WEB,
            pool("p", "192.0.2.0/30", service_allocation=pinned(namespace="tier=front")),
            service("a"),
            service("web/a"),
        ],
        {"a": "noPool", "web/a": "192.0.2.0"},
    ),
    "a namespace without manifest has its name as label": (
        [
            pool("p", "192.0.2.0/30", service_allocation=pinned(namespace="kubernetes.io/metadata.name=web")),
            service("a"),
            service("web/a"),
        ],
        {"a": "noPool", "web/a": "192.0.2.0"},
    ),
    "namespace selectors that match nothing serve nobody by itself but everybody who asks": (
        [
            WEB,
            pool("p", "192.0.2.0/30", service_allocation=pinned(namespace="tier=none")),
            service("web/a"),
            service("web/b", pool_name="p"),
            service("c", ips="192.0.2.3"),
        ],
        {"c": "192.0.2.3", "web/a": "noPool", "web/b": "192.0.2.0"},
    ),
    "Services are selected by their labels": (
        [
            pool("p", "192.0.2.0/30", service_allocation=pinned(labels="app=x")),
            service("a"),
            service("b", labels={"app": "x"}),
        ],
        {"a": "noPool", "b": "192.0.2.0"},
    ),
    "who may not use a pool may not ask for it either": (
        [
            pool("p", "192.0.2.0/30", service_allocation=pinned(namespaces=("web",))),
            service("a", ips="192.0.2.1"),
            service("b", pool_name="p"),
        ],
        {"a": "poolNotAllowed", "b": "poolNotAllowed"},
    ),
    "a pinned pool of one family goes before a dual pool with PreferDualStack": (
        [pool("p", "192.0.2.0/30", service_allocation=pinned()), DUAL, service("a", ip_family_policy=PREFER)],
        {"a": "192.0.2.0"},
    ),
}

ONE = pool("one", "192.0.2.1/32")
SHARING: dict[str, tuple[list[Any], dict[str, str]]] = {
    "the same key and different ports share": (
        [ONE, service("a", share="k"), service("b", share="k", ports=("TCP/81",))],
        {"a": "192.0.2.1", "b": "192.0.2.1"},
    ),
    "one port number of two protocols shares": (
        [ONE, service("a", share="k"), service("x/b", share="k", ports=("UDP/80",))],
        {"a": "192.0.2.1", "x/b": "192.0.2.1"},
    ),
    "the same port does not share": (
        [ONE, service("a", share="k"), service("b", share="k", ports=("TCP/81", "TCP/80"))],
        {"a": "192.0.2.1", "b": "poolExhausted"},
    ),
    "different keys do not share": (
        [ONE, service("a", share="k"), service("b", share="l", ports=("TCP/81",))],
        {"a": "192.0.2.1", "b": "poolExhausted"},
    ),
    "an empty key does not share": (
        [ONE, service("a", share=""), service("b", share="", ports=("TCP/81",))],
        {"a": "192.0.2.1", "b": "poolExhausted"},
    ),
    "local policy shares with the same selector": (
        [
            ONE,
            service("a", share="k", external_traffic_policy=LOCAL, selector={"app": "x"}),
            service("b", share="k", external_traffic_policy=LOCAL, selector={"app": "x"}, ports=("TCP/81",)),
        ],
        {"a": "192.0.2.1", "b": "192.0.2.1"},
    ),
    "local policy does not share with another selector": (
        [
            ONE,
            service("a", share="k", external_traffic_policy=LOCAL, selector={"app": "x"}),
            service("b", share="k", external_traffic_policy=LOCAL, selector={"app": "y"}, ports=("TCP/81",)),
        ],
        {"a": "192.0.2.1", "b": "poolExhausted"},
    ),
    "local and cluster policy do not share": (
        [
            ONE,
            service("a", share="k", external_traffic_policy=LOCAL, selector={"app": "x"}),
            service("b", share="k", selector={"app": "x"}, ports=("TCP/81",)),
        ],
        {"a": "192.0.2.1", "b": "poolExhausted"},
    ),
    "local policy without selector shares with cluster policy": (
        [
            ONE,
            service("a", share="k", external_traffic_policy=LOCAL),
            service("b", share="k", selector={"app": "x"}, ports=("TCP/81",)),
        ],
        {"a": "192.0.2.1", "b": "192.0.2.1"},
    ),
    "the lowest address wins, be it shared or free": (
        [
            POOL,
            service("a", share="k", ips="192.0.2.2"),
            service("b", share="k", ports=("TCP/81",)),
            service("c", share="k", ports=("TCP/82",)),
        ],
        {"a": "192.0.2.2", "b": "192.0.2.0", "c": "192.0.2.0"},
    ),
    "a request puts Services together": (
        [POOL, service("a", share="k", ips="192.0.2.2"), service("b", share="k", ports=("TCP/81",), ips="192.0.2.2")],
        {"a": "192.0.2.2", "b": "192.0.2.2"},
    ),
}

KEPT: dict[str, tuple[list[Any], dict[str, str], dict[str, str]]] = {
    "a recorded address stays though a lower one is free": (
        [POOL, service("a")],
        {"a": "p:192.0.2.3"},
        {"a": "192.0.2.3"},
    ),
    "a recorded address goes before an older Service without one": (
        [pool("p", "192.0.2.1/32"), service("a"), service("b")],
        {"b": "p:192.0.2.1"},
        {"a": "poolExhausted", "b": "192.0.2.1"},
    ),
    "the address of a deleted Service is given again": (
        [pool("p", "192.0.2.1/32"), service("b")],
        {"a": "p:192.0.2.1"},
        {"b": "192.0.2.1"},
    ),
    "another type releases": (
        [pool("p", "192.0.2.1/32"), service("a", type="NodePort"), service("b")],
        {"a": "p:192.0.2.1"},
        {"b": "192.0.2.1"},
    ),
    "a foreign class releases": (
        [pool("p", "192.0.2.1/32"), service("a", load_balancer_class="x"), service("b")],
        {"a": "p:192.0.2.1"},
        {"b": "192.0.2.1"},
    ),
    "an address in no pool stays": ([POOL, service("a")], {"a": "old:198.51.100.1"}, {"a": "198.51.100.1"}),
    "an address stays without any pool": ([service("a")], {"a": "p:192.0.2.1"}, {"a": "192.0.2.1"}),
    "a pool that no longer serves a Service keeps its address": (
        [pool("p", "192.0.2.0/30", service_allocation=pinned(namespaces=("web",))), service("a")],
        {"a": "p:192.0.2.1"},
        {"a": "192.0.2.1"},
    ),
    "an address that is avoided by now stays": (
        [pool("p", "192.0.2.0/30", avoid_buggy_ips=True), service("a")],
        {"a": "p:192.0.2.0"},
        {"a": "192.0.2.0"},
    ),
    "a better pool does not move anybody": (
        [POOL, pool("best", "192.0.2.8/30", service_allocation=pinned(priority=1)), service("a")],
        {"a": "p:192.0.2.2"},
        {"a": "192.0.2.2"},
    ),
    "a request that was removed leaves its address": ([POOL, service("a")], {"a": "p:192.0.2.2"}, {"a": "192.0.2.2"}),
    "another request moves": ([POOL, service("a", ips="192.0.2.1")], {"a": "p:192.0.2.2"}, {"a": "192.0.2.1"}),
    "another request that is impossible leaves without address": (
        [POOL, service("a", ips="198.51.100.1")],
        {"a": "p:192.0.2.2"},
        {"a": "requestedAddressNotInPool"},
    ),
    "a request that cannot be read changes nothing": (
        [POOL, service("a", ips="oops")],
        {"a": "p:192.0.2.2"},
        {"a": "192.0.2.2"},
    ),
    "two can swap addresses": (
        [POOL, service("a", ips="192.0.2.2"), service("b", ips="192.0.2.1")],
        {"a": "p:192.0.2.1", "b": "p:192.0.2.2"},
        {"a": "192.0.2.2", "b": "192.0.2.1"},
    ),
    "another pool asked for moves": (
        [POOL, DUAL, service("a", pool_name="dual")],
        {"a": "p:192.0.2.2"},
        {"a": "192.0.2.8"},
    ),
    "another pool asked for that cannot give leaves without address": (
        [POOL, service("a", pool_name="nowhere")],
        {"a": "p:192.0.2.2"},
        {"a": "unknownPool"},
    ),
    "the pool asked for may vanish": ([service("a", pool_name="p")], {"a": "p:192.0.2.2"}, {"a": "192.0.2.2"}),
    "a Service of another family by now moves": (
        [DUAL, service("a", cluster_ips=("fd00::1",))],
        {"a": "dual:192.0.2.9"},
        {"a": "2001:db8::8"},
    ),
    "a Service of one family by now keeps that address": (
        [DUAL, service("a", cluster_ips=("fd00::1",))],
        {"a": "dual:192.0.2.9,2001:db8::9"},
        {"a": "2001:db8::9"},
    ),
    "both addresses stay when nothing is said any more": (
        [DUAL, service("a")],
        {"a": "dual:192.0.2.9,2001:db8::9"},
        {"a": "192.0.2.9,2001:db8::9"},
    ),
    "PreferDualStack gets the second address from the same pool": (
        [DUAL, service("a", ip_family_policy=PREFER)],
        {"a": "dual:192.0.2.9"},
        {"a": "192.0.2.9,2001:db8::8"},
    ),
    "RequireDualStack gets the second address and keeps the first": (
        [DUAL, service("a", ip_family_policy=REQUIRE)],
        {"a": "dual:2001:db8::9"},
        {"a": "192.0.2.8,2001:db8::9"},
    ),
    "nobody moves to another pool to get a second address": (
        [POOL, DUAL, service("a", ip_family_policy=PREFER)],
        {"a": "p:192.0.2.1"},
        {"a": "192.0.2.1"},
    ),
    "the second address never comes before somebody else's first": (
        [
            pool("p", "192.0.2.1/32", "2001:db8::1/128"),
            service("a", ip_family_policy=PREFER),
            service("b", ip_families=(IPFamily.IPV6,)),
        ],
        {"a": "p:192.0.2.1"},
        {"a": "192.0.2.1", "b": "2001:db8::1"},
    ),
    "of two recorded Services that cannot share, the older keeps and the other gets a new one": (
        [POOL, service("a", created="2025-02-01T00:00:00Z"), service("b", created="2025-01-01T00:00:00Z")],
        {"a": "p:192.0.2.1", "b": "p:192.0.2.1"},
        {"a": "192.0.2.0", "b": "192.0.2.1"},
    ),
    "recorded Services that can share stay together": (
        [POOL, service("a", share="k"), service("b", share="k", ports=("UDP/53",))],
        {"a": "p:192.0.2.1", "b": "p:192.0.2.1"},
        {"a": "192.0.2.1", "b": "192.0.2.1"},
    ),
    "an address of a status is taken over": ([POOL, service("a", ingress=("192.0.2.2",))], {}, {"a": "192.0.2.2"}),
    "a status of a deleted pool is taken over with the name of that pool": (
        [service("a", ingress=("192.0.2.2",), annotations={"metallb.io/ip-allocated-from-pool": "old"})],
        {},
        {"a": "192.0.2.2"},
    ),
    "a status of no known pool is not taken over": (
        [POOL, service("a", ingress=("198.51.100.1",))],
        {},
        {"a": "192.0.2.0"},
    ),
    "the record goes before a status": (
        [POOL, service("a", ingress=("192.0.2.2",)), service("b")],
        {"b": "p:192.0.2.2"},
        {"a": "addressInUse", "b": "192.0.2.2"},
    ),
    "of two statuses with one address the older Service keeps it": (
        [POOL, service("a", ingress=("192.0.2.2",)), service("b", ingress=("192.0.2.2",))],
        {},
        {"a": "192.0.2.2", "b": "addressInUse"},
    ),
    "a status counts as used though its Service has another address": (
        [POOL, service("a", ingress=("192.0.2.0",)), service("b", ips="192.0.2.0"), service("c")],
        {"a": "p:192.0.2.3"},
        {"a": "192.0.2.3", "b": "requestedAddressInUse", "c": "192.0.2.1"},
    ),
    "a status of a foreign class counts as used": (
        [POOL, service("a", ingress=("192.0.2.0",), load_balancer_class="x"), service("b")],
        {},
        {"b": "192.0.2.1"},
    ),
}


@pytest.mark.parametrize("name", [*FRESH, *FAMILIES, *SERVICE_ALLOCATION, *SHARING])
def test_first_allocation(name: str) -> None:
    """A rule for Services that have no address yet holds, and holds again when it is asked twice."""
    objects, expected = (FRESH | FAMILIES | SERVICE_ALLOCATION | SHARING)[name]
    first = run(*objects)
    assert short(first) == expected
    assert run(*objects, before=first.allocated) == first


@pytest.mark.parametrize("name", KEPT)
def test_next_allocation(name: str) -> None:
    """A rule for Services that have an address holds, and holds again when it is asked twice."""
    objects, before, expected = KEPT[name]
    first = run(*objects, before=record(**before))
    assert short(first) == expected
    again = run(*objects, before=first.allocated)
    assert (again.allocated, again.pending) == (first.allocated, first.pending)


NOTES: dict[str, tuple[list[Any], str, NoteReason, str]] = {
    "an address in no pool": (
        [POOL, service("a")],
        "old:198.51.100.1",
        NoteReason.KEPT_NOT_IN_POOL,
        "198.51.100.1 came from IPAddressPool old and is in no pool any more; kept",
    ),
    "a pool that serves others": (
        [pool("p", "192.0.2.0/30", service_allocation=pinned(namespaces=("web",))), service("a")],
        "p:192.0.2.1",
        NoteReason.KEPT_NOT_ALLOWED,
        "IPAddressPool p of 192.0.2.1 does not serve this Service any more; kept",
    ),
    "an avoided address": (
        [pool("p", "192.0.2.0/30", avoid_buggy_ips=True), service("a")],
        "p:192.0.2.0",
        NoteReason.KEPT_AVOIDED,
        "192.0.2.0 is avoided by IPAddressPool p (avoidBuggyIPs) now; kept",
    ),
    "an unreadable request": (
        [POOL, service("a", ips="oops")],
        "p:192.0.2.1",
        NoteReason.KEPT_INVALID_REQUEST,
        "annotation metallb.io/loadBalancerIPs: 'oops' is not an IP address; addresses kept",
    ),
    "a second family that the pool does not have": (
        [POOL, service("a", ip_family_policy=PREFER)],
        "p:192.0.2.1",
        NoteReason.SECOND_FAMILY_UNAVAILABLE,
        "IPAddressPool p has no free IPv6 address",
    ),
}


@pytest.mark.parametrize("name", NOTES)
def test_what_is_odd_about_a_kept_address_is_said(name: str) -> None:
    """A note names the address and the pool."""
    objects, before, reason, message = NOTES[name]
    (note,) = run(*objects, before=record(a=before)).notes[full_name("a")]
    assert (note.reason, note.message) == (reason, message)


MESSAGES: dict[str, tuple[list[Any], str]] = {
    "no pool": ([service("a")], "there is no IPAddressPool"),
    "no pool by itself": (
        [pool("p", "192.0.2.0/30", auto_assign=False), service("a")],
        "no IPAddressPool serves namespace default automatically",
    ),
    "exhausted": (
        [pool("p", "192.0.2.0/32"), service("Z", ips="192.0.2.0"), service("a")],
        "no address is free in IPAddressPool p (IPv4 or IPv6)",
    ),
    "exhausted for both families": (
        [
            DUAL,
            *(service(f"Z{octet}", ips=f"2001:db8::{octet:x}") for octet in (8, 9, 10, 11)),
            service("a", ip_family_policy=REQUIRE),
        ],
        "no address is free in IPAddressPool dual (IPv4 and IPv6)",
    ),
    "another family": (
        [POOL, service("a", ips="192.0.2.1", ip_family_policy=REQUIRE)],
        "it asks for 192.0.2.1; allowed is one IPv4 address and one IPv6 address",
    ),
    "no such family": (
        [POOL, service("a", ip_families=(IPFamily.IPV6,))],
        "IPAddressPool p has no addresses of the family (IPv6)",
    ),
    "not in a pool": (
        [POOL, service("a", ips="203.0.113.1")],
        "it asks for 203.0.113.1, which no IPAddressPool contains",
    ),
    "in use": (
        [POOL, service("Z", ips="192.0.2.1"), service("a", ips="192.0.2.1")],
        "it asks for 192.0.2.1, but 192.0.2.1 is in use by Service default/Z (they have no sharing key in common)",
    ),
    "a port in use": (
        [POOL, service("Z", ips="192.0.2.1", share="k"), service("a", ips="192.0.2.1", share="k")],
        "it asks for 192.0.2.1, but 192.0.2.1 is in use by Service default/Z (both use TCP port 80)",
    ),
    "unknown pool": (
        [POOL, service("a", pool_name="x")],
        "it asks for IPAddressPool x, which does not exist; existing: p",
    ),
    "both requests": (
        [POOL, service("a", ips="192.0.2.1", load_balancer_ip="192.0.2.2")],
        (
            "both annotation metallb.io/loadBalancerIPs (192.0.2.1) and spec.loadBalancerIP (192.0.2.2) are set; "
            "one of them is allowed"
        ),
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_why_a_service_waits_is_said_in_a_sentence(name: str) -> None:
    """A message names the pool, the address or the Service concerned."""
    objects, message = MESSAGES[name]
    assert run(*objects).pending[full_name("a")].message == message


def test_a_range_that_moved_to_another_pool_takes_its_addresses_along() -> None:
    """The pool of an address is the one that contains it now."""
    result = run(pool("new", "192.0.2.0/30"), service("a"), before=record(a="old:192.0.2.1"))
    assert result.allocated[full_name("a")].pool == "new"


def test_the_class_decides_whose_services_are_handled() -> None:
    """With a class set, exactly the Services of that class are handled."""
    objects: list[Any] = [
        POOL,
        service("a"),
        service("b", load_balancer_class="x"),
        service("c", load_balancer_class="y"),
    ]
    assert short(run(*objects, load_balancer_class="x")) == {"b": "192.0.2.0"}


def test_overlapping_ranges_are_left_out_of_the_later_pool_and_reported() -> None:
    """The older pool wins, then the lower name; the sound ranges of the loser are used."""
    objects: list[Any] = [
        pool("b", "192.0.2.0/30", created="2025-01-01T00:00:00Z"),
        pool("a", "192.0.2.2-192.0.2.9", "192.0.2.16/32", line=7),
        pool("c", "192.0.2.16/31", "2001:db8::/64", "2001:db8::5/128"),
    ]
    found = [str(mistake) for mistake in pool_mistakes(snapshot(*objects))]
    assert found == [
        (
            "pools.yaml:7: IPAddressPool metallb-system/a: spec.addresses[0]: "
            "left out: found 192.0.2.2-192.0.2.9, which overlaps 192.0.2.0/30 of IPAddressPool b (pools.yaml); "
            "it is not used until one of the two is changed"
        ),
        (
            "pools.yaml: IPAddressPool metallb-system/c: spec.addresses[0]: "
            "left out: found 192.0.2.16/31, which overlaps 192.0.2.16/32 of IPAddressPool a (pools.yaml:7); "
            "it is not used until one of the two is changed"
        ),
        (
            "pools.yaml: IPAddressPool metallb-system/c: spec.addresses[2]: "
            "left out: found 2001:db8::5/128, which overlaps 2001:db8::/64 of IPAddressPool c (pools.yaml); "
            "it is not used until one of the two is changed"
        ),
    ]
    asked = service("x", pool_name="a")
    assert short(run(*objects, asked)) == {"x": "192.0.2.16"}


def test_a_later_range_inside_an_earlier_one_is_found_wherever_it_starts() -> None:
    """Neighbours on both sides are looked at."""
    objects = [pool("a", "192.0.2.8/32", "192.0.2.20/32"), pool("b", "192.0.2.0-192.0.2.10", "192.0.2.15-192.0.2.30")]
    assert [mistake.field for mistake in pool_mistakes(snapshot(*objects))] == [
        "spec.addresses[0]",
        "spec.addresses[1]",
    ]
