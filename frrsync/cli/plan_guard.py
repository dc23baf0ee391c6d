"""What the agent's guard against mass withdrawal would hold back of a planned change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.agent.inputs import Known
from frrsync.agent.vanished import Gone, prefixes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frrsync.cli.plan_node import NodePlanner, NodeView
    from frrsync.core.allocation import Allocation
    from frrsync.core.model import NamespacedName
    from frrsync.settings import Settings


def guard_note(
    settings: Settings,
    node: str,
    planner: NodePlanner,
    before: tuple[NodeView, Mapping[NamespacedName, Allocation]],
    after: tuple[NodeView, Mapping[NamespacedName, Allocation]],
) -> str:
    """Return a note if an agent would hold the change back for a while, else an empty text."""
    (old, had), (new, has) = before, after
    known = Known(snapshot=new.snapshot, allocated=has)
    announced = prefixes_of(old.decision)
    lost = announced - prefixes_of(new.decision)
    if not _is_too_much(settings, len(lost), len(announced)):
        return ""
    gone = Gone.between(Known(snapshot=old.snapshot, allocated=had), known)
    kept = gone.put_back(known)
    saved = len(lost & prefixes_of(planner.decide(kept.snapshot, kept.allocated))) if gone else 0
    if not _is_too_much(settings, saved, len(announced)):
        return ""
    return (
        f"node {node}: {saved} of {len(announced)} prefixes go with objects that vanish; its agent holds that back "
        f"until frrsync confirm, {settings.guard_time:g} s at most (--guard-percent {settings.guard_percent})"
    )


def _is_too_much(settings: Settings, lost: int, announced: int) -> bool:
    return announced >= settings.guard_minimum and 100 * lost > settings.guard_percent * announced
