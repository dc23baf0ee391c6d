"""The pools as the allocator uses them: sound ranges only, their order, and whom they serve."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from frrsync.core.address_space import FreeRange, family_of, number_of
from frrsync.core.advertisement import mistake_of, placed
from frrsync.core.model import EMPTY, Kind
from frrsync.core.selector import matches_any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from frrsync.core.address import AddressRange
    from frrsync.core.model import IPAddressPool, Mistake, Namespace, Service, Snapshot

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
"""Every namespace of a cluster has it; a plain manifest need not say it."""


def pool_mistakes(snapshot: Snapshot) -> tuple[Mistake, ...]:
    """Return one mistake for each range that overlaps a range before it; such a range is not used.

    The older pool goes first, then the one with the lower name; inside a pool the order of the resource.
    """
    return tuple(
        mistake_of(
            Kind.IP_ADDRESS_POOL,
            pool.meta,
            f"spec.addresses[{index}]",
            f"left out: found {item}, which overlaps {rival_range} of {placed(Kind.IP_ADDRESS_POOL, rival.meta)}; "
            "it is not used until one of the two is changed",
        )
        for pool, index, item, (rival, rival_range) in _overlaps(snapshot.pools)
    )


def age(pool_or_service: IPAddressPool | Service) -> tuple[bool, str, str, str]:
    """Return the sort key of "the older one first"; what has no creation time comes last, names break ties."""
    meta = pool_or_service.meta
    return (not meta.creation_timestamp, meta.creation_timestamp, meta.namespace, meta.name)


def _overlaps(
    pools: Mapping[str, IPAddressPool],
) -> Iterator[tuple[IPAddressPool, int, AddressRange, tuple[IPAddressPool, AddressRange]]]:
    """Yield every range that must not be used, with the pool and the range that it overlaps."""
    firsts: list[int] = []
    accepted: list[tuple[IPAddressPool, AddressRange]] = []
    for pool in sorted(pools.values(), key=age):
        for index, item in enumerate(pool.addresses):
            place = bisect_right(firsts, number_of(item.first))
            rival = next((near for near in accepted[max(0, place - 1) : place + 1] if near[1].overlaps(item)), None)
            if rival is None:
                firsts.insert(place, number_of(item.first))
                accepted.insert(place, (pool, item))
            else:
                yield pool, index, item, rival


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundPool:
    """A pool without the ranges that overlap another one; a plain one serves all with all it has."""

    name: str
    resource: IPAddressPool
    ranges: tuple[FreeRange, ...]
    is_plain: bool

    def families(self) -> frozenset[int]:
        """Return the families of which the pool has addresses."""
        return frozenset(family_of(item.first) for item in self.ranges)


class PoolTable:
    """All pools in their order. It is made anew when a pool or a namespace changed."""

    def __init__(self, pools: Mapping[str, IPAddressPool], namespaces: Mapping[str, Namespace]) -> None:
        self._namespaces = namespaces
        left_out = {(pool.meta.name, index) for pool, index, _, _ in _overlaps(pools)}
        self._by_name = {name: _sound_pool(pools[name], left_out) for name in sorted(pools)}
        self._spans = sorted(
            ((item.first, item.last, pool) for pool in self._by_name.values() for item in pool.ranges),
            key=lambda span: span[0],
        )
        self._firsts = [first for first, _, _ in self._spans]
        automatic = [pool for pool in self._by_name.values() if pool.resource.auto_assign]
        self._pinned = sorted(
            (pool for pool in automatic if pool.resource.service_allocation is not None), key=_priority
        )
        self._unpinned = tuple(pool for pool in automatic if pool.resource.service_allocation is None)
        self._serves: dict[tuple[str, str], bool] = {}

    def ranges(self) -> Iterator[FreeRange]:
        """Yield the ranges of all pools."""
        return chain.from_iterable(pool.ranges for pool in self._by_name.values())

    def names(self) -> tuple[str, ...]:
        """Return the names of all pools, sorted."""
        return tuple(self._by_name)

    def get(self, name: str) -> SoundPool | None:
        """Return a pool by name."""
        return self._by_name.get(name)

    def owner(self, number: int) -> SoundPool | None:
        """Return the pool that an address belongs to, avoided addresses included."""
        index = bisect_right(self._firsts, number) - 1
        if index < 0 or number > self._spans[index][1]:
            return None
        return self._spans[index][2]

    def automatic(self, service: Service) -> tuple[tuple[SoundPool, ...], ...]:
        """Return the pools for a Service that names none: pinned ones in order of priority, then the others.

        A pool with ``serviceAllocation`` is pinned and serves nobody else. The second group is tried only
        when the first can give nothing at all.
        """
        pinned = tuple(
            pool
            for pool in self._pinned
            if self._serves_namespace(pool, service.meta.namespace) and _selects(pool, service)
        )
        return tuple(group for group in (pinned, self._unpinned) if group)

    def allows(self, pool: SoundPool, service: Service) -> bool:
        """Say whether a Service that asks for this pool, or for an address of it, may have it.

        A pool whose namespace selectors match no namespace at all serves nobody by itself, but everybody
        who asks: so MetalLB does it.
        """
        if pool.resource.service_allocation is None:
            return True
        return _selects(pool, service) and (
            self._serves_namespace(pool, service.meta.namespace) or not self._serves_any_namespace(pool)
        )

    def _serves_any_namespace(self, pool: SoundPool) -> bool:
        allocation = pool.resource.service_allocation
        if allocation is None or allocation.namespaces:
            return True
        return any(self._serves_namespace(pool, name) for name in self._namespaces)

    def _serves_namespace(self, pool: SoundPool, name: str) -> bool:
        known = self._serves.get((pool.name, name))
        if known is None:
            known = self._serves[pool.name, name] = self._matches_namespace(pool, name)
        return known

    def _matches_namespace(self, pool: SoundPool, name: str) -> bool:
        allocation = pool.resource.service_allocation
        if allocation is None or not (allocation.namespaces or allocation.namespace_selectors):
            return True
        if name in allocation.namespaces:
            return True
        namespace = self._namespaces.get(name)
        labels = {**(namespace.meta.labels if namespace else EMPTY), NAMESPACE_NAME_LABEL: name}
        return any(selector.matches(labels) for selector in allocation.namespace_selectors)


def _sound_pool(pool: IPAddressPool, left_out: set[tuple[str, int]]) -> SoundPool:
    ranges = tuple(
        FreeRange(number_of(item.first), number_of(item.last), avoid=pool.avoid_buggy_ips)
        for index, item in enumerate(pool.addresses)
        if (pool.meta.name, index) not in left_out
    )
    return SoundPool(
        name=pool.meta.name,
        resource=pool,
        ranges=ranges,
        is_plain=pool.service_allocation is None and not pool.avoid_buggy_ips,
    )


def _priority(pool: SoundPool) -> tuple[bool, int, str]:
    """Return the sort key of pinned pools: the lower priority first, 0 last, then by name."""
    allocation = pool.resource.service_allocation
    priority = allocation.priority if allocation else 0
    return (priority == 0, priority, pool.name)


def _selects(pool: SoundPool, service: Service) -> bool:
    allocation = pool.resource.service_allocation
    return allocation is None or matches_any(allocation.service_selectors, service.meta.labels)
