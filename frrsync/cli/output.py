"""Printing: one document as a table for people, or as JSON or YAML for programs.

Colours only on a terminal. rich is imported only by the command that draws a table.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

WIDE = 10_000
"""Columns when nobody looks: a line of a file is never wrapped."""


def print_document(document: Any, output: str, table: Callable[[Any], None]) -> None:
    """Print the document as ``output`` says; ``table`` prints it for people."""
    if output == "json":
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif output == "yaml":
        from frrsync.directory.dump import dump_yaml

        click.echo(dump_yaml(document), nl=False)
    else:
        table(document)


def print_rows(headers: Sequence[str], rows: Iterable[Sequence[object]], *, red: Callable[[int], bool]) -> None:
    """Print aligned columns; ``red`` says by its index which row deserves attention.

    None is shown as ``?``: what is not known is no zero and no blank.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, overflow="fold")
    for index, row in enumerate(rows):
        cells = [Text(printable("?" if cell is None else str(cell))) for cell in row]
        table.add_row(*cells, style="red" if red(index) else None)
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    with console.capture() as capture:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in capture.get().rstrip("\n").split("\n")))


def counted(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun: ``1 file``, ``2 files``; ``more`` where the plural is no added s."""
    return f"{number} {one if number == 1 else more or one + 's'}"


def printable(text: str) -> str:
    """Return the text on one line without control characters: a manifest must not steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def mistake_line(mistake: Mapping[str, Any]) -> str:
    """Return a mistake as a compiler would print it: ``file:line: Kind name: field: message``."""
    where = f"{mistake['file']}:{mistake['line']}" if mistake["line"] else mistake["file"]
    subject = f"{mistake['kind']} {mistake['name']}".strip()
    return ": ".join(part for part in (where, subject, mistake["field"], mistake["message"]) if part)
