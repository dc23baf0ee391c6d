"""``frrsync config``: the running and the desired configuration of a node, and their difference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from frrsync.cli.group import example
from frrsync.cli.options import with_option, with_settings
from frrsync.cli.output import print_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.api.client import AgentClient
    from frrsync.settings import Settings


@click.group(epilog=example("frrsync config diff --node node1"))
def config() -> None:
    """Show the running and the desired configuration, and how they differ.

    Asks the agent of the node over its socket in --run-dir. Without --node: the only agent there.
    Passwords are hidden.
    """


@config.command(epilog=example("frrsync config running --node node1"))
@with_settings("node", "run_dir")
@with_option("output")
def running(settings: Settings, output: str) -> None:
    """Show what FRR runs."""
    print_document(_client(settings).running(), output, _print_config)


@config.command(epilog=example("frrsync config desired --node node1 --output json"))
@with_settings("node", "run_dir")
@with_option("output")
def desired(settings: Settings, output: str) -> None:
    """Show what the agent rendered last."""
    print_document(_client(settings).desired(), output, _print_config)


@config.command(epilog=example("frrsync config diff --node node1 && echo in sync"))
@with_settings("node", "run_dir")
@with_option("output")
@click.pass_context
def diff(ctx: click.Context, settings: Settings, output: str) -> None:
    """Show how FRR's configuration differs from the desired one.

    A line with + is wanted but not running, one with - runs but is not wanted. Exit code 0: no
    difference, 1: a difference.
    """
    document = _client(settings).diff()
    print_document(document, output, _print_diff)
    ctx.exit(0 if document["equal"] else 1)


def _client(settings: Settings) -> AgentClient:
    from frrsync.api.client import AgentClient, find_agent

    return AgentClient(find_agent(settings.run_dir, settings.node))


def _print_config(document: dict[str, Any]) -> None:
    click.echo(document["config"], nl=not document["config"].endswith("\n"))


def _print_diff(document: dict[str, Any]) -> None:
    if document["equal"]:
        click.echo("no difference: FRR runs what is desired", err=True)
        return
    click.secho("--- running", bold=True)
    click.secho("+++ desired", bold=True)
    for sign, text in diff_lines(document["missing"], document["unexpected"]):
        click.secho(sign + text, fg={"+": "green", "-": "red"}.get(sign))


@dataclass(slots=True)
class _Line:
    sign: str = " "
    children: dict[str, _Line] = field(default_factory=dict)


def diff_lines(missing: list[list[str]], unexpected: list[list[str]]) -> Iterator[tuple[str, str]]:
    """Yield sign and indented text of every line that differs, each context above its lines once."""
    root = _Line()
    for sign, paths in (("-", unexpected), ("+", missing)):
        for path in paths:
            line = root
            for text in path:
                line = line.children.setdefault(text, _Line())
            line.sign = sign
    yield from _below(root, 0)


def _below(line: _Line, depth: int) -> Iterator[tuple[str, str]]:
    for text, child in _grouped(line.children):
        yield child.sign, " " * depth + text
        yield from _below(child, depth + 1)


def _grouped(children: dict[str, _Line]) -> list[tuple[str, _Line]]:
    """Return the lines of a context so that what comes stands behind what goes for it."""
    places: dict[str, int] = {}
    for text in children:
        places.setdefault(_subject(text), len(places))
    return sorted(children.items(), key=lambda item: places[_subject(item[0])])


def _subject(text: str) -> str:
    return " ".join(text.split(" ")[:3])
