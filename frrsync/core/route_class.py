"""Classes of prefixes: one for every set of advertisements that some prefix is covered by.

A class is a tag and a route-map that sets it. Both are a hash of the advertisements' *names*: never of a
position, so that a new advertisement renumbers nothing, and never of an attribute, so that a changed
community touches no prefix. FRR acts on a changed class map only after its delay timer, with wrong routes
meanwhile; therefore a class map is never changed. Its name carries the tag, so another tag is another map.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from frrsync.core.frr_config import CLASS_PREFIX, ClassMap

if TYPE_CHECKING:
    from collections.abc import Iterable

Names = tuple[str, ...]
"""The sorted names of the advertisements that make a class."""

_DESCRIPTION_LENGTH = 64


def classes_of(name_sets: Iterable[Names]) -> dict[Names, ClassMap]:
    """Return the class of every set of names.

    Where the hashes of two sets collide, *both* get another one: so nobody takes over a tag that an outbound
    map may still match, and every node finds the same result whatever the order.
    """
    waiting = sorted(set(name_sets))
    found: dict[Names, int] = {}
    spent: set[int] = set()
    attempt = 0
    while waiting:
        tags: dict[int, list[Names]] = {}
        for names in waiting:
            tags.setdefault(_tag(names, attempt), []).append(names)
        waiting = []
        for tag, candidates in tags.items():
            if len(candidates) == 1 and tag not in spent:
                found[candidates[0]] = tag
            else:
                waiting.extend(candidates)
        spent |= tags.keys()
        attempt += 1
    return {names: class_map(found[names], names) for names in sorted(found)}


def class_map(tag: int, names: Names) -> ClassMap:
    """Return the class map of a tag."""
    return ClassMap(name=f"{CLASS_PREFIX}{tag:08x}", tag=tag, description=describe(names))


def describe(names: Iterable[str]) -> str:
    """Return names as one short line for the person who reads the router."""
    text = ",".join(names)
    return text if len(text) <= _DESCRIPTION_LENGTH else text[: _DESCRIPTION_LENGTH - 3] + "..."


def _tag(names: Names, attempt: int) -> int:
    """Return a tag from 2147483648 up; below that are those that only live during a change."""
    digest = sha256("\n".join((*names, str(attempt))).encode()).digest()
    return 0x80000000 | int.from_bytes(digest[:4])
