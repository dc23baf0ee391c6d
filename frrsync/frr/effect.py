"""What a configuration means to its neighbors: which prefix each of them is sent, with which attributes. Pure.

Computed from trees, so a running FRR and rendered text go through the same code. Attributes that the
configuration does not decide (next hop, MED) are left out. What templates of an operator's add is followed as
far as it has our form: entries are chosen by tag; another condition is taken to hold for a ``permit`` and not
to hold for a ``deny``, and its line is shown beside the attributes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from frrsync.core.preview import PeerChange, PrefixChange, RouteAttributes
from frrsync.frr.lines import neighbor_of
from frrsync.frr.policy import RouteMaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.frr.tree import Tree

DEFAULT_LOCAL_PREFERENCE = 100
_FAMILY = "address-family "
_HEADS = frozenset({"", "interface ", "interface v6only "})
"""What may stand between a neighbor and the setting that makes it."""


class PeerKey(NamedTuple):
    """A neighbor of one FRR; ``vrf`` is empty for the default VRF."""

    vrf: str
    peer: str


@dataclass(slots=True, kw_only=True)
class PeerView:
    """One neighbor: the BGPPeer that its description names, and what it is sent."""

    name: str
    prefixes: dict[str, RouteAttributes] = field(default_factory=dict)


Effect = dict[PeerKey, PeerView]


def effect_of(tree: Tree) -> Effect:
    """Return every neighbor of a managed configuration, with what it is sent once its session is up."""
    maps = RouteMaps.read(tree)
    found: Effect = {}
    for line, content in tree.items():
        if line.startswith("router bgp "):
            found |= _Instance(line, content, maps).views()
    return found


def prefix_changes(before: Effect, after: Effect) -> tuple[PeerChange, ...]:
    """Return what each neighbor gains, loses and sees differently; neighbors without a change are left out."""
    found = []
    for key in dict.fromkeys((*before, *after)):
        old, new = before.get(key), after.get(key)
        changes = _differences(old.prefixes if old else {}, new.prefixes if new else {})
        if changes:
            name = new.name if new else old.name if old else ""
            found.append(PeerChange(peer=key.peer, vrf=key.vrf, name=name, prefixes=changes))
    return tuple(found)


def _differences(old: Mapping[str, RouteAttributes], new: Mapping[str, RouteAttributes]) -> tuple[PrefixChange, ...]:
    return tuple(
        PrefixChange(prefix=prefix, before=old.get(prefix), after=new.get(prefix))
        for prefix in dict.fromkeys((*old, *new))
        if old.get(prefix) != new.get(prefix)
    )


class _Instance:
    """One ``router bgp`` block."""

    def __init__(self, line: str, content: Tree, maps: RouteMaps) -> None:
        words = line.split(" ")
        self._asn = int(words[2])
        self._vrf = words[4] if len(words) > 4 else ""
        self._content = content
        self._maps = maps
        self._lines: dict[str, list[str]] = {}
        for item in content:
            if peer := neighbor_of(item):
                self._lines.setdefault(peer, []).append(item.split(" ", 2)[2])

    def views(self) -> Effect:
        """Return the neighbors; a peer-group is none."""
        peers = [peer for peer, lines in self._lines.items() if "peer-group" not in lines]
        views = {PeerKey(self._vrf, peer): PeerView(name=self._value(peer, "description")) for peer in peers}
        for family, content in self._content.items():
            if family.startswith(_FAMILY):
                for key, view in views.items():
                    view.prefixes.update(self._sent(key.peer, content))
        return views

    def _value(self, peer: str, words: str) -> str:
        """Return what stands behind these words of a neighbor, or of its peer-group; empty for nothing."""
        for line in self._lines.get(peer, ()):
            head, found, value = line.partition(f"{words} ")
            if found and head in _HEADS:
                return value
        group = self._group(peer)
        return self._value(group, words) if group else ""

    def _group(self, peer: str) -> str:
        parts = (line.partition("peer-group ") for line in self._lines.get(peer, ()))
        return next((group for head, found, group in parts if found and head in _HEADS), "")

    def _sent(self, peer: str, family: Tree) -> dict[str, RouteAttributes]:
        """Return the prefixes of one family that one neighbor is sent."""
        names = (peer, self._group(peer))
        if not any(f"neighbor {name} activate" in family for name in names) or self._is_down(peer):
            return {}
        out = next((found for name in names if (found := _outbound(name, family))), "")
        if not out and not self._is_internal(peer) and "no bgp ebgp-requires-policy" not in self._content:
            return {}
        known: dict[str, RouteAttributes | None] = {}
        sent = {}
        for line in family:
            if line.startswith("network "):
                _, prefix, *rest = line.split(" ")
                class_map = rest[1] if len(rest) == 2 else ""
                if class_map not in known:
                    known[class_map] = self._attributes(peer, class_map, out)
                if (attributes := known[class_map]) is not None:
                    sent[prefix] = attributes
        return sent

    def _is_down(self, peer: str) -> bool:
        return any(line == "shutdown" or line.startswith("shutdown ") for line in self._lines[peer])

    def _local_as(self, peer: str) -> list[str]:
        return self._value(peer, "local-as").split()

    def _is_internal(self, peer: str) -> bool:
        remote = self._value(peer, "remote-as")
        own = (self._local_as(peer) or [str(self._asn)])[0]
        return remote in {"internal", own}

    def _own_path(self, peer: str) -> tuple[int, ...]:
        """Return the ASNs that this FRR puts in front."""
        if self._is_internal(peer):
            return ()
        local = self._local_as(peer)
        if not local:
            return (self._asn,)
        return (int(local[0]),) if "replace-as" in local else (int(local[0]), self._asn)

    def _attributes(self, peer: str, class_map: str, out: str) -> RouteAttributes | None:
        """Return what a neighbor sees of the prefixes of one class; None when it is not sent them."""
        route = _Route(local_preference=DEFAULT_LOCAL_PREFERENCE)
        if class_map and not route.passes(self._maps, class_map):
            return None
        if out and not route.passes(self._maps, out):
            return None
        return RouteAttributes(
            as_path=(*self._own_path(peer), *route.prepended),
            communities=tuple(sorted(route.communities)),
            large_communities=tuple(sorted(route.large_communities)),
            local_preference=route.local_preference if self._is_internal(peer) else None,
            other=tuple(route.other),
        )


def _outbound(name: str, family: Tree) -> str:
    """Return the outbound map of a neighbor or peer-group."""
    start = f"neighbor {name} route-map "
    return next((line.split(" ")[3] for line in family if line.startswith(start) and line.endswith(" out")), "")


@dataclass(slots=True, kw_only=True)
class _Route:
    """A route on its way through route-maps."""

    local_preference: int
    tag: str = "0"
    prepended: list[int] = field(default_factory=list)
    communities: set[str] = field(default_factory=set)
    large_communities: set[str] = field(default_factory=set)
    other: list[str] = field(default_factory=list)

    def passes(self, maps: RouteMaps, name: str) -> bool:
        """Go through a map and say whether the route is let through; a map that is missing denies."""
        for (_, action), content in sorted(maps.entries.get(name, {}).items()):
            conditions = [line for line in content if line.startswith("match ") and line != f"match tag {self.tag}"]
            if any(line.startswith("match tag ") for line in conditions):
                continue
            self.other.extend(f"{action} {line}" for line in conditions)
            if action == "deny" and conditions:
                continue
            if action == "permit":
                self._set(line for line in content if not line.startswith(("match ", "description ")))
            return action == "permit"
        return False

    def _set(self, lines: Iterable[str]) -> None:
        for line in lines:
            words = line.split(" ")
            match words:
                case ["set", "tag", tag]:
                    self.tag = tag
                case ["set", "community", *values]:
                    self.communities = _added(self.communities, values)
                case ["set", "large-community", *values]:
                    self.large_communities = _added(self.large_communities, values)
                case ["set", "local-preference", value] if value.isdigit():
                    self.local_preference = int(value)
                case ["set", "as-path", "prepend", *values] if all(value.isdigit() for value in values):
                    self.prepended = [*map(int, values), *self.prepended]
                case _:
                    self.other.append(line)


def _added(before: set[str], values: list[str]) -> set[str]:
    """Return the communities after ``set community VALUES [additive]``; ``none`` takes all away."""
    found = {value for value in values if value not in {"additive", "none"}}
    return before | found if "additive" in values else found
