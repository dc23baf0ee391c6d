"""BGPPeers as they count on one node: with the values that BGPNodeParameters give them there.

A value that cannot be had leaves the peer out on this node, with a reason: a session with the wrong router, or under
the wrong number, is worse than none. What comes out is a snapshot like any other, so that every rule between peers
is applied to what the node really has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from frrsync.core.address import parse_address
from frrsync.core.advertisement import EMPTY_RANKS, mistake_of, placed, seniority
from frrsync.core.announce import node_of
from frrsync.core.model import Kind
from frrsync.core.node_facts import NOTHING_KNOWN
from frrsync.core.node_values import LeftOutError, NodeView, UnknownHereError
from frrsync.core.peer_kind import FROM_TEXT, MAX_TIMER, disagreements
from frrsync.core.resource import NodeAddress
from frrsync.core.selector import matches_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.core.model import BGPNodeParameters, BGPPeer, Mistake, Node, Snapshot
    from frrsync.core.node_facts import NodeFacts

_ATTRIBUTES: Final = {
    "myASN": "my_asn",
    "peerASN": "peer_asn",
    "localASN": "local_asn",
    "peerAddress": "peer_address",
    "interface": "interface",
    "sourceAddress": "source_address",
    "routerID": "router_id",
    "holdTime": "hold_time",
    "keepaliveTime": "keepalive_time",
    "connectTime": "connect_time",
    "passwordSecret": "password_secret",
}
_Chosen = dict[str, "BGPNodeParameters"]
"""By field, the object whose value counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectivePeers:
    """The BGPPeers of one node.

    Attributes:
        peers: by name; those that were left out are missing.
        unknown: why peers are missing that the node itself would have: its default gateway is not known here.

    """

    peers: Mapping[str, BGPPeer]
    mistakes: tuple[Mistake, ...] = ()
    unknown: tuple[Mistake, ...] = ()


def asks_for_gateway(snapshot: Snapshot, name: str) -> bool:
    """Say whether something on this node depends on its default gateway."""
    if not snapshot.node_parameters:
        return False
    return any(
        source.from_node is NodeAddress.DEFAULT_GATEWAY
        for item in _here(snapshot.node_parameters.values(), node_of(snapshot, name), EMPTY_RANKS)
        for source in item.sources.values()
    )


def effective_peers(
    snapshot: Snapshot, node: Node, facts: NodeFacts, known: Mapping[str, int] = EMPTY_RANKS
) -> EffectivePeers:
    """Return the peers as they count on a node.

    Of two BGPNodeParameters that set one field of one peer the older one counts; ``known`` gives the order in which
    names were met before, because manifests carry no time stamps.
    """
    here = _here(snapshot.node_parameters.values(), node, known)
    view = NodeView(node=node, is_known=node.meta.name in snapshot.nodes, facts=facts)
    peers: dict[str, BGPPeer] = {}
    mistakes = list(unknown_peers(here, snapshot.peers))
    unknown: list[Mistake] = []
    overruled: dict[tuple[str, str, str], list[str]] = {}
    for name, peer in snapshot.peers.items():
        if not matches_any(peer.node_selectors, node.meta.labels):
            peers[name] = peer
            continue
        chosen = _choose(here, name, overruled)
        try:
            _check_readable(here, name)
            peers[name] = _with_values(peer, chosen, view)
        except UnknownHereError as error:
            unknown.append(_left_out(peer, error))
        except LeftOutError as error:
            mistakes.append(_left_out(peer, error))
    mistakes += _of_overruled(here, overruled)
    return EffectivePeers(peers=peers, mistakes=tuple(mistakes), unknown=tuple(unknown))


def peers_offline(snapshot: Snapshot, node: Node, known: Mapping[str, int] = EMPTY_RANKS) -> EffectivePeers:
    """Return the peers of a node as far as manifests alone tell; what they cannot tell is no mistake.

    Without any Node object nobody knows a label, so that peers with values from the node are left out of the
    comparison.
    """
    found = effective_peers(snapshot, node, NOTHING_KNOWN, known)
    if snapshot.nodes:
        return found
    return replace(found, mistakes=tuple(item for item in found.mistakes if item.kind == Kind.BGP_NODE_PARAMETERS))


class NodePeers:
    """Applies BGPNodeParameters for one node, again and again; the same input gives the same objects."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._met: dict[str, int] = {}
        self._sources: tuple[object, ...] = ()
        self._found = EffectivePeers(peers={})
        self._last: tuple[Snapshot, Snapshot] | None = None
        self.mistakes: tuple[Mistake, ...] = ()

    @property
    def unknown(self) -> tuple[Mistake, ...]:
        """Return those of ``mistakes`` that are none on the node itself: its default gateway is not known here."""
        return self._found.unknown if self.mistakes else ()

    def applied(self, snapshot: Snapshot, facts: NodeFacts) -> Snapshot:
        """Return the snapshot with the peers of this node, and nothing left to apply; the same one if nothing is.

        ``mistakes`` is set to what was left out.
        """
        if not snapshot.node_parameters:
            self.mistakes = ()
            return snapshot
        before = self._found
        self._renew(snapshot, facts)
        self.mistakes = (*self._found.mistakes, *self._found.unknown)
        if self._last is None or self._last[0] is not snapshot or before is not self._found:
            self._last = (snapshot, replace(snapshot, peers=self._found.peers, node_parameters={}))
        return self._last[1]

    def _renew(self, snapshot: Snapshot, facts: NodeFacts) -> None:
        node = node_of(snapshot, self._node)
        is_known = self._node in snapshot.nodes
        sources = (snapshot.peers, snapshot.node_parameters, node, is_known, facts.default_gateways)
        if self._sources and all(new is old or new == old for new, old in zip(sources, self._sources, strict=True)):
            return
        self._sources = sources
        known = self._met
        items = sorted(snapshot.node_parameters.values(), key=lambda item: seniority(item.meta, known))
        self._met = {item.meta.name: place for place, item in enumerate(items)}
        found = effective_peers(snapshot, node, facts, self._met)
        # Equal objects stay the same ones: what follows keeps its work by identity.
        kept = self._found.peers
        peers = {name: kept[name] if kept.get(name) == peer else peer for name, peer in found.peers.items()}
        self._found = replace(found, peers=kept if peers == kept else peers)


def _here(items: Iterable[BGPNodeParameters], node: Node, known: Mapping[str, int]) -> list[BGPNodeParameters]:
    """Return those that select the node, the oldest first."""
    chosen = [item for item in items if matches_any(item.node_selectors, node.meta.labels)]
    return sorted(chosen, key=lambda item: seniority(item.meta, known))


def _check_readable(here: Iterable[BGPNodeParameters], peer: str) -> None:
    """Raise if one of them has a mistake: what stands in the BGPPeer may be a placeholder."""
    for item in here:
        if item.is_broken and (not item.peers or peer in item.peers):
            text = f"{placed('BGPNodeParameters', item.meta)} holds a mistake, and may set other values here"
            raise LeftOutError("", text)


def _choose(here: Iterable[BGPNodeParameters], peer: str, overruled: dict[tuple[str, str, str], list[str]]) -> _Chosen:
    """Return by field who gives the value; who comes too late is noted with the name of the one that counts."""
    chosen: _Chosen = {}
    for item in here:
        if item.peers and peer not in item.peers:
            continue
        for field in item.sources:
            if field in chosen:
                overruled.setdefault((item.meta.name, field, chosen[field].meta.name), []).append(peer)
            else:
                chosen[field] = item
    return chosen


def _with_values(peer: BGPPeer, chosen: _Chosen, view: NodeView) -> BGPPeer:
    """Return the peer with its values on this node; raises LeftOutError or UnknownHereError."""
    values: dict[str, object] = {}
    for field, item in chosen.items():
        subject = _placed(item, field)
        text, origin = view.text(item.sources[field], field, peer, subject)
        try:
            values[_ATTRIBUTES[field]] = FROM_TEXT[field](text)
        except ValueError as error:
            raise LeftOutError(field, f"{subject} takes it from {origin}: {error}") from error
    if not values:
        return peer
    _check_family(peer, values, chosen)
    found = replace(peer, **_with_timers(values))  # type: ignore[arg-type]  # FROM_TEXT gives what the attribute holds
    for field, message in disagreements(found):
        names = ", ".join(sorted({placed("BGPNodeParameters", item.meta) for item in chosen.values()}))
        raise LeftOutError(field, f"{message} (with the values of {names})")
    return peer if found == peer else found


def _check_family(peer: BGPPeer, values: Mapping[str, object], chosen: _Chosen) -> None:
    """Raise for an address of the other IP version: the session would carry other prefixes than the BGPPeer says."""
    found = values.get("peer_address")
    if not isinstance(found, str) or not peer.peer_address:
        return
    version = parse_address(peer.peer_address).version
    if parse_address(found).version != version:
        subject = _placed(chosen["peerAddress"], "peerAddress")
        text = f"{subject} gives {found}, an IPv{version} address is needed as in the BGPPeer itself"
        raise LeftOutError("peerAddress", text)


def _with_timers(values: dict[str, object]) -> dict[str, object]:
    """Let one of the two times alone set the other, as in a BGPPeer that names one of them."""
    hold, keepalive = values.get("hold_time"), values.get("keepalive_time")
    if isinstance(hold, int) and keepalive is None:
        return {**values, "keepalive_time": hold // 3}
    if not isinstance(keepalive, int):
        return values
    longest, named = (hold, "up to holdTime") if isinstance(hold, int) else (MAX_TIMER // 3, "without holdTime")
    if keepalive > longest:
        raise LeftOutError("keepaliveTime", f"found {keepalive}s, allowed {named} are 0s to {longest}s")
    return {**values, "hold_time": 3 * keepalive} if hold is None else values


def _left_out(peer: BGPPeer, error: LeftOutError) -> Mistake:
    return mistake_of("BGPPeer", peer.meta, f"spec.{error.field}".rstrip("."), f"left out: {error}")


def _placed(item: BGPNodeParameters, field: str) -> str:
    """Return how a message names one field of a BGPNodeParameters."""
    origin = item.meta.origin
    line = origin.line_of(f"spec.{field}")
    where = f" ({origin.file}:{line})" if origin.file and line else ""
    return f"BGPNodeParameters {item.meta.name}{where}"


def unknown_peers(items: Iterable[BGPNodeParameters], peers: Mapping[str, BGPPeer]) -> Iterable[Mistake]:
    """Yield the names in ``spec.peers`` that no BGPPeer has."""
    for item in items:
        for index, name in enumerate(() if item.is_broken else item.peers):
            if name not in peers:
                known = ", ".join(sorted(peers)) or "none"
                text = (
                    f"found {name!r}, but there is no BGPPeer of that name, or it holds a mistake; defined are: {known}"
                )
                yield mistake_of("BGPNodeParameters", item.meta, f"spec.peers[{index}]", text)


def _of_overruled(
    here: Iterable[BGPNodeParameters], overruled: Mapping[tuple[str, str, str], list[str]]
) -> Iterable[Mistake]:
    by_name = {item.meta.name: item for item in here}
    for (younger, field, older), peers in overruled.items():
        rival = _placed(by_name[older], field)
        text = f"left out for BGPPeer {', '.join(sorted(peers))}: {rival}, which counts, sets it already"
        yield mistake_of("BGPNodeParameters", by_name[younger].meta, f"spec.{field}", text)
