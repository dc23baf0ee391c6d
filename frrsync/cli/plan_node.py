"""One node in ``frrsync plan``: decides and renders one state after the other, as the agent of the node would."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.core.model import Kind
from frrsync.core.node_facts import NOTHING_KNOWN
from frrsync.core.node_parameters import NodePeers
from frrsync.core.preview import SessionFate
from frrsync.frr.exposure import allowed_names
from frrsync.frr.preview import node_preview
from frrsync.frr.scope import managed
from frrsync.frr.shared import ROUTER
from frrsync.frr.shared_fit import DELAY_TIMER, NO_IMPORT_CHECK, fit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from frrsync.core.allocation import Allocation, Allocations
    from frrsync.core.decide import Decision
    from frrsync.core.model import Mistake, NamespacedName, Snapshot
    from frrsync.core.node_facts import NodeFacts
    from frrsync.core.preview import NodePreview, SessionChange
    from frrsync.frr.dialect import Dialect
    from frrsync.frr.render import RenderedConfig
    from frrsync.frr.tree import Tree
    from frrsync.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What an FRR runs: our part, and where an operator shares it, all that bgpd runs."""

    tree: Tree
    whole: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """What one state means on one node.

    Attributes:
        tree: frrsync's part of the configuration, with passwords.
        obstacles: what in an operator's FRR stands in the way.
        missing: why peers are missing beside what the decision says: what only the node knows, what cannot be read.

    """

    snapshot: Snapshot
    decision: Decision
    tree: Tree
    obstacles: tuple[str, ...] = ()
    missing: tuple[Mistake, ...] = ()

    @property
    def peers(self) -> frozenset[str]:
        """Return the names of the BGPPeers that have a session here."""
        return frozenset(session.peer.meta.name for session in self.decision.sessions)


class NodePlanner:
    """Decides and renders for one node, again and again.

    Args:
        accepted: the BGPPeers that run already.
        facts: what is true of the node and stands in no manifest.

    """

    def __init__(
        self,
        node: str,
        settings: Settings,
        dialect: Dialect,
        accepted: Collection[str] = (),
        facts: NodeFacts = NOTHING_KNOWN,
    ) -> None:
        self._dialect = dialect
        self._facts = facts
        self._is_shared = settings.frr_mode == "shared"
        self._allowed = allowed_names(settings.allow_neighbor)
        self._peers = NodePeers(node)
        self._decider = NodeDecider(
            NodeOptions(
                node=node,
                load_balancer_class=settings.load_balancer_class,
                ignore_exclude_label=settings.ignore_exclude_label,
                maximum_paths=settings.maximum_paths,
                shared=self._is_shared,
            ),
            accepted,
        )

    def decide(self, snapshot: Snapshot, allocated: Mapping[NamespacedName, Allocation]) -> Decision:
        """Return the decision for a state, with what is wrong with the values that the node's peers have here."""
        effective = self._peers.applied(snapshot, self._facts)
        decision = self._decider.decide(effective, allocated, self._facts)
        wrong = [mistake for mistake in self._peers.mistakes if mistake not in self._peers.unknown]
        return replace(decision, mistakes=(*decision.mistakes, *wrong))

    @property
    def unknown(self) -> tuple[Mistake, ...]:
        """Return for each peer of the last decision why nothing can be said about it without asking the node."""
        return self._peers.unknown

    def view(
        self, snapshot: Snapshot, decision: Decision, rendered: RenderedConfig, running: Running | None = None
    ) -> NodeView:
        """Return what a decision means, for an FRR that is shared what it can take of that."""
        tree = rendered.tree
        obstacles: tuple[str, ...] = ()
        if self._is_shared:
            there = running or Running(tree={}, whole=_ready_for(tree))
            fitted = fit(tree, there.whole, there.tree, self._allowed)
            tree, obstacles = fitted.tree, fitted.obstacles
        return NodeView(snapshot=snapshot, decision=decision, tree=managed(tree, self._dialect), obstacles=obstacles)


def _ready_for(desired: Tree) -> Tree:
    """Return the least that an operator's FRR must have: offline nobody knows what else there is."""
    routers: Tree = {line: {NO_IMPORT_CHECK: {}} for line in desired if line.startswith(ROUTER)}
    return {DELAY_TIMER: {}, **routers}


def preview_of(
    node: str, dialect: Dialect, running: Tree, after: NodeView, before: NodeView | None = None, *, is_shared: bool
) -> NodePreview:
    """Return what leads from what runs to a state, with a reason for every session that comes or goes."""
    version = ".".join(map(str, dialect.version))
    preview = node_preview(node, version, running, after.tree, is_shared=is_shared)
    return replace(preview, sessions=tuple(_explained(change, before, after) for change in preview.sessions))


def notes_on_unknown(peers: Iterable[Mistake]) -> list[str]:
    """Return a note for each peer about which nothing can be said."""
    return [f"{mistake.kind} {mistake.name}: {mistake.message}" for mistake in peers]


def notes_on_addresses(before: Allocations, after: Allocations) -> tuple[str, ...]:
    """Return a note for every Service that goes on without an address, and for what is said anew of the others."""
    without = [
        f"Service {name} has no address: {pending.message}"
        for name, pending in sorted(after.pending.items())
        if name not in before.allocated
    ]
    said = [
        f"Service {name}: {note.message}"
        for name, notes in sorted(after.notes.items())
        for note in notes
        if note not in before.notes.get(name, ())
    ]
    return (*without, *said)


def _explained(change: SessionChange, before: NodeView | None, after: NodeView) -> SessionChange:
    if change.fate is SessionFate.MADE:
        return replace(change, reason=_why_made(change, before))
    if change.fate is SessionFate.REMOVED:
        return replace(change, reason=_why_removed(change, after))
    return change


def _why_made(change: SessionChange, before: NodeView | None) -> str:
    """Return why a session appears, as far as the state before is known."""
    subject = f"BGPPeer {change.name}"
    if before is None:
        return f"{subject} asks for it"
    if change.name in before.peers:
        return f"{subject} has another address, interface or VRF"
    known = {peer.meta.name for peer in before.snapshot.peers.values()}
    return f"{subject} counts on this node now" if change.name in known else f"{subject} is new"


def _why_removed(change: SessionChange, after: NodeView) -> str:
    """Return why a session goes."""
    subject = f"BGPPeer {change.name}"
    if change.name in after.peers:
        return f"{subject} has another address, interface or VRF"
    for mistake in (*after.decision.mistakes, *after.missing):
        if mistake.kind == Kind.BGP_PEER and mistake.name.rpartition("/")[2] == change.name:
            is_left_out = mistake.message.startswith("left out")
            return f"{subject} {'is' if is_left_out else f'cannot be read: {mistake.field}:'} {mistake.message}"
    if all(peer.meta.name != change.name for peer in after.snapshot.peers.values()):
        return f"{subject} is gone"
    return f"{subject} no longer selects this node"
