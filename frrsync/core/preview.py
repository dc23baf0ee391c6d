"""What a change would do, node by node: the document of ``frrsync plan``.

The member names are a contract (``docs/plan.md`` and ``docs/plan.schema.json``): members are added, never
renamed or removed. Passwords never get here; whoever makes these values hides them before.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from frrsync.core.redact import redact
from frrsync.core.status_document import mistake_document

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.core.allocation import Allocations
    from frrsync.core.model import Mistake, NamespacedName

Document = dict[str, Any]
Path = tuple[str, ...]
"""The lines from the top of a configuration to a line, that line included."""


class Side(StrEnum):
    """Which of the two states something is about."""

    FROM = "from"
    TO = "to"


class Outcome(StrEnum):
    """The answer of a plan in one word; each has its exit code."""

    NOTHING = "nothing"
    CHANGES = "changes"
    MISTAKES = "mistakes"


class SessionFate(StrEnum):
    """What becomes of a session."""

    MADE = "made"
    REMOVED = "removed"
    RESET = "reset"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteAttributes:
    """What one peer sees of one prefix, as far as the configuration decides it.

    Attributes:
        as_path: the ASNs, nearest first; empty on an internal session without prepending.
        communities, large_communities: sorted.
        local_preference: None on an external session, which does not carry it.
        other: lines of templates that touch the route in a way that is not computed, word for word.

    """

    as_path: tuple[int, ...] = ()
    communities: tuple[str, ...] = ()
    large_communities: tuple[str, ...] = ()
    local_preference: int | None = None
    other: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixChange:
    """One prefix at one peer: gained without ``before``, lost without ``after``, moved with both."""

    prefix: str
    before: RouteAttributes | None
    after: RouteAttributes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerChange:
    """The prefixes that change at one peer; ``name`` is that of its BGPPeer."""

    peer: str
    vrf: str
    name: str
    prefixes: tuple[PrefixChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChange:
    """A session that comes, goes, or is lost for a moment, and why."""

    peer: str
    vrf: str
    name: str
    fate: SessionFate
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCommand:
    """One line that would be sent, to whom, and below which lines."""

    daemon: str
    context: Path
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePreview:
    """What would happen on one node.

    Attributes:
        removed, added: how the configurations differ, as paths of lines.
        commands: what would be sent, in this order.

    """

    node: str
    frr_version: str
    removed: tuple[Path, ...] = ()
    added: tuple[Path, ...] = ()
    commands: tuple[PlannedCommand, ...] = ()
    sessions: tuple[SessionChange, ...] = ()
    peers: tuple[PeerChange, ...] = ()

    def __bool__(self) -> bool:
        """Say whether anything would be sent."""
        return bool(self.commands)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChange:
    """A Service whose addresses change, and why it loses one."""

    service: NamespacedName
    before: tuple[str, ...]
    after: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMistake:
    """A mistake and the state that has it; ``node`` is empty for one that every node has."""

    side: Side
    mistake: Mistake
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The whole answer.

    Attributes:
        sources: what stands on either side: a folder, a running FRR.
        unplanned: nodes for which no plan could be made; the mistakes say why.
        notes: what is no mistake and would surprise all the same.

    """

    sources: Mapping[Side, str]
    nodes: tuple[NodePreview, ...]
    services: tuple[ServiceChange, ...] = ()
    mistakes: tuple[FoundMistake, ...] = ()
    unplanned: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Return the answer; what is wrong on the side of ``from`` only is about to be corrected."""
        if self.unplanned or any(found.side is Side.TO for found in self.mistakes):
            return Outcome.MISTAKES
        return Outcome.CHANGES if any(self.nodes) or self.services else Outcome.NOTHING


def service_changes(before: Allocations, after: Allocations) -> tuple[ServiceChange, ...]:
    """Return the Services that get other addresses than they have, sorted by name."""
    found = []
    for name in sorted({*before.allocated, *after.allocated}):
        old, new = before.allocated.get(name), after.allocated.get(name)
        had, has = (old.addresses if old else ()), (new.addresses if new else ())
        if had == has:
            continue
        pending = after.pending.get(name)
        reason = pending.message if pending else "" if new else "no Service of ours has this name any more"
        found.append(ServiceChange(service=name, before=had, after=has, reason=reason))
    return tuple(found)


def document(preview: Preview) -> Document:
    """Return the document of ``frrsync plan --output json``: plain values."""
    return {
        "api_version": "v1",
        "outcome": str(preview.outcome),
        "from": preview.sources[Side.FROM],
        "to": preview.sources[Side.TO],
        "nodes": [_node(node) for node in preview.nodes],
        "unplanned_nodes": list(preview.unplanned),
        "services": [_service(change) for change in preview.services],
        "mistakes": [
            {"side": str(found.side), "node": found.node or None, **mistake_document(found.mistake)}
            for found in preview.mistakes
        ],
        "notes": [redact(note) for note in preview.notes],
    }


def _node(node: NodePreview) -> Document:
    return {
        "node": node.node,
        "frr_version": node.frr_version,
        "changed": bool(node),
        "lines": {"remove": _lists(node.removed), "add": _lists(node.added)},
        "commands": [
            {"daemon": command.daemon, "context": list(command.context), "line": command.line}
            for command in node.commands
        ],
        "sessions": [_session(change) for change in node.sessions],
        "peers": [_peer(change) for change in node.peers],
        "counts": _counts(node),
    }


def _session(change: SessionChange) -> Document:
    return {
        "peer": change.peer,
        "vrf": change.vrf,
        "name": change.name,
        "change": str(change.fate),
        "reason": redact(change.reason),
    }


def _peer(change: PeerChange) -> Document:
    gained = [item for item in change.prefixes if item.before is None]
    lost = [item for item in change.prefixes if item.after is None]
    moved = [item for item in change.prefixes if item.before is not None and item.after is not None]
    return {
        "peer": change.peer,
        "vrf": change.vrf,
        "name": change.name,
        "gained": [{"prefix": item.prefix, "attributes": _attributes(item.after)} for item in gained],
        "lost": [{"prefix": item.prefix, "attributes": _attributes(item.before)} for item in lost],
        "moved": [
            {"prefix": item.prefix, "from": _attributes(item.before), "to": _attributes(item.after)} for item in moved
        ],
    }


def _attributes(attributes: RouteAttributes | None) -> Document | None:
    if attributes is None:
        return None
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(attributes).items()}


def _counts(node: NodePreview) -> Document:
    changes = [item for peer in node.peers for item in peer.prefixes]
    gained, lost = sum(item.before is None for item in changes), sum(item.after is None for item in changes)
    return {
        "lines_removed": len(node.removed),
        "lines_added": len(node.added),
        "commands": len(node.commands),
        **{f"sessions_{fate}": sum(item.fate is fate for item in node.sessions) for fate in SessionFate},
        "prefixes_gained": gained,
        "prefixes_lost": lost,
        "prefixes_moved": len(changes) - gained - lost,
    }


def _service(change: ServiceChange) -> Document:
    return {
        "namespace": change.service.namespace,
        "name": change.service.name,
        "change": _word(change),
        "from": list(change.before),
        "to": list(change.after),
        "reason": change.reason or None,
    }


def _word(change: ServiceChange) -> str:
    if not change.before:
        return "gained"
    if not change.after:
        return "lost"
    return "changed"


def _lists(paths: Iterable[Path]) -> list[list[str]]:
    return [list(path) for path in paths]
