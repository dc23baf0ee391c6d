"""The first stage of a drain as FRR runs it: GRACEFUL_SHUTDOWN in its place among any communities."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frrsync.core.allocate import allocate
from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.core.node_facts import Drain, DrainSource, DrainStage, NodeFacts
from frrsync.directory.store import check_paths
from frrsync.frr.dialect import dialect_of
from frrsync.frr.render import Renderer
from frrsync.frr.tree import difference

if TYPE_CHECKING:
    from golden.boot import BootedFrr

pytestmark = pytest.mark.frr

FOLDER = Path(__file__).parent / "frr"
LOWERED = NodeFacts(drain=Drain(stage=DrainStage.LOWERED, asked_by=(DrainSource.ORDER,), since=0.0))
MANY = [f"64512:{number}" for number in range(30)] + [f"65535:{number}" for number in range(1, 5)] + ["no-peer"]
"""Values below and above that of GRACEFUL_SHUTDOWN, with and without a name."""
MOST = [f"65530:{10000 + number}" for number in range(62)] + ["65535:65281"]
"""As many as a route may have, as long as they get."""


def full(communities: list[str]) -> str:
    """Return the manifests of an advertisement with these communities."""
    text = (FOLDER / "communities" / "input.yaml").read_text("utf-8")
    head, _, rest = text.partition("  communities:\n    - no-export")
    listed = "".join(f'    - "{item}"\n' for item in communities)
    tail = rest.partition("\n---\n")[2]
    return f"{head}  communities:\n{listed}" + (f"---\n{tail}" if tail else "")


@pytest.mark.parametrize("case", ["communities", "ibgp", "as-path-prepend", "two-advertisements", "many", "most"])
def test_frr_runs_what_is_rendered_for_a_drain(case: str, booted_frr: BootedFrr, tmp_path: Path) -> None:
    """Boot FRR from it: every entry has the community, iBGP the lowest preference, and it comes back the same."""
    source = FOLDER / case / "input.yaml"
    if case in {"many", "most"}:
        source = tmp_path / "input.yaml"
        source.write_text(full(MANY if case == "many" else MOST), "utf-8")
    state = check_paths([FOLDER / "cluster.yaml", source])
    assert state.mistakes == (), f"expected no mistake, found {state.mistakes}"
    allocated = allocate(state.snapshot, {}, load_balancer_class="").allocated
    decision = NodeDecider(NodeOptions(node="n1")).decide(state.snapshot, allocated, LOWERED)
    assert decision.mistakes == (), f"expected no mistake, found {decision.mistakes}"
    rendered = Renderer(None, dialect_of(booted_frr.installed_version())).render(decision.config)
    entries = len(re.findall(r"^ match tag", rendered.text, re.MULTILINE))
    lowered = len(re.findall(r"^ set community .*\bgraceful-shutdown\b", rendered.text, re.MULTILINE))
    assert entries == lowered > 0, f"expected the community in all {entries} entries, found {lowered}"
    preferences = set(re.findall(r"set local-preference (\d+)", rendered.text))
    assert preferences == ({"0"} if case == "ibgp" else set()), f"expected only the lowest, found {preferences}"
    running = booted_frr.boot(rendered.text)
    missing, added = difference(rendered.tree, running), difference(running, rendered.tree)
    assert running == rendered.tree, f"rendered, but not in FRR: {missing}; in FRR, but not rendered: {added}"
