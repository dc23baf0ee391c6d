"""Route-maps: the commands that make them, and that mend one that somebody changed behind our back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.frr.lines import map_key
from frrsync.frr.plan import Command, Daemon

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from frrsync.frr.policy import Entry

    Entries = Mapping[tuple[int, str], Entry]


def additions(old: Mapping[str, Entries], new: Mapping[str, Entries]) -> Iterator[Command]:
    """Yield what makes the maps that are missing and mends those that differ."""
    for name, entries in new.items():
        if name not in old:
            for (number, action), content in entries.items():
                yield from make_entry(name, action, number, content)
        elif old[name] != entries:
            yield from _mend(name, old[name], entries)


def make_entry(name: str, action: str, number: int, content: Iterable[str]) -> Iterator[Command]:
    """Yield the lines of one entry; without any, entering it is what makes it."""
    context = (f"route-map {name} {action} {number}",)
    for line in tuple(content) or ("",):
        yield Command(Daemon.BGPD, context, line)


def remove(name: str) -> Command:
    """Return the line that takes back a whole map."""
    return Command(Daemon.BGPD, (), f"no route-map {name}")


def _mend(name: str, old: Entries, new: Entries) -> Iterator[Command]:
    """Yield what makes an existing map right, entry by entry.

    The map itself must stay: bgpd 8.4 writes into freed memory when a ``network`` or a neighbor changes its
    map within a second after that map was taken back in use.
    """
    numbers = {number for number, _ in (*old, *new)}
    spare = next(number for number in range(65535, 0, -1) if number not in numbers)
    holds = any(_must_go(old, number, content) for (number, _), content in new.items())
    if holds:
        yield from make_entry(name, "deny", spare, ())
    for (number, action), content in new.items():
        if old.get((number, action)) != content:
            yield from _mend_entry(name, number, action, content, old)
    kept = {number for number, _ in new}
    for number, action in old:
        if number not in kept:
            yield Command(Daemon.BGPD, (), f"no route-map {name} {action} {number}")
    if holds:
        yield Command(Daemon.BGPD, (), f"no route-map {name} deny {spare}")


def _mend_entry(name: str, number: int, action: str, content: Entry, old: Entries) -> Iterator[Command]:
    """Yield what makes one entry right; it denies until all lines stand, a permit without match permits all."""
    there = next((action for other, action in old if other == number), "")
    present = old.get((number, there), ())
    if _must_go(old, number, content):
        yield Command(Daemon.BGPD, (), f"no route-map {name} {there} {number}")
        present = ()
    yield from make_entry(name, "deny", number, (line for line in content if line not in present))
    if action == "permit":
        yield from make_entry(name, "permit", number, ())


def _must_go(old: Entries, number: int, content: Entry) -> bool:
    """Say whether an entry has lines that none of ours overwrites.

    They go with the whole entry: for some FRR has no ``no``, for others one that differs between versions.
    """
    keys = {map_key(line) for line in content}
    present = (line for (other, _), lines in old.items() if other == number for line in lines)
    return any(map_key(line) not in keys for line in present)
