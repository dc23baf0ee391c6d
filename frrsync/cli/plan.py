"""``frrsync plan``: what a change of manifests or templates would do, before it is made."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frrsync.cli.group import Failure, example, known_errors_as
from frrsync.cli.options import AbsolutePath, NodeName, with_option, with_settings
from frrsync.cli.output import print_document
from frrsync.core.preview import Outcome, document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from frrsync.core.preview import Preview
    from frrsync.settings import Settings

_CODES = {Outcome.NOTHING: 0, Outcome.MISTAKES: 1, Outcome.CHANGES: 2}


class _Folder(AbsolutePath):
    """A path that stays as it was given: mistakes name files below it, for people and for forges."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path."""
        super().convert(value, param, ctx)
        return Path(value)


_FOLDER = _Folder()


class _WrongUse(click.UsageError):
    """Wrong use of a command whose exit code 2 has another meaning."""

    exit_code = 1


class _Obstacle(Failure):
    """A known error of a command whose exit code 2 has another meaning."""

    exit_code = 1


@contextmanager
def _exit_code_of_errors() -> Iterator[None]:
    """Give everything that is in the way of a plan the exit code 1."""
    try:
        with known_errors_as(_Obstacle):
            yield
    except click.UsageError as error:
        raise _WrongUse(error.format_message(), error.ctx) from error


class _PlanCommand(click.Command):
    """A command whose exit code for everything that is in the way is 1, since 2 means changes."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the command line."""
        with _exit_code_of_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _exit_code_of_errors():
            return super().invoke(ctx)


def _option(name: str, text: str, kind: click.ParamType[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    variable = f"FRRSYNC_{name.removeprefix('--').replace('-', '_').upper()}"
    target = name.removeprefix("--").replace("-", "_") + ("_dir" if kind is _FOLDER else "")
    return click.option(name, target, type=kind, envvar=variable, show_envvar=True, help=text)


@click.command(cls=_PlanCommand, epilog=example("frrsync plan --from ./manifests --to ./changed --output json"))
@_option("--from", "Folder of manifests as they are; needs --to.", _FOLDER)
@_option("--to", "Folder of manifests as they would be; needs --from.", _FOLDER)
@with_settings(
    "manifests",
    "config_namespace",
    "load_balancer_class",
    "ignore_exclude_label",
    "state_dir",
    "templates",
    "maximum_paths",
    "frr_mode",
    "allow_neighbor",
    "guard_percent",
    "guard_minimum",
    "guard_time",
    "run_dir",
    "vty_dir",
    "frr_namespace",
    "vtysh",
    "apply_with",
)
@click.option(
    "--node",
    "nodes",
    type=NodeName(),
    multiple=True,
    envvar="FRRSYNC_NODE",
    show_envvar=True,
    help="Plan for this node only; may be given several times with --from and --to.",
)
@_option("--from-templates", "Templates on the side of --from, if they are others.", AbsolutePath())
@_option("--to-templates", "Templates on the side of --to, if they are others.", AbsolutePath())
@with_option("frr_version")
@with_option("output")
@click.pass_context
def plan(ctx: click.Context, /, settings: Settings, output: str, **given: Any) -> None:
    """Show what a change would do, before it is made; nothing is changed.

    With --from and --to: what every node would do when one folder replaces the other, offline, for an FRR
    of --frr-version. With --manifests: what a node would do with that folder from what its FRR runs now; its
    agent is asked over the socket in --run-dir, without an agent FRR itself over --vty-dir.

    For each node: lines, commands in their order, sessions made, removed and reset, prefixes that each peer
    gains, loses and sees differently. Then Services whose address changes, and every mistake. Addresses
    come from the record in --state-dir where it has them. Passwords are hidden.

    Exit code 0: nothing to do, 2: changes, 1: mistakes (what is right is planned all the same), or no plan
    could be made.
    """
    preview = _preview(settings, **given)
    print_document(document(preview), output, _print_table)
    ctx.exit(_CODES[preview.outcome])


def _print_table(found: dict[str, Any]) -> None:
    from frrsync.cli.plan_table import print_plan

    print_plan(found)


def _preview(settings: Settings, nodes: tuple[str, ...], frr_version: str, **folders: Path | None) -> Preview:
    before, after = folders["from_dir"], folders["to_dir"]
    nodes = nodes or ((settings.node,) if settings.node else ())
    if before is not None and after is not None:
        return _of_folders(settings, nodes, frr_version, folders)
    if before is not None or after is not None:
        raise click.UsageError("--from and --to belong together: one of them is missing")
    if settings.manifests is None:
        raise click.UsageError("what to plan for is missing: give --from DIR and --to DIR, or --manifests DIR")
    if len(nodes) > 1:
        raise click.UsageError(f"--node: found {len(nodes)} names, allowed is one, since one running node is asked")
    from frrsync.cli.plan_running import running_preview

    return running_preview(settings, settings.manifests, nodes[0] if nodes else "")


def _of_folders(
    settings: Settings, nodes: tuple[str, ...], frr_version: str, folders: dict[str, Path | None]
) -> Preview:
    from frrsync.cli.plan_folders import State, folder_preview
    from frrsync.cli.render import MULTIPATH
    from frrsync.frr.dialect import dialect_of

    before, after = (
        State(folder=folder, templates=folders[f"{side}_templates"] or settings.templates)
        for side in ("from", "to")
        if (folder := folders[f"{side}_dir"]) is not None
    )
    dialect = dialect_of(f"FRRouting {frr_version} --enable-multipath={MULTIPATH}")
    return folder_preview(settings, dialect, nodes, before, after)
