"""One node's part of a plan that is only shown: lines, commands, sessions and prefixes from two trees. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.core.preview import NodePreview, PlannedCommand, SessionChange, SessionFate
from frrsync.frr import shared
from frrsync.frr.diff import make_plan
from frrsync.frr.effect import effect_of, prefix_changes
from frrsync.frr.secrets import redacted
from frrsync.frr.tree import difference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.frr.effect import Effect, PeerKey
    from frrsync.frr.plan import Reset
    from frrsync.frr.tree import Tree


def node_preview(node: str, frr_version: str, running: Tree, desired: Tree, *, is_shared: bool = False) -> NodePreview:
    """Return what leads from one managed configuration to the other, and what that means; without passwords."""
    running, desired = redacted(running), redacted(desired)
    plan = (shared.make_plan if is_shared else make_plan)(running, desired)
    before, after = effect_of(running), effect_of(desired)
    return NodePreview(
        node=node,
        frr_version=frr_version,
        removed=tuple(difference(running, desired)),
        added=tuple(difference(desired, running)),
        commands=tuple(
            PlannedCommand(daemon=str(command.daemon), context=command.context, line=command.line)
            for command in plan.commands
        ),
        sessions=tuple(_sessions(before, after, plan.resets, _changed_vrfs(running, desired))),
        peers=prefix_changes(before, after),
    )


def _changed_vrfs(running: Tree, desired: Tree) -> frozenset[str]:
    """Return the VRFs whose instance changes: a plan names the peers of its resets without their VRF."""
    lines = [line for line in {**running, **desired} if line.startswith("router bgp ")]
    return frozenset(line.partition(" vrf ")[2] for line in lines if running.get(line) != desired.get(line))


def _sessions(
    before: Effect, after: Effect, resets: tuple[Reset, ...], vrfs: frozenset[str]
) -> Iterator[SessionChange]:
    for key in before:
        if key not in after:
            yield _session(key, before, SessionFate.REMOVED)
    for key in after:
        if key not in before:
            yield _session(key, after, SessionFate.MADE)
        for reset in resets:
            if reset.peer == key.peer and key in before and key.vrf in vrfs:
                yield _session(key, after, SessionFate.RESET, reset.reason)
                break


def _session(key: PeerKey, views: Effect, fate: SessionFate, reason: str = "") -> SessionChange:
    return SessionChange(peer=key.peer, vrf=key.vrf, name=views[key].name, fate=fate, reason=reason)
