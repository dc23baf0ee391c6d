"""``frrsync plan --from DIR --to DIR``: what every node would do when one folder replaces the other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from frrsync.cli.plan_guard import guard_note
from frrsync.cli.plan_mistakes import MistakeBook
from frrsync.cli.plan_node import NodePlanner, notes_on_addresses, notes_on_unknown, preview_of
from frrsync.core.allocate import Allocator
from frrsync.core.precedence import Precedence
from frrsync.core.preview import Preview, Side, service_changes
from frrsync.directory.allocation_loop import is_complete
from frrsync.directory.state import read_record
from frrsync.directory.succession import FolderSuccession
from frrsync.errors import ConfigError, RenderError
from frrsync.frr.render import Renderer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from frrsync.cli.plan_node import NodeView
    from frrsync.core.allocation import Allocation
    from frrsync.core.model import Mistake, NamespacedName
    from frrsync.core.preview import NodePreview
    from frrsync.frr.dialect import Dialect
    from frrsync.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One of the two states: its folder, and its templates if it has some."""

    folder: Path
    templates: Path | None


@dataclass(slots=True, kw_only=True)
class _Plan:
    """What one run of the command works with."""

    settings: Settings
    dialect: Dialect
    nodes: tuple[str, ...]
    folders: FolderSuccession
    allocator: Allocator
    planners: dict[str, NodePlanner] = field(default_factory=dict)
    mistakes: MistakeBook

    def planner(self, node: str) -> NodePlanner:
        """Return the planner of a node, the same for both states: what ran counts."""
        return self.planners.setdefault(node, NodePlanner(node, self.settings, self.dialect))


def folder_preview(
    settings: Settings, dialect: Dialect, nodes: tuple[str, ...], before: State, after: State
) -> Preview:
    """Return what the nodes would do; without names, every Node of the two folders."""
    allocator = Allocator(read_record(settings.state_dir), load_balancer_class=settings.load_balancer_class)
    with FolderSuccession(settings.config_namespace) as folders:
        plan = _Plan(
            settings=settings,
            dialect=dialect,
            nodes=nodes,
            folders=folders,
            allocator=allocator,
            mistakes=MistakeBook(settings.load_balancer_class),
        )
        return _preview(plan, before, after)


def _preview(plan: _Plan, before: State, after: State) -> Preview:
    old = _Stage(plan, Side.FROM, before)
    views = old.views(plan.nodes or old.nodes)
    new = _Stage(plan, Side.TO, after, Precedence(snapshot=old.snapshot))
    names = plan.nodes or tuple(sorted({*old.nodes, *new.nodes}))
    if not names:
        raise ConfigError(f"found no Node in {before.folder} and {after.folder}: name one or more with --node")
    # Only now it is known which nodes come; their mistakes in the state before are nobody's any more.
    views |= old.views([name for name in names if name not in views], tell=False)
    later = new.views(names)
    planned = [name for name in names if name in views and name in later]
    held = [
        guard_note(plan.settings, name, plan.planner(name), (views[name], old.given), (later[name], new.given))
        for name in planned
    ]
    notes = [
        *old.notes(names),
        *new.notes(names),
        *filter(None, held),
        *notes_on_addresses(old.addresses, new.addresses),
    ]
    return Preview(
        sources={Side.FROM: str(before.folder), Side.TO: str(after.folder)},
        nodes=tuple(_node(plan, name, views[name], later[name]) for name in planned),
        services=service_changes(old.addresses, new.addresses),
        mistakes=plan.mistakes.all(),
        unplanned=tuple(name for name in names if name not in planned),
        notes=tuple(dict.fromkeys(notes)),
    )


def _node(plan: _Plan, name: str, before: NodeView, after: NodeView) -> NodePreview:
    is_shared = plan.settings.frr_mode == "shared"
    return preview_of(name, plan.dialect, before.tree, after, before, is_shared=is_shared)


class _Stage:
    """One of the two states: read when it is made, the earlier one first."""

    def __init__(self, plan: _Plan, side: Side, state: State, before: Precedence | None = None) -> None:
        self._plan, self._side, self._folder = plan, side, state.folder
        self._renderer = Renderer(state.templates, plan.dialect)
        found = plan.folders.read(state.folder)
        self.snapshot = found.snapshot
        self._unknown: list[str] = []
        plan.mistakes.of_folder(side, found, before or Precedence(), self._located)
        self.addresses = plan.allocator.update(found.snapshot, complete=is_complete(found))

    @property
    def given(self) -> Mapping[NamespacedName, Allocation]:
        """Return the address of every Service that has one."""
        return self.addresses.allocated

    @property
    def nodes(self) -> tuple[str, ...]:
        """Return the names of the Node objects."""
        return tuple(sorted(self.snapshot.nodes))

    def views(self, names: Iterable[str], *, tell: bool = True) -> dict[str, NodeView]:
        """Return what the state means on each node; one that cannot be rendered is left out with a mistake."""
        views = {}
        for name in names:
            planner = self._plan.planner(name)
            decision = planner.decide(self.snapshot, self.addresses.allocated)
            decision = replace(decision, mistakes=tuple(map(self._located, decision.mistakes)))
            if tell:
                self._plan.mistakes.of_node(self._side, name, decision.mistakes)
            try:
                rendered = self._renderer.render(decision.config)
            except (ConfigError, RenderError) as error:
                self._plan.mistakes.of_rendering(self._side, name, error)
                continue
            unknown = tuple(map(self._located, planner.unknown))
            views[name] = replace(planner.view(self.snapshot, decision, rendered), missing=unknown)
            self._unknown += [note for note in notes_on_unknown(unknown) if note not in self._unknown]
        return views

    def _located(self, mistake: Mistake) -> Mistake:
        return self._plan.folders.located(mistake, self._folder)

    def notes(self, names: Iterable[str]) -> list[str]:
        """Return a note for each node that the folder does not know although it knows others."""
        if not self.snapshot.nodes:
            return self._unknown
        unknown = [name for name in names if name not in self.snapshot.nodes]
        return [*self._unknown, *(f"no Node {name} in {self._folder}, taken as one without labels" for name in unknown)]
