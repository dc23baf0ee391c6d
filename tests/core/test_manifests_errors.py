"""Golden texts of errors: one folder per mistake, with what ``frrsync check`` says about it.

``input.yaml`` of most cases holds one object with one mistake, and a sound object named ``sound`` beside it. Cases
named ``between-`` hold objects that are sound for themselves and contradict or miss each other. ``error.txt`` is what
a user sees. ``--update-golden`` writes it; read it as the one who has to mend the mistake before it is committed.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from frrsync.cli import main
from frrsync.directory.store import check_paths

CASES = sorted({path.parent for path in Path(__file__).parent.parent.glob("golden/errors/*/*.yaml")})
ALONE = [
    case for case in CASES if (case / "input.yaml").is_file() and "name: sound" in (case / "input.yaml").read_text()
]
LINE = re.compile(r"[\w.-]+\.yaml:[1-9]\d*: \S.*")
SECRETS = ("hunter2", "Hunter2", "s3cret", "swordfish")


def test_there_are_a_hundred_and_fifty_cases() -> None:
    """The folder was found, and nobody lost a part of it."""
    assert len(CASES) >= 150, f"expected at least 150 cases, found {len(CASES)}"


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_mistake_is_said_in_one_line_with_its_place(
    case: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The line names file, line, object and field, and never a password."""
    monkeypatch.chdir(case)
    result = CliRunner().invoke(main, ["check", "."], catch_exceptions=False)
    if request.config.getoption("--update-golden"):
        (case / "error.txt").write_text(result.stdout)
    expected = (case / "error.txt").read_text()
    assert result.stdout == expected, f"expected {expected!r}, found {result.stdout!r}"
    assert result.exit_code == 1, f"expected exit code 1, found {result.exit_code}"
    lines = expected.splitlines()
    assert len(lines) == 1, f"expected one mistake, found {len(lines)}"
    assert LINE.fullmatch(lines[0]), f"expected file:line: ..., found {lines[0]!r}"
    assert lines[0].isprintable(), f"expected printable text, found {lines[0]!r}"
    shown = [secret for secret in SECRETS if secret in result.output]
    assert not shown, f"expected no password, found {shown}"


@pytest.mark.parametrize("case", ALONE, ids=[case.name for case in ALONE])
def test_what_stands_beside_a_mistake_is_read_all_the_same(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bad object stops no other."""
    monkeypatch.chdir(case)
    state = check_paths([Path("input.yaml")])
    names = [*state.snapshot.services, *state.snapshot.pools]
    assert [str(name).rpartition("/")[2] for name in names] == ["sound"], f"expected the sound object, found {names}"
