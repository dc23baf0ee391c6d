"""What a Node object says about draining it, and how a drain is told to people.

``frrsync.dev/drain`` as a label or as an annotation of the Node: ``"true"`` or an empty value asks for a drain,
``"false"`` does not. Any other value is a mistake and asks for nothing: a typing error in a label that many
nodes share must not take them all away.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from frrsync.core.advertisement import mistake_of
from frrsync.core.node_facts import NOT_DRAINED, Drain, DrainSource, DrainStage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.core.model import Mistake, Node

DRAIN_KEY = "frrsync.dev/drain"
"""Key of the label and of the annotation."""

_ASKS = frozenset({"", "true"})
_ALLOWED = _ASKS | {"false"}


def asked_by_node(node: Node) -> tuple[DrainSource, ...]:
    """Return what of the Node object asks for a drain."""
    return tuple(source for source, found in _places(node) if found.get(DRAIN_KEY) in _ASKS)


def node_mistakes(node: Node) -> list[Mistake]:
    """Return what is wrong with the node's wish for a drain."""
    return [
        mistake_of(
            "Node",
            node.meta,
            f"metadata.{source}s",
            f"{source} {DRAIN_KEY}: found {found[DRAIN_KEY][:80]!r}, allowed are 'true', 'false' and no value; "
            "it asks for nothing",
        )
        for source, found in _places(node)
        if DRAIN_KEY in found and found[DRAIN_KEY] not in _ALLOWED
    ]


def settled(node: Node) -> Drain:
    """Return how a drain that the Node object asks for will end, for commands that work offline."""
    asked_by = asked_by_node(node)
    return Drain(stage=DrainStage.WITHDRAWN, asked_by=asked_by) if asked_by else NOT_DRAINED


def explain(node: str, drain: Drain) -> str:
    """Return one sentence on who drains a node, and since when."""
    when = ""
    if drain.since is not None:
        when = f" since {datetime.fromtimestamp(drain.since, tz=UTC).isoformat(timespec='seconds')[:-6]}Z"
    return f"Node {node} is drained{when}, by {tell(drain.asked_by)}"


def tell(asked_by: Iterable[str]) -> str:
    """Return who asks, for a person."""
    return " and ".join(_TOLD[DrainSource(source)] for source in asked_by) or "nobody"


_TOLD = {
    DrainSource.ORDER: "an order (frrsync drain)",
    DrainSource.LABEL: f"label {DRAIN_KEY} of the Node",
    DrainSource.ANNOTATION: f"annotation {DRAIN_KEY} of the Node",
    DrainSource.STOP: "the stop of its agent",
}


def _places(node: Node) -> tuple[tuple[DrainSource, Mapping[str, str]], ...]:
    return (DrainSource.LABEL, node.meta.labels), (DrainSource.ANNOTATION, node.meta.annotations)
