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


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a decision reads beside the manifests.

    Attributes:
        default_gateways: next hops of the node's default routes, canonical; at most one per IP version is of use.
            None when nobody can be asked, as in commands that work offline.

    """

    default_gateways: tuple[str, ...] | None = None
    drain: DrainStage = DrainStage.NONE


NOTHING_KNOWN = NodeFacts()
