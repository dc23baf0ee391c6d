"""What a BGP peer sees of one prefix, in the words of both the wire and the model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """The attributes of one announced prefix.

    Attributes:
        as_path: the ASNs, nearest first; sets and confederations make ``unexpected``.
        next_hop_family: 4 or 6.
        communities: ``65000:1``, well-known ones as numbers too.
        large_communities: ``1:2:3``.
        local_pref: None on an eBGP session.
        med: None counts as the 0 that FRR sends for its own networks.
        unexpected: attributes that nobody asked for, as text; empty on a good route.

    """

    as_path: tuple[int, ...]
    next_hop_family: int
    communities: frozenset[str] = frozenset()
    large_communities: frozenset[str] = frozenset()
    local_pref: int | None = None
    med: int = 0
    unexpected: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return a short form for failure messages."""
        parts = [f"path {' '.join(map(str, self.as_path)) or '-'}", f"next hop IPv{self.next_hop_family}"]
        if self.communities or self.large_communities:
            parts.append("communities " + " ".join(sorted(self.communities | self.large_communities)))
        if self.local_pref is not None:
            parts.append(f"local-pref {self.local_pref}")
        if self.med:
            parts.append(f"med {self.med}")
        parts.extend(self.unexpected)
        return ", ".join(parts)


Table = dict[str, Route]
"""Prefix to route: what one peer has, or should have."""
Tables = dict[str, Table]
"""The tables of all peers by the name of the peer."""
