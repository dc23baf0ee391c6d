"""``frrsync agent``: the agent of one node."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from frrsync.cli.group import example
from frrsync.cli.options import with_settings
from frrsync.cli.program import run_until_stopped

if TYPE_CHECKING:
    from frrsync.settings import Settings

AGENT_SETTINGS = (
    "manifests",
    "node",
    "config_namespace",
    "load_balancer_class",
    "ignore_exclude_label",
    "state_dir",
    "run_dir",
    "vty_dir",
    "frr_namespace",
    "vtysh",
    "apply_with",
    "frr_conf",
    "templates",
    "maximum_paths",
    "check_interval",
    "observe",
    "on_stop",
    "drain_time",
    "frr_mode",
    "allow_neighbor",
    "guard_percent",
    "guard_minimum",
    "guard_time",
    "log_level",
)


@click.command(epilog=example("frrsync agent --manifests /etc/frrsync/manifests --node node1 --observe"))
@with_settings(*AGENT_SETTINGS, required=("manifests", "node"))
def agent(settings: Settings) -> None:
    """Run the agent of one node: decide, render, apply, report.

    Addresses come from the record that `frrsync controller` keeps in --state-dir. Stops on SIGTERM or
    SIGINT; announcements stay unless --on-stop says otherwise.
    """
    from frrsync.agent import run as run_agent

    run_until_stopped(settings, "agent", lambda stop: run_agent(settings, allocate=False, stop=stop))
