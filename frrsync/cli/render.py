"""``frrsync render``: the frr.conf of a node, from manifests alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from frrsync.cli.group import example
from frrsync.cli.options import with_option, with_settings
from frrsync.cli.output import printable
from frrsync.core.redact import redact

if TYPE_CHECKING:
    from frrsync.core.allocation import Allocations
    from frrsync.core.decide import Decision
    from frrsync.core.model import Snapshot
    from frrsync.settings import Settings


@click.command(epilog=example("frrsync render --manifests ./manifests --node node1"))
@with_settings(
    "manifests",
    "node",
    "config_namespace",
    "load_balancer_class",
    "ignore_exclude_label",
    "state_dir",
    "templates",
    "maximum_paths",
    "frr_mode",
    required=("manifests", "node"),
)
@with_option("frr_version")
@with_option("show_secrets")
@click.pass_context
def render(ctx: click.Context, settings: Settings, frr_version: str, *, show_secrets: bool) -> None:
    """Print the frr.conf of a node, decided from the manifests alone.

    Addresses come from the record in --state-dir, or are allocated as the controller would; nothing is
    written and no FRR is asked. Exit code 0: good, 1: mistakes (on standard error) made something stay
    out, the rest is printed, 2: nothing could be rendered.
    """
    from frrsync.core.pool import pool_mistakes
    from frrsync.directory.store import check_paths
    from frrsync.frr.dialect import dialect_of
    from frrsync.frr.render import Renderer

    assert settings.manifests is not None  # noqa: S101 - with_settings asked for it
    found = check_paths([settings.manifests], settings.config_namespace)
    allocations = _allocate(settings, found.snapshot)
    decision = _decide(settings, found.snapshot, allocations)
    dialect = dialect_of(f"FRRouting {frr_version} --enable-multipath={MULTIPATH}")
    text = Renderer(settings.templates, dialect).render(decision.config).text
    click.echo(text if show_secrets else redact(text), nl=False)
    mistakes = (*found.mistakes, *pool_mistakes(found.snapshot), *decision.mistakes)
    for mistake in mistakes:
        click.echo(printable(redact(str(mistake))), err=True)
    _print_notes(settings.node, found.snapshot, allocations)
    ctx.exit(1 if mistakes else 0)


MULTIPATH = 256
"""The most equal paths of the FRR that is rendered for, as Debian and the FRR project build it."""


def _allocate(settings: Settings, snapshot: Snapshot) -> Allocations:
    """Return what the controller would allocate next."""
    from frrsync.core.allocate import allocate
    from frrsync.directory.state import read_record

    record = read_record(settings.state_dir)
    return allocate(snapshot, record, load_balancer_class=settings.load_balancer_class)


def _decide(settings: Settings, snapshot: Snapshot, allocations: Allocations) -> Decision:
    from frrsync.core.decide import NodeDecider, NodeOptions

    options = NodeOptions(
        node=settings.node,
        load_balancer_class=settings.load_balancer_class,
        ignore_exclude_label=settings.ignore_exclude_label,
        maximum_paths=settings.maximum_paths,
        shared=settings.frr_mode == "shared",
    )
    return NodeDecider(options).decide(snapshot, allocations.allocated)


def _print_notes(node: str, snapshot: Snapshot, allocations: Allocations) -> None:
    """Say on standard error what is no mistake and would surprise all the same."""
    if snapshot.nodes and node not in snapshot.nodes:
        known = ", ".join(sorted(snapshot.nodes))
        click.echo(f"note: no Node {node} in the manifests, taken as one without labels; there are: {known}", err=True)
    for service, pending in sorted(allocations.pending.items()):
        click.echo(printable(f"note: Service {service} has no address: {pending.message}"), err=True)
