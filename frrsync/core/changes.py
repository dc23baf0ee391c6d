"""What differs between two states of a collection whose objects are replaced, never changed."""

from __future__ import annotations

from itertools import compress, count, islice
from operator import is_, is_not
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def changed_keys(before: Mapping[_Key, _Value], after: Mapping[_Key, _Value]) -> list[_Key]:
    """Return the keys whose objects are not the same ones.

    Runs in C when keys were only added at the end, as copies of a dict add them, or when one was removed.
    """
    if before is after:
        return []
    shared = _common_start(before, after)
    if shared == len(before):
        return [*_differing(before, after, shared), *islice(after, shared, None)]
    if len(before) == len(after) + 1 and all(map(is_, islice(before, shared + 1, None), islice(after, shared, None))):
        gone = next(islice(before, shared, None))
        rest = compress(
            islice(after, shared, None),
            map(is_not, islice(before.values(), shared + 1, None), islice(after.values(), shared, None)),
        )
        return [*_differing(before, after, shared), *rest, gone]
    known = before.get
    changed = [key for key, value in after.items() if known(key) is not value]
    return changed + [key for key in before if key not in after]


def removed_keys(before: Mapping[_Key, _Value], after: Mapping[_Key, object]) -> list[_Key]:
    """Return the keys that are gone; runs in C when none is, or when keys were added at the end."""
    if before is after or _common_start(before, after) == len(before):
        return []
    return [key for key in before if key not in after]


def _common_start(before: Mapping[_Key, object], after: Mapping[_Key, object]) -> int:
    """Return how many keys both begin with."""
    return next(compress(count(), map(is_not, before, after)), min(len(before), len(after)))


def _differing(before: Mapping[_Key, _Value], after: Mapping[_Key, _Value], length: int) -> Iterator[_Key]:
    """Return the keys among so many first ones whose objects are not the same."""
    return compress(after, map(is_not, islice(before.values(), length), after.values()))
