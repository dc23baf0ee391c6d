"""Choosing an address for a Service that has none, or saying why there is none for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from frrsync.core.address_space import family_of, is_avoidable, obstacle, text_of
from frrsync.core.allocation import Pending, PendingReason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frrsync.core.address_space import AddressSpace
    from frrsync.core.pool import PoolTable, SoundPool
    from frrsync.core.request import Request


@dataclass(frozen=True, slots=True)
class Choice:
    """Addresses for one Service, all from one pool."""

    pool: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chooser:
    """Looks for addresses in the pools; takes none."""

    table: PoolTable
    space: AddressSpace

    def explicit(self, request: Request) -> Choice | Pending:
        """Return the addresses that a Service asks for, or why it cannot have them."""
        families = tuple(map(family_of, request.numbers))
        if families not in request.families.requestable:
            allowed = ", or ".join(
                " and ".join(f"one IPv{family} address" for family in option) for option in request.families.requestable
            )
            return Pending(
                reason=PendingReason.REQUESTED_FAMILY_MISMATCH,
                message=f"it asks for {_texts(request.numbers)}; allowed is {allowed}",
            )
        owners = {number: self.table.owner(number) for number in request.numbers}
        outside = [number for number, owner in owners.items() if owner is None]
        if outside:
            return Pending(
                reason=PendingReason.REQUESTED_ADDRESS_NOT_IN_POOL,
                message=f"it asks for {_texts(outside)}, which no IPAddressPool contains",
            )
        pools = {owner.name: owner for owner in owners.values() if owner is not None}
        if len(pools) > 1 or (request.pool and request.pool not in pools):
            where = f", but has to take them from one pool{f': {request.pool}' if request.pool else ''}"
            return Pending(
                reason=PendingReason.REQUESTED_POOL_MISMATCH,
                message=f"it asks for {_texts(request.numbers)} of IPAddressPool {', '.join(sorted(pools))}{where}",
            )
        (pool,) = pools.values()
        return self._refusal(request, pool) or Choice(pool.name, request.numbers)

    def in_use(self, request: Request, numbers: Iterable[int]) -> str:
        """Say which of the addresses is in use by whom, and why it cannot be shared; empty if none is."""
        for number in numbers:
            user = self.space.opponent(request.name, number)
            if user is not None:
                why = obstacle(request.sharing, self.space.sharing_of(user))
                return f"{text_of(number)} is in use by Service {user} ({why})"
        return ""

    def automatic(self, request: Request) -> Choice | Pending:
        """Return the lowest addresses of the first pool that can give them, or why there are none."""
        groups = self._groups(request)
        if isinstance(groups, Pending):
            return groups
        for pools in groups:
            for families in request.families.attempts:
                for pool in pools:
                    numbers = [self.space.lowest(request.name, pool.ranges, family) for family in families]
                    if None not in numbers:
                        return Choice(pool.name, tuple(number for number in numbers if number is not None))
        tried = [pool for group in groups for pool in group]
        names = ", ".join(pool.name for pool in tried)
        wanted = _words(request)
        if any(set(option) <= pool.families() for option in request.families.attempts for pool in tried):
            return Pending(
                reason=PendingReason.POOL_EXHAUSTED, message=f"no address is free in IPAddressPool {names} ({wanted})"
            )
        return Pending(
            reason=PendingReason.FAMILY_NOT_IN_POOL,
            message=f"IPAddressPool {names} has no addresses of the family ({wanted})",
        )

    def second(self, request: Request, held: int, pool_name: str) -> int | str:
        """Return an address of the other family from the same pool, or in words why there is none."""
        family = 10 - family_of(held)
        pool = self.table.get(pool_name)
        if pool is None or self.table.owner(held) is not pool or not self.table.allows(pool, request.service):
            return (
                f"the IPv{family} address has to come from IPAddressPool {pool_name}, which does not serve it any more"
            )
        found = self.space.lowest(request.name, pool.ranges, family)
        return found if found is not None else f"IPAddressPool {pool_name} has no free IPv{family} address"

    def _groups(self, request: Request) -> tuple[tuple[SoundPool, ...], ...] | Pending:
        """Return the pools to try, in groups of which the later one is tried when the earlier gives nothing."""
        if not request.pool:
            groups = self.table.automatic(request.service)
            return groups or Pending(
                reason=PendingReason.NO_POOL,
                message=f"no IPAddressPool serves namespace {request.name.namespace} automatically"
                if self.table.names()
                else "there is no IPAddressPool",
            )
        pool = self.table.get(request.pool)
        if pool is None:
            known = ", ".join(self.table.names()) or "none"
            return Pending(
                reason=PendingReason.UNKNOWN_POOL,
                message=f"it asks for IPAddressPool {request.pool}, which does not exist; existing: {known}",
            )
        if not self.table.allows(pool, request.service):
            return _not_allowed(pool, request)
        return ((pool,),)

    def _refusal(self, request: Request, pool: SoundPool) -> Pending | None:
        """Return why a Service may not have the addresses that it asks for, though its pool has them."""
        if not self.table.allows(pool, request.service):
            return _not_allowed(pool, request)
        avoided = [number for number in request.numbers if pool.resource.avoid_buggy_ips and is_avoidable(number)]
        if avoided:
            return Pending(
                reason=PendingReason.REQUESTED_ADDRESS_AVOIDED,
                message=f"it asks for {_texts(avoided)}, which IPAddressPool {pool.name} avoids (avoidBuggyIPs)",
            )
        used = self.in_use(request, request.numbers)
        return Pending(reason=PendingReason.REQUESTED_ADDRESS_IN_USE, message=used) if used else None


def _not_allowed(pool: SoundPool, request: Request) -> Pending:
    return Pending(
        reason=PendingReason.POOL_NOT_ALLOWED,
        message=f"IPAddressPool {pool.name} does not serve Service {request.name} (spec.serviceAllocation)",
    )


def _words(request: Request) -> str:
    """Return the families that a Service wants at least, as people read them."""
    attempts = request.families.attempts
    least = [option for option in attempts if not any(set(other) < set(option) for other in attempts)]
    return " or ".join(" and ".join(f"IPv{family}" for family in option) for option in least)


def _texts(numbers: Iterable[int]) -> str:
    return " and ".join(map(text_of, numbers))
