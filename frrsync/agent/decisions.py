"""From what is known to a decision: decided once for the same input, without the peers that FRR refused."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from frrsync.agent.quarantine import Quarantine
from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.core.node_facts import NOTHING_KNOWN
from frrsync.core.node_parameters import NodePeers

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from frrsync.agent.inputs import Known
    from frrsync.core.allocation import Allocation
    from frrsync.core.decide import Decision
    from frrsync.core.model import NamespacedName, Snapshot
    from frrsync.core.node_facts import NodeFacts
    from frrsync.settings import Settings


FIRST_DOUBT_SECONDS = 10.0
LONGEST_DOUBT_SECONDS = 600.0


class Decisions:
    """Decides for one node; belongs to the reconcile thread.

    Attributes:
        release_at: monotonic time at which refused peers are tried again, None when that waits for a change.

    """

    def __init__(self, settings: Settings) -> None:
        self._decider = NodeDecider(
            NodeOptions(
                node=settings.node,
                load_balancer_class=settings.load_balancer_class,
                ignore_exclude_label=settings.ignore_exclude_label,
                maximum_paths=settings.maximum_paths,
                shared=settings.frr_mode == "shared",
            )
        )
        self._peers = NodePeers(settings.node)
        self._facts = NOTHING_KNOWN
        self._quarantine = Quarantine()
        self._doubt_seconds = 0.0
        self.release_at: float | None = None
        self._last: tuple[Snapshot, Mapping[NamespacedName, Allocation], NodeFacts, Decision] | None = None

    def decide(self, known: Known, facts: NodeFacts) -> Decision:
        """Return the decision; the same object for the same input."""
        self._facts = facts
        snapshot = self.effective(known.snapshot)
        mistakes = self._peers.mistakes
        if self._last is not None:
            before, allocated, known_facts, decision = self._last
            if before is snapshot and allocated is known.allocated and known_facts == facts:
                return decision
        decision = self._decider.decide(snapshot, known.allocated, facts)
        decision = replace(decision, mistakes=(*decision.mistakes, *mistakes, *self._quarantine.mistakes))
        self._last = (snapshot, known.allocated, facts, decision)
        return decision

    def effective(self, snapshot: Snapshot) -> Snapshot:
        """Return the objects that count here: peers with their values on this node, without those that FRR refused.

        The same snapshot if there is nothing of the kind.
        """
        return self._quarantine.filtered(self._peers.applied(snapshot, self._facts))

    def suspect(
        self, known: Known, taken: Snapshot | None, reason: str, running: Collection[str], *, is_certain: bool
    ) -> bool:
        """Leave out the peers that FRR seems to refuse; False if there is nobody left to suspect.

        Unless FRR named a line, somebody else may have changed FRR at that moment: then they are tried again,
        after pauses that grow.
        """
        if not is_certain:
            longer = max(FIRST_DOUBT_SECONDS, 2 * self._doubt_seconds)
            self._doubt_seconds = min(LONGEST_DOUBT_SECONDS, longer)
            self.release_at = monotonic() + self._doubt_seconds
        return self._quarantine.hold(self._peers.applied(known.snapshot, self._facts), taken, reason, running)

    def release(self) -> None:
        """Let every refused peer be tried again."""
        self._quarantine.release()
        self.release_at = None

    def release_if_due(self) -> None:
        """Let them be tried again when it is time."""
        if self.release_at is not None and monotonic() >= self.release_at:
            self.release()
