"""``frrsync confirm``: let go a mass withdrawal that the agent holds back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from frrsync.cli.group import example
from frrsync.cli.options import with_option, with_settings
from frrsync.cli.order import agent_of
from frrsync.cli.output import print_document, printable

if TYPE_CHECKING:
    from frrsync.settings import Settings


@click.command(epilog=example("frrsync confirm --node node1"))
@with_settings("node", "run_dir")
@with_option("output")
@click.pass_context
def confirm(ctx: click.Context, settings: Settings, output: str) -> None:
    """Let go a mass withdrawal that the agent holds back.

    Exit code 0: it is let go, 1: nothing was held back, 2: no agent answers.
    """
    agent = agent_of(settings)
    held = agent.status()["held"]
    if held is None:
        click.echo("nothing is held back", err=True)
        ctx.exit(1)

    def show(document: dict[str, Any]) -> None:
        named = f" ({printable(', '.join(held['named']))})" if held["named"] else ""
        click.echo(
            f"node {document['node']}: let go {held['prefixes']} of {held['announced']} prefixes, because of "
            f"{held['objects'] or 'missing'} objects that vanished{named}"
        )

    print_document(agent.order("confirm"), output, show)
