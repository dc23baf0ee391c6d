"""Which lines are frrsync's in an FRR that an operator runs, and plans that touch nothing else. Pure.

Ours is what carries our name: route-maps, BFD profiles, lists, ``network`` lines with a class map of ours,
and the neighbors that use our maps. So a neighbor is known again after a restart of the agent, also when
nobody asks for it any more. Everything else is the operator's: not compared, not changed, not removed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from frrsync.core.frr_config import CLASS_PREFIX, INBOUND_MAP, MARK, OUTBOUND_PREFIX
from frrsync.errors import ConfigError
from frrsync.frr import diff, scope
from frrsync.frr.lines import creates_neighbor, neighbor_of
from frrsync.frr.plan import Command, Daemon

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from frrsync.frr.dialect import Dialect
    from frrsync.frr.plan import Plan
    from frrsync.frr.tree import Tree

ROUTER = "router bgp "
FAMILY = "address-family "
IPV4 = "address-family ipv4 unicast"
IPV6 = "address-family ipv6 unicast"
NO_DEFAULT_IPV4 = "no bgp default ipv4-unicast"

_TRANSIT = "frrsync-transit-"
_CLASSES = (CLASS_PREFIX, _TRANSIT)
_OUTBOUND = (OUTBOUND_PREFIX, "frrsync-move-")
_ANNOUNCED = "frrsync-new-"
"""What the name of a map begins with that stands while a neighbor is made: it says that this one will be ours."""
_MAPS = tuple(f"route-map {name}" for name in (f"{INBOUND_MAP} ", *_CLASSES, *_OUTBOUND, _ANNOUNCED))
_PROFILE = "profile frrsync-"
_LISTS = tuple(
    f"{kind} frrsync-"
    for kind in (
        "ip prefix-list",
        "ipv6 prefix-list",
        "bgp community-list standard",
        "bgp community-list expanded",
        "bgp large-community-list standard",
        "bgp large-community-list expanded",
        "bgp extcommunity-list standard",
        "bgp extcommunity-list expanded",
        "bgp as-path access-list",
    )
)
_IN_THE_MAKING = "shutdown message frrsync-unfinished"
"""What a neighbor of ours says until it is complete: so one that was left half-made is known again."""
_DEFAULT_FAMILIES = ("bgp default ipv4-", "bgp default ipv6-", "bgp default l2vpn-")


def ours(tree: Tree, dialect: Dialect, only: Daemon | None = None) -> Tree:
    """Return frrsync's part of a running configuration in the form that compares; see ``scope.managed``."""
    runners = scope.daemons(dialect) if only is None else (only,)
    found: Tree = {}
    for line, content in tree.items():
        if line == "bfd":
            profiles = {inner: below for inner, below in content.items() if inner.startswith(_PROFILE)}
            if profiles and Daemon.BFDD in runners:
                found[line] = scope.bfd_form(profiles)
        elif Daemon.BGPD not in runners:
            continue
        elif line.startswith(ROUTER):
            part = _router(content, dialect)
            if part:
                found[header(line)] = part
        elif line.startswith((*_MAPS, *_LISTS)):
            found[line] = content
    return found


def header(line: str) -> str:
    """Return a ``router bgp`` line as we write it: plain number, no notation."""
    words = line.split(" ")
    high, dot, low = words[2].partition(".")
    asn = str(int(high) * 65536 + int(low)) if dot else high
    return " ".join([f"{ROUTER}{asn}", *(words[3:5] if words[3:4] in (["vrf"], ["view"]) else ())])


def vrf_of(line: str) -> str:
    """Return the VRF of a ``router bgp`` line, empty for the default one; a view is none of a BGPPeer."""
    words = line.split(" ")
    return " ".join(words[3:5]).removeprefix("vrf ") if words[3:4] in (["vrf"], ["view"]) else ""


def peers_of(router: Tree) -> frozenset[str]:
    """Return the neighbors of an instance that are ours: those that use our maps, or are about to.

    A peer-group never is: to take it back would take its members along.
    """
    groups = {words[1] for line in router if (words := line.split(" "))[2:] == ["peer-group"]}
    users = {
        neighbor_of(line)
        for family, content in router.items()
        if family.startswith(FAMILY)
        for line in content
        if line.startswith("neighbor ") and is_policy(line)
    }
    return frozenset((users | _half_made(router)) - groups)


def _half_made(router: Tree) -> set[str]:
    """Return the neighbors that an agent was making when it ended."""
    return {peer for line in router if (peer := neighbor_of(line)) and line == f"neighbor {peer} {_IN_THE_MAKING}"}


def is_policy(line: str) -> bool:
    """Say whether a ``neighbor X ...`` line of a family names a map of ours."""
    words = line.split(" ")
    if len(words) != 5 or words[2] != "route-map":
        return False
    return (words[4] == "in" and words[3] == INBOUND_MAP) or (words[4] == "out" and words[3].startswith(_OUTBOUND))


def is_network(line: str) -> bool:
    """Say whether a line of a family is a prefix of ours."""
    return line.startswith("network ") and line.rpartition(" route-map ")[2].startswith(_CLASSES)


def peer_of(line: str) -> str:
    """Return the neighbor of a ``neighbor X ...`` or ``no neighbor X ...`` line, else an empty text."""
    return neighbor_of(line.removeprefix("no "))


def implied_families(router: Tree) -> tuple[str, ...]:
    """Return the families in which every new neighbor of this instance is active without being told to."""
    found = [] if NO_DEFAULT_IPV4 in router else [IPV4]
    said = (line.removeprefix("bgp default ") for line in router if line.startswith(_DEFAULT_FAMILIES))
    found += [FAMILY + name.replace("-", " ", 1) for name in said]
    return tuple(dict.fromkeys(found))


def _router(content: Tree, dialect: Dialect) -> Tree:
    """Return what is ours of an instance, with every activation written out."""
    peers = peers_of(content)
    mine: Tree = {}
    for line, children in content.items():
        if line.startswith(FAMILY):
            family = {inner: below for inner, below in children.items() if is_network(inner) or peer_of(inner) in peers}
            if family:
                mine[line] = family
        elif peer_of(line) in peers:
            mine[line] = children
    formed = scope.router_form(mine, dialect)
    if peers:
        for family_line in implied_families(content):
            scope.activate_implicitly(formed, family_line)
    return formed


def make_plan(running: Tree, desired: Tree, whole: Tree | None = None) -> Plan:
    """Return the commands that turn our part of a running FRR into the wanted one; see ``diff.make_plan``.

    ``whole`` is all that bgpd runs: it tells in which families new neighbors are active by default. No instance
    and no ``bfd`` context is ever taken back as a whole, because there is more in it than ours.

    Raises:
        ConfigError: a line would touch what is the operator's.

    """
    kept, there = dict(desired), dict(running)
    again: list[Command] = []
    for line, content in running.items():
        if line == "bfd" or line.startswith(ROUTER):
            kept.setdefault(line, {})
        if line.startswith(ROUTER) and (gone := _half_made(content)):
            # made anew: to open it before its maps stand would show it the operator's routes
            there[line] = _without_peers(content, gone)
            again += [Command(Daemon.BGPD, (line,), f"no neighbor {peer}") for peer in sorted(gone)]
    plan = diff.make_plan(there, kept)
    default = {
        header(line): implied_families(router) for line, router in (whole or {}).items() if line.startswith(ROUTER)
    }
    commands = (*again, *_completed(plan.commands, default))
    peers = {
        peer
        for tree in (running, desired)
        for line, content in tree.items()
        if line.startswith(ROUTER)
        for peer in (*peers_of(content), *map(neighbor_of, content))
        if peer
    }
    for command in commands:
        if not _touches_ours(command, peers):
            where = " / ".join((*command.context, command.line))
            raise ConfigError(f"{where!r} is not frrsync's to set in a shared FRR; look for it in --templates")
    return replace(plan, commands=commands)


def _without_peers(router: Tree, peers: Collection[str]) -> Tree:
    return {
        line: {inner: {} for inner in content if peer_of(inner) not in peers} if content else content
        for line, content in router.items()
        if peer_of(line) not in peers
    }


def _completed(commands: Sequence[Command], default: Mapping[str, Collection[str]]) -> Iterator[Command]:
    """Add what only an instance of the operator's needs.

    A new neighbor is announced by a map, as it cannot be marked with its first line, and marked until it is
    complete. It leaves the families in which the instance activates it by itself before anything else is said.
    And a class that lives during a change only carries the mark as well.
    """
    announced: list[str] = []
    opened = {command.line for command in commands if command.line.endswith(" shutdown")}
    before = ""
    for command in commands:
        if command.line.startswith("set tag ") and command.context[0].startswith(f"route-map {_TRANSIT}"):
            yield replace(command, line=f"set large-community {MARK}")
        new = neighbor_of(command.line)
        if f"no neighbor {new} shutdown" in opened and new not in announced and creates_neighbor(command.line):
            announced.append(new)
            yield Command(Daemon.BGPD, (announcing_map(new),), "")
        peer = neighbor_of(before)
        if peer and creates_neighbor(before) and command.line == f"neighbor {peer} shutdown":
            is_opened = f"no {command.line}" in opened
            yield replace(command, line=f"neighbor {peer} {_IN_THE_MAKING}") if is_opened else command
            for family in dict.fromkeys((IPV4, IPV6, *default.get(command.context[0], ()))):
                yield Command(Daemon.BGPD, (*command.context, family), f"no neighbor {peer} activate")
        else:
            yield command
        before = command.line
    yield from (Command(Daemon.BGPD, (), f"no route-map {_ANNOUNCED}{peer}") for peer in announced)


def announcing_map(peer: str) -> str:
    """Return the entry of the map that stands while this neighbor is made."""
    return f"route-map {_ANNOUNCED}{peer} permit 10"


def has_lost(taken: Tree, running: Tree) -> bool:
    """Say whether anything but prefixes is gone of what FRR ran after our last change: somebody took it away."""
    for line, content in taken.items():
        if line not in running:
            return True
        for inner, below in content.items() if line == "bfd" or line.startswith(ROUTER) else ():
            there = running[line].get(inner)
            if there is None or any(item not in there for item in below if not item.startswith("network ")):
                return True
    return False


def foreign_lines(tree: Tree) -> list[tuple[str, ...]]:
    """Return the lines of a rendered configuration that are not ours to set.

    A neighbor is ours by the use of our maps: without them it would not be known again, and may be the operator's.
    """
    found: list[tuple[str, ...]] = []
    for line, content in tree.items():
        if line.startswith(ROUTER):
            peers = peers_of(content) & set(map(neighbor_of, content))
            found += [
                (line, inner) for inner in content if not inner.startswith(FAMILY) and peer_of(inner) not in peers
            ]
            found += [
                (line, family, inner)
                for family, below in content.items()
                if family.startswith(FAMILY)
                for inner in below
                if not is_network(inner) and peer_of(inner) not in peers
            ]
        elif line == "bfd":
            found += [(line, inner) for inner in content if not inner.startswith(_PROFILE)]
        elif not line.startswith((*_MAPS, *_LISTS)):
            found.append((line,))
    return found


def _touches_ours(command: Command, peers: Collection[str]) -> bool:
    """Say whether a command stays within what is ours."""
    line = command.line.removeprefix("no ")
    if not command.context:
        # "no route-map NAME" has no blank behind the name
        return f"{line} ".startswith((*_MAPS, *_LISTS))
    first = command.context[0]
    if first.startswith(ROUTER):
        if line.startswith("network "):
            return command.line.startswith("no ") or is_network(line)
        return (neighbor_of(f"{line} ") or peer_of(line)) in peers
    if first == "bfd":
        return (*command.context, line)[1].startswith(_PROFILE)
    return first.startswith(_MAPS)
