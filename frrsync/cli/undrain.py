"""``frrsync undrain``: the end of an ordered drain."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from frrsync.cli.group import example
from frrsync.cli.options import with_option, with_settings
from frrsync.cli.order import agent_of
from frrsync.cli.output import print_document
from frrsync.core.drain import tell
from frrsync.core.node_facts import DrainSource

if TYPE_CHECKING:
    from frrsync.api.client import AgentClient
    from frrsync.settings import Settings

NOTICED_SECONDS = 10.0
"""How long the agent may take to act; it may be in the midst of a large change."""
LOOK_SECONDS = 0.1


@click.command(epilog=example("frrsync undrain --node node1"))
@with_settings("node", "run_dir")
@with_option("output")
@click.pass_context
def undrain(ctx: click.Context, settings: Settings, output: str) -> None:
    """End an ordered drain: everything is announced again, at full preference.

    A node that its Node object drains as well stays drained. Exit code 0: nothing drains the node any more,
    1: it is still drained, standard error says by what.
    """
    agent = agent_of(settings)
    document = agent.order("undrain")
    document["drain"] = _left(agent)
    print_document(document, output, _print)
    if document["drain"] is not None:
        click.echo(
            f"Error: node {document['node']} is still drained, by {tell(document['drain']['asked_by'])}", err=True
        )
        ctx.exit(1)


def _left(agent: AgentClient) -> dict[str, Any] | None:
    """Return the drain that stays although it is not ordered any more; None when none does."""
    until = time.monotonic() + NOTICED_SECONDS
    while True:
        found: dict[str, Any] | None = agent.status()["drain"]
        if found is None or DrainSource.ORDER not in found["asked_by"] or time.monotonic() > until:
            return found
        time.sleep(LOOK_SECONDS)


def _print(document: dict[str, Any]) -> None:
    if document["drain"] is None:
        click.echo(f"node {document['node']}: not drained any more; frrsync status shows what it announces")
