"""How FRR takes configuration lines, in miniature: enough to follow a plan line by line.

It knows contexts, replacement and ``no`` as measured on FRR, and what each neighbor would be sent at any
moment. It shares nothing with ``frrsync.frr.diff`` but the type of a tree, so that it can judge its plans;
the plans are judged by real FRR as well, only not between two lines.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frrsync.frr.plan import Command
    from frrsync.frr.tree import Tree

Sent = dict[tuple[str, str, str], frozenset[str]]
"""Neighbor, family and prefix to the ``set`` lines that apply to it on its way."""

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


class Refused(Exception):  # noqa: N818 - what FRR does
    """FRR would answer this line with an error."""


class FrrModel:
    """A configuration that takes lines."""

    def __init__(self, tree: Tree) -> None:
        self.tree = deepcopy(tree)

    def send(self, command: Command) -> None:
        """Take one line in its context, as FRR would."""
        place = self.tree
        for line in command.context:
            place = self._enter(place, line)
        if not command.line:
            return
        if command.line.startswith("no ") and command.line not in _NEGATIVE_SETTINGS:
            self._remove(place, command.line.removeprefix("no "))
        else:
            self._add(place, command.line)
        for content in self.tree.values():  # FRR does not print a family without lines
            for family in [line for line in content if line.startswith("address-family ") and not content[line]]:
                del content[family]

    def _enter(self, place: Tree, line: str) -> Tree:
        if line.startswith("route-map ") and line not in place:
            _, name, action, number = line.split(" ")
            other = f"route-map {name} {'deny' if action == 'permit' else 'permit'} {number}"
            if other in place:
                place[line] = place.pop(other)
        if line.startswith("router bgp ") and any(
            other.startswith("router bgp ") and other != line and "vrf" not in other + line for other in place
        ):
            raise Refused(f"a second BGP instance: {line}")
        return place.setdefault(line, {})

    def _add(self, place: Tree, line: str) -> None:
        words = line.split(" ")
        if words[0] == "neighbor" and " remote-as " not in line and place is not None:
            self._require_neighbor(words[1])
        for other in [item for item in place if _slot(item) == _slot(line)]:
            del place[other]
        place[line] = {}
        if " bfd profile " in line:
            place[f"neighbor {words[1]} bfd"] = {}

    def _require_neighbor(self, peer: str) -> None:
        if not any(
            line.startswith(f"neighbor {peer} ") and " remote-as " in line
            for context, content in self.tree.items()
            if context.startswith("router bgp ")
            for line in content
        ):
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
            gone = [line for line in place if line == rest or _slot(line) == rest]
        if not gone:
            raise Refused(f"nothing to take back: no {rest}")
        for line in gone:
            del place[line]

    def sent(self) -> Sent:
        """Return what every neighbor would be sent if FRR sent it now."""
        found: Sent = {}
        for context, router in self.tree.items():
            if not context.startswith("router bgp "):
                continue
            for family, content in router.items():
                if family.startswith("address-family "):
                    self._family(router, family, content, found)
        return found

    def _family(self, router: Tree, family: str, content: Tree, found: Sent) -> None:
        peers = [line.split(" ")[1] for line in content if line.endswith(" activate")]
        for peer in peers:
            if f"neighbor {peer} shutdown" in router:
                continue
            outbound = next(
                (
                    line.split(" ")[3]
                    for line in content
                    if line.startswith(f"neighbor {peer} route-map ") and line.endswith(" out")
                ),
                None,
            )
            for line in content:
                if line.startswith("network "):
                    _, prefix, _, class_map = line.split(" ")
                    shown = self._through(class_map, outbound)
                    if shown is not None:
                        found[peer, family, prefix] = shown

    def _through(self, class_map: str, outbound: str | None) -> frozenset[str] | None:
        """Return the attributes of a prefix of that class behind that map; None when it is denied."""
        tags = [line.split(" ")[2] for line in self._entries(class_map)[0][1]] if self._entries(class_map) else []
        if not tags:
            return None
        if outbound is None:
            return frozenset({"no outbound map"})
        for permits, lines in self._entries(outbound):
            matches = [line for line in lines if line.startswith("match ")]
            if all(line == f"match tag {tags[0]}" for line in matches):
                return frozenset(line for line in lines if line.startswith("set ")) if permits else None
        return None

    def _entries(self, name: str) -> list[tuple[bool, list[str]]]:
        found = []
        for line, content in self.tree.items():
            words = line.split(" ")
            if words[0] == "route-map" and words[1] == name:
                kept = [item for item in content if not item.startswith("description ")]
                found.append((int(words[3]), words[2] == "permit", kept))
        return [(permits, lines) for _, permits, lines in sorted(found)]


_NEGATIVE_SETTINGS = frozenset(
    {"no bgp default ipv4-unicast", "no bgp network import-check", "no bgp ebgp-requires-policy"}
)


def _slot(line: str) -> str:
    """Return what two lines of one context share when the later one overwrites the earlier."""
    words = line.split(" ")
    if words[0] == "network":
        return " ".join(words[:2])
    if words[0] == "neighbor":
        rest = " ".join(words[2:])
        if words[2] == "route-map":
            return f"neighbor {words[1]} route-map {words[-1]}"
        for slot in _SLOTS:
            if rest.startswith(slot + " "):
                return f"neighbor {words[1]} {slot}"
    if words[:2] == ["bgp", "router-id"]:
        return "bgp router-id"
    if words[0] == "maximum-paths":
        return "maximum-paths"
    if words[-1].isdigit() and words[0] in {"transmit-interval", "receive-interval", "detect-multiplier", "echo"}:
        return " ".join(words[:-1])
    return line
