"""The tables of ``docs/fields.md``: read, tried on the manifests of the page, and written."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from frrsync.core.allocate import allocate
from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.core.fields import Location, dotted
from frrsync.core.manifests import parse_object
from frrsync.directory.store import check_paths
from frrsync.frr.dialect import dialect_of
from frrsync.frr.render import Renderer
from frrsync.frr.tree import difference, lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.frr.render import RenderedConfig
    from frrsync.frr.tree import Path as LinePath
    from frrsync.frr.tree import Tree
    from instruments.documents import Document

PAGE = Path(__file__).resolve().parents[2] / "docs" / "fields.md"
NODE = "n1"
WHOLE = " …"
"""Ends a line that stands for its block with everything inside."""
NOTHING = "nothing"
_WITHOUT = "without "
_NO_FIELD = "0000"
_WHOLE_OBJECT = frozenset({"Secret", "Service", "EndpointSlice", "Node"})
_OUTBOUND = re.compile(r"frrsync-out-[0-9a-f]{10}")
_CLASS = re.compile(r"frrsync-class-[0-9a-f]{8}")
_OUT_LINE = re.compile(r"neighbor (\S+) route-map (frrsync-out-\S+) out")
_DESCRIPTION = re.compile(r"neighbor (\S+) description (\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table; ``number`` is its line in the page.

    Attributes:
        cells: by the head of their column, as they are written.
        base: the manifests at the top of the page, and those of the section beside or instead of them.

    """

    kind: str
    number: int
    cells: dict[str, str]
    base: tuple[Document, ...]

    def __str__(self) -> str:
        """Return what a failing test is called."""
        return f"{self.kind}-{self.example}"

    @property
    def field(self) -> str:
        """Return the name of the field."""
        return self.cells["Field"].strip("`")

    @property
    def example(self) -> str:
        """Return the fragment as it is written."""
        return self.cells["Example"].strip("`")

    @property
    def since(self) -> str:
        """Return the version in which FRR got these lines."""
        return self.cells["Since"]

    @property
    def is_in_v1beta1(self) -> bool:
        """Say whether the older version of the kind has the field."""
        return self.cells.get("v1beta1") == "yes"

    @property
    def added(self) -> list[str]:
        """Return the lines that the example is said to add."""
        return re.findall("`([^`]+)`", self.cells["Lines"].partition(_WITHOUT)[0])

    @property
    def removed(self) -> list[str]:
        """Return lines that the example is said to take away."""
        return re.findall("`([^`]+)`", self.cells["Lines"].partition(_WITHOUT)[2])

    def documents(self, version: str = "") -> list[Document]:
        """Return the manifests of the page with the example in them, in another API version if it is named."""
        fragment = yaml.safe_load(self.example)
        change = fragment if self.kind in _WHOLE_OBJECT else {"spec": fragment}
        found = copy.deepcopy(list(self.base))
        target = next(document for document in found if document["kind"] == self.kind)
        _merge(target, change)
        if version:
            target["apiVersion"] = version
        return found


def _merge(target: Document, change: Document) -> None:
    for key, value in change.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value


def rows() -> list[Row]:
    """Return every row of the page."""
    return list(_rows(PAGE.read_text("utf-8")))


def _rows(text: str) -> Iterator[Row]:
    kind = ""
    head: list[str] = []
    common: list[Document] = []
    extra: list[Document] = []
    block: list[str] | None = None
    for number, line in enumerate(text.splitlines()):
        if line.startswith("## "):
            kind, extra, head = line.removeprefix("## "), [], []
        elif line.startswith("```"):
            if block is not None:
                (extra if kind else common).extend(yaml.safe_load_all("\n".join(block)))
            block = None if block is not None else []
        elif block is not None:
            block.append(line)
        elif line.startswith("| "):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not head:
                head = cells
            elif not cells[0].startswith("-"):
                row = dict(zip(head, cells, strict=True))
                yield Row(kind=kind, number=number, cells=row, base=_joined(common, extra))


def _joined(common: list[Document], extra: list[Document]) -> tuple[Document, ...]:
    """Return all manifests; one of the section takes the place of a common one with its name."""

    def key(document: Document) -> tuple[str, str]:
        return document["kind"], document["metadata"]["name"]

    return tuple({key(document): document for document in (*common, *extra)}.values())


def render(documents: list[Document] | tuple[Document, ...], folder: Path, version: str) -> RenderedConfig:
    """Return what the node's FRR has to run; no object may have a mistake."""
    file = folder / "manifests.yaml"
    file.write_text(yaml.safe_dump_all(documents), "utf-8")
    state = check_paths([file])
    assert state.mistakes == (), "\n".join(map(str, state.mistakes))
    allocations = allocate(state.snapshot, {}, load_balancer_class="")
    decision = NodeDecider(NodeOptions(node=NODE)).decide(state.snapshot, allocations.allocated)
    assert decision.mistakes == (), "\n".join(map(str, decision.mistakes))
    return Renderer(None, dialect_of(version)).render(decision.config)


def changes(before: Tree, after: Tree) -> tuple[list[LinePath], list[LinePath]]:
    """Return the lines that only one of two configurations has: added ones and removed ones.

    An outbound map is named after its content, so here it is named after each BGPPeer that uses it.
    """
    old, new = by_peer(before), by_peer(after)
    return difference(new, old), difference(old, new)


def by_peer(tree: Tree) -> Tree:
    """Return the configuration with names that do not depend on content."""
    words = [path[-1] for path in lines(tree)]
    peers = {found[1]: found[2] for line in words if (found := _DESCRIPTION.fullmatch(line))}
    users: dict[str, set[str]] = {}
    for line in words:
        if found := _OUT_LINE.fullmatch(line):
            users.setdefault(found[2], set()).add(peers[found[1]])
    result: Tree = {}
    for line, content in tree.items():
        map_name = _OUTBOUND.search(line)
        for peer in sorted(users.get(map_name[0], ())) if map_name else ("",):
            result[_OUTBOUND.sub(f"frrsync-out-*@{peer}", line)] = content
    return _plain(result)


def _plain(tree: Tree) -> Tree:
    return {
        _CLASS.sub("frrsync-class-*", _OUTBOUND.sub("frrsync-out-*", line)): _plain(below)
        for line, below in tree.items()
    }


def as_written(paths: list[LinePath], whole: list[str]) -> list[str]:
    """Return lines as the page writes them: the last word of each path, once, in order.

    What lies inside of a block that the page writes as a whole is left out.
    """
    blocks = {line.removesuffix(WHOLE) for line in whole if line.endswith(WHOLE)}
    found: dict[str, None] = {}
    for path in paths:
        words = [re.sub(r"@\S*", "", line) for line in path]
        if blocks & set(words[:-1]):
            continue
        found[words[-1] + (WHOLE if words[-1] in blocks else "")] = None
    return list(found)


def write(found: dict[int, list[str]]) -> None:
    """Write the lines of rows into the page; what stands after "without" stays."""
    text = PAGE.read_text("utf-8").splitlines()
    for row in rows():
        added = "<br>".join(f"`{line}`" for line in found[row.number])
        without = row.cells["Lines"].partition(_WITHOUT)
        cell = "<br>".join(part for part in (added, "".join(without[1:])) if part) or NOTHING
        cells = [cell if head == "Lines" else old for head, old in row.cells.items()]
        text[row.number] = f"| {' | '.join(cells)} |".replace("|  |", "| |")
    PAGE.write_text("\n".join(text) + "\n", "utf-8")


def known_fields(kind: str, version: str, *path: str | int) -> set[str]:
    """Return the fields that the reader of a kind knows in ``spec`` or deeper, in its own words.

    It is asked about a field that nobody has, and answers with those that it knows.
    """
    nested: Any = {_NO_FIELD: 1}
    for step in reversed(path):
        nested = [nested] if isinstance(step, int) else {step: nested}
    document = {"apiVersion": version, "kind": kind, "metadata": {"name": "any"}, "spec": nested}
    parsed = parse_object(document, Location(file=PAGE.name, line=lambda _: 0))
    where = dotted(("spec", *path, _NO_FIELD))
    said = next(mistake.message for mistake in parsed.mistakes if mistake.field == where)
    return set(said.removeprefix("unknown field; known are ").split(", "))
