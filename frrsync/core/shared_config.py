"""What is different in an FRR that an operator runs and shares with frrsync.

Nothing but ours is rendered there: no line of an instance, no equal paths. And every prefix carries a *mark*,
a large community that never reaches a neighbor of ours. By it the operator tells our prefixes from all
others in one line that holds for ever, whatever Services and advertisements come and go.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from frrsync.core.frr_config import MARK, OUTBOUND_PREFIX

if TYPE_CHECKING:
    from frrsync.core.frr_config import BgpRouter, FrrConfig, Neighbor, OutboundEntry, OutboundMap

NAME_PREFIX = "frrsync-"
"""What the name of every object of ours begins with."""
_LONGEST_PROFILE = 63
"""Characters of a BFD profile's name (FRR: 64 with the end mark)."""


def shared_config(config: FrrConfig) -> FrrConfig:
    """Return the same announcements for an FRR that is shared with its operator."""
    maps = {item.name: _outbound_map(item) for item in config.outbound_maps}
    return replace(
        config,
        shared=True,
        bfd_profiles=tuple(replace(item, name=_profile(item.name)) for item in config.bfd_profiles),
        class_maps=tuple(replace(item, large_community=MARK) for item in config.class_maps),
        outbound_maps=tuple(sorted(set(maps.values()), key=lambda item: item.name)),
        routers=tuple(_router(item, maps) for item in config.routers),
    )


def _profile(name: str) -> str:
    """Return the name of a BFD profile of ours, at most as long as FRR takes."""
    full = NAME_PREFIX + name
    if len(full) <= _LONGEST_PROFILE:
        return full
    return f"{full[: _LONGEST_PROFILE - 9]}-{sha256(name.encode()).hexdigest()[:8]}"


def _outbound_map(item: OutboundMap) -> OutboundMap:
    """Return the map that takes the mark off again; another content is another name."""
    entries = tuple(map(_without_mark, item.entries))
    content = repr([(entry.tag, entry) for entry in entries])
    return replace(item, name=OUTBOUND_PREFIX + sha256(content.encode()).hexdigest()[:10], entries=entries)


def _without_mark(entry: OutboundEntry) -> OutboundEntry:
    """Return the entry with large communities that replace the mark."""
    return entry if entry.large_communities else replace(entry, large_communities=("none",))


def _router(router: BgpRouter, maps: dict[str, OutboundMap]) -> BgpRouter:
    families = tuple(
        replace(
            family,
            maximum_paths=None,
            activations=tuple(replace(item, outbound_map=maps[item.outbound_map].name) for item in family.activations),
        )
        for family in router.address_families
    )
    return replace(
        router,
        multipath_relax=False,
        preserve_fw_state=False,
        neighbors=tuple(map(_neighbor, router.neighbors)),
        address_families=families,
    )


def _neighbor(neighbor: Neighbor) -> Neighbor:
    return replace(neighbor, bfd_profile=_profile(neighbor.bfd_profile)) if neighbor.bfd_profile else neighbor
