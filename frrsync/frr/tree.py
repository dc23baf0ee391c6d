"""An FRR configuration as a tree of lines, so that two of them compare free of order.

FRR 8.4 prints route-maps in order of creation and 10.3 by name, and neither order carries a meaning in
what we render (entries of a route-map have numbers). So a context is a mapping from each of its lines
to that line's own children, and equality of mappings ignores order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Tree = dict[str, "Tree"]
"""A context: its lines, each with the lines of the context that it opens (empty for a plain line)."""

Path = tuple[str, ...]
"""The lines from the top to a line, that line included."""

_ENDS = frozenset({"exit", "end", "exit-address-family", "exit-vrf", "exit-route-map"})


def parse(text: str) -> Tree:
    """Read a configuration in FRR's own form: one space of indentation a level.

    Blank lines, comments and ends of contexts carry nothing and are dropped. A line that stands twice in
    one context is one line.
    """
    root: Tree = {}
    open_contexts: list[tuple[int, Tree]] = [(-1, root)]
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("!") or line in _ENDS:
            continue
        indentation = len(raw) - len(raw.lstrip(" "))
        while open_contexts[-1][0] >= indentation:
            open_contexts.pop()
        children = open_contexts[-1][1].setdefault(line, {})
        open_contexts.append((indentation, children))
    return root


def lines(tree: Tree, above: Path = ()) -> Iterator[Path]:
    """Yield the path of every line, contexts before what they hold."""
    for line, children in tree.items():
        path = (*above, line)
        yield path
        yield from lines(children, path)


def difference(left: Tree, right: Tree) -> list[Path]:
    """Return the paths that only the left tree has, in its order."""
    found: list[Path] = []
    _collect_difference(left, right, (), found)
    return found


def _collect_difference(left: Tree, right: Tree, above: Path, found: list[Path]) -> None:
    for line, children in left.items():
        other = right.get(line)
        if other is None:
            found.append((*above, line))
            found.extend(lines(children, (*above, line)))
        elif children != other:
            _collect_difference(children, other, (*above, line), found)
