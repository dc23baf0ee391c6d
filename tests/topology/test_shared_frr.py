"""An FRR that an operator runs: frrsync comes, works, is killed, goes; the operator's lines stay as they are."""

from __future__ import annotations

import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from frrsync.frr.scope import managed
from frrsync.frr.session import open_frr
from frrsync.frr.shared import make_plan
from frrsync.frr.shared_fit import fit
from frrsync.settings import Settings
from instruments import documents
from instruments.churn import Churn
from instruments.documents import key_of
from instruments.network import ip
from instruments.node import ASN, NAME, PEERS, base
from instruments.running import differences
from topology.agent_program import here, web
from topology.shared_bench import IPV4, ROUTER, SharedBench, Witness, fabric_untouched, operators_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.frr.tree import Tree
    from frrsync.lab.rootfs import FrrVersion
    from topology.agent_program import Program

pytestmark = [pytest.mark.frr, pytest.mark.topology]

CHURN_ROUNDS = 60
NOTICED_SECONDS = 5.0
"""Within a second, says the page; the machine may be busy."""
FENCE = ("route-map FABRIC-OUT deny 10", "match large-community FRRSYNC")
BFD = documents.bfd_profile("fast", receiveInterval=200, transmitInterval=200)


@pytest.fixture(scope="module")
def shared_bench(frr_version: FrrVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedBench]:
    """Provide the operator's FRR for all tests of the module."""
    with SharedBench(tmp_path_factory.mktemp("s"), frr_version) as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: SharedBench) -> Iterator[SharedBench]:
    """Provide it as the operator's file describes it, without anything of ours before and after."""
    before = shared_bench.running()
    assert "frrsync-" not in before, "expected nothing of ours before the test"
    yield shared_bench
    shared_bench.stop()
    shared_bench.restore()
    if "frrsync-" in shared_bench.running():
        shared_bench.fill()
        program = shared_bench.start("--on-stop", "withdraw")
        shared_bench.wait(lambda: program.status().get("last_apply"), "a first round")
        program.end()
    after = shared_bench.running()
    assert operators_part(after) == before, f"expected the operator's lines as before and no other, found {after}"


def blocked(bench: SharedBench, program: Program, *words: str, seconds: float = 15.0) -> str:
    """Wait until the status says blocked, with these words."""
    bench.wait(
        lambda: all(word in program.problems().get("blocked", "") for word in words), f"blocked with {words}", seconds
    )
    return program.problems()["blocked"]


def test_the_operators_lines_never_change_while_frrsync_comes_works_and_goes(bench: SharedBench) -> None:
    """Churn, a restart, a kill and the end: every look finds the operator's text, no session of his drops."""
    bare = bench.running()
    with Witness(bench) as witness, fabric_untouched(bench):
        keep = ("--on-stop", "keep")
        program = bench.ready(*keep)
        churn = Churn(7, NAME, PEERS, services=12)
        bench.folder.put(BFD, *churn.start())
        inner = next(item for item in base() if item["metadata"]["name"] == "inner")
        tor1 = next(item for item in base() if item["metadata"]["name"] == "tor1")
        for rounds in range(CHURN_ROUNDS):
            step = churn.draw()
            bench.folder.put(*step.put)
            bench.folder.remove(*step.remove)
            if rounds % 20 == 10:
                bench.folder.remove(key_of(inner))
                bench.folder.put(documents.peer("tor1", "10.99.0.11", my_asn=ASN, peer_asn=65001, bfdProfile="fast"))
            if rounds % 20 == 0:
                bench.folder.put(inner, tor1)
            if rounds == 25:
                program.end()
                program = bench.start(*keep)
            if rounds == 42:
                program.end(signal.SIGKILL)
                program = bench.start(*keep)
            foreign = bench.foreign_events()
            assert not foreign, f"expected none of the operator's routes at our neighbors, found {foreign}"
            witness.check() if witness.looks else None
            time.sleep(0.08)
        program.end()
        bench.fill(here(1), web(1))
        program = bench.start("--on-stop", "graceful", "--drain-time", "1")
        bench.wait_announced(1)
        assert "frrsync-class-" in bench.running(), "expected our lines while we run"
        program.end()
        bench.wait(
            lambda: not bench.node.listener.follow() and not any(bench.node.listener.tables.values()), "no route"
        )
    after = bench.running()
    assert after == bare, f"expected the operator's configuration byte by byte, found\n{after}"
    assert not bench.foreign_events()


def test_an_agent_may_end_behind_any_line(bench: SharedBench) -> None:
    """The next one knows what was begun, completes it, and takes it back; nobody sees a route meanwhile."""
    bare = bench.running()
    program = bench.ready(numbers=(1,))
    settings = Settings(vty_dir=bench.node.frr.run_dir, vtysh=bench.node.frr.vtysh_path, frr_mode="shared")
    with closing(open_frr(settings)) as frr:

        def send(wanted: Tree) -> None:
            """Send what leads to this, as the next agent would, and look whether it does."""
            running = frr.read()
            fitted = fit(wanted, frr.whole, running)
            assert not fitted.obstacles, f"expected all of it to be ours, found {fitted.obstacles}"
            frr.send(make_plan(running, managed(fitted.tree, frr.dialect), frr.whole).commands)
            assert frr.read() == wanted, f"expected what was wanted, found {differences(frr.read(), wanted)}"

        complete = frr.read()
        program.end()
        assert bench.running() == bare, "expected an agent that ended to leave nothing"
        bench.foreign_events()
        come = make_plan({}, complete, frr.whole).commands
        go = make_plan(complete, {}, frr.whole).commands
        for commands, start, end in ((come, {}, complete), (go, complete, {})):
            send(start)
            for count in range(1, len(commands)):
                frr.send(commands[:count])
                send(end)
                send(start)
        send({})
    foreign = bench.foreign_events()
    assert not foreign, f"expected none of the operator's routes at our neighbors, found {foreign}"


def test_our_lines_come_back_after_the_operators_reload_and_after_a_restart(bench: SharedBench) -> None:
    """FRR's own tool removes what is not in the operator's file, and FRR starts with that; frrsync adds its part."""
    program = bench.ready()
    with Witness(bench), fabric_untouched(bench):
        bench.reload()
        bench.wait_announced(1, 2, 3)
        bench.wait(lambda: program.status().get("ok"), "status ok")
    foreign = bench.foreign_events("inner")
    assert not foreign, f"expected none of the operator's routes at our external neighbors, found {foreign}"
    before = bench.running()
    frr = bench.node.frr
    for daemon in frr.daemons:
        frr.kill(daemon)
    frr.start()
    bench.wait_announced(1, 2, 3, seconds=30)
    bench.wait(lambda: program.status().get("ok"), "status ok")
    assert operators_part(bench.running()) == operators_part(before)
    assert set(bench.running().splitlines()) == set(before.splitlines())
    bench.wait_fabric()
    assert not bench.ours_at_leaf(), f"expected none of ours at the leaf, found {bench.ours_at_leaf()}"


def test_an_allowed_neighbor_sees_our_prefixes(bench: SharedBench) -> None:
    """The mark with ``permit`` lets them through, attributes and all, and the operator's routes stay beside them."""
    bench.operate("no route-map FABRIC-OUT deny 10", undo=FENCE)
    bench.operate(
        "route-map FABRIC-OUT permit 10", "match large-community FRRSYNC", undo=("no route-map FABRIC-OUT permit 10",)
    )
    bench.fill(here(1), web(1))
    program = bench.start()
    bench.wait(lambda: "203.0.113.1/32" in bench.at_leaf(), "our prefix at the leaf")
    assert {"192.0.2.1/32", "192.0.2.64/26"} <= bench.at_leaf()
    bench.wait(lambda: program.status().get("ok"), "status ok")
    program.end()
    bench.restore()
    bench.wait(lambda: "203.0.113.1/32" not in bench.at_leaf(), "our prefix to be gone")
    (bench.leaf.log_dir / "leaf.log").write_text("")


def test_a_neighbor_without_a_fence_holds_back_every_prefix_until_it_has_one(bench: SharedBench) -> None:
    """Sessions come up, no prefix goes anywhere; the lines that the status names help within a second.

    The same when a fence falls later, and for the map that FRR asks about what an aggregate suppresses.
    """
    aggregate, instead = "aggregate-address 203.0.113.0/24 summary-only", "neighbor FABRIC unsuppress-map FABRIC-IN"
    bench.operate("no route-map FABRIC-OUT deny 10", undo=FENCE)
    bench.operate(ROUTER, IPV4, instead, undo=(ROUTER, IPV4, f"no {instead}"))
    bench.fill(here(1), web(1))
    with fabric_untouched(bench):
        program = bench.start()
        said = blocked(bench, program, "fab0", "FABRIC-OUT deny 19", "--allow-neighbor FABRIC")
        bench.wait(bench.is_up, "our sessions")
        assert not bench.announced(), "expected no prefix at our neighbors"
        bench.paste(said, undo=(("no route-map FABRIC-OUT deny 19",),))
        blocked(bench, program, "fab0", "FABRIC-IN deny 9")
        bench.operate(ROUTER, IPV4, aggregate, undo=(ROUTER, IPV4, f"no {aggregate}"))
        assert not bench.announced(), "expected no prefix at our neighbors"
        bench.operate(ROUTER, IPV4, f"no {aggregate}", f"no {instead}")
        bench.wait_announced(1, seconds=NOTICED_SECONDS)
        bench.wait(lambda: program.status().get("ok"), "status ok")
        new = "neighbor 10.99.0.77"
        bench.operate(ROUTER, f"{new} remote-as internal", undo=(ROUTER, f"no {new}"))
        took = bench.wait(lambda: not bench.announced(), "our prefixes to be withdrawn")
        assert took < NOTICED_SECONDS, f"expected it to be noticed at once, found {took:.1f} s"
        said = blocked(bench, program, "10.99.0.77", "FRRSYNC-DENY")
        bench.paste(said, undo=(("no route-map FRRSYNC-DENY",),))
        bench.wait_announced(1, seconds=NOTICED_SECONDS)


def test_a_plain_neighbor_of_the_operators_is_not_taken_over(bench: SharedBench) -> None:
    """It has the address and the ASN of a BGPPeer and says nothing else; its session stays the operator's."""
    his = "neighbor 10.99.0.11"
    bench.operate(ROUTER, f"{his} remote-as 65001", undo=(ROUTER, f"no {his}"))
    bench.fill(here(1), web(1))
    program = bench.start()
    blocked(bench, program, "10.99.0.11", "tor1", "is the operator's")
    bench.wait(lambda: bench.announced("tor2") == {1}, "the others to be served")
    program.end()
    lines = [line.strip() for line in bench.running().splitlines() if "10.99.0.11" in line]
    assert lines == [f"{his} remote-as 65001"], f"expected the operator's line alone, found {lines}"


def test_missing_lines_and_another_asn_are_named_and_waited_for(bench: SharedBench) -> None:
    """Nothing is set up until myASN is that of the instance and the lines that the status names are there."""
    added = ("bgp route-map delay-timer 1", ROUTER, "no bgp network import-check")
    bench.operate("bgp route-map delay-timer 5", ROUTER, "bgp network import-check", undo=added)
    bench.fill(here(1), web(1))
    bench.folder.remove(*[key_of(item) for item in base() if item["kind"] == "BGPPeer"])
    bench.folder.put(documents.peer("tor1", "10.99.0.11", my_asn=64999, peer_asn=65001))
    with Witness(bench):
        program = bench.start()
        blocked(bench, program, "tor1", "64999", "router bgp 64512")
        assert "frrsync-" not in bench.running(), "expected nothing of ours"
        bench.fill(here(1), web(1))
        said = blocked(bench, program, "bgp route-map delay-timer 1", f"{ROUTER} / no bgp network import-check")
        assert "frrsync-" not in bench.running(), f"expected nothing of ours, with {said}"
        assert program.events("blocked"), "expected it in the log"
    bench.paste(said)
    bench.wait_announced(1)
    bench.wait(lambda: program.status().get("ok"), "status ok")


def test_a_neighbor_and_a_prefix_of_the_operators_stay_his(bench: SharedBench) -> None:
    """What both have is left out of ours, named, as is a peer in a VRF without instance; the rest works."""
    his, prefix = "neighbor 10.99.0.12", "network 203.0.113.2/32"
    bench.operate(ROUTER, f"{his} remote-as 65002", f"{his} shutdown", undo=(ROUTER, f"no {his}"))
    bench.operate(ROUTER, IPV4, f"{prefix} route-map FABRIC-IN", undo=(ROUTER, IPV4, f"no {prefix}"))
    bench.fill(here(1), web(1), here(2), web(2))
    bench.folder.put(documents.peer("six", "fd99::13", my_asn=ASN, peer_asn=4200000001, vrf="red"))
    program = bench.start()
    blocked(bench, program, "10.99.0.12", "tor2", "203.0.113.2/32", "no BGP instance in VRF red")
    assert "'router bgp 64512 vrf red'" in program.problems()["blocked"]
    bench.wait(lambda: bench.announced("tor1") == {1}, "our prefix at tor1")
    text = bench.running()
    assert "vrf red" not in text, f"expected no instance of ours, found {text}"
    assert "  network 203.0.113.2/32 route-map FABRIC-IN" in text, f"expected the operator's line, found {text}"


def test_a_file_for_frr_is_refused(bench: SharedBench) -> None:
    """The file that FRR starts with is the operator's."""
    before = bench.node.frr.conf.read_text("utf-8")
    program = bench.start("--frr-conf", str(bench.node.frr.conf))
    program.process.wait(15)
    assert program.process.returncode, f"expected a refusal, found {program.text()}"
    assert "--frr-conf" in program.text()
    assert bench.node.frr.conf.read_text("utf-8") == before


def test_vtysh_and_the_commands_see_our_part_only(bench: SharedBench) -> None:
    """Sent through vtysh, compared and rendered: nothing of the operator's is in it, and all of it goes again."""
    program = bench.ready("--apply-with", "vtysh", numbers=(1,))
    with Witness(bench), fabric_untouched(bench):
        diff = bench.node.command("config", "diff")
        assert diff.returncode == 0, f"expected no difference, found {diff.stdout + diff.stderr}"
        desired = bench.node.command("config", "desired").stdout
        for line in ("FABRIC", "fab0", "import-check", "delay-timer", "router-id"):
            assert line not in desired, f"expected our part only, found {desired}"
        bench.operate(ROUTER, "no neighbor 10.99.0.12")
        bench.wait_announced(1)
        program.end()
    assert "frrsync-" not in bench.running()


def test_a_peer_behind_the_default_route_needs_a_line_of_the_operators(
    bench: SharedBench, frr_version: FrrVersion
) -> None:
    """Its absence is named and holds up nobody else."""
    line, namespace = "ip nht resolve-via-default", bench.node.frr.namespace
    daemon = "mgmtd" if frr_version == "10.3" else "zebra"
    bench.operate(f"no {line}", daemon=daemon)  # 10.3 may have it on without printing it
    ip("-n", namespace, "route", "add", "default", "via", "10.99.0.14")
    try:
        bench.fill(here(1), web(1))
        bench.folder.put(documents.peer("far", "198.18.7.1", my_asn=ASN, peer_asn=65099, ebgpMultiHop=True))
        program = bench.start()
        blocked(bench, program, "198.18.7.1", f"'{line}'")
        bench.wait(lambda: bench.announced("tor1") == {1}, "the others to be served")
        bench.operate(line, daemon=daemon, undo=(f"no {line}",))
        bench.wait(lambda: "blocked" not in program.problems(), "nothing to be in the way", 20)
    finally:
        ip("-n", namespace, "route", "delete", "default")
