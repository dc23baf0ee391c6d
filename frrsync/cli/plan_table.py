"""The picture of a plan for people: coloured on a terminal, plain text in a pipe."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from frrsync.cli.config import diff_lines
from frrsync.cli.output import mistake_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Document = dict[str, Any]

SHOWN = 50
"""Rows of one list that people read; programs get all of them."""

_ALIKE, _NAMED = 10, 3
"""More prefixes than this that change in the same way are one row, which names the first few."""

_COLOURS = {"+": "green", "-": "red", "~": "yellow"}
_SIGNS = {"made": "+", "removed": "-", "reset": "~", "gained": "+", "lost": "-", "changed": "~"}


def print_plan(found: Document) -> None:
    """Print the document of a plan: node by node, then Services, mistakes and the sum."""
    click.secho(f"from {printable(found['from'])}", bold=True)
    click.secho(f"to   {printable(found['to'])}", bold=True)
    for node in found["nodes"]:
        _print_node(node)
    for name in found["unplanned_nodes"]:
        click.secho(f"\nnode {name}: no plan, see the mistakes", fg="red", bold=True)
    _print_services(found["services"])
    _print_mistakes(found["mistakes"])
    if found["notes"]:
        click.echo()
    for note in found["notes"]:
        click.echo(f"note: {printable(note)}")
    click.echo()
    click.secho(_sum(found), bold=True)


def _print_node(node: Document) -> None:
    if not node["changed"]:
        click.echo(f"\nnode {node['node']}: nothing to do")
        return
    click.secho(f"\nnode {node['node']}: {_counted(node['counts'])}", bold=True)
    click.echo("  lines")
    _print_signed(diff_lines(node["lines"]["add"], node["lines"]["remove"]))
    click.echo("  commands, in this order")
    _print_signed([("", line) for line in _commands(node["commands"])])
    if node["sessions"]:
        click.echo("  sessions")
        _print_signed((_SIGNS[session["change"]], _session(session)) for session in node["sessions"])
    for peer in node["peers"]:
        click.echo(f"  prefixes at {_peer(peer)}")
        _print_signed([*_prefixes(peer)])


def _print_signed(rows: Iterable[tuple[str, str]]) -> None:
    """Print rows with their sign; a long list is cut."""
    listed = list(rows)
    for sign, text in listed[:SHOWN]:
        colour = _COLOURS.get(sign)
        lead = f"{sign} " if sign.strip() else "  " if sign else ""
        click.secho(f"    {lead}{printable(text)}", fg=colour, reset=colour is not None)
    if len(listed) > SHOWN:
        click.echo(f"    ... and {len(listed) - SHOWN} more: --output json shows all")


def _commands(commands: Sequence[Document]) -> Iterable[str]:
    for (daemon, context), group in groupby(commands, key=lambda item: (item["daemon"], item["context"])):
        yield f"{daemon}: {' / '.join(context) or 'top level'}"
        for command in group:
            yield f"  {command['line'] or '(enter, which makes it)'}"


def _session(session: Document) -> str:
    return f"{_peer(session)} {session['change']}: {session['reason']}"


def _peer(item: Document) -> str:
    vrf = f" in VRF {item['vrf']}" if item["vrf"] else ""
    return f"{item['peer']}{vrf}" + (f" ({item['name']})" if item["name"] else "")


def _prefixes(peer: Document) -> Iterable[tuple[str, str]]:
    """Yield a row for each prefix; many that change in the same way share one."""
    yield from _rows("-", [(item["prefix"], "") for item in peer["lost"]])
    yield from _rows("+", [(item["prefix"], _attributes(item["attributes"])) for item in peer["gained"]])
    yield from _rows("~", [(item["prefix"], _changes(item["from"], item["to"])) for item in peer["moved"]])


def _rows(sign: str, items: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    alike: dict[str, list[str]] = {}
    for prefix, text in items:
        alike.setdefault(text, []).append(prefix)
    for text, prefixes in alike.items():
        if len(prefixes) > _ALIKE:
            yield sign, f"{', '.join(prefixes[:_NAMED])} and {len(prefixes) - _NAMED} more  {text}".rstrip()
        else:
            yield from ((sign, f"{prefix}  {text}".rstrip()) for prefix in prefixes)


def _changes(before: Document, after: Document) -> str:
    changed = [name for name, value in before.items() if value != after[name]]
    return "; ".join(f"{name.replace('_', ' ')} {_value(before[name])} -> {_value(after[name])}" for name in changed)


def _attributes(attributes: Document) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in attributes.items() if value)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _print_services(services: Sequence[Document]) -> None:
    if not services:
        return
    click.secho("\nServices whose addresses change", bold=True)
    _print_signed(
        (
            _SIGNS[service["change"]],
            f"{service['namespace']}/{service['name']}: {_value(service['from'])} -> {_value(service['to'])}"
            + (f": {service['reason']}" if service["reason"] else ""),
        )
        for service in services
    )


def _print_mistakes(mistakes: Sequence[Document]) -> None:
    for side, title in (("to", "mistakes"), ("from", "mistakes of the state before")):
        found = [mistake for mistake in mistakes if mistake["side"] == side]
        if found:
            click.secho(f"\n{title}", bold=True)
        for mistake in found[:SHOWN]:
            click.secho(f"  {printable(mistake_line(mistake))}", fg="red" if side == "to" else None)
        if len(found) > SHOWN:
            click.echo(f"  ... and {len(found) - SHOWN} more: --output json shows all")


def _counted(counts: Document) -> str:
    """Return the numbers of one node in one line."""
    parts = [f"lines -{counts['lines_removed']} +{counts['lines_added']}; commands {counts['commands']}"]
    sessions = [f"{counts[f'sessions_{word}']} {word}" for word in ("made", "removed", "reset")]
    prefixes = [f"{counts[f'prefixes_{word}']} {word}" for word in ("gained", "lost", "moved")]
    for title, rows in (("sessions", sessions), ("prefixes", prefixes)):
        told = [row for row in rows if not row.startswith("0 ")]
        if told:
            parts.append(f"{title} {', '.join(told)}")
    return "; ".join(parts)


def _sum(found: Document) -> str:
    changed = sum(node["changed"] for node in found["nodes"])
    wrong = sum(mistake["side"] == "to" for mistake in found["mistakes"])
    text = f"{changed} of {len(found['nodes'])} nodes would change" if found["nodes"] else "no node could be planned"
    return f"{text}, {wrong} {'mistake' if wrong == 1 else 'mistakes'}" if wrong else text
