"""``frrsync check``: every mistake in manifests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frrsync.cli.group import example
from frrsync.cli.options import with_option, with_settings
from frrsync.cli.output import counted, mistake_line, print_document, printable
from frrsync.core.status_document import mistake_document
from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frrsync.settings import Settings


@click.command(epilog=example("frrsync check ./manifests --output json"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@with_settings("config_namespace", "load_balancer_class")
@with_option("output")
@click.pass_context
def check(ctx: click.Context, paths: Sequence[Path], settings: Settings, output: str) -> None:
    """Find every mistake in manifests: in each object, and between objects.

    PATH is a file or a folder; nothing else is needed. One line each: file:line: Kind name: field:
    message. Exit code 0: no mistake, 1: mistakes found, 2: a path could not be looked at.
    """
    from frrsync.core.consistency import mistakes_between
    from frrsync.directory.store import check_paths

    found = check_paths(paths, settings.config_namespace)
    if not found.files:
        raise ConfigError(f"no manifest (.yaml, .yml, .json) in {', '.join(map(str, paths))}")
    between = mistakes_between(found.snapshot, settings.load_balancer_class)
    mistakes = sorted({*found.mistakes, *between}, key=lambda one: (one.file, one.line, str(one)))
    print_document([mistake_document(mistake) for mistake in mistakes], output, _print_mistakes)
    _print_summary(len(mistakes), len({mistake.file for mistake in mistakes}), found.files)
    if found.ignored_kinds:
        click.echo(f"ignored kinds: {printable(', '.join(found.ignored_kinds))}", err=True)
    ctx.exit(1 if mistakes else 0)


def _print_mistakes(mistakes: list[dict[str, Any]]) -> None:
    for mistake in mistakes:
        click.echo(printable(mistake_line(mistake)))


def _print_summary(mistakes: int, faulty: int, files: int) -> None:
    if mistakes:
        text = f"{counted(mistakes, 'mistake')} in {faulty} of {counted(files, 'file')}"
    else:
        text = f"no mistakes in {counted(files, 'file')}"
    click.secho(text, fg="red" if mistakes else "green", err=True)
