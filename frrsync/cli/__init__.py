"""The commands of frrsync.

One module per command; each fetches a document, then prints it. A module is imported only when its
command is used, so that ``frrsync --help`` and shell completion answer at once. Commands decide nothing:
decisions are in ``core``.

Exit codes, the same for every command: 0 all good, 1 the answer is "no" (mistakes found, a difference,
something is wrong), 2 the question could not be answered (wrong use, no agent, no FRR, unreadable file).
``plan`` alone differs: 2 means changes, and 1 everything that is in their way.
"""

from __future__ import annotations

import click

from frrsync import __version__
from frrsync.cli.group import LazyGroup, example

COMMANDS = {
    "run": "Run allocation and agent in one program, on a folder of manifests.",
    "agent": "Run the agent of one node.",
    "controller": "Run the allocation alone, for several agents.",
    "render": "Print the frr.conf of a node.",
    "check": "Find every mistake in manifests.",
    "plan": "Show what a change would do, before it is made.",
    "status": "Show what an agent does, and what is wrong.",
    "config": "Show the running and the desired configuration, and how they differ.",
    "vtysh": "Ask FRR with one show command.",
    "pause": "Send nothing to FRR for a while.",
    "resume": "End a pause.",
    "confirm": "Let go a mass withdrawal that is held back.",
    "drain": "Take a node out of service: announce as the last choice, then nothing.",
    "undrain": "End a drain: announce again.",
    "lab": "Build a small data centre on this machine.",
}
"""Every command with its line in ``frrsync --help``; ``frrsync.cli.NAME`` holds it under the same name."""


@click.group(
    cls=LazyGroup,
    commands_with_help=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=example("frrsync render --manifests ./manifests --node node1"),
)
@click.version_option(__version__, prog_name="frrsync", message="%(prog)s %(version)s")
def main() -> None:
    """LoadBalancer addresses for bare-metal Kubernetes, announced by the FRR beside it.

    Every option can also be given as an environment variable or in a settings file (TOML); see
    docs/commands.md.
    """
