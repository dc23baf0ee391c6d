"""Golden texts of errors: one folder per mistake, with what is said about it.

``input.yaml`` holds one mistake and a sound object named ``sound`` beside it; ``error.txt`` is the one line
that a user sees. ``--update-golden`` writes it; look at the difference before it is committed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from frrsync.directory.store import check_paths

CASES = sorted(path.parent for path in Path(__file__).parent.parent.glob("golden/errors/*/input.yaml"))


def test_there_are_fifty_cases() -> None:
    """The folder was found, and nobody lost half of it."""
    assert len(CASES) >= 50, f"expected at least 50 cases, found {len(CASES)}"


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_one_mistake_gives_one_error(
    case: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The error names file, line and field, and what stands beside it is read all the same."""
    monkeypatch.chdir(case)
    state = check_paths([Path("input.yaml")])
    found = "".join(f"{mistake}\n" for mistake in state.mistakes)
    if request.config.getoption("--update-golden"):
        (case / "error.txt").write_text(found)
    expected = (case / "error.txt").read_text()
    assert found == expected, f"expected {expected!r}, found {found!r}"
    assert len(state.mistakes) == 1, f"expected one mistake, found {found}"
    (mistake,) = state.mistakes
    assert mistake.line > 0, "expected a line"
    assert not mistake.kind or mistake.field, f"expected a field in {mistake}"
    names = [*state.snapshot.services, *state.snapshot.pools]
    assert [str(name).rpartition("/")[2] for name in names] == ["sound"], f"expected the sound object, found {names}"
