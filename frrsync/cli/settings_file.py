"""The settings file: TOML, one key for every option, checked completely before anything starts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frrsync.cli.options import OptionRow

_WORDS: dict[type, str] = {
    Path: "a text (a path)",
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def load(path: Path, by_key: Mapping[str, OptionRow]) -> dict[str, object]:
    """Return the values of a settings file by field name.

    A relative path in the file counts from the folder of the file, and ``~`` is the user's home: the file
    means the same wherever the command is started.

    Raises ConfigError for an unreadable file, broken TOML, an unknown key or a wrong value; the text names
    file, key, what was found and what is allowed.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"settings file {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"settings file {path}: not UTF-8 at byte {error.start}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"settings file {path}: broken TOML: {error}") from error
    unknown = sorted(set(content) - set(by_key))
    if unknown:
        raise ConfigError(
            f"settings file {path}: unknown key {', '.join(unknown)}; allowed are {', '.join(sorted(by_key))}"
        )
    return {by_key[key].name: _value(path, by_key[key], found) for key, found in content.items()}


def _value(path: Path, row: OptionRow, found: object) -> object:
    """Return one value, converted by the rules of its option."""
    wanted = (int, float) if row.python is float else (str,) if row.python is Path else (row.python,)
    if not isinstance(found, wanted) or (isinstance(found, bool) and row.python is not bool):
        raise ConfigError(f"settings file {path}: key {row.key}: found {found!r}, allowed is {_WORDS[row.python]}")
    if row.python is Path and found:
        found = path.parent / Path(str(found)).expanduser()
    try:
        return row.kind.convert(found, None, None)
    except click.BadParameter as error:
        raise ConfigError(f"settings file {path}: key {row.key}: found {found!r}, but {error.message}") from error
