"""``frrsync controller``: the allocation alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from frrsync.cli.group import example
from frrsync.cli.options import with_settings
from frrsync.cli.program import run_until_stopped

if TYPE_CHECKING:
    from frrsync.settings import Settings


@click.command(epilog=example("frrsync controller --manifests /etc/frrsync/manifests"))
@with_settings(
    "manifests",
    "config_namespace",
    "load_balancer_class",
    "state_dir",
    "check_interval",
    "log_level",
    required=("manifests",),
)
def controller(settings: Settings) -> None:
    """Run the allocation alone: give every Service its address and keep the record in --state-dir.

    One per folder of manifests; a second one on the same record is refused. Stops on SIGTERM or SIGINT.
    """
    from frrsync.controller import run as run_controller

    run_until_stopped(settings, "controller", lambda stop: run_controller(settings, stop=stop))
