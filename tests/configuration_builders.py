"""Short ways from manifests to what a node decides, without files and without FRR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from frrsync.core.allocate import allocate
from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.core.fields import Location
from frrsync.core.manifests import parse_object
from frrsync.directory.snapshot import SnapshotBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frrsync.core.decide import Decision
    from frrsync.core.frr_config import OutboundEntry
    from frrsync.core.model import Snapshot
    from instruments.documents import Document


def at(document: Document, when: str) -> Document:
    """Return the document with a time stamp, as the API would give it."""
    document["metadata"]["creationTimestamp"] = f"{when}-01-01T00:00:00Z"
    return document


def snapshot_of(*documents: Document) -> Snapshot:
    """Return a snapshot; every document stands in a file of its name, as its only object."""
    builder = SnapshotBuilder()
    for document in documents:
        file = f"{document['metadata']['name']}.yaml"
        found = parse_object(document, Location(file=file, line=lambda _: 1))
        assert found.key is not None, f"expected an object, found {document}"
        assert found.object is not None, f"expected no mistake, found {found.mistakes}"
        builder.put(found.key, found.object)
    return builder.build()


class OneNode:
    """A node that decides again and again, for what the manifests say and the controller would allocate."""

    def __init__(self, name: str = "n1") -> None:
        self._decider = NodeDecider(NodeOptions(node=name))
        self._record: Any = {}

    def decide(self, *documents: Document) -> Decision:
        """Return the decision."""
        snapshot = snapshot_of(*documents)
        self._record = allocate(snapshot, self._record, load_balancer_class="").allocated
        return self._decider.decide(snapshot, self._record)


def seen_by(decision: Decision, address: str) -> dict[str, OutboundEntry]:
    """Return what a neighbor is sent, by prefix."""
    maps = {item.name: item for item in decision.config.outbound_maps}
    tags = {item.name: item.tag for item in decision.config.class_maps}
    (router,) = decision.config.routers
    return {
        network.prefix: entry
        for family in router.address_families
        for activation in family.activations
        if activation.peer == address
        for network in family.networks
        for entry in maps[activation.outbound_map].entries
        if entry.tag == tags[network.class_map]
    }


def told(mistakes: Iterable[object]) -> list[str]:
    """Return mistakes as a user reads them."""
    return [str(mistake) for mistake in mistakes]
