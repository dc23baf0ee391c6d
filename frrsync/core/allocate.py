"""Which Service gets which address, or why it gets none.

An address in use never changes by itself. Who has one keeps it, whatever happens to pools; only the
Service itself gives it up, by asking for something else. In this order:

1. recorded addresses are kept; of two Services that cannot share one, the older keeps it
2. addresses that only a status names are taken over as they are
3. explicit requests
4. everybody else, the lowest free address first
5. the second address of those that want both families and have one

Within a step the older Service goes first, then the lower ``namespace/name``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.core.allocation import Allocation, Allocations, Note, NoteReason, Pending, PendingReason
from frrsync.core.changes import changed_keys
from frrsync.core.ledger import Ledger
from frrsync.core.pool import PoolTable, pool_mistakes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.core.model import IPAddressPool, Namespace, NamespacedName, Service, Snapshot

__all__ = [
    "Allocation",
    "Allocations",
    "Allocator",
    "Note",
    "NoteReason",
    "Pending",
    "PendingReason",
    "allocate",
    "pool_mistakes",
]


_UNTIL_FREED = frozenset({PendingReason.NO_POOL, PendingReason.POOL_EXHAUSTED, PendingReason.FAMILY_NOT_IN_POOL})
"""Reasons that stay true, word for word, until something becomes free."""

_UNREADABLE = "its manifest is missing, but not all manifests could be read; kept"


def allocate(
    snapshot: Snapshot, record: Mapping[NamespacedName, Allocation], *, load_balancer_class: str
) -> Allocations:
    """Return an address or a reason for every Service of our class; the same answer for the same input."""
    return Allocator(record, load_balancer_class=load_balancer_class).update(snapshot)


class Allocator:
    """Gives the same answer as ``allocate``, and gives it quickly after a small change.

    It decides anew only for Services that are other objects than before, and for those that they concern.
    """

    def __init__(self, record: Mapping[NamespacedName, Allocation], *, load_balancer_class: str) -> None:
        self._class = load_balancer_class
        self._services: Mapping[NamespacedName, Service] = {}
        self._pools: Mapping[str, IPAddressPool] = {}
        self._namespaces: Mapping[str, Namespace] = {}
        self._unseen = frozenset(record)
        self._record = record
        self._result = Allocations(allocated={}, pending={}, notes={})
        self._ledger: Ledger | None = None

    def update(self, snapshot: Snapshot, *, complete: bool = True) -> Allocations:
        """Decide for a snapshot; the record is what the last call returned. Nothing new: the same object.

        With ``complete`` False a part of the input could not be read: a recorded Service that was never
        seen keeps its addresses, because it may be in the part that is missing.
        """
        before, self._services = self._services, snapshot.services
        unseen = frozenset(() if complete else (name for name in self._unseen if name not in snapshot.services))
        everything = (
            self._ledger is None
            or bool(unseen or self._unseen)
            or bool(changed_keys(self._pools, snapshot.pools))
            or bool(changed_keys(self._namespaces, snapshot.namespaces))
        )
        self._unseen = unseen
        self._pools, self._namespaces = snapshot.pools, snapshot.namespaces
        # None until the end: after an error in between, the next call starts from the last record.
        ledger, self._ledger = self._ledger, None
        if everything or ledger is None:
            ledger = self._decide_all()
        else:
            changed = changed_keys(before, snapshot.services)
            if changed:
                self._decide(ledger, changed)
        self._ledger = ledger
        self._result = self._publish(ledger)
        self._record = self._result.allocated
        return self._result

    def _decide_all(self) -> Ledger:
        """Decide for every Service, from what is recorded."""
        record = dict(self._record)
        unseen = {name: record.pop(name) for name in sorted(self._unseen)}
        table = PoolTable(self._pools, self._namespaces)
        ledger = Ledger(table, record, load_balancer_class=self._class)
        waiting = ledger.settle(dict.fromkeys([*self._services, *record]), self._services)
        for name, allocation in unseen.items():
            ledger.hold_unseen(name, allocation, _UNREADABLE)
        ledger.serve(waiting)
        ledger.add_second(list(ledger.single))
        ledger.explain()
        return ledger

    def _decide(self, ledger: Ledger, changed: Iterable[NamespacedName]) -> None:
        """Decide for changed Services, for those at the same addresses, and for those that wait."""
        services = self._services
        names = dict.fromkeys(changed)
        for name in changed:
            names.update(dict.fromkeys(ledger.neighbours(name)))
        held = {name: ledger.numbers_of(name) for name in names}
        opened = any(map(ledger.opens_more, names))
        waiting = ledger.settle(names, services)
        # Who waits for anything free needs no second look while addresses are only taken.
        opened = opened or any(
            ledger.opens_more(name)
            or not set(numbers) <= set(ledger.numbers_of(name))
            or (name in services and bool(services[name].ingress))
            for name, numbers in held.items()
        )
        again = [
            name
            for name, pending in ledger.pending.items()
            if opened or pending.reason not in _UNTIL_FREED or ledger.opens_more(name)
        ]
        waiting += ledger.settle(again, services)
        names.update(dict.fromkeys(again))
        ledger.serve(waiting)
        ledger.add_second([name for name in ledger.single if opened or name in names])
        ledger.explain()

    def _publish(self, ledger: Ledger) -> Allocations:
        """Return what holds now; a part that says the same as before is the same object."""
        last = self._result
        allocated = last.allocated if last.allocated == ledger.allocated else ledger.allocated.copy()
        pending = last.pending if last.pending == ledger.pending else ledger.pending.copy()
        notes = last.notes if last.notes == ledger.notes else ledger.notes.copy()
        if allocated is last.allocated and pending is last.pending and notes is last.notes:
            return last
        return Allocations(allocated=allocated, pending=pending, notes=notes)
