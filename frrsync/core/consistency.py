"""What is wrong between objects, whichever node looks: for ``frrsync check``, which knows no node."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from frrsync.core.advertisement import resolve
from frrsync.core.announce import node_of
from frrsync.core.pool import pool_mistakes
from frrsync.core.session import sessions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.core.model import Mistake, Snapshot


def mistakes_between(snapshot: Snapshot) -> tuple[Mistake, ...]:
    """Return what any node would leave out because objects contradict or miss each other.

    A mistake that several nodes meet is one mistake. References are followed whichever node is selected;
    contradictions between two peers are looked for on every Node of the manifests, and without Node objects
    on one without labels, so that only those are found that select every node.
    """
    found: dict[tuple[str, str, str, str], Mistake] = {}
    for mistake in _all(snapshot):
        found.setdefault((mistake.file, mistake.kind, mistake.name, mistake.field), mistake)
    return tuple(found.values())


def _alone(snapshot: Snapshot) -> Iterator[Mistake]:
    """Look at every advertisement and peer for itself, whichever node it selects."""
    node = node_of(snapshot, "every node")
    for advertisement in snapshot.bgp_advertisements.values():
        yield from resolve([replace(advertisement, node_selectors=())], snapshot.communities, {})[1]
    for name, peer in snapshot.peers.items():
        alone = replace(snapshot, peers={name: replace(peer, node_selectors=())})
        yield from sessions_of(alone, node)[1]


def _all(snapshot: Snapshot) -> Iterator[Mistake]:
    yield from pool_mistakes(snapshot)
    yield from _alone(snapshot)
    for node in snapshot.nodes.values() or (node_of(snapshot, "every node"),):
        yield from resolve(snapshot.bgp_advertisements.values(), snapshot.communities, node.meta.labels)[1]
        yield from sessions_of(snapshot, node)[1]
