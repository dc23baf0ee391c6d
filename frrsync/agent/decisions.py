"""From what is known to a decision: decided once for the same input, without the peers that FRR refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from frrsync.agent.quarantine import Quarantine
from frrsync.core.decide import NodeDecider, NodeOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from frrsync.agent.inputs import Known
    from frrsync.core.allocation import Allocation
    from frrsync.core.decide import Decision
    from frrsync.core.model import NamespacedName, Snapshot
    from frrsync.core.node_facts import NodeFacts
    from frrsync.settings import Settings


class Decisions:
    """Decides for one node; belongs to the reconcile thread."""

    def __init__(self, settings: Settings) -> None:
        self._decider = NodeDecider(
            NodeOptions(
                node=settings.node,
                load_balancer_class=settings.load_balancer_class,
                ignore_exclude_label=settings.ignore_exclude_label,
                maximum_paths=settings.maximum_paths,
            )
        )
        self._quarantine = Quarantine()
        self._last: tuple[Snapshot, Mapping[NamespacedName, Allocation], NodeFacts, Decision] | None = None

    def decide(self, known: Known, facts: NodeFacts) -> Decision:
        """Return the decision; the same object for the same input."""
        snapshot = self.effective(known.snapshot)
        if self._last is not None:
            before, allocated, known_facts, decision = self._last
            if before is snapshot and allocated is known.allocated and known_facts == facts:
                return decision
        decision = self._decider.decide(snapshot, known.allocated, facts)
        decision = replace(decision, mistakes=(*decision.mistakes, *self._quarantine.mistakes))
        self._last = (snapshot, known.allocated, facts, decision)
        return decision

    def effective(self, snapshot: Snapshot) -> Snapshot:
        """Return the objects that count: the same snapshot, or one without the peers that FRR refused."""
        return self._quarantine.filtered(snapshot)

    def suspect(self, known: Known, taken: Snapshot | None, reason: str, running: Collection[str]) -> bool:
        """Leave out the peers that FRR seems to refuse; False if there is nobody left to suspect."""
        return self._quarantine.hold(known.snapshot, taken, reason, running)

    def release(self) -> None:
        """Let every refused peer be tried again."""
        self._quarantine.release()
