"""What somebody may type into FRR behind our back: lines by name, in their context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.frr.plan import Command, Daemon
from golden.test_render_roundtrip import EVERYTHING, IPV6, PLAIN, UNNUMBERED, config, router

if TYPE_CHECKING:
    from frrsync.core.frr_config import FrrConfig

EDITED: FrrConfig = config(router(UNNUMBERED, PLAIN, EVERYTHING, IPV6, families=("ipv4", "ipv6")))
"""What is wanted all the time."""

MAPS = ("frrsync-out-0123456789", "frrsync-in", "frrsync-class-f0000001")
"""The maps that it uses."""

_ROUTER = "router bgp 64512"
_IPV4 = "address-family ipv4 unicast"
_OUT = "route-map frrsync-out-0123456789"
_CLASS = "route-map frrsync-class-f0000001"

_SESSION = (
    "timers 3 9", "advertisement-interval 3", "description x y", "password x", "passive", "capability dynamic",
    "dont-capability-negotiate", "update-source 1.2.3.4", "port 7", "local-as 7", "ttl-security hops 3",
    "interface eth0", "timers delayopen 5", "sender-as-path-loop-detection", "tcp-mss 500", "graceful-restart-helper",
    "graceful-restart-disable", "local-role customer", "extended-optional-parameters", "solo", "remote-as 7",
    "shutdown", "shutdown message good bye", "shutdown rtt 5 count 7", "bfd check-control-plane-failure",
    "override-capability", "capability extended-nexthop", "enforce-multihop",
)  # fmt: skip
_FAMILY = (
    "next-hop-self", "next-hop-self force", "soft-reconfiguration inbound", "maximum-prefix 7 80 restart 5",
    "maximum-prefix 5 warning-only", "allowas-in 5", "allowas-in origin", "default-originate",
    "default-originate route-map frrsync-in", "prefix-list x out", "filter-list x in", "distribute-list x out",
    "addpath-tx-all-paths", "remove-private-AS all replace-AS", "as-override", "weight 7", "attribute-unchanged",
    "route-server-client", "maximum-prefix-out 7", "capability orf prefix-list both",
    "advertise-map frrsync-in exist-map frrsync-in", "route-map frrsync-out-nothing out",
    "route-map frrsync-out-nothing in",
)  # fmt: skip
_INSTANCE = (
    "bgp cluster-id 1.1.1.1", "timers bgp 3 9", "bgp always-compare-med", "bgp bestpath compare-routerid",
    "bgp bestpath as-path ignore", "bgp default local-preference 7", "bgp log-neighbor-changes",
    "no bgp ebgp-requires-policy", "bgp graceful-restart", "bgp graceful-restart restart-time 99",
    "bgp graceful-restart stalepath-time 99", "bgp graceful-restart preserve-fw-state", "bgp graceful-shutdown",
    "bgp graceful-restart-disable", "bgp suppress-fib-pending", "coalesce-time 500", "read-quanta 5",
    "write-quanta 5", "update-delay 5 3", "bgp max-med administrative", "bgp network import-check",
    "bgp default ipv4-unicast", "bgp router-id 9.9.9.9", "no bgp bestpath as-path multipath-relax", "bgp shutdown",
    "bgp confederation identifier 5",
)  # fmt: skip
_NETWORKS = (
    "network 203.0.113.7/32", "no network 203.0.113.9/32", "network 1.2.3.4/32", "network 203.0.113.98/32 backdoor",
    "maximum-paths 5", "maximum-paths ibgp 7 equal-cluster-length", "aggregate-address 1.0.0.0/8 summary-only",
    "redistribute connected route-map frrsync-in", "distance bgp 1 2 3", "table-map frrsync-in", "import vrf red",
)  # fmt: skip
_ENTRY = (
    "no match tag", "match tag 5", "match metric 3", "match as-path foo", "match ip address prefix-list x",
    "match origin igp", "match rpki valid", "no set community", "set community 1:1", "set community 1:1 additive",
    "set community none", "set large-community none", "set as-path prepend 9 9", "set as-path prepend last-as 3",
    "set as-path exclude 1 2", "set metric +7", "set weight 7", "set ip next-hop 192.0.2.1",
    "set ip next-hop peer-address", "set ip next-hop unchanged", "set ipv6 next-hop prefer-global", "set table 7",
    "set local-preference 7", "call frrsync-in", "on-match next", "on-match goto 65535", "description foo bar",
    "no description",
)  # fmt: skip
_LISTS = (
    "ip prefix-list x seq 10 permit 1.1.1.0/24 ge 26 le 30", "ip prefix-list x description foo bar",
    "ipv6 prefix-list x seq 10 permit fd00::/24 ge 26 le 30", "bgp community-list standard foo seq 5 permit 1:1",
    "bgp community-list expanded bar seq 5 permit 1:1 .*", "bgp large-community-list standard foo seq 5 permit 1:1:1",
    "bgp as-path access-list foo seq 5 permit ^1 2$", "bgp extcommunity-list standard foo seq 5 permit rt 1:1",
    "no bgp route-map delay-timer", "bgp route-map delay-timer 9",
)  # fmt: skip
_WHOLE = (f"no {_OUT} permit 1", f"no {_OUT} deny 65535", f"no {_ROUTER}")
_PROFILE = (
    "detect-multiplier 77", "no echo-mode", "no passive-mode", "shutdown", "minimum-ttl 5", "transmit-interval 77",
    "receive-interval 77", "echo transmit-interval 77", "echo receive-interval disabled",
)  # fmt: skip


def _lines(context: tuple[str, ...], *lines: str, daemon: Daemon = Daemon.BGPD) -> tuple[Command, ...]:
    return tuple(Command(daemon, context, line) for line in lines)


def _one_by_one() -> dict[str, tuple[Command, ...]]:
    """Return the edits that are one line each."""
    found = {f"entry: {line}": _lines((f"{_OUT} permit 1",), line) for line in _ENTRY}
    found |= {
        f"second entry: {line}": _lines((f"{_OUT} permit 65534",), line) for line in _ENTRY if line.startswith("set ")
    }
    found |= {line: _lines((), line) for line in (*_LISTS, *_WHOLE)}
    found |= {line: _lines((_ROUTER,), line) for line in _INSTANCE}
    found |= {line: _lines((_ROUTER, _IPV4), line) for line in _NETWORKS}
    for line in _SESSION:
        found[f"neighbor {line}"] = _lines((_ROUTER,), f"neighbor 192.0.2.1 {line}")
    for line in _FAMILY:
        found[f"family {line}"] = _lines((_ROUTER, _IPV4), f"neighbor 192.0.2.1 {line}")
    for line in _PROFILE:
        found[f"profile {line}"] = _lines(("bfd", "profile full.profile-1"), line, daemon=Daemon.BFDD)
    return found


EDITS: dict[str, tuple[Command, ...]] = _one_by_one() | {
    "a permit-all entry before ours": _lines((f"{_OUT} permit 2",), ""),
    "our deny permits": _lines((f"{_OUT} permit 65535",), ""),
    "our permit denies": _lines((f"{_OUT} deny 1",), ""),
    "an inbound entry that permits": _lines(("route-map frrsync-in permit 5",), "match tag 5"),
    "another tag in a class": _lines((f"{_CLASS} permit 10",), "set tag 5"),
    "no tag in a class": _lines((f"{_CLASS} permit 10",), "no set tag"),
    "a match in a class": _lines((f"{_CLASS} permit 10",), "match ip address prefix-list x"),
    "a map of theirs": _lines(("route-map mine permit 5",), "match tag 5", "description x"),
    "a network in another class": (
        *_lines(("route-map mine permit 5",), "set tag 7"),
        *_lines((_ROUTER, _IPV4), "network 203.0.113.7/32 route-map mine"),
    ),
    "a neighbor": (
        *_lines((_ROUTER,), "neighbor 192.0.2.77 remote-as 5", "neighbor 192.0.2.77 description 5"),
        *_lines((_ROUTER, _IPV4), "neighbor 192.0.2.77 activate"),
    ),
    "an interface": (
        *_lines((_ROUTER,), "neighbor eth1 interface remote-as external"),
        *_lines((_ROUTER, _IPV4), "neighbor eth1 activate"),
    ),
    "our interface, IPv6 only": _lines((_ROUTER,), "neighbor eth0 interface v6only remote-as external"),
    "our interface, another AS": _lines((_ROUTER,), "neighbor eth0 interface remote-as internal"),
    "a peer-group with a member and a range": _lines(
        (_ROUTER,), "neighbor PG peer-group", "neighbor PG remote-as 5", "neighbor 192.0.2.78 peer-group PG",
        "neighbor eth1 interface peer-group PG", "bgp listen range 10.0.0.0/8 peer-group PG", "bgp listen limit 7",
    ),
    "a peer-group that ours joins": _lines((_ROUTER,), "neighbor PG peer-group", "neighbor 192.0.2.1 peer-group PG"),
    "a neighbor less": _lines((_ROUTER,), "no neighbor 192.0.2.1"),
    "an interface less": _lines((_ROUTER,), "no neighbor eth0"),
    "settings less": _lines(
        (_ROUTER,), *(f"no neighbor 192.0.2.2 {words}" for words in (
            "timers", "timers connect", "password", "port", "local-as", "description", "bfd", "graceful-restart",
            "ebgp-multihop", "update-source")),
    ),
    "no BFD profile": _lines((_ROUTER,), "no neighbor 192.0.2.2 bfd profile full.profile-1"),
    "not active": _lines((_ROUTER, _IPV4), "no neighbor 192.0.2.1 activate"),
    "no outbound map": _lines((_ROUTER, _IPV4), "no neighbor 192.0.2.1 route-map frrsync-out-0123456789 out"),
    "no inbound map": _lines((_ROUTER, _IPV4), "no neighbor 192.0.2.1 route-map frrsync-in in"),
    "no communities": _lines((_ROUTER, _IPV4), "no neighbor 192.0.2.1 send-community all"),
    "another family": _lines((_ROUTER, "address-family ipv4 vpn"), "neighbor 192.0.2.1 activate"),
    "an instance": _lines(("router bgp 5 vrf x",), "neighbor 1.1.1.1 remote-as 5"),
    "a profile": _lines(("bfd", "profile mine"), "shutdown", daemon=Daemon.BFDD),
    "a profile less": _lines(("bfd",), "no profile defaults", daemon=Daemon.BFDD),
    "a static BFD peer": _lines(("bfd", "peer 1.2.3.4"), "profile defaults", daemon=Daemon.BFDD),
    "no BFD at all": _lines((), "no bfd", daemon=Daemon.BFDD),
}  # fmt: skip
