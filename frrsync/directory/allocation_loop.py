"""Allocation on a folder of manifests: one step per state, the record always ahead of those who use it.

Used by ``frrsync controller`` and, in the same process as the agent, by ``frrsync run``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from frrsync import log
from frrsync.core.allocate import Allocator
from frrsync.core.allocation import Allocations
from frrsync.core.changes import changed_keys
from frrsync.core.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.core.allocation import Allocation, Note, Pending
    from frrsync.core.model import NamespacedName
    from frrsync.directory.state import OwnedRecord
    from frrsync.directory.store import DirectoryState

_Value = TypeVar("_Value")
_Event = tuple[str, dict[str, object]]

MOST_EVENTS = 100
"""Most log events of one step; the rest is counted in one more. Ten thousand lines would delay the addresses."""

_OTHER_KINDS = frozenset(Kind) - {Kind.SERVICE}


class AllocationLoop:
    """Allocates for one state of the folder after the other; owned by one thread."""

    def __init__(self, record: OwnedRecord, *, load_balancer_class: str) -> None:
        self._record = record
        self._allocator = Allocator(record.allocated, load_balancer_class=load_balancer_class)
        self._log = log.get("allocation")
        self._told = Allocations(allocated=record.allocated, pending={}, notes={})

    def step(self, state: DirectoryState) -> Allocations:
        """Return the addresses for a state that came from a complete pass over the folder.

        They are in the record when they are returned; raises ConfigError if it cannot be written, and then
        nothing has changed for anybody: the next step tries again. No change: the same object as before.
        """
        result = self._allocator.update(state.snapshot, complete=is_complete(state))
        self._record.write(result.allocated)
        if result is not self._told:
            self._tell(self._told, result)
            self._told = result
        return result

    def repair(self) -> None:
        """Write the record again if somebody else deleted or changed it."""
        if not self._record.is_intact():
            self._log.warning("record_written_again", reason="another process deleted or changed it")
            self._record.write(self._record.allocated, always=True)

    def _tell(self, before: Allocations, after: Allocations) -> None:
        events: list[_Event] = []
        for name in _differing(before.allocated, after.allocated):
            events += _address_events(name, before.allocated.get(name), after.allocated.get(name))
        for name in _differing(before.pending, after.pending):
            pending = after.pending.get(name)
            if pending is not None:
                events.append(("service_pending", _why(name, pending)))
        for name in _differing(before.notes, after.notes):
            for note in after.notes.get(name, ()):
                events.append(("address_note", _why(name, note)))
        for event, details in events[:MOST_EVENTS]:
            (self._log.info if event.startswith("address_") else self._log.warning)(event, **details)
        if len(events) > MOST_EVENTS:
            self._log.info("more_events", count=len(events) - MOST_EVENTS)


def is_complete(state: DirectoryState) -> bool:
    """Say whether every Service of the folder could be read, as far as anybody can tell."""
    return all(mistake.kind in _OTHER_KINDS for mistake in state.mistakes)


def _differing(
    before: Mapping[NamespacedName, _Value], after: Mapping[NamespacedName, _Value]
) -> Iterable[NamespacedName]:
    return sorted(name for name in changed_keys(before, after) if before.get(name) != after.get(name))


def _why(name: NamespacedName, said: Pending | Note) -> dict[str, object]:
    return {"service": str(name), "reason": str(said.reason), "message": said.message}


def _address_events(name: NamespacedName, before: Allocation | None, after: Allocation | None) -> list[_Event]:
    """Return what happened to the addresses of one Service."""
    events: list[_Event] = []
    old, new = (before.addresses if before else ()), (after.addresses if after else ())
    released = [address for address in old if address not in new]
    allocated = [address for address in new if address not in old]
    if before and released:
        events.append(("address_released", {"service": str(name), "addresses": released, "pool": before.pool}))
    if after and allocated:
        events.append(("address_allocated", {"service": str(name), "addresses": allocated, "pool": after.pool}))
    if before and after and before.pool != after.pool and not allocated:
        events.append(("address_pool_changed", {"service": str(name), "pool": after.pool, "before": before.pool}))
    return events
