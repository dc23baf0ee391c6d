"""``frrsync drain``: take a node out of service without breaking what does not have to break."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from frrsync.cli.group import example
from frrsync.cli.options import with_option, with_settings
from frrsync.cli.order import agent_of
from frrsync.cli.output import print_document, printable
from frrsync.core.status import ESTABLISHED

if TYPE_CHECKING:
    from frrsync.api.client import AgentClient
    from frrsync.settings import Settings

Document = dict[str, Any]

PATIENCE_SECONDS = 30.0
"""How long nothing may happen, beyond the time that a stage takes."""
LOOK_SECONDS = 0.2


@click.command(epilog=example("frrsync drain --node node1 --wait"))
@with_settings("node", "run_dir")
@click.option(
    "--wait/--no-wait",
    default=False,
    envvar="FRRSYNC_WAIT",
    show_envvar=True,
    help="Return when nothing is announced and the routers have been told.",
)
@with_option("output")
@click.pass_context
def drain(ctx: click.Context, settings: Settings, wait: bool, output: str) -> None:
    """Drain a node: announce everything as the last choice, then nothing.

    Lasts until frrsync undrain, also across restarts. Sessions stay up. How long the first stage takes is
    the agent's --drain-time. Exit code 0: ordered, with --wait: done; 1: not done, standard error says why.
    """
    agent = agent_of(settings)
    document = agent.order("drain")
    reason = ""
    if wait:
        document["drain"], reason = _wait(agent)
    print_document(document, output, _print)
    if reason:
        click.echo(f"Error: {reason}", err=True)
        ctx.exit(1)


def _wait(agent: AgentClient) -> tuple[Document | None, str]:
    """Wait for the end of the drain, say what happens meanwhile, and return how far it is and what is wrong."""
    said, seen, changed = "", False, time.monotonic()
    while True:
        status = agent.status()
        found: Document | None = status["drain"]
        if found is None and seen:
            return None, "the drain was ended before it was done"
        seen = found is not None
        line = _progress(found, status["sessions"])
        if line != said:
            said, changed = line, time.monotonic()
            click.echo(line, err=True)
        if found is not None and found["told"]:
            return found, ""
        patience = PATIENCE_SECONDS + (found["drain_time"] if found else 0.0)
        if time.monotonic() - changed > patience:
            problems = "; ".join(printable(problem["message"]) for problem in status["problems"])
            return found, f"nothing happened for {patience:g} s: {said}; {problems or 'the agent sees no problem'}"
        time.sleep(LOOK_SECONDS)


def _progress(found: Document | None, sessions: list[Document]) -> str:
    if found is None:
        return "the agent has not begun"
    if found["withdrawn_at"] is not None:
        up = [session for session in sessions if session["state"] == ESTABLISHED]
        told = len(up) if found["told"] else sum(session["prefixes_sent"] == 0 for session in up)
        return f"withdrawn: {told} of {len(up)} sessions carry nothing any more"
    if found["lowered_at"] is not None:
        return f"lowered: everything is announced as the last choice, for {found['drain_time']:g} s at most"
    return f"{found['stage']}: FRR has not taken it"


def _print(document: Document) -> None:
    done = document.get("drain")
    if done and done["told"]:
        click.echo(f"node {document['node']}: drained, nothing is announced; frrsync undrain ends that")
    else:
        click.echo(f"node {document['node']}: drain ordered; frrsync status shows how far it is")
