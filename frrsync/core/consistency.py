"""What is wrong between objects, on whichever node: for ``frrsync check``, which knows no node and asks no FRR."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from frrsync.core.advertisement import mistake_of, resolve
from frrsync.core.agreement import contradiction
from frrsync.core.allocate import PendingReason, allocate
from frrsync.core.announce import node_of
from frrsync.core.drain import node_mistakes
from frrsync.core.meeting import Meetings
from frrsync.core.model import Kind, Mistake, NamespacedName
from frrsync.core.node_parameters import peers_offline, unknown_peers
from frrsync.core.pool import pool_mistakes
from frrsync.core.precedence import Precedence
from frrsync.core.request import annotation
from frrsync.core.session import sessions_of
from frrsync.core.width import width_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from frrsync.core.advertisement import Resolved
    from frrsync.core.agreement import Contradiction
    from frrsync.core.model import BGPAdvertisement, L2Advertisement, Node, Snapshot
    from frrsync.core.session import Session

_OTHER_SERVICE = re.compile(r"Service [a-z0-9-]+/[a-z0-9-]+")
NOTHING_BEFORE = Precedence()
"""For who looks at a folder for the first time."""
_MANY_NODES = 5
"""Nodes that a message names; of more it says how many."""


def mistakes_between(
    snapshot: Snapshot, load_balancer_class: str = "", before: Precedence = NOTHING_BEFORE
) -> tuple[Mistake, ...]:
    """Return what any node would leave out because objects contradict or miss each other.

    What is wrong whichever node looks is said once; what only some nodes meet is said once, with their names.
    Without Node objects there is one node without labels, so that only what selects every node is compared.
    """
    everywhere = dict.fromkeys(
        (
            *pool_mistakes(snapshot),
            *_dangling(snapshot),
            *_alone(snapshot, before),
            *_without_address(snapshot, load_balancer_class),
        )
    )
    nodes: dict[Mistake, list[str]] = {}
    meetings, seen = Meetings(snapshot), _Seen()
    for node in sorted(snapshot.nodes.values(), key=lambda item: item.meta.name) or [node_of(snapshot, "")]:
        here = peers_offline(snapshot, node, before.parameters)
        # What is wrong with a value names the Node, with its place, and is said for each of them.
        everywhere |= dict.fromkeys(item for item in here.mistakes if item.kind == Kind.BGP_PEER)
        everywhere |= dict.fromkeys(node_mistakes(node))
        found = _on_node(replace(snapshot, peers=here.peers), node, meetings, seen, before)
        for mistake in dict.fromkeys((*here.mistakes, *found)):
            if mistake not in everywhere:
                nodes.setdefault(mistake, []).append(node.meta.name)
    return (*everywhere, *(_on(mistake, names) for mistake, names in nodes.items()))


def _on(mistake: Mistake, names: list[str]) -> Mistake:
    if not names[0]:
        return mistake
    shown = ", ".join(names[:_MANY_NODES])
    more = f" and {len(names) - _MANY_NODES} more" if len(names) > _MANY_NODES else ""
    text = mistake.message.removeprefix("left out")
    where = f"on Node {shown}{more}"
    message = f"{text} ({where})" if text == mistake.message else f"left out {where}{text}"
    return replace(mistake, message=message)


def _alone(snapshot: Snapshot, before: Precedence) -> Iterator[Mistake]:
    """Look at every advertisement and peer for itself, whichever node it selects."""
    free = [replace(item, node_selectors=()) for item in snapshot.bgp_advertisements.values()]
    resolved, mistakes = resolve(free, snapshot.communities, {}, before.names)
    yield from mistakes
    yield from width_mistakes(resolved.values(), snapshot.pools)
    for name, peer in snapshot.peers.items():
        alone = replace(snapshot, peers={name: replace(peer, node_selectors=())})
        yield from sessions_of(alone, node_of(snapshot, ""))[1]


def _dangling(snapshot: Snapshot) -> Iterator[Mistake]:
    """Look for names of pools and peers that nobody has; MetalLB ignores them silently."""
    advertisements: tuple[tuple[Kind, BGPAdvertisement | L2Advertisement], ...] = (
        *((Kind.BGP_ADVERTISEMENT, item) for item in snapshot.bgp_advertisements.values()),
        *((Kind.L2_ADVERTISEMENT, item) for item in snapshot.l2_advertisements.values()),
    )
    for kind, item in advertisements:
        for index, name in enumerate(item.ip_address_pools):
            if name not in snapshot.pools:
                field = f"spec.ipAddressPools[{index}]"
                yield mistake_of(kind, item.meta, field, _unknown(name, Kind.IP_ADDRESS_POOL, snapshot.pools))
    yield from unknown_peers(snapshot.node_parameters.values(), snapshot.peers)
    for advertisement in snapshot.bgp_advertisements.values():
        for index, name in enumerate(advertisement.peers):
            if name not in snapshot.peers:
                text = _unknown(name, Kind.BGP_PEER, snapshot.peers)
                yield mistake_of(Kind.BGP_ADVERTISEMENT, advertisement.meta, f"spec.peers[{index}]", text)


def _without_address(snapshot: Snapshot, load_balancer_class: str) -> Iterator[Mistake]:
    """Look for Services that get no address although all addresses are free; without any pool nobody is asked."""
    if not snapshot.pools:
        return
    pending = allocate(snapshot, {}, load_balancer_class=load_balancer_class).pending
    for name, found in sorted(pending.items()):
        service = snapshot.services[name]
        if found.reason is PendingReason.INVALID_IP_FAMILIES:
            field = "spec.ipFamilies"
        elif service.load_balancer_ip:
            field = "spec.loadBalancerIP"
        else:
            asks = any(annotation(service, key) for key in ("address-pool", "loadBalancerIPs"))
            field = "metadata.annotations" if asks else "spec"
        message = _OTHER_SERVICE.sub(lambda match: _placed_service(match[0], snapshot), found.message)
        yield mistake_of(Kind.SERVICE, service.meta, field, f"gets no address: {message}")


def _placed_service(text: str, snapshot: Snapshot) -> str:
    """Return ``Service namespace/name`` with the place of that Service."""
    namespace, _, name = text.removeprefix("Service ").partition("/")
    service = snapshot.services.get(NamespacedName(namespace, name))
    return f"{text} ({service.meta.origin})" if service is not None and service.meta.origin.file else text


def _unknown(name: str, kind: Kind, known: Iterable[str]) -> str:
    names = ", ".join(sorted(known)) or "none"
    return f"found {name!r}, but there is no {kind} of that name, or it holds a mistake; defined are: {names}"


_Seen = dict[tuple[object, ...], tuple[Mistake, ...]]
"""Contradictions between advertisements, by what a node has of them and of sessions: many nodes have the same."""


def _on_node(snapshot: Snapshot, node: Node, meetings: Meetings, seen: _Seen, before: Precedence) -> Iterator[Mistake]:
    advertisements = snapshot.bgp_advertisements.values()
    resolved, mistakes = resolve(advertisements, snapshot.communities, node.meta.labels, before.names)
    yield from mistakes
    sessions, mistakes = sessions_of(snapshot, node, before.sessions(node.meta.name))
    yield from mistakes
    key = (tuple(resolved), tuple((session.peer.meta.name, session.families) for session in sessions))
    if key not in seen:
        seen[key] = tuple(_contradictions(resolved, sessions, meetings))
    yield from seen[key]


def _contradictions(
    resolved: Mapping[str, Resolved], sessions: Iterable[Session], meetings: Meetings
) -> Iterator[Mistake]:
    """Look for advertisements that differ on prefixes of one pool at one peer, each pair once."""
    oldest_first = sorted(resolved.values(), key=lambda item: item.rank)
    found: dict[tuple[str, str], tuple[Contradiction, set[str], set[str]]] = {}
    for session in sessions:
        peer = session.peer.meta.name
        silent: dict[str, set[str]] = {}
        for older, younger in _pairs([item for item in oldest_first if item.reaches(peer)]):
            pools = meetings.pools(older, younger, session.families) - silent.get(older.name, set())
            if pools and (clash := contradiction(older, younger)) is not None:
                silent.setdefault(younger.name, set()).update(pools)
                _, all_pools, peers = found.setdefault((younger.name, older.name), (clash, set(), set()))
                all_pools |= pools
                peers.add(peer)
    for clash, all_pools, peers in found.values():
        yield clash.mistake(f"IPAddressPool {', '.join(sorted(all_pools))}", peers)


def _pairs(items: list[Resolved]) -> Iterator[tuple[Resolved, Resolved]]:
    """Yield every older one with every younger one, so that what is said of the older one is known first."""
    for place, younger in enumerate(items):
        for older in items[:place]:
            yield older, younger
