"""``frrsync resume``: end a pause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from frrsync.cli.group import example
from frrsync.cli.options import with_option, with_settings
from frrsync.cli.order import agent_of
from frrsync.cli.output import print_document

if TYPE_CHECKING:
    from frrsync.settings import Settings


@click.command(epilog=example("frrsync resume --node node1"))
@with_settings("node", "run_dir")
@with_option("output")
def resume(settings: Settings, output: str) -> None:
    """End a pause: FRR is brought to what is wanted at once."""
    print_document(agent_of(settings).order("resume"), output, _print)


def _print(document: dict[str, Any]) -> None:
    click.echo(f"node {document['node']}: not paused, changes are sent to FRR")
