"""What is wrong between objects, whichever node looks: for ``frrsync check``, which knows no node."""

from __future__ import annotations

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

    A mistake that several nodes meet is one mistake. Without Node objects one node without labels stands
    for all, so that only what selects every node is looked at.
    """
    found: dict[tuple[str, str, str, str], Mistake] = {}
    for mistake in _all(snapshot):
        found.setdefault((mistake.file, mistake.kind, mistake.name, mistake.field), mistake)
    return tuple(found.values())


def _all(snapshot: Snapshot) -> Iterator[Mistake]:
    yield from pool_mistakes(snapshot)
    for node in snapshot.nodes.values() or (node_of(snapshot, "every node"),):
        yield from resolve(snapshot.bgp_advertisements.values(), snapshot.communities, node.meta.labels)[1]
        yield from sessions_of(snapshot, node)[1]
