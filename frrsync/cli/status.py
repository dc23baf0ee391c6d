"""``frrsync status``: what an agent does, and what is wrong, for a person at three in the morning."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from frrsync.cli.group import example
from frrsync.cli.options import with_option, with_settings
from frrsync.cli.output import counted, mistake_line, print_document, print_rows, printable
from frrsync.core.drain import tell
from frrsync.core.status import ESTABLISHED
from frrsync.errors import FrrsyncError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frrsync.settings import Settings

Document = dict[str, Any]

SHOWN = 50
"""Rows of a list that people read; programs get all of them."""


@click.command(epilog=example("frrsync status --node node1 --output json"))
@with_settings("node", "run_dir")
@with_option("output")
@with_option("watch")
@click.pass_context
def status(ctx: click.Context, settings: Settings, output: str, watch: float) -> None:
    """Show what an agent does, and what is wrong.

    Asks the agent of the node over its socket in --run-dir. Without --node: the only agent there.
    Exit code 0: all well, 1: something is wrong, 2: no agent answers.
    """
    code = 2
    try:
        while True:
            code = _show(settings, output, keep_on=bool(watch))
            if not watch:
                break
            time.sleep(watch)
    except KeyboardInterrupt:  # the expected end of --watch
        if not watch:
            raise
    ctx.exit(code)


def _show(settings: Settings, output: str, *, keep_on: bool) -> int:
    """Print once and return the exit code; ``keep_on``: an agent that restarts ends no --watch."""
    from frrsync.api.client import AgentClient, find_agent

    try:
        document = AgentClient(find_agent(settings.run_dir, settings.node)).status()
    except FrrsyncError as error:
        if not keep_on:
            raise
        click.echo(f"Error: {error}", err=True)
        return 2
    if keep_on and output == "table":
        click.clear()
    print_document(document, output, print_status)
    return 0 if document["ok"] else 1


def print_status(document: Document) -> None:
    """Print the document for a person: what is wrong first."""
    problems = document["problems"]
    click.echo(f"node {document['node']}: ", nl=False)
    if problems:
        click.secho(f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}", fg="red", bold=True)
    else:
        click.secho("all well", fg="green")
    for problem in problems:
        click.secho(f"  {problem['code']}: {printable(problem['message'])}", fg="red")
    click.echo()
    _print_programs(document)
    _print_sessions(document["sessions"])
    _print_services(document["services"], document["counts"])
    _print_pending(document["pending"])
    _print_mistakes(document["mistakes"])
    if document["ignored_kinds"]:
        click.echo(f"\nkinds that were ignored: {printable(', '.join(document['ignored_kinds']))}")


def _print_programs(document: Document) -> None:
    observing = ", only observing: nothing is sent to FRR" if document["observe"] else ""
    click.echo(f"agent:      frrsync {document['version']}, up {age(document['started_at'])}{observing}")
    frr = document["frr"]
    reachable = {None: "not asked yet", True: "answers", False: "does not answer"}[frr["reachable"]]
    click.echo(f"FRR:        {frr['version'] or 'version unknown'}, {reachable}")
    if document["drain"] is not None:
        click.echo(f"drain:      {_drain(document['drain'])}")
    last = document["last_apply"]
    if last is None:
        click.echo("last apply: none yet")
        return
    duration = f"{last['duration_seconds'] * 1000:.0f} ms"
    resets = f", reset {', '.join(reset['peer'] for reset in last['resets'])}" if last["resets"] else ""
    click.echo(
        f"last apply: {last['result']}, {counted(last['commands'], 'line')} in {duration},"
        f" {age(last['at'])} ago, because of: {printable(last['trigger'])}{resets}"
    )


def _drain(drain: Document) -> str:
    """Return how far a drain is, since when, and who asked for it."""
    lowered, withdrawn = drain["lowered_at"], drain["withdrawn_at"]
    if withdrawn is not None:
        told = "" if drain["told"] else ", not all sessions have been told yet"
        stage = f"withdrawn since {age(withdrawn)}{told}"
    elif lowered is not None:
        stage = f"lowered since {age(lowered)}: announced as the last choice for {drain['drain_time']:g} s"
    else:
        stage = f"{drain['stage']}, but FRR has not taken it yet"
    return f"{stage}; asked for {age(drain['since'])} ago by {tell(drain['asked_by'])}"


def _print_sessions(sessions: list[Document]) -> None:
    click.echo("\nsessions:" if sessions else "\nsessions: none")
    if sessions:
        print_rows(
            ("PEER", "NAME", "VRF", "ASN", "STATE", "SINCE", "PREFIXES SENT", "BFD", "DROPPED"),
            [
                (
                    session["peer"],
                    session["name"] or "-",
                    session["vrf"] or "-",
                    session["asn"],
                    session["state"],
                    _since(session),
                    session["prefixes_sent"],
                    session["bfd"] or "-",
                    session["dropped"],
                )
                for session in sessions
            ],
            red=lambda index: sessions[index]["state"] != ESTABLISHED,
        )


def _since(session: Document) -> str | None:
    """Return for how long a session has been up; one that is not up has no such time."""
    if session["state"] != ESTABLISHED:
        return "-"
    return None if session["since"] is None else age(session["since"])


def _print_services(services: list[Document], counts: Document) -> None:
    announced = counts["services_announced"]
    prefixes = counted(counts["prefixes"], "prefix", "prefixes")
    click.echo(f"\nservices: {announced} announced with {prefixes}, {counts['services'] - announced} not")
    ordered = sorted(services, key=lambda service: service["announced"])[:SHOWN]
    if ordered:
        print_rows(
            ("SERVICE", "ADDRESSES", "ANNOUNCED", "PREFIXES OR REASON"),
            [
                (
                    f"{service['namespace']}/{service['name']}",
                    ", ".join(service["addresses"]) or "-",
                    "yes" if service["announced"] else "no",
                    ", ".join(service["prefixes"])
                    if service["announced"]
                    else f"{service['reason']}: {service['detail']}",
                )
                for service in ordered
            ],
            red=lambda _index: False,
        )
    _print_rest(services)


def _print_pending(pending: list[Document]) -> None:
    if pending:
        click.echo("\nwithout an address:")
        print_rows(
            ("SERVICE", "REASON", "MESSAGE"),
            [(f"{one['namespace']}/{one['name']}", one["reason"], one["message"]) for one in pending[:SHOWN]],
            red=lambda _index: True,
        )
    _print_rest(pending)


def _print_mistakes(mistakes: list[Document]) -> None:
    if mistakes:
        click.echo("\nmistakes in manifests (the last good state of each object stays):")
    for mistake in mistakes[:SHOWN]:
        click.secho(f"  {printable(mistake_line(mistake))}", fg="red")
    _print_rest(mistakes)


def _print_rest(items: Sequence[Document]) -> None:
    if len(items) > SHOWN:
        click.echo(f"... and {len(items) - SHOWN} more: --output json shows all")


def age(moment: str) -> str:
    """Return how long ago an RFC 3339 moment is, in its two largest units."""
    seconds = max(0, int((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
