"""What is true of one node and stands in no manifest: its default gateways, and how far it is drained."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DrainStage(StrEnum):
    """How far a node has withdrawn itself from traffic, in the order in which it does."""

    NONE = "none"
    LOWERED = "lowered"
    """Everything is still announced, as the last choice: community GRACEFUL_SHUTDOWN (RFC 8326) and the lowest
    local preference."""
    WITHDRAWN = "withdrawn"
    """Nothing is announced; sessions stay up."""


class DrainSource(StrEnum):
    """What a node can be drained by; it is drained as long as any of them asks for it."""

    ORDER = "order"
    LABEL = "label"
    ANNOTATION = "annotation"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """How far one node is drained.

    Attributes:
        asked_by: everything that asks for it now.
        since: when the first of them was noticed, seconds since the epoch; None offline, where nobody knows.

    """

    stage: DrainStage = DrainStage.NONE
    asked_by: tuple[DrainSource, ...] = ()
    since: float | None = None


NOT_DRAINED = Drain()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a decision reads beside the manifests.

    Attributes:
        default_gateways: next hops of the node's default routes, canonical; at most one per IP version is of use.
            None when nobody can be asked, as in commands that work offline.
        drain: None when nobody keeps the time, as in commands that work offline: then a node whose Node object
            asks for a drain counts as withdrawn.

    """

    default_gateways: tuple[str, ...] | None = None
    drain: Drain | None = None


NOTHING_KNOWN = NodeFacts()
