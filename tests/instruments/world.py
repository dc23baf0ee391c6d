"""The states that a node may be in while changes are under way.

A change takes a moment to arrive, and several may arrive in any order. So the node may act on any version,
since the last time that all was settled, of each document.
"""

from __future__ import annotations

import ipaddress
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from instruments import model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from instruments.documents import Document, Key
    from instruments.route import Route, Tables

READING_TIME = 0.5
"""Seconds that the node may take to notice a change that cannot be seen on the wire."""
MOST_STATES = 50_000
"""With more possible states than this (a daemon was away for long) only the orderly ones are looked at."""


@dataclass(slots=True)
class Change:
    """One change of the manifests; None is a removal.

    Attributes:
        time: just before it was written.
        allocations: addresses that the change gives to Services or takes from them.

    """

    time: float
    documents: Mapping[Key, Document | None]
    allocations: Mapping[str, Sequence[str] | None] = field(default_factory=dict)


class World:
    """Settled documents, and changes that may have arrived."""

    def __init__(self, node: str, documents: Mapping[Key, Document], allocations: model.Allocations) -> None:
        self._node = node
        self._documents = dict(documents)
        self._allocations = dict(allocations)
        self._open: list[Change] = []
        self._cache: dict[int, Tables] = {}
        self._explained: dict[tuple[str, str], set[Route | None]] = {}

    def change(self, change: Change) -> None:
        """Let a change be under way."""
        self._open.append(change)
        self._explained.clear()

    def latest(self) -> Tables:
        """Return what should be seen when every change has arrived."""
        return self._after(len(self._open))

    def settle(self, time: float) -> None:
        """Take the changes as arrived, except those that are young and that nobody could see arrive."""
        stay: list[Change] = []
        for index, change in enumerate(self._open):
            if time - change.time < READING_TIME and self._after(index) == self._after(index + 1):
                stay.append(change)
            else:  # who has read this version of a document has no older one any more
                stay = [older for older in stay if not older.documents.keys() & change.documents.keys()]
        arrived = [change for change in self._open if change not in stay]
        self._documents, self._allocations = self._state(arrived)
        self._open = stay
        self._cache.clear()
        self._explained.clear()

    def routes(self, peer: str, prefix: str) -> Iterator[Route | None]:
        """Yield what a peer may have for a prefix, in every possible state, the likely ones first."""
        for count in range(len(self._open), -1, -1):
            yield self._after(count).get(peer, {}).get(prefix)
        if (peer, prefix) not in self._explained:
            self._explained[peer, prefix] = self._every_route(peer, prefix)
        yield from self._explained[peer, prefix]

    def _after(self, count: int) -> Tables:
        """Return the expectation after so many changes, each arrived in its turn."""
        if count not in self._cache:
            self._cache[count] = model.expected(*self._state(self._open[:count]), self._node)
        return self._cache[count]

    def _state(self, changes: Iterable[Change]) -> tuple[dict[Key, Document], dict[str, Sequence[str]]]:
        documents, allocations = dict(self._documents), dict(self._allocations)
        for change in changes:
            _merge(documents, change.documents)
            _merge(allocations, change.allocations)
        return documents, allocations

    # --- every combination of versions of what matters for one prefix

    def _every_route(self, peer: str, prefix: str) -> set[Route | None]:
        owners = self._owners(prefix)
        about = self._pools(owners)
        fixed = {key: found for key, found in self._documents.items() if self._is_about(key, owners, peer, about)}
        names = {key for change in self._open for key in change.documents if self._is_about(key, owners, peer, about)}
        documents = {key: self._versions(key) for key in names}
        allocations = {owner: self._addresses(owner) for owner in owners}
        choices: list[Sequence[Any]] = [*documents.values(), *allocations.values()]
        if math.prod(map(len, choices)) > MOST_STATES:
            return set()
        found = set()
        for choice in itertools.product(*choices):
            state, given = dict(fixed), dict[str, Sequence[str]]()
            _merge(state, dict(zip(documents, choice, strict=False)))
            _merge(given, dict(zip(allocations, choice[len(documents) :], strict=True)))
            found.add(model.expected(state, given, self._node).get(peer, {}).get(prefix))
        return found

    def _versions(self, key: Key) -> list[Document | None]:
        changed = [change.documents[key] for change in self._open if key in change.documents]
        return [self._documents.get(key), *changed]

    def _addresses(self, owner: str) -> list[Sequence[str] | None]:
        changed = [change.allocations[owner] for change in self._open if owner in change.allocations]
        return [self._allocations.get(owner), *changed]

    def _owners(self, prefix: str) -> set[str]:
        """Return the Services that may have, or have had, an address in the prefix."""
        network = ipaddress.ip_network(prefix)
        every = {*self._allocations, *(owner for change in self._open for owner in change.allocations)}
        return {
            owner
            for owner in every
            if any(ipaddress.ip_address(text) in network for found in self._addresses(owner) for text in found or ())
        }

    def _pools(self, owners: set[str]) -> list[Document]:
        """Return the pools that hold, or held, an address of these Services."""
        addresses = {text for owner in owners for found in self._addresses(owner) for text in found or ()}
        keys = {*self._documents, *(key for change in self._open for key in change.documents)}
        pools = [found for key in keys if key[0] == "IPAddressPool" for found in self._versions(key) if found]
        return [pool for pool in pools if any(model.in_pool(text, pool) for text in addresses)]

    def _is_about(self, key: Key, owners: set[str], peer: str, pools: Sequence[Document]) -> bool:
        """Say whether some version of a document may decide what the peer gets for an address of these pools."""
        kind, namespace, name = key
        versions = [version["metadata"] | version.get("spec", {}) for version in self._versions(key) if version]
        if kind == "Service":
            return f"{namespace}/{name}" in owners
        if kind == "EndpointSlice":
            return any(f"{namespace}/{version['labels'][model.SERVICE_LABEL]}" in owners for version in versions)
        if kind == "BGPAdvertisement":
            return any(
                peer in (version.get("peers") or [peer]) and any(model.covers_pool(version, pool) for pool in pools)
                for version in versions
            )
        return True


def _merge(target: dict[Any, Any], updates: Mapping[Any, Any]) -> None:
    for key, value in updates.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = value
