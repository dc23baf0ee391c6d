"""``frrsync plan --from --to`` says exactly what a node then does: thirty pairs of folders on a real FRR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from golden.plan_pairs import PAIRS
from golden.plan_stage import ADDRESSES, PlanStage
from instruments.node import SPEAKERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.lab.rootfs import FrrVersion
    from golden.plan_pairs import Folder, Pair
    from instruments.route import Route, Table, Tables

pytestmark = pytest.mark.frr

WELL_KNOWN = {"no-export": "65535:65281"}
"""Names that FRR prints, as the listener reads them."""

Seen = dict[str, tuple[Any, ...]]
"""Of each prefix what a peer sees of it."""


@pytest.fixture(scope="module")
def stage(frr_version: FrrVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlanStage]:
    """Provide the node, for all pairs."""
    path = tmp_path_factory.mktemp("plan")
    path.chmod(0o755)
    with PlanStage(path, frr_version) as stage:
        yield stage


@pytest.mark.parametrize("name", PAIRS)
def test_a_plan_says_exactly_what_a_node_then_does(stage: PlanStage, name: str) -> None:
    """Commands, prefixes at every peer with their attributes, and sessions are those of the plan."""
    pair = PAIRS[name]
    before, after = pair.folders()
    stage.begin(before)
    stage.wait_for_peers(_expected(before, frozenset()))
    tables, serials = stage.tables(), stage.serials()
    code, document = stage.plan(before, after, pair.metric)
    assert code == pair.code, f"expected exit code {pair.code}, found {code}: {document['mistakes']}"
    (node,) = document["nodes"]
    sent = stage.change(after, pair.metric)
    found = [{"daemon": str(one.daemon), "context": list(one.context), "line": one.line} for one in sent]
    assert _hidden(found) == _hidden(node["commands"])
    stage.wait_for_peers(_expected(after, pair.dark | (pair.removed - pair.made)))
    stage.wait_for_timer()
    _judge_prefixes(node["peers"], tables, stage.tables())
    _judge_sessions(pair, node["sessions"], serials, stage.serials())


def _hidden(commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return commands without what stands behind ``password``, which no plan shows."""
    return [{**one, "line": one["line"].partition(" password ")[0]} for one in commands]


def _expected(folder: Folder, without: frozenset[str]) -> frozenset[str]:
    return frozenset(name for kind, _, name in folder if kind == "BGPPeer") - without


def _judge_sessions(pair: Pair, planned: list[dict[str, Any]], before: dict[str, int], after: dict[str, int]) -> None:
    """Compare the planned sessions with those that the test expects and with those that were lost."""
    said = {fate: {one["name"] for one in planned if one["change"] == fate} for fate in ("reset", "made", "removed")}
    assert said == {"reset": pair.resets, "made": pair.made, "removed": pair.removed}
    assert all(one["reason"] for one in planned), f"expected a reason for each session, found {planned}"
    staying = before.keys() & after.keys()
    lost = {name: after[name] - before[name] for name in staying if after[name] != before[name]}
    assert lost.keys() == pair.resets, f"expected resets of {sorted(pair.resets)}, found {lost}"
    gone, come = before.keys() - after.keys(), after.keys() - before.keys()
    assert gone == pair.removed, f"expected {sorted(pair.removed)} to go, found {sorted(gone)}"
    assert come == pair.made - pair.dark, f"expected {sorted(pair.made)} to come, found {sorted(come)}"


def _judge_prefixes(planned: list[dict[str, Any]], before: Tables, after: Tables) -> None:
    """Compare the planned changes at every peer with what the peers hold."""
    plans = {ADDRESSES[one["peer"]]: one for one in planned if not one["vrf"]}
    for speaker in SPEAKERS:
        plan = plans.get(speaker.name, {"gained": [], "lost": [], "moved": []})
        old, new = _seen(before[speaker.name]), _seen(after[speaker.name])
        gained = {one["prefix"]: _attributes(one["attributes"]) for one in plan["gained"]}
        lost = {one["prefix"]: _attributes(one["attributes"]) for one in plan["lost"]}
        moved = {one["prefix"]: (_attributes(one["from"]), _attributes(one["to"])) for one in plan["moved"]}
        where = f"at {speaker.name}"
        assert {prefix: new[prefix] for prefix in new.keys() - old.keys()} == gained, f"gained {where}"
        assert {prefix: old[prefix] for prefix in old.keys() - new.keys()} == lost, f"lost {where}"
        both = {prefix: (old[prefix], new[prefix]) for prefix in old.keys() & new.keys()}
        assert {prefix: pair for prefix, pair in both.items() if pair[0] != pair[1]} == moved, f"moved {where}"


def _seen(table: Table) -> Seen:
    return {prefix: _route(route) for prefix, route in table.items()}


def _route(route: Route) -> tuple[Any, ...]:
    return (route.as_path, route.communities, route.large_communities, route.local_pref, route.med)


def _attributes(found: dict[str, Any]) -> tuple[Any, ...]:
    metric = next((int(line.removeprefix("set metric ")) for line in found["other"]), 0)
    return (
        tuple(found["as_path"]),
        frozenset(WELL_KNOWN.get(value, value) for value in found["communities"]),
        frozenset(found["large_communities"]),
        found["local_preference"],
        metric,
    )
