"""Options: one table gives option, environment variable and settings key, and their order of precedence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
from click.testing import CliRunner

from frrsync.cli.group import LazyGroup
from frrsync.cli.options import rows, with_settings
from frrsync.settings import Settings, table

if TYPE_CHECKING:
    from click.testing import Result

NAMES = [row.name for row in table()]


def other_value(name: str) -> Any:
    """Return an allowed value of a setting that is not its default."""
    row = rows()[name]
    if isinstance(row.kind, click.Choice):
        return next(choice for choice in row.kind.choices if choice != row.default)
    values = {bool: not row.default, int: 7, float: 7.5, Path: Path("/somewhere/else"), str: "something-else"}
    return values[row.python]


def third_value(name: str) -> Any:
    """Return one more allowed value, for tests of precedence; a switch has only two."""
    row = rows()[name]
    if isinstance(row.kind, click.Choice):
        return row.kind.choices[-1]
    return {bool: row.default, int: 9, float: 9.5, Path: Path("/third"), str: "third"}[row.python]


def toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def arguments(name: str, value: Any) -> list[str]:
    """Return the command line that gives a value."""
    key = rows()[name].key
    if isinstance(value, bool):
        return [f"--{key}" if value else f"--no-{key}"]
    return [f"--{key}", str(value)]


def settings_of(
    *args: str, environment: dict[str, str] | None = None, names: tuple[str, ...] = (), required: tuple[str, ...] = ()
) -> tuple[Result, Settings | None]:
    """Run a command with these options and return what it was given."""
    given: list[Settings] = []

    @click.group(cls=LazyGroup, commands_with_help={})
    def group() -> None: ...

    @with_settings(*(names or NAMES), required=required)
    def probe(settings: Settings) -> None:
        given.append(settings)

    group.add_command(click.command("probe")(probe))
    result = CliRunner().invoke(group, ["probe", *args], env=environment, catch_exceptions=False)
    return result, given[0] if given else None


def test_without_anything_the_defaults_hold() -> None:
    """The defaults of the class are the defaults of the command line."""
    result, settings = settings_of()
    assert result.exit_code == 0, result.output
    assert settings == Settings()


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_an_option(name: str) -> None:
    """The option gives the value."""
    result, settings = settings_of(*arguments(name, other_value(name)))
    assert result.exit_code == 0, result.output
    assert getattr(settings, name) == other_value(name)


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_an_environment_variable(name: str) -> None:
    """The variable gives the value, and an empty one counts as unset."""
    variable = rows()[name].variable
    _result, settings = settings_of(environment={variable: str(other_value(name))})
    assert getattr(settings, name) == other_value(name)
    _result, settings = settings_of(environment={variable: ""})
    assert getattr(settings, name) == rows()[name].default


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_a_key_of_the_settings_file(name: str, tmp_path: Path) -> None:
    """The key gives the value, also by FRRSYNC_SETTINGS and for a command without that option."""
    file = tmp_path / "settings.toml"
    file.write_text(f"{rows()[name].key} = {toml(other_value(name))}\n")
    _result, settings = settings_of("--settings", str(file))
    assert getattr(settings, name) == other_value(name)
    _result, settings = settings_of(environment={"FRRSYNC_SETTINGS": str(file)})
    assert getattr(settings, name) == other_value(name)
    without = next(other for other in NAMES if other != name)
    _result, settings = settings_of("--settings", str(file), names=(without,))
    assert getattr(settings, name) == other_value(name)


@pytest.mark.parametrize("name", NAMES)
def test_option_wins_over_variable_over_file_over_default(name: str, tmp_path: Path) -> None:
    """The order of the documentation."""
    file = tmp_path / "settings.toml"
    file.write_text(f"{rows()[name].key} = {toml(other_value(name))}\n")
    environment = {rows()[name].variable: str(third_value(name)), "FRRSYNC_SETTINGS": str(file)}
    _result, settings = settings_of(environment=environment)
    assert getattr(settings, name) == third_value(name)
    _result, settings = settings_of(*arguments(name, other_value(name)), environment=environment)
    assert getattr(settings, name) == other_value(name)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nodes = 'n1'\n", "unknown key nodes; allowed are allow-neighbor, "),
        ("[agent]\nnode = 'n1'\n", "unknown key agent; allowed are"),
        ("node = 1\n", "key node: found 1, allowed is a text"),
        ("node = 'a/b'\n", "key node: found 'a/b', but 'a/b' is not a node name"),
        ("observe = 1\n", "key observe: found 1, allowed is true or false"),
        ("maximum-paths = true\n", "key maximum-paths: found True, allowed is a whole number"),
        ("maximum-paths = 300\n", "key maximum-paths: found 300, but 300 is not in the range 1<=x<=256"),
        ("check-interval = nan\n", "key check-interval: found nan, but nan is not a number of seconds"),
        ("check-interval = inf\n", "key check-interval: found inf, but"),
        ("apply-with = 'magic'\n", "key apply-with: found 'magic', but 'magic' is not one of 'sockets', 'vtysh'"),
        ("manifests = ''\n", "key manifests: found '', but an empty path"),
        ("node = \n", "broken TOML: "),
        ("node = 'n1'\nnode = 'n2'\n", "broken TOML: "),
    ],
)
def test_a_wrong_settings_file_is_an_error_with_file_and_key(content: str, words: str, tmp_path: Path) -> None:
    """Nothing starts on half-understood settings."""
    file = tmp_path / "settings.toml"
    file.write_text(content)
    result, settings = settings_of("--settings", str(file))
    assert (result.exit_code, settings) == (2, None)
    assert result.stderr.startswith(f"Error: settings file {file}: ")
    assert words in result.stderr


def test_a_settings_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A missing file is no empty file."""
    result, _settings = settings_of("--settings", str(tmp_path / "none.toml"))
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: settings file {tmp_path}/none.toml: No such file or directory\n",
    )
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"node = '\xff'\n")
    result, _settings = settings_of("--settings", str(binary))
    assert "not UTF-8 at byte 8" in result.stderr


def test_relative_paths_count_from_where_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the file from the file's folder, those of a command line from the current one."""
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "settings.toml"
    file.write_text('manifests = "manifests"\ntemplates = "~/templates"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ann")
    _result, settings = settings_of("--settings", "etc/settings.toml", "--state-dir", "state")
    assert settings is not None
    assert settings.manifests == tmp_path / "etc" / "manifests"
    assert settings.templates == Path("/home/ann/templates")
    assert settings.state_dir == tmp_path / "state"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--node", "../n1"], "'../n1' is not a node name"),
        (["--node", "N1"], "'N1' is not a node name"),
        (["--maximum-paths", "0"], "0 is not in the range 1<=x<=256"),
        (["--check-interval", "nan"], "nan is not a number of seconds"),
        (["--check-interval", "fast"], "'fast' is not a valid float"),
        (["--apply-with", "magic"], "'magic' is not one of 'sockets', 'vtysh'"),
        (["--manifests", ""], "an empty path"),
    ],
)
def test_a_wrong_option_is_refused_with_what_is_allowed(args: list[str], words: str) -> None:
    """Wrong use has exit code 2."""
    result, _settings = settings_of(*args)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_required_setting_is_asked_for_with_all_the_ways_to_give_it() -> None:
    """An empty value is none."""
    result, settings = settings_of("--node", "", required=("node",))
    assert (result.exit_code, settings) == (2, None)
    words = "--node is missing (or FRRSYNC_NODE, or the key node of the settings file)"
    assert words in " ".join(result.stderr.split())
