"""The BGP advertisements that count on one node, with their attributes resolved.

An advertisement whose community cannot be resolved is left out as a whole: a missing ``no-export`` would
send a route further than it may go.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from frrsync.core.community import looks_like_alias, parse_community, union
from frrsync.core.model import Mistake
from frrsync.core.selector import matches_any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.core.community import CommunitySet
    from frrsync.core.model import BGPAdvertisement, Community, IPAddressPool, Metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """An advertisement with its communities as values."""

    advertisement: BGPAdvertisement
    communities: CommunitySet

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


def age(meta: Metadata) -> tuple[bool, str, str]:
    """Return the key that sorts the older object first; without a time stamp the name decides."""
    return (not meta.creation_timestamp, meta.creation_timestamp, meta.name)


def mistake_of(kind: str, meta: Metadata, field: str, message: str) -> Mistake:
    """Return a mistake found across objects, at the place where the object starts."""
    name = f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name
    return Mistake(file=meta.origin.file, line=meta.origin.line, kind=kind, name=name, field=field, message=message)


def aliases(communities: Mapping[str, Community]) -> tuple[dict[str, str], list[Mistake]]:
    """Return every alias with its value; of two with one name the older resource's counts."""
    values: dict[str, str] = {}
    owners: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for resource in sorted(communities.values(), key=lambda item: age(item.meta)):
        for alias, value in resource.aliases.items():
            if alias in values:
                mistakes.append(
                    mistake_of(
                        "Community",
                        resource.meta,
                        "spec.communities",
                        f"alias {alias!r} is also defined by Community {owners[alias]}, which counts; "
                        "an alias may be defined once",
                    )
                )
                continue
            values[alias], owners[alias] = value, resource.meta.name
    return values, mistakes


def resolve(
    advertisements: Iterable[BGPAdvertisement],
    communities: Mapping[str, Community],
    node_labels: Mapping[str, str],
) -> tuple[dict[str, Resolved], list[Mistake]]:
    """Return the advertisements that select this node, by name, and what is wrong with the others."""
    values, mistakes = aliases(communities)
    resolved: dict[str, Resolved] = {}
    for advertisement in sorted(advertisements, key=lambda item: item.meta.name):
        if not matches_any(advertisement.node_selectors, node_labels):
            continue
        try:
            found = union(_community(text, values) for text in advertisement.communities)
        except ValueError as error:
            mistakes.append(mistake_of("BGPAdvertisement", advertisement.meta, "spec.communities", str(error)))
            continue
        resolved[advertisement.meta.name] = Resolved(advertisement=advertisement, communities=found)
    return resolved, mistakes


def _community(text: str, values: Mapping[str, str]) -> CommunitySet:
    if text in values:
        return parse_community(values[text])
    if looks_like_alias(text):
        known = ", ".join(sorted(values)) or "none"
        raise ValueError(f"alias {text!r} is defined by no Community; defined are: {known}")
    return parse_community(text)
