"""BFD profiles: the commands that make, change and remove them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.frr.lines import bfd_key, bfd_negation
from frrsync.frr.plan import Command, Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.frr.tree import Tree

_BFD = "bfd"


def additions(running: Tree, desired: Tree) -> Iterator[Command]:
    """Yield what makes and changes profiles; a changed value never takes a session down."""
    if _BFD not in desired:
        return
    if not desired[_BFD] and _BFD not in running:
        yield Command(Daemon.BFDD, (_BFD,), "")
    for profile, wanted in desired[_BFD].items():
        have = running.get(_BFD, {}).get(profile)
        context = (_BFD, profile)
        if have is None and not wanted:
            yield Command(Daemon.BFDD, context, "")
            continue
        keys = {bfd_key(line) for line in wanted}
        leaving = [line for line in have or {} if line not in wanted and bfd_key(line) not in keys]
        appearing = [line for line in wanted if line not in (have or {})]
        for line in (*(bfd_negation(line) for line in leaving), *appearing):
            yield Command(Daemon.BFDD, context, line)


def removals(running: Tree, desired: Tree) -> Iterator[Command]:
    """Yield what takes back profiles that are not wanted."""
    if _BFD in running and _BFD not in desired:
        yield Command(Daemon.BFDD, (), f"no {_BFD}")
        return
    for profile in running.get(_BFD, {}):
        if profile not in desired.get(_BFD, {}):
            yield Command(Daemon.BFDD, (_BFD,), f"no {profile}")
