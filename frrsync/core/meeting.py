"""Where two advertisements may meet in one prefix, as far as pools and Services tell: for who knows no addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from frrsync.core.advertisement import length_for
from frrsync.core.selector import matches_any
from frrsync.core.width import too_wide

if TYPE_CHECKING:
    from collections.abc import Collection

    from frrsync.core.advertisement import Resolved
    from frrsync.core.model import NamespacedName, Snapshot


class _Span(NamedTuple):
    """Addresses of the prefixes of one range, as numbers, and the pool of the range."""

    first: int
    last: int
    pool: str


class Meetings:
    """Answers for one snapshot, each found once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._spans: dict[tuple[str, int], list[_Span]] = {}
        self._selected: dict[str, frozenset[NamespacedName] | None] = {}
        self._pools: dict[tuple[str, str, int], frozenset[str]] = {}

    def pools(self, older: Resolved, younger: Resolved, versions: Collection[int]) -> frozenset[str]:
        """Return the pools of which both may advertise one prefix, named as the younger one covers them."""
        found: set[str] = set()
        for version in versions:
            key = (older.name, younger.name, version)
            if key not in self._pools:
                self._pools[key] = self._common(older, younger, version)
            found |= self._pools[key]
        return frozenset(found)

    def _common(self, older: Resolved, younger: Resolved, version: int) -> frozenset[str]:
        if length_for(older.advertisement, version) != length_for(younger.advertisement, version):
            return frozenset()
        one, other = self._services(older), self._services(younger)
        if (one is not None or other is not None) and not self._share_service(one, other):
            return frozenset()
        spans, result = self._spans_of(older, version), set()
        at = 0
        for span in self._spans_of(younger, version):
            while at < len(spans) and spans[at].last < span.first:
                at += 1
            if at < len(spans) and spans[at].first <= span.last:
                result.add(span.pool)
        return frozenset(result)

    def _share_service(self, one: frozenset[NamespacedName] | None, other: frozenset[NamespacedName] | None) -> bool:
        if one is None or other is None:
            return bool(one or other)
        return bool(one & other)

    def _services(self, item: Resolved) -> frozenset[NamespacedName] | None:
        """Return the Services that an advertisement selects, None when it takes all of them."""
        if item.name not in self._selected:
            selectors = item.advertisement.service_selectors
            self._selected[item.name] = (
                frozenset(
                    name
                    for name, service in self._snapshot.services.items()
                    if service.type == "LoadBalancer" and matches_any(selectors, service.meta.labels)
                )
                if selectors
                else None
            )
        return self._selected[item.name]

    def _spans_of(self, item: Resolved, version: int) -> list[_Span]:
        key = (item.name, version)
        if key not in self._spans:
            self._spans[key] = sorted(self._made_spans(item, version))
        return self._spans[key]

    def _made_spans(self, item: Resolved, version: int) -> list[_Span]:
        host = (32 if version == 4 else 128) - length_for(item.advertisement, version)
        return [
            _Span(int(part.first) >> host << host, int(part.last) | (1 << host) - 1, name)
            for name, pool in self._snapshot.pools.items()
            if item.covers_pool(name, pool) and version not in too_wide(item.advertisement, pool)
            for part in pool.addresses
            if part.version == version
        ]
