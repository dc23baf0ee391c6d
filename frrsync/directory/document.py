"""Text of YAML or JSON to plain documents, with the line of every field.

A file is cut at its lines ``---`` first, as kubectl does it, so that a broken part leaves the others readable.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from yaml import YAMLError
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # the stubs do not export it

from frrsync.directory.builder import BrokenTextError, Builder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.core.fields import FieldPath
    from frrsync.directory.builder import Lines

_SEPARATOR: Final = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)
_SURROGATES: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})", re.IGNORECASE)


class Chunk(NamedTuple):
    """A part of a file between two lines ``---``; ``line`` is the number of its first line less one."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """One document: plain data, and the lines of its parts."""

    data: Any
    lines: Lines

    @property
    def line(self) -> int:
        """Return the line where the document starts."""
        return self.lines if isinstance(self.lines, int) else self.lines[0]

    def line_of(self, path: FieldPath) -> int:
        """Return the line of a field, or of the deepest part of its path that exists."""
        lines = self.lines
        for step in path:
            if isinstance(lines, int):
                break
            inner = lines[1]
            try:
                lines = inner[step]
            except (KeyError, IndexError, TypeError):
                break
        return lines if isinstance(lines, int) else lines[0]


def split(text: str) -> Iterator[Chunk]:
    """Yield the parts of a file as kubectl cuts it, so that a broken one leaves the others readable."""
    start, line = 0, 0
    for match in _SEPARATOR.finditer(text):
        if start or not _is_preamble(text, match.start()):
            yield Chunk(line, text[start : match.start()])
            line += text.count("\n", start, match.end())
            start = match.end()
    yield Chunk(line, text[start:])


def _is_preamble(text: str, end: int) -> bool:
    """Say whether there is nothing but directives (``%YAML 1.1``) before the first separator."""
    return text.startswith("%") and all(line.startswith(("%", "#")) or not line for line in text[:end].splitlines())


def documents(text: str, line: int = 0) -> Iterator[Document]:
    """Yield the documents of a chunk that begins after that line of its file.

    Raises BrokenTextError after those before the broken place.
    """
    if text.lstrip()[:1] == "{":
        yield from _json_documents(text, line)
    else:
        yield from _yaml_documents(text, line)


def _json_documents(text: str, line: int) -> Iterator[Document]:
    """Yield documents of JSON, one after the other without separator if need be; flow YAML goes its own way.

    libyaml reads them too, with lines; only its escapes differ from those of JSON.
    """
    decoder, position, pieces = json.JSONDecoder(), 0, []
    while rest := len(text[position:].lstrip()):
        start = len(text) - rest
        try:
            _, position = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):  # no JSON, or a number of more digits than Python reads
            yield from _yaml_documents(text, line)
            return
        pieces.append((start, position))
    for start, end in pieces:
        piece = _SURROGATES.sub(_joined, text[start:end])
        yield from _yaml_documents(piece.replace("\t", " "), line + text.count("\n", 0, start))


def _joined(match: re.Match[str]) -> str:
    """Return the character that a pair of UTF-16 surrogates stands for."""
    return match[1] + bytes.fromhex(match[2] + match[3]).decode("utf-16-be")


def _yaml_documents(text: str, line: int) -> Iterator[Document]:
    try:
        parser = CParser(text)
        yield from (Document(data, lines) for data, lines in Builder(parser.get_event, line).documents())
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be read"
        if mark is None:
            position = getattr(error, "position", 0)
            at = line + 1 + text.encode().count(b"\n", 0, position)
        else:
            # At the end of a text without a last line break libyaml is one line too far.
            at = line + 1 + min(mark.line, len(text.splitlines()) - 1)
        raise BrokenTextError(at, f"broken YAML: {problem}{_context(error, line)}") from None


def _context(error: YAMLError, line: int) -> str:
    context, mark = getattr(error, "context", None), getattr(error, "context_mark", None)
    if not context:
        return ""
    return f" {context}" + (f" that starts in line {line + 1 + mark.line}" if mark is not None else "")
