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
    """Yield what makes an existing map right, entry by entry."""
    for (number, action), content in new.items():
        if old.get((number, action)) != content:
            before = next(((there, lines) for (other, there), lines in old.items() if other == number), None)
            yield from _mend_entry(name, number, action, content, before)
    kept = {number for number, _ in new}
    for number, action in old:
        if number not in kept:
            yield Command(Daemon.BGPD, (), f"no route-map {name} {action} {number}")


def _mend_entry(
    name: str, number: int, action: str, content: Entry, before: tuple[str, Entry] | None
) -> Iterator[Command]:
    """Yield what makes one entry right.

    It denies until all of its lines stand: a permit without its match lets everything through. What no line
    of ours overwrites goes with the whole entry: FRR has no ``no`` for some lines, and another for each version.
    """
    present: Entry = ()
    if before is not None:
        there, present = before
        keys = {map_key(line) for line in content}
        if any(map_key(line) not in keys for line in present):
            yield Command(Daemon.BGPD, (), f"no route-map {name} {there} {number}")
            present = ()
    yield from make_entry(name, "deny", number, (line for line in content if line not in present))
    if action == "permit":
        yield from make_entry(name, "permit", number, ())
