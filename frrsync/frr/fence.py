"""Whether an operator's neighbor could be sent our prefixes by accident. Pure.

Our prefixes carry a mark (``MARK``). A route-map of the operator's is a *fence* if it decides about the mark
on purpose: an entry that matches nothing but the mark, before any entry that could permit our prefixes for
another reason. ``deny`` keeps them back, ``permit`` lets them through because the operator says so. A map
that permits nothing is a fence as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from frrsync.core.frr_config import MARK

if TYPE_CHECKING:
    from frrsync.frr.tree import Tree

DEEPEST_CALL = 10
"""Route-maps that call each other; FRR stops there as well."""

_LIST = "bgp large-community-list standard "


class Fate(Enum):
    """What a route-map of the operator's does with our prefixes."""

    DENIED = "denied"
    ALLOWED = "permitted on purpose"
    OPEN = "perhaps permitted by accident"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry; ``goes_on`` is ``on-match next``: what it permits, the next entry still judges.

    ``rewrites``: it sets large communities, so the map it calls and the next entry do not see the mark.
    """

    action: str
    matches: tuple[str, ...]
    call: str
    goes_on: bool
    rewrites: bool


def is_fence(name: str, configuration: Tree) -> bool:
    """Say whether a route-map of this configuration decides about our prefixes on purpose.

    A map that does not exist denies everything (FRR 8.4 and 10.3).
    """
    return _fate(name, configuration, mark_lists(configuration)) is not Fate.OPEN


def keeps_back(name: str, configuration: Tree) -> bool:
    """Say whether a route-map denies our prefixes."""
    return _fate(name, configuration, mark_lists(configuration)) is Fate.DENIED


def rewrites(name: str, configuration: Tree, depth: int = 0) -> bool:
    """Say whether a route-map, or one that it calls, sets large communities: behind it the mark may be gone."""
    return any(
        entry.rewrites or (depth < DEEPEST_CALL and rewrites(entry.call, configuration, depth + 1))
        for entry in _entries(name, configuration)
    )


def mark_lists(configuration: Tree) -> frozenset[str]:
    """Return the lists that permit exactly the mark."""
    said: dict[str, list[str]] = {}
    for line in configuration:
        if line.startswith(_LIST):
            name, _, entry = line.removeprefix(_LIST).partition(" ")
            said.setdefault(name, []).append(entry.partition("permit ")[2] if " permit " in f" {entry}" else "")
    return frozenset(name for name, values in said.items() if values == [MARK])


def _entries(name: str, configuration: Tree) -> list[_Entry]:
    """Return the entries of a map in the order in which FRR asks them."""
    found: list[tuple[int, _Entry]] = []
    for line, content in configuration.items():
        words = line.split(" ")
        if words[0] == "route-map" and len(words) == 4 and words[1] == name:
            call = next((item.removeprefix("call ") for item in content if item.startswith("call ")), "")
            matches = tuple(item for item in content if item.startswith("match "))
            is_set = any(item.startswith("set large-comm") for item in content)
            entry = _Entry(words[2], matches, call, "on-match next" in content, is_set)
            found.append((int(words[3]), entry))
    return [entry for _, entry in sorted(found, key=lambda item: item[0])]


def _fate(name: str, configuration: Tree, lists: frozenset[str], depth: int = 0) -> Fate:
    """Follow our prefixes through a map; its end denies what no entry has permitted until there."""
    at_the_end = Fate.DENIED
    for entry in _entries(name, configuration):
        if _is_about_the_mark(entry, lists):
            return Fate.DENIED if entry.action == "deny" else Fate.ALLOWED
        if entry.action == "deny":
            if not entry.matches:
                return Fate.DENIED
            continue
        fate = Fate.OPEN
        if not entry.matches and not entry.rewrites and depth < DEEPEST_CALL and _entries(entry.call, configuration):
            fate = _fate(entry.call, configuration, lists, depth + 1)
        if fate is Fate.DENIED or entry.matches or not entry.goes_on:
            return fate  # what a called map denies is denied for good
        if entry.rewrites or rewrites(entry.call, configuration):
            return Fate.OPEN
        at_the_end = fate
    return at_the_end


def _is_about_the_mark(entry: _Entry, lists: frozenset[str]) -> bool:
    """Say whether an entry matches our prefixes, and only them.

    They carry exactly one large community, so ``exact-match`` and ``any`` change nothing.
    """
    if len(entry.matches) != 1:
        return False
    words = entry.matches[0].split(" ")
    return words[1] == "large-community" and words[2] in lists and len(words) <= 4
