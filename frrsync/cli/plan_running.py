"""``frrsync plan --manifests DIR``: what one node would do, from what its FRR runs now."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from frrsync.cli.plan_mistakes import MistakeBook
from frrsync.cli.plan_node import NodePlanner, Running, notes_on_addresses, notes_on_unknown, preview_of
from frrsync.core.allocate import Allocator
from frrsync.core.allocation import Allocations
from frrsync.core.node_facts import NOTHING_KNOWN, Drain, DrainSource, DrainStage, NodeFacts
from frrsync.core.precedence import Precedence
from frrsync.core.preview import Preview, Side, service_changes
from frrsync.directory.allocation_loop import is_complete
from frrsync.directory.state import read_record
from frrsync.directory.store import check_paths
from frrsync.errors import AgentUnavailable, ConfigError, RenderError
from frrsync.frr.default_route import known_gateways
from frrsync.frr.dialect import dialect_of
from frrsync.frr.effect import effect_of
from frrsync.frr.plan import Daemon
from frrsync.frr.render import Renderer
from frrsync.frr.scope import run_by
from frrsync.frr.session import open_frr

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from frrsync.core.model import Snapshot
    from frrsync.core.preview import NodePreview
    from frrsync.directory.store import DirectoryState
    from frrsync.frr.dialect import Dialect
    from frrsync.frr.render import RenderedConfig
    from frrsync.settings import FrrMode, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one FRR runs, and what is true of its node.

    Attributes:
        source: who was asked.
        node: the name that the agent gave; empty when FRR itself was asked.
        reachable: the daemons that answered; nothing is known about the others.
        running: without passwords when an agent was asked, they never leave it.
        notes: what the agent has to say beside.

    """

    source: str
    node: str
    dialect: Dialect
    frr_mode: FrrMode
    reachable: Collection[Daemon]
    running: Running
    facts: NodeFacts = NOTHING_KNOWN
    notes: tuple[str, ...] = ()

    @property
    def peers(self) -> frozenset[str]:
        """Return the BGPPeers that have a session, by the descriptions of the neighbors."""
        return frozenset(view.name for view in effect_of(self.running.tree).values())


def find(settings: Settings, node: str) -> Found:
    """Return what runs: from the agent if there is one, else from FRR itself."""
    from frrsync.api.client import agent_sockets, find_agent

    sockets = agent_sockets(settings.run_dir)
    if node in sockets or (sockets and not node):
        try:
            return _from_agent(find_agent(settings.run_dir, node))
        except AgentUnavailable as error:
            if len(sockets) > 1 and not node:
                raise  # somebody has to say which one is meant
            return replace(_from_frr(settings), notes=(f"{error}; asked FRR itself",))
    return _from_frr(settings)


def _from_agent(socket: Path) -> Found:
    from frrsync.api.client import AgentClient

    client = AgentClient(socket)
    found, status = client.managed(), client.status()
    return Found(
        source=f"agent of node {found['node']} at {socket}",
        node=found["node"],
        dialect=dialect_of(f"FRRouting {found['frr_version']} --enable-multipath={found['maximum_paths']}"),
        frr_mode="shared" if found["frr_mode"] == "shared" else "owned",
        reachable=[Daemon(name) for name in found["daemons"]],
        running=Running(tree=found["tree"], whole=found["whole"]),
        facts=NodeFacts(default_gateways=_gateways(found["default_gateways"]), drain=_ordered_drain(status)),
        notes=tuple(_notes_of(status)),
    )


def _from_frr(settings: Settings) -> Found:
    with closing(open_frr(settings)) as frr:
        tree = frr.read()
        return Found(
            source=f"FRR at {settings.vty_dir / settings.frr_namespace}",
            node="",
            dialect=frr.dialect,
            frr_mode=settings.frr_mode,
            reachable=frr.reachable,
            running=Running(tree=tree, whole=frr.whole),
            facts=NodeFacts(default_gateways=_gateways(known_gateways(frr))),
        )


def _gateways(found: Collection[str] | None) -> tuple[str, ...] | None:
    return None if found is None else tuple(found)


def _ordered_drain(status: dict[str, Any]) -> Drain | None:
    """Return the drain that was ordered; one that a manifest asks for follows from the folder that is planned for."""
    drain = status["drain"]
    if drain is None or DrainSource.ORDER not in drain["asked_by"]:
        return None
    return Drain(stage=DrainStage(drain["stage"]), asked_by=(DrainSource.ORDER,))


def _notes_of(status: dict[str, Any]) -> list[str]:
    """Return what keeps the agent from doing at once what is planned."""
    notes = [f"the agent says: {one['message']}" for one in status["problems"] if one["code"] in _IN_THE_WAY]
    if status["observe"]:
        notes.append("the agent only observes: it would send nothing")
    if _ordered_drain(status):
        notes.append(f"the node is drained by order, and stays so in the plan: {status['drain']['stage']}")
    return notes


_HELD = "what cannot be read is missing here; an agent that read it before keeps what it was"
_IN_THE_WAY = frozenset({"paused", "withdrawalHeld", "blocked"})


def running_preview(settings: Settings, folder: Path, node: str) -> Preview:
    """Return what a node would do with this folder; without a name the only agent's, or the only Node."""
    found = find(settings, node)
    state = check_paths([folder], settings.config_namespace)
    name = found.node or node or _only_node(state.snapshot, folder)
    record = read_record(settings.state_dir)
    before = Allocations(allocated=record, pending={})
    allocator = Allocator(record, load_balancer_class=settings.load_balancer_class)
    after = allocator.update(state.snapshot, complete=is_complete(state))
    planning = _Planning(settings, found, name)
    planned = planning.plan(state, after)
    return Preview(
        sources={Side.FROM: found.source, Side.TO: str(folder)},
        nodes=() if planned is None else (planned,),
        services=service_changes(before, after),
        mistakes=planning.mistakes.all(),
        unplanned=(name,) if planned is None else (),
        notes=(*planning.notes, *_notes(found, name, state.snapshot, folder), *notes_on_addresses(before, after)),
    )


class _Planning:
    """The plan of one running node."""

    def __init__(self, settings: Settings, found: Found, node: str) -> None:
        self._found, self._node = found, node
        self._settings = replace(settings, node=node, frr_mode=found.frr_mode)
        self.mistakes = MistakeBook(settings.load_balancer_class)
        self.notes: list[str] = []

    def plan(self, state: DirectoryState, addresses: Allocations) -> NodePreview | None:
        """Return the node's part, or None with a mistake in the book."""
        found, node = self._found, self._node
        self.mistakes.of_folder(Side.TO, state, Precedence(running={node: found.peers}), lambda mistake: mistake)
        planner = NodePlanner(node, self._settings, found.dialect, found.peers, found.facts)
        decision = planner.decide(state.snapshot, addresses.allocated)
        self.mistakes.of_node(Side.TO, node, decision.mistakes)
        try:
            rendered = Renderer(self._settings.templates, found.dialect).render(decision.config)
        except (ConfigError, RenderError) as error:
            self.mistakes.of_rendering(Side.TO, node, error)
            return None
        view = planner.view(state.snapshot, decision, self._reprinted(rendered), found.running)
        self.notes = [*notes_on_unknown(planner.unknown), *view.obstacles]
        if state.mistakes:
            self.notes.append(_HELD)
        reached = replace(view, tree=run_by(view.tree, found.reachable), missing=(*planner.unknown, *state.mistakes))
        is_shared = found.frr_mode == "shared"
        return preview_of(node, found.dialect, found.running.tree, reached, is_shared=is_shared)

    def _reprinted(self, rendered: RenderedConfig) -> RenderedConfig:
        """Return the configuration in FRR's form, as far as the agent has learned it."""
        from frrsync.agent.reprinting import Reprinting

        learned = Reprinting(self._settings.run_dir / f"reprints-{self._node}.json")
        learned.use(self._found.dialect.version)
        return learned.apply(rendered)


def _only_node(snapshot: Snapshot, folder: Path) -> str:
    if len(snapshot.nodes) != 1:
        known = ", ".join(sorted(snapshot.nodes)) or "none"
        raise ConfigError(f"no agent answers for itself and {folder} has not one Node ({known}): name it with --node")
    return next(iter(snapshot.nodes))


def _notes(found: Found, node: str, snapshot: Snapshot, folder: Path) -> list[str]:
    notes = [*found.notes]
    if snapshot.nodes and node not in snapshot.nodes:
        notes.append(f"no Node {node} in {folder}, taken as one without labels")
    silent = [str(daemon) for daemon in (Daemon.BGPD, Daemon.BFDD) if daemon not in found.reachable]
    if silent:
        notes.append(f"{', '.join(silent)} did not answer: its part is left out, as the agent would")
    return notes
