"""Whether a Service keeps the addresses that it has, and what is odd about them.

Edits of pools never take an address away: it stays and a note says what no longer fits. Only the Service
itself gives it up: other addresses, another pool or another family asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from frrsync.core.address_space import family_of, is_avoidable, number_of_text, text_of
from frrsync.core.allocation import Allocation, Note, NoteReason

if TYPE_CHECKING:
    from frrsync.core.pool import PoolTable, SoundPool
    from frrsync.core.request import Request


class Holding(NamedTuple):
    """Addresses that a Service keeps if nobody older stands in the way."""

    request: Request
    allocation: Allocation
    numbers: tuple[int, ...]
    notes: tuple[Note, ...] = ()


def keep(request: Request, previous: Allocation, table: PoolTable) -> Holding | None:
    """Return what a Service keeps of its addresses; None if it asks for something else.

    An empty ``previous.pool`` means that the pool is not known; then an address of no pool is not kept.
    """
    numbers = tuple(map(number_of_text, previous.addresses))
    owner = table.owner(numbers[0])
    if (
        # By far the most common case, in few steps: nothing is asked for, and nothing is odd about it.
        owner is not None
        and owner.is_plain
        and owner.name == previous.pool
        and owner is table.owner(numbers[-1])
        and request.plain
        and tuple(map(family_of, numbers)) in request.families.attempts
    ):
        return Holding(request, previous, numbers)
    numbers = tuple(sorted(set(numbers)))
    if request.problem is None:
        wanted = _wanted(request, numbers)
        if not wanted:
            return None
        numbers = wanted
    owners = tuple(map(table.owner, numbers))
    pool = _pool_name(request, previous.pool, owners)
    if not pool:
        return None
    allocation = Allocation(addresses=tuple(map(text_of, numbers)), pool=pool)
    allocation = previous if allocation == previous else allocation
    return Holding(request, allocation, numbers, _notes(request, pool, numbers, owners, table))


def _wanted(request: Request, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Return the part of the addresses that the Service still wants."""
    if request.numbers and request.numbers != numbers:
        return ()
    held = tuple(map(family_of, numbers))
    fitting = request.families.fitting(held)
    if fitting == held:
        return numbers
    return () if request.numbers else tuple(number for number in numbers if family_of(number) in fitting)


def _pool_name(request: Request, recorded: str, owners: tuple[SoundPool | None, ...]) -> str:
    """Return the pool that the addresses count to; empty if the Service asks for another one.

    A range that moved to another pool takes its addresses along. With a pool asked for by name that would
    contradict the request, which the Service did not change: then the recorded name stays.
    """
    names = {owner.name if owner else "" for owner in owners}
    name = names.pop() if len(names) == 1 else ""
    if request.pool and request.problem is None:
        return request.pool if request.pool in {recorded, name} else ""
    return name or recorded


def _notes(
    request: Request,
    pool: str,
    numbers: tuple[int, ...],
    owners: tuple[SoundPool | None, ...],
    table: PoolTable,
) -> tuple[Note, ...]:
    notes: list[Note] = []
    if request.problem is not None:
        notes.append(Note(reason=NoteReason.KEPT_INVALID_REQUEST, message=f"{request.problem.message}; addresses kept"))
    for number, owner in zip(numbers, owners, strict=True):
        if owner is None:
            text = f"{text_of(number)} came from IPAddressPool {pool} and is in no pool any more; kept"
            notes.append(Note(reason=NoteReason.KEPT_NOT_IN_POOL, message=text))
        elif owner.resource.avoid_buggy_ips and is_avoidable(number):
            text = f"{text_of(number)} is avoided by IPAddressPool {owner.name} (avoidBuggyIPs) now; kept"
            notes.append(Note(reason=NoteReason.KEPT_AVOIDED, message=text))
        if owner is not None and not table.allows(owner, request.service):
            text = f"IPAddressPool {owner.name} of {text_of(number)} does not serve this Service any more; kept"
            notes.append(Note(reason=NoteReason.KEPT_NOT_ALLOWED, message=text))
    return tuple(notes)
