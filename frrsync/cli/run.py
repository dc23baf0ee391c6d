"""``frrsync run``: allocation and agent in one program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from frrsync.cli.agent import AGENT_SETTINGS
from frrsync.cli.group import example
from frrsync.cli.options import with_settings
from frrsync.cli.program import run_until_stopped

if TYPE_CHECKING:
    from frrsync.settings import Settings


@click.command(epilog=example("frrsync run --manifests /etc/frrsync/manifests --node node1"))
@with_settings(*AGENT_SETTINGS, required=("manifests", "node"))
def run(settings: Settings) -> None:
    """Run allocation and agent in one program, on a folder of manifests.

    For one node. Several nodes that share a folder need one `frrsync controller` and a `frrsync agent`
    each. Stops on SIGTERM or SIGINT; announcements stay unless --on-stop says otherwise.
    """
    from frrsync.agent import run as run_agent

    run_until_stopped(settings, "run", lambda stop: run_agent(settings, allocate=True, stop=stop))
