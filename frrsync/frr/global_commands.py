"""Plain lines of the top level: the commands that make and remove them. Pure.

Lists that templates of an operator print, the delay timer, next-hop tracking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.frr.lines import global_key, list_value, negation
from frrsync.frr.plan import Command, Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.frr.tree import Tree


def additions(running: Tree, desired: Tree) -> Iterator[Command]:
    """Yield what makes lines; an entry of a list that only changes its number goes before."""
    appearing = _appearing(running, desired)
    values = {list_value(line) for line, _ in appearing} - {""}
    for line, daemon in _plain(running):
        if line not in desired and list_value(line) in values:
            yield Command(daemon, (), f"no {line}")
    for line, daemon in appearing:
        yield Command(daemon, (), line)


def removals(running: Tree, desired: Tree) -> Iterator[Command]:
    """Yield what takes back lines that nothing replaces."""
    appearing = _appearing(running, desired)
    values = {list_value(line) for line, _ in appearing} - {""}
    keys = {global_key(line) for line, _ in appearing}
    for line, daemon in _plain(running):
        if line not in desired and list_value(line) not in values and global_key(line) not in keys:
            yield Command(daemon, (), negation(line) if line.startswith("no ") else f"no {line}")


def _appearing(running: Tree, desired: Tree) -> list[tuple[str, Daemon]]:
    return [item for item in _plain(desired) if item[0] not in running]


def _plain(tree: Tree) -> Iterator[tuple[str, Daemon]]:
    """Yield the lines that open no context of ours, and who runs each."""
    for line, content in tree.items():
        if not content and line != "bfd" and not line.startswith(("route-map ", "router bgp ")):
            yield line, Daemon.ZEBRA if " nht " in line else Daemon.BGPD
