"""One neighbor of an instance, before and after: which lines change it, and what that costs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.frr.lines import creates_neighbor, instance_key, negation, neighbor_of, resets_family

if TYPE_CHECKING:
    from frrsync.frr.tree import Tree


def changes(peer: str, have: Tree, wanted: Tree) -> list[str]:
    """Return the lines that change a neighbor's own settings; a family's lines are not among them."""
    old = [line for line in have if neighbor_of(line) == peer]
    new = [line for line in wanted if neighbor_of(line) == peer]
    added = [line for line in new if line not in old]
    keys = {instance_key(line) for line in added}
    removed = [line for line in old if line not in new and instance_key(line) not in keys]
    plain_bfd = f"neighbor {peer} bfd"
    if plain_bfd in removed:
        # Takes every BFD line of the neighbor with it, and "no ... bfd profile" would leave the plain one.
        removed = [line for line in removed if not line.startswith(plain_bfd + " ")]
    return [*(negation(line) for line in removed), *added]


def made_otherwise(peer: str, have: Tree, wanted: Tree) -> str:
    """Return the line that made this neighbor and has no successor, if any: the neighbor goes with it."""
    made = [line for line in wanted if neighbor_of(line) == peer and creates_neighbor(line)]
    keys = {instance_key(line) for line in made}
    ours = (line for line in have if neighbor_of(line) == peer and creates_neighbor(line))
    return next((f"no {line}" for line in ours if instance_key(line) not in keys), "")


def stays_down(peer: str, wanted: Tree) -> bool:
    """Say whether a neighbor is meant to be shut down."""
    return any(line.startswith(f"neighbor {peer} shutdown") for line in wanted)


def costs_below(peer: str, have: Tree, wanted: Tree) -> list[str]:
    """Return the lines of families that cost this neighbor's session by coming or going."""
    families = sorted(family for family in {**have, **wanted} if family.startswith("address-family "))
    return [
        f"{family}: {line}"
        for family in families
        for line in sorted(have.get(family, {}).keys() ^ wanted.get(family, {}).keys())
        if neighbor_of(line) == peer and resets_family(line)
    ]
