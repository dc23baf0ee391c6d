"""``frrsync vtysh``: one show command, answered by FRR, without passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from frrsync.cli.group import example
from frrsync.cli.options import with_option, with_settings
from frrsync.cli.output import print_document
from frrsync.core.redact import redact
from frrsync.core.show_command import show_command

if TYPE_CHECKING:
    from frrsync.settings import Settings

_NAMES_FRR = ("vty_dir", "frr_namespace", "vtysh")
"""Any of these says which FRR is meant, so no agent needs to be found."""


@click.command(epilog=example("frrsync vtysh --node node1 -- show bgp summary"))
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND...")
@with_settings("node", "run_dir", "vty_dir", "frr_namespace", "vtysh")
@with_option("output")
@click.pass_context
def vtysh(ctx: click.Context, words: tuple[str, ...], settings: Settings, output: str) -> None:
    """Ask FRR with one show command; passwords in the answer are hidden.

    With --node, the FRR of that node's agent, which has to run. With --vty-dir, --frr-namespace or
    --vtysh, or when no agent runs on this machine, FRR itself.
    """
    command = show_command(" ".join(words))
    given = {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP}
    named = any(ctx.get_parameter_source(name) in given for name in _NAMES_FRR)
    print_document(_ask(settings, command, directly=named), output, _print_answer)


def _ask(settings: Settings, command: str, *, directly: bool) -> dict[str, Any]:
    if not directly:
        from frrsync.api.client import AgentClient, agent_sockets, find_agent

        if settings.node or agent_sockets(settings.run_dir):
            return AgentClient(find_agent(settings.run_dir, settings.node)).vtysh(command)
    from frrsync.frr.vtysh import Vtysh

    answer = Vtysh(settings.vtysh, settings.vty_dir, settings.frr_namespace).show(command)
    return {"api_version": "v1", "node": settings.node or None, "command": command, "output": redact(answer)}


def _print_answer(document: dict[str, Any]) -> None:
    click.echo(document["output"], nl=not document["output"].endswith("\n"))
