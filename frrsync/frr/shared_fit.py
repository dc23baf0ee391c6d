"""What of a rendered configuration an operator's FRR can take as it is now, and what stands in the way. Pure.

frrsync sets no line here that is not its own. So what it needs is looked for in the running configuration,
and what is missing is named as the lines to add. Each obstacle holds back as little as it must:

- an instance that is missing, has another ASN or lacks a line: nothing new there; what goes, goes;
- a neighbor of the operator's that would see our prefixes: no prefix of ours in that address family;
- a neighbor or a prefix that the operator has too: that one is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from frrsync.frr.exposure import exposed
from frrsync.frr.lines import neighbor_of
from frrsync.frr.shared import (
    FAMILY,
    IPV4,
    IPV6,
    ROUTER,
    announcing_map,
    foreign_lines,
    header,
    is_network,
    peer_of,
    peers_of,
    vrf_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from frrsync.frr.tree import Tree

DELAY_TIMER = "bgp route-map delay-timer 1"
"""Without it FRR takes 5 s to act on a changed route-map, and 4 s more to start a session."""
NO_IMPORT_CHECK = "no bgp network import-check"
"""Without it FRR announces no prefix that is not in the kernel's table, and ours are not."""

_MOST_NAMED = 4


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is to run, and why it is not everything.

    Attributes:
        tree: our part of the configuration, in the words of the instances that are there.
        obstacles: one text each, with the lines that help.

    """

    tree: Tree
    obstacles: tuple[str, ...]


def fit(desired: Tree, whole: Tree, running: Tree, allowed: Collection[str] = ()) -> Fitted:
    """Return what of our configuration this FRR can take.

    ``whole`` is all that bgpd runs, ``running`` our part of it and of bfdd, ``allowed`` the neighbors of the
    operator's that may see our prefixes.
    """
    fitting = _Fitting(whole, running, frozenset(allowed))
    fitting.fit(desired)
    return Fitted(fitting.tree, tuple(fitting.obstacles))


def held(running: Tree, fitted: Tree) -> Tree:
    """Return what runs of ours, less the prefixes that are not to run: nothing new, nothing back."""
    return {
        line: _explicit(_without_unwanted(content, fitted.get(line, {}))) if line.startswith(ROUTER) else content
        for line, content in running.items()
    }


def quoted(*lines: str) -> str:
    """Return lines to add as one text; a context stands before its line, with a slash between."""
    return ", ".join(repr(line) for line in lines)


@dataclass(slots=True)
class _Fitting:
    whole: Tree
    running: Tree
    allowed: frozenset[str]
    tree: Tree = field(default_factory=dict)
    obstacles: list[str] = field(default_factory=list)

    def fit(self, desired: Tree) -> None:
        """Collect what can be taken."""
        desired = self._without_foreign(desired)
        routers = {line: content for line, content in desired.items() if line.startswith(ROUTER)}
        there = {vrf_of(line): line for line in self.whole if line.startswith(ROUTER)}
        frozen: Tree = {}
        for line, content in routers.items():
            found = there.get(vrf_of(line))
            obstacle = self._unready(line, content, found)
            if found is not None and not obstacle:
                if fitted := self._fitted(line, content, self.whole[found]):
                    self.tree[line] = fitted
                continue
            self.obstacles.append(obstacle)
            frozen[line if found is None else header(found)] = content
        policy = {line: content for line, content in desired.items() if line not in routers}
        if frozen:
            policy = self._policy(policy if self.tree else {})
        for line, content in frozen.items():
            if line in self.running:
                self.tree[line] = _explicit(_without_unwanted(self.running[line], content))
        self.tree |= policy

    def _without_foreign(self, desired: Tree) -> Tree:
        """Leave out what is not ours to set: it comes from templates of the operator's."""
        foreign = foreign_lines(desired)
        if not foreign:
            return desired
        named = ", ".join(repr(" / ".join(path)) for path in foreign[:_MOST_NAMED])
        self.obstacles.append(f"templates: {named} is not frrsync's to set in a shared FRR and is left out")
        return _without(desired, set(foreign), ())

    def _unready(self, line: str, content: Tree, found: str | None) -> str:
        """Return what keeps us from this instance, empty for nothing."""
        where = f"VRF {vrf_of(line)}" if vrf_of(line) else "the default VRF"
        add = [] if DELAY_TIMER in self.whole else [DELAY_TIMER]
        if found is None:
            add += [line, f"{line} / {NO_IMPORT_CHECK}"]
            return f"the shared FRR has no BGP instance in {where}; add {quoted(*add)}"
        if header(found) != line:
            return (
                f"BGPPeer {_named(content)} has spec.myASN {_asn(line)}, but {where} of the shared FRR has "
                f"{header(found)!r}; allowed is myASN {_asn(header(found))} there"
            )
        if NO_IMPORT_CHECK not in self.whole[found]:
            add.append(f"{found} / {NO_IMPORT_CHECK}")
        return f"the shared FRR lacks what frrsync needs; add {quoted(*add)}" if add else ""

    def _policy(self, wanted: Tree) -> Tree:
        """Return maps and profiles with those that something of ours uses which may not be touched."""
        found = dict(wanted)
        for line, content in self.running.items():
            if line == "bfd":
                found[line] = {**content, **wanted.get(line, {})}
            elif not line.startswith(ROUTER):
                found.setdefault(line, content)
        return found

    def _fitted(self, line: str, wanted: Tree, there: Tree) -> Tree:
        """Return what of an instance can be taken, without what FRR prints nothing for; ``there`` is what runs."""
        mine = peers_of(there)
        begun = {peer for peer in _peers(wanted) if announcing_map(peer) in self.whole}
        others = (peer for peer in _peers(wanted) if peer not in mine)
        taken = sorted(peer for peer in others if _is_operators(peer, wanted, there, begun))
        for peer in taken:
            self.obstacles.append(
                f"neighbor {peer} of {line!r} is the operator's, BGPPeer {_description(peer, wanted)} is left out; "
                f"remove one of them"
            )
        found: Tree = {}
        for inner, content in wanted.items():
            if inner.startswith(FAMILY):
                if family := self._family(line, inner, content, there, taken):
                    found[inner] = family
            elif neighbor_of(inner) not in taken:
                found[inner] = content
        return _explicit(found)

    def _family(self, line: str, family: str, wanted: Tree, there: Tree, taken: Collection[str]) -> Tree:
        left = {inner: {} for inner in wanted if neighbor_of(inner) not in taken} if taken else wanted
        if not any(inner.startswith("network ") for inner in left):
            return left
        mine = {inner.split(" ")[1] for inner in _neighbors(left)}
        leaks = exposed(self.whole, line, family, self.allowed, mine)
        self.obstacles.extend(leaks)
        if leaks:
            return {inner: {} for inner in left if not inner.startswith("network ")}
        theirs = {
            inner.split(" ")[1]
            for inner in there.get(family, {})
            if inner.startswith("network ") and not is_network(inner)
        }
        both = [inner for inner in left if theirs and inner.startswith("network ") and inner.split(" ")[1] in theirs]
        if not both:
            return left
        named = ", ".join(inner.split(" ")[1] for inner in both[:_MOST_NAMED])
        more = f" and {len(both) - _MOST_NAMED} more" if len(both) > _MOST_NAMED else ""
        self.obstacles.append(f"network {named}{more} of {line!r} is the operator's and stays as it is")
        return {inner: {} for inner in left if inner not in both}


def _without(tree: Tree, left_out: Collection[tuple[str, ...]], above: tuple[str, ...]) -> Tree:
    """Return a tree without the lines at these paths."""
    return {
        line: _without(content, left_out, (*above, line)) if content else content
        for line, content in tree.items()
        if (*above, line) not in left_out
    }


def _explicit(router: Tree) -> Tree:
    """Say which neighbors are not active in IPv4, in FRR's words for an instance where all are by default."""
    family = router.get(IPV4, {})
    active = {neighbor_of(line) for line in family if line.endswith(" activate")}
    inactive = [peer for peer in _peers(router) if peer not in active]
    if not inactive:
        return router
    return {**router, IPV4: {**family, **{f"no neighbor {peer} activate": {} for peer in inactive}}}


def _neighbors(family: Tree) -> list[str]:
    return [line for line in family if line.startswith("neighbor ")]


def _peers(router: Tree) -> list[str]:
    return [peer for peer in dict.fromkeys(map(neighbor_of, router)) if peer]


def _asn(line: str) -> str:
    return line.split(" ")[2]


def _description(peer: str, router: Tree) -> str:
    """Return the name of the BGPPeer behind a neighbor: it is its description."""
    words = f"neighbor {peer} description "
    return next((line.removeprefix(words) for line in router if line.startswith(words)), peer)


def _named(router: Tree) -> str:
    return ", ".join(_description(peer, router) for peer in _peers(router))


def _is_operators(peer: str, wanted: Tree, there: Tree, begun: Collection[str]) -> bool:
    """Say whether a neighbor that we want, and that uses no map of ours, is there and was not made by us.

    One that says nothing but what we would say, its BGPPeer's name among it, is ours as well although it does not
    use our maps: a reload of the operator's, which goes line by line, met one that we brought back. Without that
    name it may be a plain neighbor of the operator's, unless an agent announced (``begun``) that it makes it.
    """
    name = next((line for line in wanted if line.startswith(f"neighbor {peer} description ")), "")
    if peer not in begun and name not in there and any(peer_of(line) == peer for line in there):
        return True
    inactive = {(family, f"no neighbor {peer} activate") for family in (IPV4, IPV6)}
    return not set(_lines_of(peer, there)) <= {*_lines_of(peer, wanted), *inactive}


def _lines_of(peer: str, router: Tree) -> Iterator[tuple[str, str]]:
    for line, content in router.items():
        if line.startswith(FAMILY):
            yield from ((line, inner) for inner in content if peer_of(inner) == peer)
        elif peer_of(line) == peer:
            yield "", line


def _without_unwanted(running: Tree, wanted: Tree) -> Tree:
    """Return what runs, less the prefixes that are not wanted any more."""
    found: Tree = {}
    for line, content in running.items():
        if not line.startswith(FAMILY):
            found[line] = content
            continue
        prefixes = {inner.split(" ")[1] for inner in wanted.get(line, {}) if inner.startswith("network ")}
        found[line] = {
            inner: {} for inner in content if not inner.startswith("network ") or inner.split(" ")[1] in prefixes
        }
    return found
