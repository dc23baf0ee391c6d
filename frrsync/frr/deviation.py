"""What FRR runs against what was wanted, in lines and in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync.core.redact import redact
from frrsync.frr.tree import difference

if TYPE_CHECKING:
    from frrsync.frr.tree import Path, Tree

MOST_SHOWN = 5
"""Lines that an error names."""


def deviations(running: Tree, wanted: Tree) -> tuple[list[Path], list[Path]]:
    """Return the lines that are wanted and do not run, and those that run and are not wanted."""
    return difference(wanted, running), difference(running, wanted)


def summary(running: Tree, wanted: Tree) -> str:
    """Name the first lines that differ, without passwords."""
    missing, unexpected = deviations(running, wanted)
    named = [f"missing {redact(' / '.join(path))!r}" for path in missing[:MOST_SHOWN]]
    named += [f"unexpected {redact(' / '.join(path))!r}" for path in unexpected[:MOST_SHOWN]]
    more = len(missing) + len(unexpected) - MOST_SHOWN
    return ", ".join(named[:MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
