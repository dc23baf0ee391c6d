"""Which lines of an FRR configuration are frrsync's, and in which form the two sides compare. Pure.

Everything that is not named here belongs to the operator or to FRR itself (``hostname``, ``log``,
``interface``, ``no ip forwarding``, ...): it is neither wanted nor removed. What is named here is brought
into one form on both sides: FRR does not print its defaults and adds lines of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.frr.plan import Daemon

if TYPE_CHECKING:
    from collections.abc import Collection

    from frrsync.frr.dialect import Dialect
    from frrsync.frr.tree import Tree

_BGPD_PREFIXES = (
    "router bgp ",
    "route-map ",
    "bgp route-map delay-timer ",
    "ip prefix-list ",
    "ipv6 prefix-list ",
    "bgp community-list ",
    "bgp large-community-list ",
    "bgp extcommunity-list ",
    "bgp as-path access-list ",
)
_RESOLVE_VIA_DEFAULT = frozenset({"ip nht resolve-via-default", "ipv6 nht resolve-via-default"})

# Lines that FRR accepts and never prints because they say what holds anyway (8.4 and 10.3).
_TOP_DEFAULTS = frozenset({"bgp route-map delay-timer 5"})
_ROUTER_DEFAULTS = frozenset(
    {
        "bgp ebgp-requires-policy",
        "bgp default ipv4-unicast",
        "bgp network import-check",
        "no bgp log-neighbor-changes",
        "bgp fast-external-failover",
        "bgp suppress-duplicates",
        "bgp hard-administrative-reset",
        "bgp graceful-restart notification",
        "bgp graceful-restart restart-time 120",
        "timers bgp 60 180",
    }
)
_FAMILY_DEFAULTS = frozenset({"distance bgp 20 200 200"})
_PEER_FAMILY_DEFAULTS = ("send-community", "send-community all", "send-community both")
_BFD_DEFAULTS = frozenset(
    {
        "detect-multiplier 3",
        "transmit-interval 300",
        "receive-interval 300",
        "minimum-ttl 254",
        "echo transmit-interval 50",
        "echo receive-interval 50",
        "no shutdown",
    }
)
_NO_DEFAULT_FAMILY = "no bgp default ipv4-unicast"
_IPV4_UNICAST = "address-family ipv4 unicast"
_EVPN = "address-family l2vpn evpn"
_ADVERTISE_PIP = "advertise-pip"


def owner(line: str) -> Daemon | None:
    """Return who runs a line of the top level, or None when it is not frrsync's.

    A line that several daemons print (prefix-lists, copies of route-maps) is bgpd's.
    """
    if line.startswith(_BGPD_PREFIXES):
        return Daemon.BGPD
    if line == "bfd":
        return Daemon.BFDD
    if line in _RESOLVE_VIA_DEFAULT:
        return Daemon.ZEBRA
    return None


def daemons(dialect: Dialect) -> tuple[Daemon, ...]:
    """Return the daemons that run lines of frrsync's."""
    if dialect.prints_resolve_via_default:
        return (Daemon.BGPD, Daemon.BFDD, Daemon.ZEBRA)
    return (Daemon.BGPD, Daemon.BFDD)


def managed(tree: Tree, dialect: Dialect, only: Daemon | None = None) -> Tree:
    """Return frrsync's part of a configuration in the form that compares; the given tree stays as it is.

    ``only`` keeps what one daemon runs: daemons also print copies of what belongs to another.
    """
    runners = daemons(dialect) if only is None else (only,)
    found: Tree = {}
    for line, content in tree.items():
        runner = owner(line)
        if runner is None or runner not in runners or line in _TOP_DEFAULTS:
            continue
        if line.startswith("router bgp "):
            found[line] = _router(content, dialect)
        elif line == "bfd":
            if content:
                found[line] = bfd_form(content)
        else:
            found[line] = content
    return found


def run_by(tree: Tree, runners: Collection[Daemon]) -> Tree:
    """Return the lines of the top level that one of these daemons runs."""
    return {line: content for line, content in tree.items() if owner(line) in runners}


def unmanaged(tree: Tree) -> tuple[str, ...]:
    """Return the lines of the top level that frrsync leaves alone, in order."""
    return tuple(line for line in tree if owner(line) is None)


def _router(content: Tree, dialect: Dialect) -> Tree:
    """Bring a BGP instance of ours into the form that compares."""
    found = router_form(content, dialect)
    if _NO_DEFAULT_FAMILY not in content:
        activate_implicitly(found, _IPV4_UNICAST)
    return found


def router_form(content: Tree, dialect: Dialect) -> Tree:
    """Bring lines of a BGP instance into the form that compares; who is active in a family stays as it is said."""
    found: Tree = {}
    for line, children in content.items():
        if line.startswith("address-family "):
            family = _family(children, dialect)
            if family and not (line == _EVPN and family.keys() == {_ADVERTISE_PIP}):
                found[line] = family
        elif line not in _ROUTER_DEFAULTS and not _is_peer_default(line, dialect):
            found[line] = children
            if " bfd " in line and line.startswith("neighbor "):
                # FRR adds the plain line to the one with a profile
                found.setdefault(line.partition(" bfd ")[0] + " bfd", {})
    return found


def activate_implicitly(router: Tree, family_line: str) -> None:
    """Write what the default means: each neighbor is active in this family that is not said not to be.

    FRR prints only the exceptions, and turns them round when the default is changed.
    """
    family = router.setdefault(family_line, {})
    peers = dict.fromkeys(line.split(" ", 2)[1] for line in router if line.startswith("neighbor "))
    for peer in peers:
        if family.pop(f"no neighbor {peer} activate", None) is None:
            family[f"neighbor {peer} activate"] = {}
    if not family:
        del router[family_line]


def _family(content: Tree, dialect: Dialect) -> Tree:
    """Bring an address family into the form that compares."""
    most = f"maximum-paths {dialect.maximum_paths}"
    found: Tree = {}
    for line, children in content.items():
        if line.startswith("network "):  # first, because there are many
            found[line] = children
        elif line.startswith("neighbor "):
            if line.split(" ", 2)[-1] not in _PEER_FAMILY_DEFAULTS:
                found[line] = children
        elif line not in _FAMILY_DEFAULTS and line != most:
            found[line] = children
    return found


def _is_peer_default(line: str, dialect: Dialect) -> bool:
    """Say whether this is a line of a neighbor that this FRR does not print."""
    if dialect.version < (10, 0):
        return line.endswith(" ebgp-multihop 1") or (line.startswith("no ") and line.endswith(" enforce-first-as"))
    return line.startswith("neighbor ") and line.endswith((" enforce-first-as", " bfd strict"))


def bfd_form(content: Tree) -> Tree:
    """Bring the ``bfd`` context into the form that compares."""
    return {line: {inner: {} for inner in children if inner not in _BFD_DEFAULTS} for line, children in content.items()}
