"""``frrsync lab``: a small data centre on this machine, to try a change before anybody else meets it."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frrsync.cli.group import example
from frrsync.cli.options import AbsolutePath, with_option
from frrsync.cli.output import print_document, print_rows

if TYPE_CHECKING:
    from collections.abc import Callable

Document = dict[str, Any]


def _with_lab_dir(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--lab-dir",
        type=AbsolutePath(),
        default=Path("/run/frrsync-lab"),
        envvar="FRRSYNC_LAB_DIR",
        show_envvar=True,
        show_default=True,
        help="Folder in which every lab has one of its own.",
    )(command)


def _with_log(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command say on standard error what takes its time."""

    @functools.wraps(command)
    def wrapper(**given: Any) -> None:
        from frrsync import log

        log.set_up()
        command(**given)

    return wrapper


@click.group(epilog=example("frrsync lab up demo"))
def lab() -> None:
    """Build a small data centre on this machine.

    Routers and nodes with real FRR, and clients, in network namespaces; docs/lab.md describes the
    topology. Needs root. The host's own interfaces, routes and programs are not touched.
    """


@lab.command(short_help="Build a lab from a topology file or a sample.", epilog=example("frrsync lab up demo"))
@click.argument("topology", type=click.Path(path_type=Path))
@click.option("--name", help="Name of the lab, instead of the one in the file: up to 8 lower-case letters and digits.")
@_with_lab_dir
@with_option("output")
@_with_log
def up(topology: Path, name: str | None, lab_dir: Path, output: str) -> None:
    """Build the lab of a YAML file, or of a sample by its name (demo).

    The first lab with an FRR version fetches it: about a minute, into a cache.
    """
    from frrsync.lab.lab import Lab
    from frrsync.lab.topology_file import read_topology

    wanted = read_topology(topology, name=name)
    built = Lab(wanted, lab_dir / wanted.name)
    built.up()
    print_document(built.status(), output, _print_status)


@lab.command(short_help="Show what runs in a lab.", epilog=example("frrsync lab status --output json"))
@click.argument("name", required=False)
@_with_lab_dir
@with_option("output")
@click.pass_context
def status(ctx: click.Context, name: str | None, lab_dir: Path, output: str) -> None:
    """Show what runs in a lab; NAME may be left out when there is one lab only.

    Exit code 0: everything runs, 1: something does not, 2: no such lab.
    """
    from frrsync.lab.lab import find

    document = find(name, lab_dir).status()
    print_document(document, output, _print_status)
    ctx.exit(0 if document["ok"] else 1)


@lab.command(name="exec", epilog=example("frrsync lab exec tor-1 -- vtysh -c 'show bgp summary'"))
@click.argument("device")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--lab", "name", help="Name of the lab; may be left out when there is one only.")
@_with_lab_dir
def execute(device: str, command: tuple[str, ...], name: str | None, lab_dir: Path) -> None:
    """Run a command on a device; vtysh is that of the device."""
    from frrsync.lab.lab import find

    find(name, lab_dir).device(device).become(command)


@lab.command(short_help="Take a lab down.", epilog=example("frrsync lab down demo"))
@click.argument("name", required=False)
@_with_lab_dir
@_with_log
def down(name: str | None, lab_dir: Path) -> None:
    """Take a lab down, whole or half; NAME may be left out when there is one lab only."""
    from frrsync.lab.lab import find

    find(name, lab_dir).down()


def _print_status(document: Document) -> None:
    """Print the lab for a person, and how to go on."""
    controller = document["controller"]
    click.echo(f"lab {document['name']}: ", nl=False)
    click.secho("all runs" if document["ok"] else "not all runs", fg="green" if document["ok"] else "red")
    click.echo()
    devices = document["devices"]
    headers = ("DEVICE", "KIND", "AS", "FRR", "DAEMONS", "SESSIONS", "BACKEND", "AGENT")
    print_rows(headers, [_row(item) for item in devices], red=lambda index: not devices[index]["ok"])
    click.echo()
    click.echo(f"manifests    {document['manifests']}")
    click.echo(f"controller   {controller or 'none: no node has an agent'}")
    if controller is not None:
        click.echo(f"agents       frrsync status --run-dir {document['run_dir']} --node NODE")
    click.echo(f"look inside  frrsync lab exec --lab {document['name']} DEVICE -- COMMAND")


def _row(item: Document) -> tuple[object, ...]:
    if item["kind"] == "client":
        return (item["name"], "client", *["-"] * 6)
    daemons, sessions = item["daemons"], item["sessions"]
    missing = [name for name, pid in daemons.items() if pid is None]
    return (
        item["name"],
        item["kind"],
        item["asn"],
        item["frr"],
        f"not running: {', '.join(missing)}" if missing else "running",
        None if sessions is None else f"{sessions['established']}/{sessions['configured']}",
        item["backend"] or "-",
        item["agent"] or "-",
    )
