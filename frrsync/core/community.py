"""BGP communities: how resources write them and how FRR prints them.

FRR prints ``set community`` sorted by value and with names for the well-known ones (bgpd/bgp_community.c,
8.4 and 10.3 alike), while it keeps ``set large-community`` as it was written. So both are put into one
canonical order here; otherwise what was rendered would never equal what runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WELL_KNOWN = {
    "graceful-shutdown": 0xFFFF0000,  # RFC 8326
    "accept-own": 0xFFFF0001,  # RFC 7611
    "route-filter-translated-v4": 0xFFFF0002,
    "route-filter-v4": 0xFFFF0003,
    "route-filter-translated-v6": 0xFFFF0004,
    "route-filter-v6": 0xFFFF0005,
    "llgr-stale": 0xFFFF0006,  # RFC 9494
    "no-llgr": 0xFFFF0007,
    "accept-own-nexthop": 0xFFFF0008,
    "blackhole": 0xFFFF029A,  # RFC 7999
    "no-export": 0xFFFFFF01,  # RFC 1997
    "no-advertise": 0xFFFFFF02,
    "local-AS": 0xFFFFFF03,
    "no-peer": 0xFFFFFF04,  # RFC 3765
}
"""Names that FRR takes and prints in ``set community``, with their values."""

MAX_STANDARD = 63
"""Communities on one route, as many as MetalLB allows."""
MAX_LARGE = 27
"""Large communities on one route: as many of the longest as one line of FRR's configuration is given."""

_DIGITS = 10
"""As many as the largest number has."""
_NAMES = {value: name for name, value in WELL_KNOWN.items()}


@dataclass(frozen=True, slots=True)
class CommunitySet:
    """Communities as values: ``standard`` are 32-bit numbers, ``large`` triples of them (RFC 8092)."""

    standard: frozenset[int] = frozenset()
    large: frozenset[tuple[int, int, int]] = frozenset()

    def __or__(self, other: CommunitySet) -> CommunitySet:
        """Return the communities of both."""
        return CommunitySet(self.standard | other.standard, self.large | other.large)

    def excess(self) -> str | None:
        """Return what is wrong if there are more than one line of FRR's configuration can set."""
        for kind, found, allowed in (
            ("communities", len(self.standard), MAX_STANDARD),
            ("large communities", len(self.large), MAX_LARGE),
        ):
            if found > allowed:
                return f"found {found} {kind}, allowed are {allowed} on one route"
        return None

    def standard_text(self) -> tuple[str, ...]:
        """Return the standard communities as FRR prints them."""
        return tuple(_NAMES.get(value) or f"{value >> 16}:{value & 0xFFFF}" for value in sorted(self.standard))

    def large_text(self) -> tuple[str, ...]:
        """Return the large communities in numeric order."""
        return tuple(":".join(map(str, triple)) for triple in sorted(self.large))


def parse_community(text: str) -> CommunitySet:
    """Read ``a:b``, ``large:a:b:c`` or a well-known name; raises ValueError that says what is allowed."""
    if text in WELL_KNOWN:
        return CommunitySet(standard=frozenset({WELL_KNOWN[text]}))
    parts = text.split(":")
    if len(parts) == 2:
        high, low = (_number(part, 0xFFFF, text) for part in parts)
        return CommunitySet(standard=frozenset({high << 16 | low}))
    if len(parts) == 4 and parts[0] == "large":
        first, second, third = (_number(part, 0xFFFFFFFF, text) for part in parts[1:])
        return CommunitySet(large=frozenset({(first, second, third)}))
    raise ValueError(
        f"found {text[:64]!r}, allowed are a:b (0 to 65535 each), large:a:b:c (0 to 4294967295 each), "
        "a well-known name such as no-export, or an alias of a Community resource"
    )


def looks_like_alias(text: str) -> bool:
    """Say whether the text can only be the name of an alias: no colon and not well-known."""
    return ":" not in text and text not in WELL_KNOWN


def union(sets: Iterable[CommunitySet]) -> CommunitySet:
    """Return all communities of all sets."""
    result = CommunitySet()
    for item in sets:
        result |= item
    return result


def _number(text: str, largest: int, whole: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) <= largest):
        raise ValueError(f"found {whole[:64]!r} with the part {text[:64]!r}, allowed are 0 to {largest}")
    return int(text)
