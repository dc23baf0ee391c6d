"""``frrsync pause``: nothing is sent to FRR for a while, so that a person can try things by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from frrsync.cli.group import example
from frrsync.cli.options import with_option, with_settings
from frrsync.cli.order import Duration, agent_of, moment
from frrsync.cli.output import print_document

if TYPE_CHECKING:
    from frrsync.settings import Settings


@click.command(epilog=example("frrsync pause --node node1 --for 30m"))
@with_settings("node", "run_dir")
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    default="30m",
    show_default=True,
    envvar="FRRSYNC_FOR",
    show_envvar=True,
    help="How long, such as 90s, 30m, 2h or 1d; at most 7 days.",
)
@with_option("output")
def pause(settings: Settings, seconds: float, output: str) -> None:
    """Send nothing to FRR for a while, whatever changes.

    The agent goes on to decide and to compare; frrsync config diff shows what waits. The pause outlives a
    restart of the agent and ends by itself, or with frrsync resume. What is being sent at this moment is
    finished first.
    """
    print_document(agent_of(settings).order("pause", {"seconds": seconds}), output, _print)


def _print(document: dict[str, Any]) -> None:
    until = moment(document["orders"]["paused_until"])
    click.echo(f"node {document['node']}: nothing is sent to FRR until {until}; frrsync resume ends that earlier")
