"""The group of all commands: imports a command only when it is used, and turns errors into exit codes."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from frrsync.errors import FrrsyncError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COULD_NOT = 2
"""Exit code when the question could not be answered; also click's for wrong use."""


def example(command: str) -> str:
    """Return the end of a command's help: an example on a line of its own, however narrow the terminal."""
    return f"\b\nExample:\n  {command}"


class Failure(click.ClickException):
    """A known error: one ``Error:`` text on standard error and exit code 2, never a traceback."""

    exit_code = COULD_NOT


@contextmanager
def known_errors_as(failure: type[Failure]) -> Iterator[None]:
    """Turn every known error into this one, with its text; what is unknown stays as it is."""
    try:
        yield
    except FrrsyncError as error:
        raise failure(str(error)) from error
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # the reader of our output left; click ends quietly
        raise failure(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error


class LazyGroup(click.Group):
    """A click group whose commands are named in a table and imported on use."""

    def __init__(self, *args: Any, commands_with_help: Mapping[str, str], **kwargs: Any) -> None:
        self._commands_with_help = commands_with_help
        super().__init__(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the signature is click's
        """Return the names in the order of the table: from running to looking."""
        return list(self._commands_with_help)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command."""
        if cmd_name not in self._commands_with_help:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(f"frrsync.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write the list of commands from the table, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._commands_with_help.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a known error becomes its text and exit code 2."""
        with known_errors_as(Failure):
            return super().invoke(ctx)
