"""What the demo prints: headed steps, commands as an operator types them, and their output as it came."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 100
"""Columns when nobody looks at a terminal, and the most that a sentence takes."""

_DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


class Stage:
    """The terminal, or a file: colours only on the former."""

    def __init__(self) -> None:
        self.width = shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
        self._steps = 0

    def step(self, title: str) -> None:
        """Begin a step."""
        self._steps += 1
        click.secho(f"\n{self._steps}. {title}", bold=True)

    def say(self, text: str) -> None:
        """Explain."""
        click.echo(textwrap.fill(text, min(self.width, WIDTH), break_on_hyphens=False))

    def command(self, prompt: str, line: str, output: str) -> None:
        """Show a command that was run, and what it printed."""
        click.secho(f"  {prompt} ", fg="cyan", nl=False)
        click.secho(line, bold=True)
        self.output(output.splitlines())

    def output(self, lines: Iterable[str]) -> None:
        """Show lines of output, indented and cut at the edge, where wrapping would destroy a table."""
        shown = [line.expandtabs()[: self.width - 2].rstrip() for line in lines]
        while shown and not shown[-1]:
            shown.pop()
        while shown and not shown[0]:
            shown.pop(0)
        for line in shown:
            click.echo(f"  {line}".rstrip())

    def diff(self, lines: Iterable[str]) -> None:
        """Show a unified diff."""
        for line in lines:
            click.secho(f"  {line}", fg=_DIFF_COLOURS.get(line[:1]))

    def fact(self, label: str, text: str) -> None:
        """Show something that was measured."""
        click.secho(f"  {label:<10} ", bold=True, nl=False)
        click.secho(text, fg="green")
