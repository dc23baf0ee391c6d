"""Who uses which address, and which address is the lowest free one.

Addresses are *numbers* on one line here, IPv4 first and IPv6 after it: one dictionary and one sorted list
hold both families, and a search costs no objects. Nothing of this is shared: one allocator owns one space.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frrsync.core.address import Address
    from frrsync.core.model import NamespacedName

_IPV6_START = 1 << 32
_MANY_HINTS = 64


def number_of(address: Address) -> int:
    """Return the number of an address."""
    return int(address) if address.version == 4 else int(address) + _IPV6_START


@lru_cache(maxsize=1 << 16)
def number_of_text(text: str) -> int:
    """Return the number of an address in canonical text, as a record and a status hold it."""
    return int(IPv6Address(text)) + _IPV6_START if ":" in text else int(IPv4Address(text))


def text_of(number: int) -> str:
    """Return the canonical text of a number."""
    return str(IPv4Address(number) if number < _IPV6_START else IPv6Address(number - _IPV6_START))


def family_of(number: int) -> int:
    """Return 4 or 6."""
    return 4 if number < _IPV6_START else 6


def is_avoidable(number: int) -> bool:
    """Say whether ``avoidBuggyIPs`` leaves this address out: IPv4 with a last octet of 0 or 255."""
    return number < _IPV6_START and number & 0xFF in {0, 255}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """The terms on which a Service shares an address.

    Attributes:
        key: the sharing key, never empty.
        backend: the sorted selector with local traffic policy, else empty.
        ports: protocol and port, the unit of conflict.

    """

    key: str
    backend: tuple[tuple[str, str], ...] = ()
    ports: frozenset[tuple[str, int]] = frozenset()


def obstacle(mine: Sharing | None, theirs: Sharing | None) -> str:
    """Say in words why two Services cannot share an address; empty if they can."""
    if mine is None or theirs is None:
        return "they have no sharing key in common"
    if mine.key != theirs.key:
        return f"the sharing keys {mine.key!r} and {theirs.key!r} differ"
    if mine.backend != theirs.backend:
        return "with externalTrafficPolicy Local the selectors have to be the same"
    common = sorted(mine.ports & theirs.ports)
    return f"both use {common[0][0]} port {common[0][1]}" if common else ""


class FreeRange:
    """One range of a pool and what is free in it.

    Everything from ``_frontier`` on was never passed by a search; what became free before it waits in a
    heap. So a search costs the logarithm of what was freed, and each address is passed once.
    """

    __slots__ = ("_avoid", "_freed", "_freed_set", "_frontier", "first", "last")

    def __init__(self, first: int, last: int, *, avoid: bool) -> None:
        self.first = first
        self.last = last
        self._avoid = avoid
        self._frontier = first
        self._freed: list[int] = []
        self._freed_set: set[int] = set()

    def add_freed(self, number: int) -> None:
        """Take note that an address of this range became free."""
        if number < self._frontier and number not in self._freed_set and self.may_give(number):
            self._freed_set.add(number)
            heappush(self._freed, number)

    def may_give(self, number: int) -> bool:
        """Say whether the pool gives this address away at all (``avoidBuggyIPs``)."""
        return not (self._avoid and is_avoidable(number))

    def lowest(self, space: AddressSpace) -> int | None:
        """Return the lowest free address, or None."""
        while self._freed:
            if space.is_free(self._freed[0]):
                return self._freed[0]
            self._freed_set.discard(heappop(self._freed))
        number = self._frontier
        while number <= self.last and not (space.is_free(number) and self.may_give(number)):
            number += 1
        self._frontier = number
        return number if number <= self.last else None


class _Group:
    """The addresses whose users could share them with others of the same key and backends."""

    __slots__ = ("hints", "numbers")

    def __init__(self) -> None:
        self.numbers: list[int] = []
        # Per range and set of ports: no address below this one can be joined. Many Services with one key
        # and one port would otherwise look at all of their addresses again and again.
        self.hints: dict[tuple[int, frozenset[tuple[str, int]]], int] = {}

    def add(self, number: int) -> None:
        insort(self.numbers, number)
        if len(self.hints) > _MANY_HINTS:
            self.hints.clear()
        for place, hint in self.hints.items():
            if place[0] <= number < hint:
                self.hints[place] = number

    def remove(self, number: int) -> None:
        del self.numbers[bisect_left(self.numbers, number)]


class AddressSpace:
    """Users of addresses: holders, to whom they are allocated, and claims, which a foreign status makes."""

    def __init__(self, ranges: Iterable[FreeRange]) -> None:
        self._ranges = sorted(ranges, key=lambda item: item.first)
        self._firsts = [item.first for item in self._ranges]
        self._holders: dict[int, tuple[NamespacedName, ...]] = {}
        self._claims: dict[int, tuple[NamespacedName, ...]] = {}
        self._sharing: dict[NamespacedName, Sharing] = {}
        self._groups: dict[tuple[str, tuple[tuple[str, str], ...]], _Group] = {}

    def set_sharing(self, name: NamespacedName, sharing: Sharing | None) -> None:
        """Store the terms of a Service; has to be done before it holds or claims an address."""
        if sharing is not None:
            self._sharing[name] = sharing

    def sharing_of(self, name: NamespacedName) -> Sharing | None:
        """Return the terms of a Service."""
        return self._sharing.get(name)

    def hold(self, name: NamespacedName, numbers: Iterable[int]) -> None:
        """Make a Service a holder of addresses; whether it may is asked before."""
        sharing = self._sharing.get(name)
        for number in numbers:
            others = self._holders.get(number, ())
            self._holders[number] = (*others, name)
            if sharing is not None and not others:
                self._groups.setdefault((sharing.key, sharing.backend), _Group()).add(number)

    def claim(self, name: NamespacedName, numbers: Iterable[int]) -> None:
        """Let an address count as used by a Service that it was not allocated to."""
        for number in numbers:
            self._claims[number] = (*self._claims.get(number, ()), name)

    def forget(self, name: NamespacedName, held: Iterable[int], claimed: Iterable[int]) -> None:
        """Remove a Service from the addresses that it held and claimed, and its terms."""
        sharing = self._sharing.pop(name, None)
        group = None if sharing is None else self._groups.get((sharing.key, sharing.backend))
        for number in held:
            if _remove(self._holders, number, name) and group is not None:
                group.remove(number)
            self._changed(number)
        for number in claimed:
            _remove(self._claims, number, name)
            self._changed(number)
        if group is not None and sharing is not None and not group.numbers:
            del self._groups[sharing.key, sharing.backend]

    def is_free(self, number: int) -> bool:
        """Say whether nobody holds or claims an address."""
        return number not in self._holders and number not in self._claims

    def holders(self, number: int) -> tuple[NamespacedName, ...]:
        """Return who holds an address."""
        return self._holders.get(number, ())

    def rival(self, name: NamespacedName, number: int) -> NamespacedName | None:
        """Return a holder that keeps another Service from holding an address, claims aside."""
        mine = self._sharing.get(name)
        return next((user for user in self.holders(number) if obstacle(mine, self._sharing.get(user))), None)

    def opponent(self, name: NamespacedName, number: int) -> NamespacedName | None:
        """Return the first Service, by name, that keeps another from using an address; None if it may.

        A holder comes before those who only claim the address.
        """
        mine = self._sharing.get(name)
        for users in (self._holders.get(number), self._claims.get(number)):
            found = [user for user in users or () if user != name and obstacle(mine, self._sharing.get(user))]
            if found:
                return min(found)
        return None

    def lowest(self, name: NamespacedName, ranges: Iterable[FreeRange], family: int) -> int | None:
        """Return the first address of the ranges that a Service may take: free, or one it can share."""
        sharing = self._sharing.get(name)
        for item in ranges:
            if family_of(item.first) != family:
                continue
            found = item.lowest(self)
            if sharing is not None:
                shared = self._lowest_shared(name, sharing, item)
                if shared is not None and (found is None or shared < found):
                    found = shared
            if found is not None:
                return found
        return None

    def _lowest_shared(self, name: NamespacedName, sharing: Sharing, item: FreeRange) -> int | None:
        group = self._groups.get((sharing.key, sharing.backend))
        if group is None:
            return None
        place = (item.first, sharing.ports)
        # A claim stops others, not the claimer: the hint, which holds for all, must not pass it.
        hint = item.last + 1
        for index in range(bisect_left(group.numbers, group.hints.get(place, item.first)), len(group.numbers)):
            number = group.numbers[index]
            if number > item.last:
                break
            if item.may_give(number) and self.opponent(name, number) is None:
                group.hints[place] = min(hint, number)
                return number
            if number in self._claims:
                hint = min(hint, number)
        group.hints[place] = hint
        return None

    def _changed(self, number: int) -> None:
        """Note that an address may have become free, or open to others."""
        if not self.is_free(number):
            for holder in self._holders.get(number, ()):
                sharing = self._sharing.get(holder)
                if sharing is not None and (sharing.key, sharing.backend) in self._groups:
                    self._groups[sharing.key, sharing.backend].hints.clear()
            return
        index = bisect_right(self._firsts, number) - 1
        if index >= 0 and number <= self._ranges[index].last:
            self._ranges[index].add_freed(number)


def _remove(users: dict[int, tuple[NamespacedName, ...]], number: int, name: NamespacedName) -> bool:
    """Take a Service off an address; say whether it was the last one there."""
    rest = tuple(user for user in users[number] if user != name)
    if rest:
        users[number] = rest
        return False
    del users[number]
    return True
