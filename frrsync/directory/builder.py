"""Events of libyaml's parser to plain data.

One pass without recursion in C, so that a deep text cannot overflow its stack; kubectl's meaning of scalars
(``directory.scalar``); keys that stand twice are refused; aliases that multiply come to an end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from yaml import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from frrsync.directory.scalar import SPECIAL, key_text, resolve, resolve_tagged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_DEPTH: Final = 64
"""Deepest nesting; no manifest comes near it."""

MAX_NODES: Final = 2_000_000
"""Most values of one text once its aliases are written out; 10 MB without aliases stay well below."""

_MERGE_TAG: Final = "tag:yaml.org,2002:merge"

Event = Any
"""An event of PyYAML; the stubs make every part of it optional, which it is not."""

Lines = int | tuple[int, Any]
"""Line of a scalar, or line of a container and the lines of what is in it (a dict or a list of ``Lines``)."""


class BrokenTextError(Exception):
    """A text that is neither YAML nor JSON; the message shows nothing of the text, which may be a secret."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        super().__init__(message)


class Builder:
    """Makes data of events; one for each text, whose first line is the one after ``line``."""

    def __init__(self, next_event: Callable[[], Event], line: int) -> None:
        self.next = next_event
        self.base = line + 1
        self.count = 0
        self.anchors: dict[str, tuple[Any, Lines, int] | None] = {}

    def documents(self) -> Iterator[tuple[Any, Lines]]:
        """Yield each document that is not empty, with its lines."""
        while True:
            event = self.next()
            if type(event) is StreamEndEvent:
                return
            if type(event) is DocumentStartEvent:
                self.anchors = {}
                data, lines = self.node(self.next(), 0)
                if data is not None:
                    yield data, lines

    def node(self, event: Event, depth: int) -> tuple[Any, Lines]:
        """Return the value that starts with this event, and its lines."""
        kind = type(event)
        if kind is ScalarEvent and event.anchor is None:
            return self.scalar(event), self.base + event.start_mark.line
        if kind is AliasEvent:
            return self.alias(event)
        line = self.base + event.start_mark.line
        if depth > MAX_DEPTH:
            raise BrokenTextError(line, f"nested deeper than {MAX_DEPTH} levels")
        anchor, before = event.anchor, self.count
        if anchor is not None:
            self.anchors[anchor] = None
        value: Any
        if kind is MappingStartEvent:
            value, inner = self.mapping(depth + 1)
            lines: Lines = (line, inner)
        elif kind is SequenceStartEvent:
            value, inner_list = self.sequence(depth + 1)
            lines = (line, inner_list)
        else:
            value, lines = self.scalar(event), line
        if anchor is not None:
            self.anchors[anchor] = (value, lines, self.count - before)
        return value, lines

    def scalar(self, event: Event) -> Any:
        """Return the value of a scalar."""
        self.count += 1
        tag, text = event.tag, event.value
        if tag is None or tag == "!":
            if tag is not None or not event.implicit[0] or (text and text[0] not in SPECIAL):
                return text
            value = resolve(text)
        else:
            try:
                value = resolve_tagged(tag, text)
            except ValueError as error:
                raise BrokenTextError(self.base + event.start_mark.line, str(error)) from None
        if type(value) is float and not math.isfinite(value):
            raise BrokenTextError(self.base + event.start_mark.line, "infinity and not-a-number are no values here")
        return value

    def alias(self, event: Event) -> tuple[Any, Lines]:
        """Return what an anchor stands for; it is shared, yet counted as if it were written out."""
        line = self.base + event.start_mark.line
        if event.anchor not in self.anchors:
            raise BrokenTextError(line, "an alias refers to an anchor that does not stand before it")
        target = self.anchors[event.anchor]
        if target is None:
            raise BrokenTextError(line, "an alias refers to what it is a part of")
        value, lines, size = target
        self.count += size
        if self.count > MAX_NODES:
            raise BrokenTextError(line, f"aliases multiply this to more than {MAX_NODES} values")
        return value, line if isinstance(lines, int) else (line, lines[1])

    def sequence(self, depth: int) -> tuple[list[Any], list[Lines]]:
        """Return a list and the lines of its items."""
        self.count += 1
        values: list[Any] = []
        lines: list[Lines] = []
        while type(event := self.next()) is not SequenceEndEvent:
            value, line = self.node(event, depth)
            values.append(value)
            lines.append(line)
        return values, lines

    def mapping(self, depth: int) -> tuple[dict[str, Any], dict[str, Lines]]:
        """Return a mapping and the lines of its keys; what ``<<`` brings may be replaced, by kubectl's order."""
        self.count += 1
        values: dict[str, Any] = {}
        lines: dict[str, Lines] = {}
        merged: set[str] = set()
        while type(event := self.next()) is not MappingEndEvent:
            at = self.base + event.start_mark.line
            if type(event) is ScalarEvent and event.value == "<<" and self._is_merge(event):
                self.merge(at, depth, values, lines, merged)
                continue
            key = self.key(event, depth)
            if key in values and key not in merged:
                raise BrokenTextError(at, f"key {key!r} stands twice in one mapping")
            if merged:
                merged.discard(key)
            event = self.next()
            if type(event) is ScalarEvent and event.anchor is None:
                values[key] = self.scalar(event)
                lines[key] = at
            else:
                values[key], line = self.node(event, depth)
                lines[key] = at if isinstance(line, int) else (at, line[1])
        return values, lines

    @staticmethod
    def _is_merge(event: Event) -> bool:
        return event.tag == _MERGE_TAG or (event.tag is None and event.implicit[0])

    def key(self, event: Event, depth: int) -> str:
        """Return a key as text."""
        is_plain = type(event) is ScalarEvent and event.anchor is None
        value = self.scalar(event) if is_plain else self.node(event, depth)[0]
        if type(value) is str:
            return value
        at = self.base + event.start_mark.line
        if isinstance(value, dict | list):
            raise BrokenTextError(at, "a key is a list or a mapping, it must be a text")
        try:
            return key_text(value)
        except ValueError as error:
            raise BrokenTextError(at, str(error)) from None

    def merge(self, at: int, depth: int, values: dict[str, Any], lines: dict[str, Lines], merged: set[str]) -> None:
        """Take in what ``<<`` names: one mapping, or a list of them of which the first wins."""
        found, found_lines = self.node(self.next(), depth)
        parts = found if isinstance(found, list) else [found]
        if not all(isinstance(part, dict) for part in parts):
            raise BrokenTextError(at, "<< needs a mapping or a list of mappings")
        for index in reversed(range(len(parts))):
            inner = found_lines if parts is not found else found_lines[1][index]  # type: ignore[index]  # lines of a list
            values.update(parts[index])
            lines.update({key: _at(at, line) for key, line in inner[1].items()})  # type: ignore[index]  # lines of a mapping
            merged.update(parts[index])


def _at(line: int, lines: Lines) -> Lines:
    return line if isinstance(lines, int) else (line, lines[1])
