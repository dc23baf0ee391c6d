"""A node that leaves: what its routers are sent at each stage, whoever asks for it and whatever is restarted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from instruments import documents
from instruments.documents import key_of
from instruments.network import NODE_IPV4
from instruments.node import NAME
from topology.agent_program import AgentBench, here, web

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from instruments.documents import Document
    from instruments.observe import Event
    from topology.agent_program import Program

pytestmark = [pytest.mark.frr, pytest.mark.topology]

LAST_CHOICE = "65535:0"
"""GRACEFUL_SHUTDOWN on the wire (RFC 8326)."""
DRAIN_SECONDS = 1.5
LISTENER_SECONDS = 1.0
"""How far the listener may be behind what FRR has sent, on a busy machine."""
BRIEFLY = ("--drain-time", f"{DRAIN_SECONDS:g}")
PEERS = ("tor1", "tor2", "inner")
DRAIN = "frrsync.dev/drain"
DEFAULT_ROUTE = """\
{% for activation in family.activations %}
  neighbor {{ activation.peer }} default-originate
{% endfor %}
"""


@pytest.fixture(scope="module")
def shared_bench(frr_version: FrrVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentBench]:
    """Provide FRR and its peers for all tests of the module."""
    with AgentBench(tmp_path_factory.mktemp("d"), frr_version) as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: AgentBench) -> Iterator[AgentBench]:
    """Provide the bench without orders from before; programs that a test started end with it."""
    shared_bench.node.frr.start()
    (shared_bench.node.state / f"orders-{NAME}.json").unlink(missing_ok=True)
    yield shared_bench
    shared_bench.stop()


def labelled(value: str, place: str = "labels") -> Document:
    """Return the Node with the drain label or annotation."""
    found = documents.node(NAME, labels={"rack": "r1"}, ip=NODE_IPV4)
    found["metadata"][place] = {**found["metadata"].get(place, {}), DRAIN: value}
    return found


def plain() -> Document:
    """Return the Node without a wish."""
    return documents.node(NAME, labels={"rack": "r1"}, ip=NODE_IPV4)


def is_lowered(bench: AgentBench, *numbers: int) -> bool:
    """Say whether every peer has exactly these Services, and all as the last choice."""
    bench.node.listener.follow()
    wanted = {f"203.0.113.{number}/32" for number in numbers}
    tables = [bench.node.listener.tables[peer] for peer in PEERS]
    return all(
        table.keys() == wanted and all(LAST_CHOICE in route.communities for route in table.values()) for table in tables
    )


def is_at_full_preference(bench: AgentBench, *numbers: int) -> bool:
    """Say whether every peer has exactly these Services, and none as the last choice."""
    bench.node.listener.follow()
    wanted = {f"203.0.113.{number}/32" for number in numbers}
    tables = [bench.node.listener.tables[peer] for peer in PEERS]
    return all(
        table.keys() == wanted and not any(LAST_CHOICE in route.communities for route in table.values())
        for table in tables
    )


def is_silent(bench: AgentBench) -> bool:
    """Say whether no peer has anything."""
    bench.node.listener.follow()
    return not any(bench.node.listener.tables.values())


def events_until_silent(bench: AgentBench) -> list[Event]:
    """Return what the peers were sent, up to the withdrawal of everything, which FRR has sent already."""
    found: list[Event] = []

    def is_over() -> bool:
        found.extend(bench.events())
        return not any(bench.node.listener.tables.values())

    bench.wait(is_over, "the peers to have read that everything is withdrawn", LISTENER_SECONDS)
    return found


def stage(program: Program) -> str | None:
    """Return the stage in the status."""
    drain = program.status().get("drain")
    return drain["stage"] if drain else None


def assert_never_at_full_preference(events: Iterable[Event]) -> None:
    """Fail if a peer was announced anything without the community."""
    bare = [event for event in events if event.route is not None and LAST_CHOICE not in event.route.communities]
    assert not bare, f"expected nothing to be announced without {LAST_CHOICE}, found {bare}"


def command(bench: AgentBench, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that asks the agent."""
    return bench.node.command(*arguments)


def test_an_ordered_drain_lowers_everything_then_withdraws_it(bench: AgentBench) -> None:
    """All prefixes are the last choice for the whole time, then gone; sessions stay; undrain brings all back.

    While sending is paused nobody can hear of it, so the time has not begun.
    """
    program = bench.ready(*BRIEFLY)
    bench.settle()
    with bench.untouched():
        command(bench, "pause", "--for", "1h")
        command(bench, "drain")
        bench.assert_quiet(DRAIN_SECONDS + 0.5, "nothing to be sent while paused")
        assert stage(program) == "lowered", f"expected the stage to wait for FRR, found {program.status()['drain']}"
        command(bench, "resume")
        done = command(bench, "drain", "--wait", "--output", "json")
        assert done.returncode == 0, f"expected exit code 0, found {done}"
        events = events_until_silent(bench)
        assert_two_stages(events)
        drain = json.loads(done.stdout)["drain"]
        assert (drain["stage"], drain["told"], drain["asked_by"]) == ("withdrawn", True, ["order"]), f"found {drain}"
        assert_lasted(drain)
        assert "lowered: everything is announced as the last choice" in done.stderr, f"found {done.stderr}"
        assert_refused_because_drained(program.status(), "an order (frrsync drain)")
        shown = command(bench, "status")
        assert shown.returncode == 0, f"expected a drained node to be no problem, found {shown}"
        assert "drain:      withdrawn since" in shown.stdout, f"expected the stage, found {shown.stdout}"
        again = command(bench, "undrain")
        assert again.returncode == 0, f"expected exit code 0, found {again}"
        bench.wait(lambda: is_at_full_preference(bench, 1, 2, 3), "everything at full preference")
    assert program.status()["drain"] is None


def assert_two_stages(events: list[Event]) -> None:
    """Judge what the peers were sent: first each prefix with the community, at the end each withdrawn."""
    for peer in PEERS:
        seen = [event for event in events if event.peer == peer]
        lowered = [event for event in seen if event.route is not None]
        withdrawn = [event for event in seen if event.withdrawn]
        assert_never_at_full_preference(lowered)
        prefixes = {prefix for event in lowered for prefix in event.announced}
        gone = {prefix for event in withdrawn for prefix in event.withdrawn}
        assert prefixes == gone != set(), f"{peer}: expected the same prefixes lowered and withdrawn, found {seen}"
        wait = withdrawn[0].time - lowered[0].time
        # On a busy machine FRR and the listener may be late at either end; the agent's own times are exact.
        assert wait > DRAIN_SECONDS / 2, f"{peer}: expected about {DRAIN_SECONDS} s between the stages, found {wait}"
        preferences = {event.route.local_pref for event in lowered if event.route is not None}
        expected = {0} if peer == "inner" else {None}
        assert preferences == expected, f"{peer}: expected the local preferences {expected}, found {preferences}"


def assert_lasted(drain: dict[str, Any]) -> None:
    """Fail if everything was the last choice for less than the drain time, or for much more."""
    lowered, withdrawn = (datetime.fromisoformat(drain[name]) for name in ("lowered_at", "withdrawn_at"))
    took = (withdrawn - lowered).total_seconds()
    assert DRAIN_SECONDS - 0.01 <= took < DRAIN_SECONDS + 5, f"expected {DRAIN_SECONDS} s, found {drain}"


def assert_refused_because_drained(status: dict[str, Any], by: str) -> None:
    """Judge the verdicts of a drained node."""
    found = {(service["reason"], service["announced"]) for service in status["services"]}
    assert found == {("nodeDrained", False)}, f"expected the reason nodeDrained, found {status['services']}"
    detail = status["services"][0]["detail"]
    assert f"Node {NAME} is drained since 20" in detail, f"expected since when, found {detail}"
    assert detail.endswith(f"by {by}"), f"expected by whom, found {detail}"


def test_the_node_object_drains_and_an_order_does_not_undo_it(bench: AgentBench) -> None:
    """A label counts while it is there; a value that is none of the allowed asks for nothing."""
    place = "labels"
    program = bench.ready(*BRIEFLY)
    bench.folder.put(labelled("yes", place))
    bench.wait(lambda: program.status()["mistakes"], "the wrong value to be a mistake")
    mistake = program.status()["mistakes"][0]
    expected = (f"metadata.{place}", "allowed are 'true', 'false' and no value")
    assert mistake["field"] == expected[0], f"expected the field {expected[0]}, found {mistake}"
    assert expected[1] in mistake["message"], f"expected {expected[1]!r}, found {mistake}"
    assert program.status()["drain"] is None, "expected a wrong value to ask for nothing"
    bench.folder.put(labelled("true", place))
    bench.wait(lambda: is_lowered(bench, 1, 2, 3), "everything as the last choice")
    bench.wait(lambda: is_silent(bench), "everything withdrawn")
    kept = command(bench, "undrain")
    assert kept.returncode == 1, f"expected exit code 1 while the Node asks for a drain, found {kept}"
    assert f"{place.removesuffix('s')} {DRAIN} of the Node" in kept.stderr, f"expected what asks, found {kept}"
    bench.folder.remove(key_of(plain()))
    bench.wait(lambda: stage(program) == "withdrawn", "an agent that answers")
    bench.assert_quiet(0.5, "nothing to be announced for a Node that was deleted")
    bench.folder.put(plain())
    bench.wait(lambda: is_at_full_preference(bench, 1, 2, 3), "everything at full preference")


def test_what_templates_announce_does_not_hold_up_a_drain(bench: AgentBench, tmp_path: Path) -> None:
    """It stays announced, because nobody but its operator knows what it is for; everything else is withdrawn."""
    program = bench.ready(*BRIEFLY, "--templates", str(tmp_path))
    (tmp_path / "fragments").mkdir()
    (tmp_path / "fragments" / "address_family-ipv4.j2").write_text(DEFAULT_ROUTE, "utf-8")
    bench.wait(
        lambda: all("0.0.0.0/0" in bench.node.listener.tables[peer] for peer in PEERS if bench.is_up()),
        "the default route at every peer",
    )
    bench.wait(lambda: program.status()["ok"], "status ok")
    done = command(bench, "drain", "--wait")
    assert done.returncode == 0, f"expected exit code 0, found {done}"
    bench.node.listener.follow()
    tables = {peer: set(bench.node.listener.tables[peer]) for peer in PEERS}
    assert all(table == {"0.0.0.0/0"} for table in tables.values()), f"expected the default route alone, found {tables}"
    counts = [session["prefixes_sent"] for session in program.status()["sessions"]]
    assert any(counts), f"expected FRR to count the default route, found {counts}"
    shutil.rmtree(tmp_path / "fragments")
    bench.wait(lambda: is_silent(bench), "the default route to go")


@pytest.mark.parametrize(("by", "seconds"), [("order", "4"), ("label", "2")])
def test_an_agent_that_is_killed_amid_a_drain_goes_on_with_it(bench: AgentBench, by: str, seconds: str) -> None:
    """Killed while everything is the last choice, the next agent withdraws, and never announces in full."""
    program = bench.ready("--drain-time", seconds)
    if by == "order":
        command(bench, "drain")
    else:
        bench.folder.put(labelled(""))
    bench.wait(lambda: is_lowered(bench, 1, 2, 3), "everything as the last choice")
    program.end(signal.SIGKILL)
    bench.events()
    program = bench.start("--drain-time", seconds)
    bench.wait(lambda: stage(program) == "lowered", "the next agent to go on")
    bench.wait(lambda: stage(program) == "withdrawn", "the next agent to come to the end")
    bench.wait(lambda: (program.status()["drain"] or {}).get("told"), "the routers to be told")
    assert_never_at_full_preference(bench.events())
    bench.wait(lambda: is_silent(bench), "nothing to be announced", LISTENER_SECONDS)
    if by == "order":
        return
    program.end(signal.SIGKILL)
    program = bench.start("--drain-time", "600")
    bench.wait(lambda: (program.status().get("drain") or {}).get("told"), "one more agent at work")
    bench.assert_quiet(1.0, "nothing to be announced again, however long the first stage is now")


def test_an_agent_that_comes_when_the_time_is_over_withdraws_at_once(bench: AgentBench) -> None:
    """However much that is: the guard against mass withdrawal is for what nobody asked for."""
    numbers = tuple(range(1, 31))
    program = bench.ready("--drain-time", "600", numbers=numbers)
    command(bench, "drain")
    bench.wait(lambda: is_lowered(bench, *numbers), "everything as the last choice")
    program.end(signal.SIGKILL)
    bench.events()
    program = bench.start("--drain-time", "0.1")
    bench.wait(lambda: is_silent(bench) and (program.status().get("drain") or {}).get("told"), "everything withdrawn")
    assert not [event for event in bench.events() if event.announced], "expected nothing to be announced again"
    assert program.status()["ok"], f"expected no problem, found {program.problems()}"


def test_what_a_drain_has_withdrawn_stays_withdrawn(bench: AgentBench) -> None:
    """Agent and FRR restarted, with a longer drain time than before: nothing is announced, not even as the last."""
    program = bench.ready("--drain-time", "0")
    command(bench, "drain")
    bench.wait(lambda: is_silent(bench) and stage(program) == "withdrawn", "everything withdrawn")
    program.end(signal.SIGKILL)
    bench.node.frr.stop()
    bench.node.frr.start(load=False)
    bench.events()
    program = bench.start("--drain-time", "600")
    bench.wait(lambda: (program.status().get("drain") or {}).get("told") and bench.is_up(), "the next agent at work")
    bench.assert_quiet(1.0, "nothing to be announced by a drained node")
    assert is_silent(bench)
    command(bench, "undrain")
    bench.wait(lambda: is_at_full_preference(bench, 1, 2, 3), "everything at full preference")


def test_a_graceful_stop_works_on_until_the_end(bench: AgentBench) -> None:
    """After SIGTERM the status answers and changes are handled; the program ends when the routers were told."""
    program = bench.ready("--on-stop", "graceful", "--drain-time", "3")
    with bench.untouched():
        program.process.send_signal(signal.SIGTERM)
        bench.wait(lambda: is_lowered(bench, 1, 2, 3), "everything as the last choice")
        assert program.status()["drain"]["asked_by"] == ["stop"], f"found {program.status()['drain']}"
        bench.folder.put(here(4), web(4))
        bench.folder.remove(key_of(web(1)))
        bench.wait(lambda: is_lowered(bench, 2, 3, 4), "changes of manifests to be handled")
        program.process.wait(10)
        events_until_silent(bench)
    assert program.process.returncode == 0, f"expected exit code 0, found {program.process.returncode}"
    assert program.events("withdrawn"), f"expected it in the log, found {program.text()}"
    program = bench.start()
    bench.wait(lambda: is_at_full_preference(bench, 2, 3, 4), "the next agent to announce again")


def test_a_second_signal_ends_a_graceful_stop_at_once(bench: AgentBench) -> None:
    """For the person who cannot wait; what is announced stays as it is."""
    program = bench.ready("--on-stop", "graceful", "--drain-time", "600")
    program.process.send_signal(signal.SIGTERM)
    bench.wait(lambda: is_lowered(bench, 1, 2, 3), "everything as the last choice")
    began = time.monotonic()
    program.end(signal.SIGTERM)
    took = time.monotonic() - began
    assert took < 5, f"expected an end at once, found {took:.1f} s"
    assert program.process.returncode == 128 + signal.SIGTERM, f"found exit code {program.process.returncode}"
    assert is_lowered(bench, 1, 2, 3), f"expected the announcements to stay, found {bench.announced()}"


def test_a_stop_with_withdrawal_ends_after_the_routers_were_told(bench: AgentBench) -> None:
    """With --on-stop withdraw nothing is announced any more when the program has ended, and nothing was lowered."""
    program = bench.ready("--on-stop", "withdraw", numbers=tuple(range(1, 200)))
    bench.settle()
    with bench.untouched():
        program.end(signal.SIGTERM)
        events = events_until_silent(bench)
    assert program.process.returncode == 0, f"expected exit code 0, found {program.process.returncode}"
    assert not [event for event in events if event.announced], "expected no stage before the withdrawal"


def test_a_stop_while_nothing_may_be_sent_says_that_it_withdrew_nothing(bench: AgentBench) -> None:
    """An order to pause counts more; who wants to switch off the node has to hear of it."""
    program = bench.ready("--on-stop", "withdraw")
    command(bench, "pause", "--for", "1h")
    program.end(signal.SIGTERM)
    assert program.process.returncode == 1, f"expected exit code 1, found {program.process.returncode}"
    expected = "Error: stopped, but announcements may stay: nothing may be sent to FRR now"
    assert expected in program.text(), f"expected {expected!r}, found {program.text()[-500:]}"
    assert is_at_full_preference(bench, 1, 2, 3), f"expected the announcements to stay, found {bench.announced()}"


@pytest.mark.soak
@pytest.mark.parametrize("how", ["gone", "hung"])
def test_a_stop_without_frr_is_bounded(bench: AgentBench, how: str) -> None:
    """Nobody can be told: the program gives up and says so."""
    program = bench.ready("--on-stop", "graceful", "--drain-time", "1")
    bgpd = bench.node.frr.pid("bgpd")
    assert bgpd is not None
    if how == "gone":
        bench.node.frr.kill("bgpd")
    else:
        os.kill(bgpd, signal.SIGSTOP)
    try:
        began = time.monotonic()
        program.process.send_signal(signal.SIGTERM)
        program.process.wait(60)
        took = time.monotonic() - began
    finally:
        if how == "hung":
            os.kill(bgpd, signal.SIGCONT)
    assert 10 < took < 30, f"expected the program to wait for FRR for a while, found {took:.1f} s"
    assert program.process.returncode == 1, f"expected exit code 1, found {program.process.returncode}"
    assert program.events("withdraw_failed"), f"expected it in the log, found {program.text()}"
