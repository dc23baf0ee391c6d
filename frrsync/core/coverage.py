"""Which prefixes are on the wire: kept up to date from one decision to the next.

The results are those of starting anew; what is kept only saves time, so that one changed Service among ten
thousand costs one step.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from ipaddress import ip_network
from typing import TYPE_CHECKING

from frrsync.core.changes import changed_keys
from frrsync.core.frr_config import Network

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frrsync.core.announce import Verdict
    from frrsync.core.model import NamespacedName
    from frrsync.core.route_class import Names

Order = tuple[int, int, int]


@lru_cache(maxsize=200_000)
def order(prefix: str) -> Order:
    """Return family, address and length: the order in which FRR prints prefixes."""
    network = ip_network(prefix)
    return (network.version, int(network.network_address), network.prefixlen)


class Coverage:
    """Every prefix with the sorted names of the advertisements that cover it."""

    def __init__(self) -> None:
        self._verdicts: Mapping[NamespacedName, Verdict] = {}
        self._services: dict[str, tuple[NamespacedName, ...]] = {}
        self._covered: dict[str, Names] = {}

    def of(self, verdicts: Mapping[NamespacedName, Verdict]) -> Mapping[str, Names]:
        """Return the prefixes of these verdicts; the same object while none differs."""
        changed = changed_keys(self._verdicts, verdicts)
        touched: set[str] = set()
        for name in changed:
            touched |= self._leave(name, self._verdicts.get(name))
            touched |= self._join(name, verdicts.get(name))
        self._verdicts = verdicts
        differing = {prefix: names for prefix in touched if (names := self._names(prefix)) != self._covered.get(prefix)}
        if differing:
            self._covered = self._covered.copy()
            for prefix, names in differing.items():
                if names is None:
                    del self._covered[prefix]
                else:
                    self._covered[prefix] = names
        return self._covered

    def _leave(self, name: NamespacedName, verdict: Verdict | None) -> set[str]:
        prefixes = {route.prefix for route in verdict.routes} if verdict else set()
        for prefix in prefixes:
            self._services[prefix] = tuple(other for other in self._services[prefix] if other != name)
        return prefixes

    def _join(self, name: NamespacedName, verdict: Verdict | None) -> set[str]:
        prefixes = {route.prefix for route in verdict.routes} if verdict else set()
        for prefix in prefixes:
            self._services[prefix] = (*self._services.get(prefix, ()), name)
        return prefixes

    def _names(self, prefix: str) -> Names | None:
        """Return who covers a prefix now, None when nobody does."""
        services = self._services[prefix]
        if not services:
            del self._services[prefix]
            return None
        found = [
            route.advertisements
            for service in services
            for route in self._verdicts[service].routes
            if route.prefix == prefix
        ]
        return found[0] if len(found) == 1 else tuple(sorted({name for names in found for name in names}))


class NetworkList:
    """The ``network`` lines of one address family of one BGP instance, sorted as FRR prints them."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._covered: Mapping[str, Names] = {}
        self._sent: Mapping[Names, str] = {}
        self._orders: list[Order] = []
        self._networks: list[Network] = []
        self._result: tuple[Network, ...] = ()

    def of(self, covered: Mapping[str, Names], sent: Mapping[Names, str]) -> tuple[Network, ...]:
        """Return a line for every prefix of the family whose class, by names, is sent to somebody."""
        if sent != self._sent:
            self._covered, self._orders, self._networks = {}, [], []
        if self._covered is covered and self._sent == sent:
            return self._result
        changed = changed_keys(self._covered, covered)
        places = [place for prefix in changed if (place := order(prefix))[0] == self._version]
        self._covered, self._sent = covered, sent
        if len(places) > len(self._networks) // 8:
            self._rebuild()
        else:
            for prefix in changed:
                self._place(prefix)
        self._result = tuple(self._networks)
        return self._result

    def _class_of(self, prefix: str) -> str | None:
        names = self._covered.get(prefix)
        return None if names is None else self._sent.get(names)

    def _rebuild(self) -> None:
        found = [
            (place, Network(prefix=prefix, class_map=class_map))
            for prefix in self._covered
            if (place := order(prefix))[0] == self._version and (class_map := self._class_of(prefix)) is not None
        ]
        known = {network.prefix: network for network in self._result}
        found.sort(key=lambda item: item[0])
        self._orders = [place for place, _ in found]
        # The same object for the same line, so that unchanged families compare quickly.
        self._networks = [old if (old := known.get(new.prefix)) == new and old is not None else new for _, new in found]

    def _place(self, prefix: str) -> None:
        """Insert, replace or remove the line of one prefix."""
        place = order(prefix)
        if place[0] != self._version:
            return
        index = bisect_left(self._orders, place)
        is_there = index < len(self._orders) and self._orders[index] == place
        class_map = self._class_of(prefix)
        if class_map is None:
            if is_there:
                del self._orders[index], self._networks[index]
        elif not is_there:
            self._orders.insert(index, place)
            self._networks.insert(index, Network(prefix=prefix, class_map=class_map))
        elif self._networks[index].class_map != class_map:
            self._networks[index] = Network(prefix=prefix, class_map=class_map)
