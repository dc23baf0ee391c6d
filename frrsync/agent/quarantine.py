"""Peers that FRR refuses: left out, or kept as they were, so that everything else goes on.

FRR judges some things that nobody else can. When it refuses a configuration, the BGPPeer that its answer
names is suspected, else every peer that changed since FRR took one. A suspect counts as it was then, or not at
all if it is new, until its object changes or FRR was restarted; a route that has to go is never held up by it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from frrsync.core.advertisement import mistake_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from frrsync.core.model import BGPPeer, Mistake, Snapshot

_WORDS = re.compile(r"[^\s'\",;]+")


def identifier(peer: BGPPeer) -> str:
    """Return the word by which FRR knows the neighbor."""
    return peer.interface or peer.peer_address


class _Held(NamedTuple):
    """A refused peer, the state of it that FRR took (None if it was never taken), and FRR's answer."""

    refused: BGPPeer
    taken: BGPPeer | None
    reason: str


class Quarantine:
    """The refused peers of one node; belongs to the reconcile thread."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._last: tuple[Snapshot, Snapshot] | None = None

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """Return what is held back and why."""
        return tuple(
            mistake_of(
                "BGPPeer",
                held.refused.meta,
                "spec",
                f"{'counts as before' if held.taken else 'left out'}, because FRR refused it: {held.reason}",
            )
            for held in self._held.values()
        )

    def release(self) -> None:
        """Let every peer be tried again."""
        self._held, self._last = {}, None

    def filtered(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot without refused peers; the same object for the same one."""
        kept = {name: held for name, held in self._held.items() if snapshot.peers.get(name) is held.refused}
        if len(kept) != len(self._held):
            self._held, self._last = kept, None
        if not kept:
            return snapshot
        if self._last is None or self._last[0] is not snapshot:
            peers = {name: peer for name, peer in snapshot.peers.items() if name not in kept}
            peers |= {name: held.taken for name, held in kept.items() if held.taken is not None}
            self._last = (snapshot, replace(snapshot, peers=peers))
        return self._last[1]

    def hold(self, snapshot: Snapshot, taken: Snapshot | None, reason: str, running: Collection[str]) -> bool:
        """Hold back the peers that the answer of FRR speaks of; False if there is nobody left to suspect.

        Before FRR took anything (``taken`` is None), nobody is suspected whose neighbor is among those that
        are ``running``: to leave it out would end a session that works.
        """
        before = taken.peers if taken else {}
        words = set(_WORDS.findall(reason))
        changed = {
            name: peer for name, peer in snapshot.peers.items() if name not in self._held and before.get(name) != peer
        }
        named = {name: peer for name, peer in changed.items() if identifier(peer) in words}
        if taken is None:
            suspects = {name: peer for name, peer in named.items() if identifier(peer) not in running}
        else:
            suspects = named or changed
        for name, peer in suspects.items():
            self._held[name] = _Held(peer, before.get(name), reason)
        self._last = None
        return bool(suspects)
