"""Options: the fields of ``Settings`` as click options, and the settings file behind them.

A value comes from the first of these that has it: option, environment variable, settings file, default.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, ParamSpec, cast, get_args, get_type_hints

import click

from frrsync.cli.settings_file import load
from frrsync.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from dataclasses import Field

P = ParamSpec("P")

FROM_FILE = "frrsync.settings_file"
"""Where the click context keeps the values of the settings file."""


class AbsolutePath(click.ParamType[Path]):
    """A path, made absolute at once: a program may change its folder later."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path, relative to the current folder unless absolute."""
        if not str(value) or "\0" in str(value):
            self.fail("an empty path, or one with a NUL, names nothing", param, ctx)
        return Path(value).absolute()


class NodeName(click.ParamType[str]):
    """The name of a node: a DNS subdomain (RFC 1123), as Kubernetes asks; it becomes part of a file name."""

    name = "name"
    _label = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
    _form = re.compile(rf"{_label}(\.{_label})*")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or fail with what is allowed."""
        if value and (len(value) > 253 or not self._form.fullmatch(value)):
            self.fail(f"{value!r} is not a node name: lower-case letters, digits, '-' and '.' are", param, ctx)
        return str(value)


class Seconds(click.FloatRange):
    """A number in a range; ``nan`` is in none, though click lets it pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        if math.isnan(float(super().convert(value, param, ctx))):
            self.fail("nan is not a number of seconds", param, ctx)
        return float(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRow:
    """One option, whether of ``Settings`` or of the commands alone."""

    name: str
    kind: click.ParamType[Any]
    python: type
    help: str
    default: object = None

    @property
    def key(self) -> str:
        """Return the key of the settings file, which is the option without its dashes."""
        return self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Return the environment variable."""
        return f"FRRSYNC_{self.name.upper()}"


OUTPUTS = ("table", "json", "yaml")

_OF_COMMANDS = (
    OptionRow(
        name="output",
        kind=click.Choice(OUTPUTS),
        python=str,
        help="Print a table for people, or one JSON or YAML document for programs.",
        default="table",
    ),
    OptionRow(
        name="frr_version",
        kind=click.STRING,
        python=str,
        help="Render for this version of FRR, such as 8.4.",
        default="10.3",
    ),
    OptionRow(
        name="show_secrets",
        kind=click.BOOL,
        python=bool,
        help="Print passwords as they are instead of <hidden:HASH>.",
        default=False,
    ),
    OptionRow(
        name="watch",
        kind=Seconds(min=0, max=3600),
        python=float,
        help="Print again every so many seconds until interrupted; 0: once.",
        default=0.0,
    ),
)


def _row(item: Field[Any], hint: Any) -> OptionRow:
    """Return the row of one field of ``Settings``."""
    default = item.default if item.default is not MISSING else cast("Any", item.default_factory)()
    members = [part for part in get_args(hint) if part is not type(None)] if isinstance(hint, UnionType) else [hint]
    least, most = item.metadata.get("minimum"), item.metadata.get("maximum")
    python = members[0] if isinstance(members[0], type) else str
    kinds: dict[type, click.ParamType[Any]] = {
        Path: AbsolutePath(),
        bool: click.BOOL,
        int: click.IntRange(min=least, max=most),
        float: Seconds(min=least, max=most),
        str: NodeName() if item.name == "node" else click.STRING,
    }
    kind = click.Choice(item.metadata["choices"]) if "choices" in item.metadata else kinds[python]
    return OptionRow(name=item.name, kind=kind, python=python, help=item.metadata["help"], default=default)


@functools.cache
def rows() -> Mapping[str, OptionRow]:
    """Return every option by name: those of ``Settings`` in its order, then those of the commands."""
    hints = get_type_hints(Settings)
    table = [_row(item, hints[item.name]) for item in fields(Settings)]
    return {row.name: row for row in (*table, *_OF_COMMANDS)}


def with_settings(*names: str, required: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command these options and ``--settings``, and pass them as one ``Settings`` object.

    Args:
        names: fields of ``Settings``, in the order of the help.
        required: those of them that must not be empty.

    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapper(**given: Any) -> None:
            context = click.get_current_context()
            own = {item.name for item in fields(Settings)}
            from_file = {name: value for name, value in context.meta.get(FROM_FILE, {}).items() if name in own}
            values = {**from_file, **{name: given.pop(name) for name in names}}
            for name in required:
                if not values[name]:
                    row = rows()[name]
                    raise click.UsageError(
                        f"--{row.key} is missing (or {row.variable}, or the key {row.key} of the settings file)"
                    )
            command(settings=Settings(**values), **given)

        decorated: Callable[..., None] = _settings_file_option(wrapper)
        for name in reversed(names):
            decorated = with_option(name)(decorated)
        return decorated

    return decorate


def with_option(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option of the table, passed under its own name."""
    row = rows()[name]
    flag = f"--{row.key}/--no-{row.key}" if row.python is bool else f"--{row.key}"
    return click.option(
        flag,
        name,
        type=None if row.python is bool else row.kind,
        default=row.default,
        envvar=row.variable,
        show_envvar=True,
        show_default=row.default not in {None, ""},
        help=row.help,
    )


def _settings_file_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--settings",
        "settings_file",
        type=AbsolutePath(),
        envvar="FRRSYNC_SETTINGS",
        show_envvar=True,
        is_eager=True,
        expose_value=False,
        callback=_read_settings_file,
        help="Read options from this TOML file: each key is an option without its dashes.",
    )(command)


def _read_settings_file(ctx: click.Context, _param: click.Parameter, path: Path | None) -> None:
    """Make the values of the file the defaults of this command, before its other options are read."""
    if path is None or ctx.resilient_parsing:
        return
    values = load(path, {row.key: row for row in rows().values()})
    ctx.meta[FROM_FILE] = values
    ctx.default_map = values
