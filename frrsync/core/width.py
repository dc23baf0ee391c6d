"""Advertisements whose prefixes are wider than a pool: they would attract the traffic of other people's addresses.

Such an advertisement is left out for the pool and the IP version concerned; for everything else it counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.core.advertisement import length_for, mistake_of, placed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from frrsync.core.advertisement import Resolved
    from frrsync.core.model import BGPAdvertisement, IPAddressPool, Mistake

Wide = frozenset[tuple[str, str, int]]
"""Names of advertisements and pools, and the IP version, that do not go together."""


def too_wide(advertisement: BGPAdvertisement, pool: IPAddressPool) -> dict[int, int]:
    """Return the IP versions whose prefixes would reach beyond the pool, each with the index of one such range.

    The rule is MetalLB's: a range has to hold at least one prefix of that length.
    """
    found: dict[int, int] = {}
    for index, item in enumerate(pool.addresses):
        length = length_for(advertisement, item.version)
        if item.version not in found and length < min(network.prefixlen for network in item.networks()):
            found[item.version] = index
    return found


def wide_pairs(by_pool: Mapping[str, Collection[Resolved]], pools: Mapping[str, IPAddressPool], before: Wide) -> Wide:
    """Return what must not be announced; of a pool that is gone while its addresses are in use, what was so before."""
    return frozenset(
        (item.name, name, version)
        for name, items in by_pool.items()
        for item in items
        for version in (too_wide(item.advertisement, pools[name]) if name in pools else (4, 6))
        if name in pools or (item.name, name, version) in before
    )


def width_mistakes(advertisements: Iterable[Resolved], pools: Mapping[str, IPAddressPool]) -> Iterator[Mistake]:
    """Yield what to tell about each advertisement that is left out for a pool."""
    for item in advertisements:
        for name, pool in sorted(pools.items()):
            if item.covers_pool(name, pool):
                for version in too_wide(item.advertisement, pool):
                    yield _beyond(item, pool, version)


def _beyond(item: Resolved, pool: IPAddressPool, version: int) -> Mistake:
    """Return what to tell about an advertisement that is left out for one IP version of a pool."""
    family = pool.addresses[too_wide(item.advertisement, pool)[version]]
    shortest = max(
        min(network.prefixlen for network in other.networks()) for other in pool.addresses if other.version == version
    )
    length = length_for(item.advertisement, version)
    message = (
        f"left out for the IPv{version} addresses of {placed('IPAddressPool', pool.meta)}: found {length}, and such a "
        f"prefix reaches beyond {family}; allowed are {shortest} to {32 if version == 4 else 128}"
    )
    field = "spec.aggregationLength" if version == 4 else "spec.aggregationLengthV6"
    return mistake_of("BGPAdvertisement", item.advertisement.meta, field, message)
