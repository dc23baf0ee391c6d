"""What was there before and therefore counts before what comes, where objects carry no time stamps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from frrsync.core.advertisement import met
from frrsync.core.announce import node_of
from frrsync.core.model import Snapshot
from frrsync.core.node_parameters import peers_offline
from frrsync.core.session import EMPTY_CLAIMS, claim, sessions_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from frrsync.core.session import Claim


@dataclass(frozen=True, kw_only=True)
class Precedence:
    """The state before, as an agent of any node remembers it; without one everything is met for the first time.

    Attributes:
        running: by node, names of the BGPPeers that run, where that is known of a node and not of a snapshot.

    """

    snapshot: Snapshot = field(default_factory=Snapshot)
    running: Mapping[str, Collection[str]] = field(default_factory=dict)

    @cached_property
    def names(self) -> Mapping[str, int]:
        """Return the order in which advertisements and Communities were met."""
        before = self.snapshot
        return met({}, (*before.bgp_advertisements.values(), *before.communities.values()))

    @cached_property
    def parameters(self) -> Mapping[str, int]:
        """Return the order in which BGPNodeParameters were met."""
        return met({}, self.snapshot.node_parameters.values())

    def sessions(self, node: str) -> Mapping[str, Claim | None]:
        """Return the BGPPeers that a node has, with what they claim as far as it is known."""
        if node in self.running:
            return dict.fromkeys(self.running[node])
        if not self.snapshot.peers:
            return EMPTY_CLAIMS
        here = node_of(self.snapshot, node)
        peers = peers_offline(self.snapshot, here).peers
        found, _ = sessions_of(replace(self.snapshot, peers=peers), here)
        return {session.peer.meta.name: claim(session.peer) for session in found}
