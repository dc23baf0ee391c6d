"""Manifests to ``frr.conf``: one folder per case, compared byte for byte, and judged by a real FRR.

A case is ``case.toml`` (what it is about, and the node), ``input.yaml`` (beside ``cluster.yaml``, which all
cases share) and ``frr.conf``, as rendered for FRR 8.4. ``pytest --update-golden`` writes the latter.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from frrsync.core.allocate import allocate
from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.directory.store import check_paths
from frrsync.frr.dialect import dialect_of
from frrsync.frr.render import Renderer
from frrsync.frr.tree import difference, parse

if TYPE_CHECKING:
    from frrsync.core.decide import Decision
    from frrsync.frr.render import RenderedConfig
    from golden.boot import BootedFrr

FOLDER = Path(__file__).parent / "frr"
CASES = sorted(path.parent.name for path in FOLDER.glob("*/case.toml"))
GOLDEN_VERSION = "FRRouting 8.4 --enable-multipath=256"
HIDDEN_BY_NEWER = ("ip nht resolve-via-default\n", "ipv6 nht resolve-via-default\n")


def decide(case: str) -> Decision:
    """Return the decision of the case's node; the manifests must be without mistakes."""
    settings: dict[str, Any] = tomllib.loads((FOLDER / case / "case.toml").read_text("utf-8"))
    settings.pop("description")
    state = check_paths([FOLDER / "cluster.yaml", FOLDER / case / "input.yaml"])
    assert state.mistakes == (), "\n".join(map(str, state.mistakes))
    allocations = allocate(state.snapshot, {}, load_balancer_class="")
    decision = NodeDecider(NodeOptions(**settings)).decide(state.snapshot, allocations.allocated)
    assert decision.mistakes == (), "\n".join(map(str, decision.mistakes))
    return decision


def render(case: str, version: str) -> RenderedConfig:
    """Return what the case's node has to run on an FRR of that version."""
    return Renderer(None, dialect_of(version)).render(decide(case).config)


@pytest.mark.parametrize("case", CASES)
def test_rendered_text_is_the_golden_one(case: str, request: pytest.FixtureRequest) -> None:
    """Byte for byte for 8.4; for 10.3 the same without the two lines that it has as a default."""
    text = render(case, GOLDEN_VERSION).text
    golden = FOLDER / case / "frr.conf"
    if request.config.getoption("--update-golden"):
        golden.write_text(text, "utf-8")
    expected = golden.read_text("utf-8")
    assert text == expected, f"{golden} differs; if that is meant: pytest tests/golden --update-golden"
    for line in HIDDEN_BY_NEWER:
        expected = expected.replace(line, "")
    assert render(case, "FRRouting 10.3 --enable-multipath=256").text == expected


@pytest.mark.frr
@pytest.mark.parametrize("case", CASES)
def test_frr_loads_the_golden_file_and_runs_the_same(case: str, booted_frr: BootedFrr) -> None:
    """Boot FRR from the rendered file: every line is taken, and comes back as it was written."""
    rendered = render(case, booted_frr.installed_version())
    running = booted_frr.boot(rendered.text)
    missing, added = difference(rendered.tree, running), difference(running, rendered.tree)
    assert running == rendered.tree, f"rendered, but not in FRR: {missing}; in FRR, but not rendered: {added}"


@pytest.mark.parametrize("case", CASES)
def test_tree_of_the_renderer_is_that_of_its_text(case: str) -> None:
    """The renderer puts the tree together from parts; it must be what the text says."""
    rendered = render(case, GOLDEN_VERSION)
    assert rendered.tree == parse(rendered.text)
