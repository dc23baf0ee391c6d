"""Decisions for a node that leaves, and the clock of a drain."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frrsync.agent.drain import Goodbye, NodeDrain, has_told
from frrsync.agent.orders import OrderBook
from frrsync.core.allocate import allocate
from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.core.drain import asked_by_node, node_mistakes
from frrsync.core.model import Metadata, Node
from frrsync.core.node_facts import NOTHING_KNOWN, Drain, DrainSource, DrainStage, NodeFacts
from frrsync.core.status import AgentStatus, DrainState
from frrsync.core.status_document import document
from frrsync.directory.store import check_paths
from frrsync.errors import FrrUnavailable
from frrsync.frr.show import read_sessions
from frrsync.settings import Settings

if TYPE_CHECKING:
    from frrsync.core.decide import Decision

FOLDER = Path(__file__).parents[1] / "golden" / "frr"
SINCE = 1_700_000_000.0
ORDERED = (DrainSource.ORDER,)
NAME = "n1"


def decide(stage: DrainStage | None, case: str = "ibgp") -> Decision:
    """Return the decision of a golden case in a stage; None: by a command that works offline."""
    state = check_paths([FOLDER / "cluster.yaml", FOLDER / case / "input.yaml"])
    allocated = allocate(state.snapshot, {}, load_balancer_class="").allocated
    asked_by = () if stage is DrainStage.NONE else ORDERED
    drain = None if stage is None else Drain(stage=stage, asked_by=asked_by, since=SINCE)
    facts = NOTHING_KNOWN if drain is None else NodeFacts(drain=drain)
    return NodeDecider(NodeOptions(node=NAME)).decide(state.snapshot, allocated, facts)


def node(**labels: str) -> Node:
    """Return a Node with these values of the drain key: ``label`` and ``annotation``."""
    found = {place: {"frrsync.dev/drain": value} for place, value in labels.items()}
    meta = Metadata(name=NAME, labels=found.get("label", {}), annotations=found.get("annotation", {}))
    return Node(meta=meta)


def test_a_lowered_node_announces_the_same_prefixes_by_the_same_classes() -> None:
    """Only outbound maps differ, so that no prefix is withdrawn and no session reset."""
    before, lowered = decide(DrainStage.NONE).config, decide(DrainStage.LOWERED).config
    assert lowered.class_maps == before.class_maps
    for old, new in zip(before.routers, lowered.routers, strict=True):
        assert new.neighbors == old.neighbors
        assert [family.networks for family in new.address_families] == [
            family.networks for family in old.address_families
        ]
    entries = [entry for item in lowered.outbound_maps for entry in item.entries]
    assert entries, "expected something to be announced"
    assert all("graceful-shutdown" in entry.communities for entry in entries), f"found {entries}"
    assert {entry.local_preference for entry in entries} <= {0, None}, f"found {entries}"
    assert 0 in {entry.local_preference for entry in entries}, "expected the lowest preference on iBGP"
    assert not {item.name for item in lowered.outbound_maps} & {item.name for item in before.outbound_maps}


def test_a_withdrawn_node_keeps_its_sessions_and_says_why_it_is_silent() -> None:
    """Each Service that would be announced has the reason, with who asked and since when."""
    before, withdrawn = decide(DrainStage.NONE), decide(DrainStage.WITHDRAWN)
    assert withdrawn.sessions == before.sessions
    networks = [family.networks for router in withdrawn.config.routers for family in router.address_families]
    assert not any(networks), f"expected no prefix, found {networks}"
    announced = [name for name, verdict in before.verdicts.items() if verdict.announced]
    assert announced, "expected the case to announce something"
    for name in announced:
        verdict = withdrawn.verdicts[name]
        assert verdict.reason == "nodeDrained", f"found {verdict}"
        assert verdict.detail == f"Node {NAME} is drained since 2023-11-14T22:13:20Z, by an order (frrsync drain)"


def test_a_decider_finds_its_way_back() -> None:
    """What is kept between decisions never decides: after a drain all is as before."""
    state = check_paths([FOLDER / "cluster.yaml", FOLDER / "ibgp" / "input.yaml"])
    allocated = allocate(state.snapshot, {}, load_balancer_class="").allocated
    decider = NodeDecider(NodeOptions(node=NAME))
    found = []
    for stage in (DrainStage.NONE, DrainStage.LOWERED, DrainStage.WITHDRAWN, DrainStage.NONE):
        facts = NodeFacts(drain=Drain(stage=stage, asked_by=ORDERED, since=SINCE))
        found.append(decider.decide(state.snapshot, allocated, facts))
    assert found[0].config == found[3].config
    assert found[0].verdicts == found[3].verdicts


@pytest.mark.parametrize(
    ("value", "asks", "is_mistake"),
    [("true", True, False), ("", True, False), ("false", False, False), ("yes", False, True), ("True", False, True)],
)
@pytest.mark.parametrize("place", ["label", "annotation"])
def test_the_node_object_asks_for_a_drain(place: str, value: str, asks: bool, is_mistake: bool) -> None:
    """Exactly these values count; another one asks for nothing and is a mistake."""
    found = node(**{place: value})
    assert asked_by_node(found) == ((DrainSource(place),) if asks else ())
    mistakes = node_mistakes(found)
    assert bool(mistakes) is is_mistake, f"found {mistakes}"
    if mistakes:
        expected = (
            f"{place} frrsync.dev/drain: found {value!r}, allowed are 'true', 'false' and no value; it asks for nothing"
        )
        assert (mistakes[0].field, mistakes[0].message) == (f"metadata.{place}s", expected)


def test_offline_a_node_that_asks_for_a_drain_is_withdrawn(tmp_path: Path) -> None:
    """A plan or a rendering shows the end of the drain: nobody keeps its time."""
    text = (FOLDER / "cluster.yaml").read_text("utf-8")
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text(text.replace("rack: a}", 'rack: a, frrsync.dev/drain: ""}'), "utf-8")
    state = check_paths([cluster, FOLDER / "ibgp" / "input.yaml"])
    allocated = allocate(state.snapshot, {}, load_balancer_class="").allocated
    decision = NodeDecider(NodeOptions(node=NAME)).decide(state.snapshot, allocated)
    assert decision.drain.stage is DrainStage.WITHDRAWN
    details = {verdict.detail for verdict in decision.verdicts.values() if verdict.reason == "nodeDrained"}
    assert details == {f"Node {NAME} is drained, by label frrsync.dev/drain of the Node"}, f"found {details}"


# --- the clock


def clock(folder: Path, drain_time: float = 600.0, **changes: object) -> tuple[NodeDrain, OrderBook]:
    """Return the clock of a node and its orders."""
    settings = Settings(node=NAME, state_dir=folder, drain_time=drain_time, **changes)  # type: ignore[arg-type]
    orders = OrderBook(folder / "orders.json", lambda _cause: None)
    return NodeDrain(settings, orders), orders


ONE = frozenset({"203.0.113.1/32"})


def announcing() -> frozenset[str]:
    """Say that FRR announces something."""
    return ONE


def silent() -> frozenset[str]:
    """Say that FRR announces nothing."""
    return frozenset()


def gone() -> frozenset[str]:
    """Find no FRR to ask."""
    raise FrrUnavailable("bgpd does not answer")


def test_the_first_stage_lasts_from_when_frr_took_it(tmp_path: Path) -> None:
    """Before that, no router has heard of anything, so there is no end in sight."""
    drain, orders = clock(tmp_path, drain_time=0.2)
    assert drain.look(node(), announcing).stage is DrainStage.NONE
    assert drain.state is None
    orders.drain()
    time.sleep(0.01)
    assert drain.look(node(), announcing).stage is DrainStage.LOWERED
    ends = [drain.deadline]
    drain.taken(DrainStage.NONE)  # of a round before
    ends.append(drain.deadline)
    assert ends == [None, None], f"expected no end in sight, found {ends}"
    drain.taken(DrainStage.LOWERED)
    deadline = drain.deadline
    assert deadline is not None
    early = drain.due
    assert drain.next_look == deadline
    time.sleep(max(0.0, deadline - time.monotonic()))
    assert drain.next_look is not None
    assert drain.next_look > time.monotonic(), "expected a pause before a stage that did not begin is tried again"
    assert (early, drain.due) == (frozenset(), frozenset({"drain"}))
    assert drain.look(node(), announcing).stage is DrainStage.WITHDRAWN
    before = drain.has_withdrawn
    drain.taken(DrainStage.WITHDRAWN)
    after = drain.has_withdrawn
    assert drain.withdrawing == ONE, f"expected what has to be withdrawn, found {drain.withdrawing}"
    orders.undrain()
    assert drain.look(node(), announcing).stage is DrainStage.NONE
    assert (before, after, drain.has_withdrawn) == (False, True, False)


@pytest.mark.parametrize(
    ("announces", "stage"),
    [(announcing, DrainStage.LOWERED), (silent, DrainStage.WITHDRAWN), (gone, DrainStage.LOWERED)],
)
def test_a_node_that_announces_nothing_is_withdrawn_at_once(
    tmp_path: Path, announces: object, stage: DrainStage
) -> None:
    """There is nothing to move; an FRR that does not answer may still be announcing."""
    drain, _ = clock(tmp_path)
    assert drain.look(node(label="true"), announces).stage is stage  # type: ignore[arg-type]


def test_an_order_that_is_older_than_the_drain_time_is_done(tmp_path: Path) -> None:
    """An agent that starts late does not begin anew; a clock that was set back gives the whole time."""
    _, orders = clock(tmp_path)
    orders.drain()
    time.sleep(0.05)
    late, _ = clock(tmp_path, drain_time=0.01)
    assert late.look(node(), announcing).stage is DrainStage.WITHDRAWN
    (tmp_path / "orders.json").write_text(f'{{"drained_at": {time.time() + 3600}}}', "utf-8")
    early, _ = clock(tmp_path, drain_time=5)
    assert early.look(node(), announcing).stage is DrainStage.LOWERED
    early.taken(DrainStage.LOWERED)
    deadline = early.deadline
    assert deadline is not None
    left = deadline - time.monotonic()
    assert 4 < left <= 5, f"expected the whole time, found {left}"


def test_what_is_withdrawn_stays_so_while_anything_asks(tmp_path: Path) -> None:
    """The label takes over from the order; nothing is announced in between."""
    drain, orders = clock(tmp_path, drain_time=0)
    orders.drain()
    assert drain.look(node(), announcing).stage is DrainStage.WITHDRAWN
    both = drain.look(node(label="true"), announcing)
    assert (both.stage, set(both.asked_by)) == (DrainStage.WITHDRAWN, {DrainSource.ORDER, DrainSource.LABEL})
    orders.undrain()
    found = drain.look(node(label="true"), announcing)
    assert (found.stage, found.asked_by) == (DrainStage.WITHDRAWN, (DrainSource.LABEL,))


def test_a_node_object_that_is_gone_ends_no_drain(tmp_path: Path) -> None:
    """A node is drained, deleted, and switched off: in between it must not announce again."""
    drain, orders = clock(tmp_path, drain_time=0)
    assert drain.look(None, announcing).stage is DrainStage.NONE
    for source in ("label", "annotation"):
        assert drain.look(node(**{source: "true"}), announcing).stage is DrainStage.WITHDRAWN
        found = drain.look(None, announcing)
        assert (found.stage, found.asked_by) == (DrainStage.WITHDRAWN, (DrainSource(source),))
        assert drain.look(node(), announcing).stage is DrainStage.NONE
    orders.drain()
    assert drain.look(None, announcing).asked_by == (DrainSource.ORDER,)
    orders.undrain()
    assert drain.look(None, announcing).stage is DrainStage.NONE


def test_routers_are_told_once_frr_said_so_twice(tmp_path: Path) -> None:
    """Until then somebody looks again; an agent that only observes has nothing to look for."""
    drain, orders = clock(tmp_path, drain_time=0)
    orders.drain()
    drain.look(node(), announcing)
    drain.listen(lambda: pytest.fail("expected nobody to be asked before FRR took the withdrawal"))
    assert drain.next_look is None
    drain.taken(DrainStage.WITHDRAWN)
    found = []
    for said in (True, False, True, True):
        drain.listen(lambda said=said: said)  # type: ignore[misc]
        state = drain.state
        assert state is not None
        found.append((state.told, drain.next_look is not None))
    assert found == [(False, True), (False, True), (False, True), (True, False)], f"found {found}"
    watching, _ = clock(tmp_path, drain_time=0, observe=True)
    watching.look(node(), announcing)
    assert (watching.has_withdrawn, watching.next_look) == (True, None)


def test_an_observer_keeps_the_time_as_well(tmp_path: Path) -> None:
    """With --observe nothing is sent, and the stages go by."""
    drain, orders = clock(tmp_path, observe=True)
    orders.drain()
    drain.look(node(), announcing)
    assert drain.deadline is not None


# --- the end of the program


def goodbye(folder: Path, on_stop: str, **changes: object) -> tuple[Goodbye, NodeDrain]:
    """Return the end of a program and the clock of its node."""
    settings = Settings(node=NAME, state_dir=folder, drain_time=0.05, on_stop=on_stop, **changes)  # type: ignore[arg-type]
    drain = NodeDrain(settings, OrderBook(folder / "orders.json", lambda _cause: None))
    return Goodbye(settings, drain), drain


@pytest.mark.parametrize(("on_stop", "changes"), [("keep", {}), ("graceful", {"observe": True})])
def test_a_program_that_has_nothing_to_withdraw_ends_at_once(
    tmp_path: Path, on_stop: str, changes: dict[str, object]
) -> None:
    """Because it keeps everything, or because what is announced is not its own."""
    end, _ = goodbye(tmp_path, on_stop, **changes)
    assert end.is_over(may_send=True, has_decided=True)
    assert not end.failure


@pytest.mark.parametrize(
    ("may_send", "has_decided", "reason"),
    [(False, True, "nothing may be sent to FRR now"), (True, False, "the agent has not come to a decision yet")],
)
def test_a_program_that_cannot_withdraw_ends_at_once_and_says_so(
    tmp_path: Path, may_send: bool, has_decided: bool, reason: str
) -> None:
    """Nobody could tell what would be waited for; who asked for a withdrawal has to hear that there was none."""
    end, _ = goodbye(tmp_path, "withdraw")
    assert end.is_over(may_send=may_send, has_decided=has_decided)
    assert end.failure == f"stopped, but announcements may stay: {reason}"


def test_a_program_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for FRR to take the withdrawal nor for sessions to carry nothing."""
    monkeypatch.setattr("frrsync.agent.drain.LONGEST_GOODBYE_SECONDS", 0.05)
    for has_taken, reason in ((False, "FRR did not take it"), (True, "sessions still carry prefixes")):
        end, drain = goodbye(tmp_path, "withdraw")
        assert not end.is_over(may_send=True, has_decided=True)
        drain.look(node(), announcing)
        if has_taken:
            drain.taken(DrainStage.WITHDRAWN)
            drain.listen(lambda: False)
        assert end.next_look is not None
        time.sleep(max(0.0, end.next_look - time.monotonic()))
        assert end.is_over(may_send=True, has_decided=True)
        assert end.failure == f"stopped, but announcements may stay: {reason}"


@pytest.mark.parametrize(("on_stop", "stage"), [("withdraw", DrainStage.WITHDRAWN), ("graceful", DrainStage.LOWERED)])
def test_a_program_ends_when_the_routers_were_told(tmp_path: Path, on_stop: str, stage: DrainStage) -> None:
    """Not when FRR took the withdrawal, and not after one look."""
    end, drain = goodbye(tmp_path, on_stop)
    assert not end.is_over(may_send=True, has_decided=True)
    found = drain.look(node(), announcing)
    assert (found.stage, found.asked_by) == (stage, (DrainSource.STOP,))
    drain.taken(stage)
    time.sleep(0.1)
    assert drain.look(node(), announcing).stage is DrainStage.WITHDRAWN
    drain.taken(DrainStage.WITHDRAWN)
    looks = []
    for said in (False, True, False, True):
        drain.listen(lambda said=said: said)  # type: ignore[misc]
        looks.append(end.is_over(may_send=True, has_decided=True))
    assert looks == [False] * 4, f"expected one look not to be enough, found {looks}"
    drain.listen(lambda: True)
    assert end.next_look is not None
    assert end.next_look <= time.monotonic(), "expected the program not to wait any more"
    assert end.is_over(may_send=True, has_decided=True)
    assert not end.failure


SUMMARY = (
    '{"default": {"ipv4Unicast": {"peers": {"192.0.2.1": {"state": "%s", "pfxSnt": %s, "outq": %d},'
    ' "198.51.100.9": {"state": "Established", "pfxSnt": 70, "outq": 0}}}}}'
)


@pytest.mark.parametrize(
    ("state", "sent", "queued", "carries", "told"),
    [
        ("Established", "0", 0, True, True),
        ("Established", "1", 0, True, False),
        ("Established", "1", 0, False, True),
        ("Established", "0", 1, False, False),
        ("Established", "null", 0, True, False),
        ("Active", "1", 0, True, True),
    ],
)
def test_routers_know_when_nothing_of_ours_is_sent_and_nothing_waits(
    state: str, sent: str, queued: int, carries: bool, told: bool
) -> None:
    """Sessions that are down hear nothing, those of others are none of our business, nor are others' prefixes."""
    wanted = decide(DrainStage.WITHDRAWN, "ebgp").sessions[:1]
    assert wanted[0].neighbor.peer == "192.0.2.1", f"expected the peer of the case, found {wanted}"
    assert has_told(read_sessions(SUMMARY % (state, sent, queued)), wanted, lambda _session: carries) is told


def test_the_status_tells_the_stage_since_when_and_who_asked() -> None:
    """The member names are a contract; what has not happened is null."""
    state = DrainState(
        stage=DrainStage.LOWERED, asked_by=(DrainSource.LABEL,), since=SINCE, drain_time=10.0, lowered_at=SINCE + 1
    )
    found = document(AgentStatus(node=NAME, version="0", started_at=SINCE, drain=state))["drain"]
    assert json.loads(json.dumps(found)) == {
        "stage": "lowered",
        "asked_by": ["label"],
        "since": "2023-11-14T22:13:20.000Z",
        "drain_time": 10.0,
        "lowered_at": "2023-11-14T22:13:21.000Z",
        "withdrawn_at": None,
        "told": None,
    }
