"""The help of every command and the page about them: complete, and the same as the program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from frrsync import __version__
from frrsync.cli import COMMANDS, main
from frrsync.cli.options import rows
from frrsync.core.status import ApplyResult, ProblemCode
from frrsync.settings import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.cli.options import OptionRow

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
OF_THE_USER = {
    "state_dir": "`/var/lib/frrsync`; for other users than root `~/.local/state/frrsync`",
    "run_dir": "`/run/frrsync`; for other users than root in `$XDG_RUNTIME_DIR`",
}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command but those of the lab, with its full name."""
    context = click.Context(main)
    for name in COMMANDS:
        if name == "lab":
            continue
        command = main.get_command(context, name)
        assert command is not None, f"command {name} is in the table only"
        yield f"frrsync {name}", command
        if isinstance(command, click.Group):
            yield from ((f"frrsync {name} {sub}", found) for sub, found in command.commands.items())


ALL = dict(commands())


def section(name: str) -> str:
    """Return the part of the page about one command."""
    found = re.search(rf"^### {re.escape(name)}\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{PAGE} has no section '### {name}'"
    return found[1]


def described(row: OptionRow) -> str:
    """Return the line of the page about one option."""
    if row.name in OF_THE_USER:
        default = OF_THE_USER[row.name]
    elif isinstance(row.default, bool):
        default = "yes" if row.default else "no"
    elif row.default in {None, ""}:
        default = ""
    else:
        default = f"`{row.default:g}`" if isinstance(row.default, float) else f"`{row.default}`"
    if isinstance(row.kind, click.Choice):
        allowed = " or ".join(f"`{choice}`" for choice in row.kind.choices)
    elif isinstance(row.kind, click.IntRange | click.FloatRange):
        allowed = f"{row.kind.min:g} to {row.kind.max:g}"
    else:
        allowed = {Path: "path", bool: "yes or no", str: "text"}[row.python]
    flag = f"`--{row.key}`, `--no-{row.key}`" if row.python is bool else f"`--{row.key}`"
    return f"| {flag} | `{row.variable}` | {allowed} | {default} | {row.help} |"


def test_every_setting_is_on_the_page_as_the_program_has_it() -> None:
    """The table of settings is that of the program, line by line."""
    expected = ["| option | variable | allowed | default | |", "| --- | --- | --- | --- | --- |"]
    expected += [described(row) for row in rows().values()]
    found = PAGE.read_text().partition("<!-- settings:")[2].partition("<!-- end of settings -->")[0]
    assert found.splitlines()[1:] == expected, "expected:\n" + "\n".join(expected)


def test_the_table_of_settings_and_the_options_are_the_same() -> None:
    """Nobody adds a setting that cannot be given."""
    for row in table():
        option = rows()[row.name]
        assert (f"--{option.key}", option.variable, option.help) == (row.option, row.variable, row.help)


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_a_help_with_an_example_that_is_on_the_page(name: str) -> None:
    """The example stands on a line of its own, so that it can be copied."""
    help_text = CliRunner().invoke(main, [*name.split()[1:], "--help"], terminal_width=80).stdout
    found = re.search(r"^ +Example:\n +(frrsync .*)$", help_text, re.MULTILINE)
    assert found, f"no example in:\n{help_text}"
    assert found[1].startswith(name)
    assert f"```\n{found[1]}\n```" in section(name)


@pytest.mark.parametrize("name", ALL)
def test_every_example_is_accepted_by_its_command(name: str) -> None:
    """An example with an option that does not exist is worse than none."""
    line = section(name).partition("```\n")[2].partition("\n```")[0].partition(" &&")[0]
    command, words = ALL[name], line.removeprefix(name).split()
    if isinstance(command, click.Group):
        assert words[0] in command.commands
        return
    with command.make_context(name, words, resilient_parsing=False):
        pass


@pytest.mark.parametrize("name", ALL)
def test_every_option_can_be_given_in_the_environment(name: str) -> None:
    """Also those that are no settings of a program."""
    for parameter in ALL[name].params:
        if isinstance(parameter, click.Option) and parameter.name != "help":
            assert str(parameter.envvar).startswith("FRRSYNC_"), f"{name} {parameter.opts}"
            assert parameter.help, f"{name} {parameter.opts} has no help"


@pytest.mark.parametrize("word", [*ApplyResult, *ProblemCode])
def test_every_word_of_the_status_is_explained(word: str) -> None:
    """Programs compare with these words."""
    assert f"`{word}`" in section("frrsync status")


def test_the_list_of_commands_imports_none_of_them() -> None:
    """A shell completes and helps without delay: nothing heavy is loaded for it."""
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from frrsync.cli import main\n"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0\n"
        "heavy = {'rich', 'jinja2', 'pyroute2', 'requests', 'structlog', 'yaml', 'watchdog', 'cheroot'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - the text above
    assert result.stdout == "[]\n"


def test_help_is_quick() -> None:
    """0.15 s of processor time on an idle machine; twice that here, where other tests run beside it."""
    best = min(_seconds_of_help() for _number in range(5))
    assert best < 0.3, f"the quickest of five took {best:.3f} s"


def _seconds_of_help() -> float:
    before = os.times()
    subprocess.run([sys.executable, "-m", "frrsync", "--help"], capture_output=True, check=True)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def test_the_program_says_its_version() -> None:
    """In a form that scripts can cut."""
    assert CliRunner().invoke(main, ["--version"]).stdout == f"frrsync {__version__}\n"


def test_an_unknown_command_is_refused() -> None:
    """Wrong use has exit code 2."""
    result = CliRunner().invoke(main, ["sync"])
    assert result.exit_code == 2
    assert "No such command 'sync'" in result.stderr
