"""The BGP advertisements that count on one node, with their attributes resolved.

An advertisement whose community cannot be resolved is left out as a whole: a missing ``no-export`` would
send a route further than it may go. One that would announce more than a pool has is left out for that pool.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING

from frrsync.core.community import looks_like_alias, parse_community, union
from frrsync.core.model import Mistake
from frrsync.core.selector import matches_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.core.community import CommunitySet
    from frrsync.core.model import BGPAdvertisement, BGPNodeParameters, Community, IPAddressPool, Metadata

EMPTY_RANKS: Mapping[str, int] = MappingProxyType({})
"""For who meets everything for the first time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """An advertisement with its communities as values.

    Attributes:
        rank: 0 for the oldest on this node; where two contradict each other, the lower one counts.

    """

    advertisement: BGPAdvertisement
    communities: CommunitySet
    rank: int = 0

    @property
    def name(self) -> str:
        """Return the name of the resource."""
        return self.advertisement.meta.name

    def reaches(self, peer: str) -> bool:
        """Say whether the BGPPeer of that name sees it; an empty list means every peer."""
        return not self.advertisement.peers or peer in self.advertisement.peers

    def covers_pool(self, name: str, pool: IPAddressPool | None) -> bool:
        """Say whether addresses of the pool are advertised.

        The pool object is None when it was deleted while its addresses are still in use; then only its
        name can be compared.
        """
        wanted = self.advertisement
        if not wanted.ip_address_pools and not wanted.ip_address_pool_selectors:
            return True
        if name in wanted.ip_address_pools:
            return True
        return pool is not None and any(
            selector.matches(pool.meta.labels) for selector in wanted.ip_address_pool_selectors
        )


def length_for(advertisement: BGPAdvertisement, version: int) -> int:
    """Return the prefix length that an advertisement gives to addresses of an IP version."""
    return advertisement.aggregation_length if version == 4 else advertisement.aggregation_length_v6


def age(meta: Metadata) -> tuple[bool, str, str]:
    """Return the key that sorts the older object first; without a time stamp the name decides."""
    return (not meta.creation_timestamp, meta.creation_timestamp, meta.name)


def seniority(meta: Metadata, known: Mapping[str, int]) -> tuple[bool, str, float, str]:
    """Return the key that sorts the older object first: by time stamp, then what was met before, then by name."""
    return (not meta.creation_timestamp, meta.creation_timestamp, known.get(meta.name, inf), meta.name)


def met(
    before: Mapping[str, int], objects: Iterable[BGPAdvertisement | BGPNodeParameters | Community]
) -> dict[str, int]:
    """Return the order in which the names of objects were met: first those known before, then the others by age."""
    metas = sorted((item.meta for item in objects), key=lambda meta: seniority(meta, before))
    names = {meta.name for meta in metas}
    known = [name for name in before if name in names]
    return {name: place for place, name in enumerate(dict.fromkeys((*known, *(meta.name for meta in metas))))}


def mistake_of(kind: str, meta: Metadata, field: str, message: str) -> Mistake:
    """Return a mistake found across objects, at the place of the field as far as that is known."""
    name = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
    line = meta.origin.line_of(field)
    return Mistake(file=meta.origin.file, line=line, kind=kind, name=name, field=field, message=message)


def placed(kind: str, meta: Metadata) -> str:
    """Return how a message names another object: kind, name, and where it stands."""
    where = str(meta.origin)
    return f"{kind} {meta.name} ({where})" if where else f"{kind} {meta.name}"


def rival(kind: str, older: Metadata, younger: Metadata) -> str:
    """Return how a message names the object that counts, and why if the time stamps tell."""
    is_older = bool(older.creation_timestamp and younger.creation_timestamp > older.creation_timestamp)
    return f"the older {placed(kind, older)}" if is_older else f"{placed(kind, older)}, which counts"


def aliases(
    communities: Mapping[str, Community], known: Mapping[str, int] = EMPTY_RANKS
) -> tuple[dict[str, str], list[Mistake]]:
    """Return every alias with its value; of two with one name the older resource's counts."""
    values: dict[str, str] = {}
    owners: dict[str, Community] = {}
    mistakes: list[Mistake] = []
    for resource in sorted(communities.values(), key=lambda item: seniority(item.meta, known)):
        for index, (alias, value) in enumerate(resource.aliases.items()):
            if alias not in values:
                values[alias], owners[alias] = value, resource
                continue
            older = rival("Community", owners[alias].meta, resource.meta)
            message = f"left out: found {alias!r} as in {older}; a name stands for one community"
            mistakes.append(mistake_of("Community", resource.meta, f"spec.communities[{index}].name", message))
    return values, mistakes


def resolve(
    advertisements: Iterable[BGPAdvertisement],
    communities: Mapping[str, Community],
    node_labels: Mapping[str, str],
    known: Mapping[str, int] = EMPTY_RANKS,
) -> tuple[dict[str, Resolved], list[Mistake]]:
    """Return the advertisements that select this node, by name, and what is wrong with the others.

    ``known`` gives the order in which names were met before: manifests carry no time stamps, and a new file must
    not push out what runs.
    """
    values, mistakes = aliases(communities, known)
    resolved: dict[str, Resolved] = {}
    for rank, advertisement in enumerate(sorted(advertisements, key=lambda item: seniority(item.meta, known))):
        if not matches_any(advertisement.node_selectors, node_labels):
            continue
        try:
            found = _communities(advertisement, values)
        except _WrongCommunityError as error:
            mistakes.append(mistake_of("BGPAdvertisement", advertisement.meta, error.field, f"left out: {error}"))
            continue
        resolved[advertisement.meta.name] = Resolved(advertisement=advertisement, communities=found, rank=rank)
    return dict(sorted(resolved.items())), mistakes


class _WrongCommunityError(Exception):
    """Communities that cannot be set, and the field that is the cause."""

    def __init__(self, field: str, text: str) -> None:
        self.field = field
        super().__init__(text)


def _communities(advertisement: BGPAdvertisement, values: Mapping[str, str]) -> CommunitySet:
    """Return the communities as values; raises _WrongCommunityError."""
    sets = []
    for index, text in enumerate(advertisement.communities):
        try:
            sets.append(_community(text, values))
        except ValueError as error:
            raise _WrongCommunityError(f"spec.communities[{index}]", str(error)) from error
    found = union(sets)
    if (reason := found.excess()) is not None:
        raise _WrongCommunityError("spec.communities", reason)
    return found


def _community(text: str, values: Mapping[str, str]) -> CommunitySet:
    if text in values:
        return parse_community(values[text])
    if looks_like_alias(text):
        known = ", ".join(sorted(values)) or "none"
        raise ValueError(f"found {text!r}, which no Community defines as an alias; defined are: {known}")
    return parse_community(text)
