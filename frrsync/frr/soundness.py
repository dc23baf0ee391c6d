"""What no FRR can run, found before anything is sent: sending it would cost a session on the way back. Pure.

Our own templates print nothing of the kind; an operator's may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.errors import ApplyError
from frrsync.frr.lines import creates_neighbor, neighbor_key, neighbor_of, resets_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from frrsync.frr.tree import Path, Tree


def require_sound(wanted: Tree, origin: Callable[[str], str], hide: Callable[[str], str]) -> None:
    """Raise ApplyError for what no FRR can run.

    ``origin`` returns the place of a line, in words, ``hide`` a text without passwords.
    """
    if found := fault_of(wanted):
        path, reason = found
        which = f"not sent, a line{place}" if (place := origin(path[-1])) else "not sent"
        raise ApplyError(f"{which}: {hide(reason)}: {hide(' / '.join(path))!r}", rolled_back=True, paths=(path,))


def fault_of(wanted: Tree) -> tuple[Path, str] | None:
    """Return the first line that cannot stand where it stands, behind its contexts, and why; None if all can."""
    for line, content in wanted.items():
        if line.startswith("router bgp ") and (found := _fault_of_instance(content)):
            path, reason = found
            return (line, *path), reason
    return None


def _fault_of_instance(instance: Tree) -> tuple[Path, str] | None:
    made: set[str] = set()
    values: dict[str, str] = {}
    for line in instance:
        if not (peer := neighbor_of(line)):
            continue
        if creates_neighbor(line) or line.startswith(f"neighbor {peer} interface"):
            made.add(peer)
        if resets_session(line):
            key = neighbor_key(line)
            if key in values:
                return (line,), f"contradicts {values[key]!r}, and FRR keeps one of them"
            values[key] = line
    for context, content in instance.items():
        for line in (context, *content):
            if line.startswith("neighbor ") and neighbor_of(line) not in made:
                path = (line,) if line == context else (context, line)
                return path, f"no line with remote-as makes neighbor {neighbor_of(line)}"
    return None
