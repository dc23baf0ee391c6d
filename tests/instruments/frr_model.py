"""How FRR takes configuration lines, in miniature: enough to follow a plan line by line.

It knows contexts, replacement, ``no`` and the end of sessions as measured on FRR 8.4 and 10.3, and what each
neighbor would be sent at any moment. It shares nothing with ``frrsync.frr.diff`` but the type of a tree, so
that it can judge its plans; the plans are judged by real FRR as well, only not between two lines.
"""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from frrsync.frr.plan import Command
    from frrsync.frr.tree import Tree

Sent = dict[tuple[str, str, str], frozenset[str]]
"""Neighbor (``peer@vrf``), family and prefix to the ``set`` lines that apply to it on its way."""

Maps = dict[str, list[tuple[bool, list[str]]]]
"""Name to entries: whether it permits, and its lines."""

VERSIONS = ("8.4", "10.3")

_SLOTS = (
    "interface remote-as",
    "remote-as",
    "description",
    "bfd profile",
    "password",
    "ebgp-multihop",
    "local-as",
    "port",
    "update-source",
    "timers connect",
    "timers",
)
_MAP_SLOTS = (
    "description",
    "match tag",
    "set tag",
    "set as-path prepend",
    "set community",
    "set large-community",
    "set local-preference",
)
_BFD_DEFAULTS = {
    "detect-multiplier": "3",
    "transmit-interval": "300",
    "receive-interval": "300",
    "echo transmit-interval": "50",
    "echo receive-interval": "50",
    "minimum-ttl": "254",
}
_ENDS = ("remote-as", "interface remote-as", "password", "ebgp-multihop", "update-source", "disable-connected-check")


class Refused(Exception):
    """FRR would answer this line with an error."""


class FrrModel:
    """A configuration that takes lines.

    Attributes:
        dropped: how many sessions each instance and neighbor lost; one that is down stays down here, as
            FRR needs longer than a plan for the next.

    """

    def __init__(self, tree: Tree, version: str = "8.4") -> None:
        self.tree = deepcopy(tree)
        self.version = version
        self.dropped: Counter[tuple[str, str]] = Counter()
        self._up = set(self.neighbors())

    def neighbors(self) -> Iterator[tuple[str, str]]:
        """Yield every neighbor with the VRF of its instance (empty for the default one)."""
        for context, content in self.tree.items():
            if context.startswith("router bgp "):
                for line in content:
                    if line.startswith("neighbor ") and " remote-as " in line:
                        yield _vrf(context), line.split(" ")[1]

    def send(self, command: Command) -> None:
        """Take one line in its context, as FRR would."""
        place = self.tree
        for line in command.context:
            place = self._enter(place, line)
        if not command.line:
            return
        self._end_sessions(command, place)
        if command.line.startswith("no ") and command.line not in _NEGATIVE_SETTINGS:
            self._remove(place, command.line.removeprefix("no "))
        else:
            self._add(place, command.line)
        for content in self.tree.values():  # FRR does not print a family without lines
            for family in [line for line in content if line.startswith("address-family ") and not content[line]]:
                del content[family]

    # sessions

    def _end_sessions(self, command: Command, place: Tree) -> None:
        """Count what a line that has not been applied yet costs."""
        line = command.line.removeprefix("no ")
        context = command.context[0] if command.context else line
        if not context.startswith("router bgp "):
            return
        vrf, words = _vrf(context), line.split(" ")
        if not command.context or line.startswith("bgp router-id "):
            self._drop([key for key in self._up if key[0] == vrf])
        elif words[0] == "neighbor":
            is_change = any(_slot(other) == _slot(line) for other in place)
            self._drop([(vrf, words[1])], self._cost(" ".join(words[2:]), command.line, is_change=is_change))

    def _cost(self, setting: str, line: str, *, is_change: bool) -> int:
        """Return how many sessions a line of a neighbor costs while the session is up."""
        is_removal = line.startswith("no ")
        if setting in {"", "shutdown", "activate"}:
            return 0 if is_removal and setting == "shutdown" else 1
        if setting == "bfd":
            return 1 if is_removal else 0  # of a peer that runs BFD as well
        if setting == "graceful-restart":
            return 0 if self.version == "8.4" else 1
        if setting.startswith("port"):
            return 0 if is_removal else 1
        if setting.startswith("local-as") and is_change and not is_removal:
            return 2 if self.version == "8.4" else 0
        return 1 if setting.startswith((*_ENDS, "local-as")) else 0

    def _drop(self, keys: Iterable[tuple[str, str]], cost: int = 1) -> None:
        for key in keys:
            if key in self._up and cost:
                self._up.discard(key)
                self.dropped[key] += cost

    # lines

    def _enter(self, place: Tree, line: str) -> Tree:
        if line.startswith("route-map ") and line not in place:
            _, name, action, number = line.split(" ")
            other = f"route-map {name} {'deny' if action == 'permit' else 'permit'} {number}"
            if other in place:
                place[line] = place.pop(other)
        if line.startswith("router bgp ") and any(
            other.startswith("router bgp ")
            and other != line
            and other.partition(" vrf ")[2] == line.partition(" vrf ")[2]
            for other in place
        ):
            raise Refused(f"a second BGP instance: {line}")
        return place.setdefault(line, {})

    def _add(self, place: Tree, line: str) -> None:
        words = line.split(" ")
        if words[0] == "neighbor" and " remote-as " not in line:
            self._require_neighbor(words[1])
        for other in [item for item in place if _slot(item) == _slot(line)]:
            del place[other]
        if _BFD_DEFAULTS.get(_slot(line)) == words[-1]:
            return  # FRR does not print it
        place[line] = {}
        if " bfd profile " in line:
            place[f"neighbor {words[1]} bfd"] = {}

    def _require_neighbor(self, peer: str) -> None:
        if not any(other == peer for _, other in self.neighbors()):
            raise Refused(f"neighbor {peer} before its remote-as")

    def _remove(self, place: Tree, rest: str) -> None:
        words = rest.split(" ")
        if words[0] == "route-map":
            gone = [line for line in place if line == rest or (len(words) == 2 and line.split(" ")[:2] == words)]
        elif words[0] == "neighbor" and len(words) == 2:
            for context in (place, *place.values()):
                for line in [line for line in context if line.split(" ")[:2] == words]:
                    del context[line]
            return
        elif words[0] == "neighbor" and words[2:] == ["bfd"]:
            gone = [line for line in place if line == rest or line.startswith(rest + " ")]
        else:
            gone = [line for line in place if line == rest or (_slot(line) == rest and rest not in _BFD_DEFAULTS)]
        if not gone:
            raise Refused(f"nothing to take back: no {rest}")
        for line in gone:
            del place[line]

    # what is sent

    def sent(self) -> Sent:
        """Return what every neighbor would be sent if FRR sent it now."""
        found: Sent = {}
        maps = self._maps()
        for context, router in self.tree.items():
            if not context.startswith("router bgp "):
                continue
            for family, content in router.items():
                if family.startswith("address-family "):
                    for (peer, prefix), shown in _family(router, content, maps):
                        found[f"{peer}@{_vrf(context)}", family, prefix] = shown
        return found

    def _maps(self) -> Maps:
        """Return the entries of every route-map in the order in which FRR looks at them."""
        found: dict[str, list[tuple[int, bool, list[str]]]] = {}
        for line, content in self.tree.items():
            words = line.split(" ")
            if words[0] == "route-map":
                kept = [item for item in content if not item.startswith("description ")]
                found.setdefault(words[1], []).append((int(words[3]), words[2] == "permit", kept))
        return {name: [entry[1:] for entry in sorted(entries)] for name, entries in found.items()}


def _family(router: Tree, content: Tree, maps: Maps) -> Iterator[tuple[tuple[str, str], frozenset[str]]]:
    networks = [line.split(" ") for line in content if line.startswith("network ")]
    outbound = {line.split(" ")[1]: line.split(" ")[3] for line in content if line.endswith(" out")}
    for peer in [line.split(" ")[1] for line in content if line.endswith(" activate")]:
        if f"neighbor {peer} shutdown" in router:
            continue
        for _, prefix, _, class_map in networks:
            shown = _through(class_map, outbound.get(peer), maps)
            if shown is not None:
                yield (peer, prefix), shown


def _through(class_map: str, outbound: str | None, maps: Maps) -> frozenset[str] | None:
    """Return the attributes of a prefix of that class behind that map; None when it is denied."""
    entries = maps.get(class_map, [])
    tags = [line.split(" ")[2] for line in entries[0][1]] if entries else []
    if not tags:
        return None
    if outbound is None:
        return frozenset({"no outbound map"})
    for permits, lines in maps.get(outbound, []):
        matches = [line for line in lines if line.startswith("match ")]
        if all(line == f"match tag {tags[0]}" for line in matches):
            return frozenset(line for line in lines if line.startswith("set ")) if permits else None
    return None


_NEGATIVE_SETTINGS = frozenset(
    {"no bgp default ipv4-unicast", "no bgp network import-check", "no bgp ebgp-requires-policy"}
)


def _vrf(line: str) -> str:
    return line.partition(" vrf ")[2]


def _slot(line: str) -> str:
    """Return what two lines of one context share when the later one overwrites the earlier."""
    words = line.split(" ")
    if words[0] == "network":
        return " ".join(words[:2])
    if words[0] == "neighbor" and len(words) > 2:
        rest = " ".join(words[2:])
        if words[2] == "route-map":
            return f"neighbor {words[1]} route-map {words[-1]}"
        for slot in _SLOTS:
            if rest == slot or rest.startswith(slot + " "):
                return f"neighbor {words[1]} {slot}"
    if words[0] == "maximum-paths":
        return " ".join(word for word in words if not word.isdigit())
    for slot in ("bgp router-id", *_BFD_DEFAULTS, *_MAP_SLOTS):
        if line == slot or line.startswith(slot + " "):
            return slot
    return line
