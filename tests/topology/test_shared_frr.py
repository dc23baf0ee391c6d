"""An FRR that an operator runs: frrsync comes, works, is killed, goes; the operator's lines stay as they are."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from instruments import documents
from instruments.churn import Churn
from instruments.documents import key_of
from instruments.network import ip
from instruments.node import ASN, NAME, PEERS, base
from topology.agent_program import here, web
from topology.shared_bench import IPV4, ROUTER, SharedBench, Witness, fabric_untouched, operators_part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.lab.rootfs import FrrVersion
    from topology.agent_program import Program

pytestmark = [pytest.mark.frr, pytest.mark.topology]

CHURN_SECONDS = 15.0
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
        program = bench.ready()
        churn = Churn(7, NAME, PEERS, services=12)
        bench.folder.put(BFD, *churn.start())
        inner = next(item for item in base() if item["metadata"]["name"] == "inner")
        tor1 = next(item for item in base() if item["metadata"]["name"] == "tor1")
        end = time.monotonic() + CHURN_SECONDS
        rounds = 0
        while time.monotonic() < end:
            rounds += 1
            step = churn.draw()
            bench.folder.put(*step.put)
            bench.folder.remove(*step.remove)
            if rounds % 20 == 10:
                bench.folder.remove(key_of(inner))
                bench.folder.put(documents.peer("tor1", "10.99.0.11", my_asn=ASN, peer_asn=65001, bfdProfile="fast"))
            if rounds % 20 == 0:
                bench.folder.put(inner, tor1)
            if rounds == 40:
                program.end()
                program = bench.start()
            if rounds == 60:
                program.end(signal.SIGKILL)
                program = bench.start()
            foreign = bench.foreign_events()
            assert not foreign, f"expected none of the operator's routes at our neighbors, found {foreign}"
            witness.check() if witness.looks else None
            time.sleep(0.1)
        assert rounds > 70, f"expected the churn to go on, found {rounds} rounds"
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


def test_the_operators_reload_takes_our_lines_and_they_come_back(bench: SharedBench) -> None:
    """FRR's own tool removes what is not in the operator's file; frrsync puts it back by itself."""
    program = bench.ready()
    with Witness(bench), fabric_untouched(bench):
        bench.reload()
        bench.wait_announced(1, 2, 3)
        bench.wait(lambda: program.status().get("ok"), "status ok")
    foreign = bench.foreign_events("inner")
    assert not foreign, f"expected none of the operator's routes at our external neighbors, found {foreign}"


def test_a_restarted_frr_has_the_operators_file_and_then_our_lines(bench: SharedBench) -> None:
    """FRR comes back with the operator's file only, and frrsync adds its part."""
    program = bench.ready()
    wanted = operators_part(bench.running())
    frr = bench.node.frr
    before = set(bench.running().splitlines())
    for daemon in frr.daemons:
        frr.kill(daemon)
    frr.start()
    bench.wait_announced(1, 2, 3, seconds=30)
    bench.wait(lambda: program.status().get("ok"), "status ok")
    assert operators_part(bench.running()) == wanted
    assert set(bench.running().splitlines()) == before
    bench.wait(lambda: "192.0.2.1/32" in bench.at_leaf(), "the operator's route at the leaf", 30)
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
    """Sessions come up, no prefix goes anywhere; the lines that the status names help within a second."""
    bench.operate("no route-map FABRIC-OUT deny 10", undo=FENCE)
    bench.fill(here(1), web(1))
    with fabric_untouched(bench):
        program = bench.start()
        said = blocked(bench, program, "fab0", "FABRIC", "--allow-neighbor FABRIC")
        bench.wait(bench.is_up, "our sessions")
        assert not bench.announced(), "expected no prefix at our neighbors"
        lines = ("route-map FABRIC-OUT deny 19", "match large-community FRRSYNC")
        assert " / ".join(lines) in said, f"expected the lines that help, found {said}"
        bench.operate(*lines, undo=("no route-map FABRIC-OUT deny 19",))
        bench.wait_announced(1, seconds=NOTICED_SECONDS)
        bench.wait(lambda: program.status().get("ok"), "status ok")


def test_a_fence_that_falls_later_has_our_prefixes_withdrawn(bench: SharedBench) -> None:
    """A new neighbor of the operator's without a fence is noticed, and nothing of ours is announced any more."""
    program = bench.ready()
    new = "neighbor 10.99.0.77"
    bench.operate(ROUTER, f"{new} remote-as 65077", IPV4, f"{new} route-map FABRIC-IN out", undo=(ROUTER, f"no {new}"))
    took = bench.wait(lambda: not bench.announced(), "our prefixes to be withdrawn")
    assert took < NOTICED_SECONDS, f"expected it to be noticed at once, found {took:.1f} s"
    assert "10.99.0.77" in blocked(bench, program, "10.99.0.77")
    bench.operate(ROUTER, "neighbor 10.99.0.77 shutdown")
    bench.wait_announced(1, 2, 3, seconds=NOTICED_SECONDS)


def test_missing_lines_are_named_and_waited_for(bench: SharedBench) -> None:
    """Without the delay timer and with the import check nothing is set up, until the lines are there."""
    added = ("bgp route-map delay-timer 1", ROUTER, "no bgp network import-check")
    bench.operate("bgp route-map delay-timer 5", ROUTER, "bgp network import-check", undo=added)
    bench.fill(here(1), web(1))
    with Witness(bench):
        program = bench.start()
        said = blocked(bench, program, "bgp route-map delay-timer 1", f"{ROUTER} / no bgp network import-check")
        assert "frrsync-" not in bench.running(), f"expected nothing of ours, with {said}"
        assert program.events("blocked"), "expected it in the log"
    bench.operate(*added)
    bench.wait_announced(1)
    bench.wait(lambda: program.status().get("ok"), "status ok")


def test_another_asn_is_refused_with_both_named(bench: SharedBench) -> None:
    """A BGPPeer whose myASN is not that of the instance is not set up."""
    others = [documents.peer("tor1", "10.99.0.11", my_asn=64999, peer_asn=65001)]
    bench.fill(here(1), web(1))
    bench.folder.remove(*[key_of(item) for item in base() if item["kind"] == "BGPPeer"])
    bench.folder.put(*others)
    with Witness(bench):
        program = bench.start()
        blocked(bench, program, "tor1", "64999", "router bgp 64512")
        assert "frrsync-out-" not in bench.running()


def test_a_neighbor_and_a_prefix_of_the_operators_stay_his(bench: SharedBench) -> None:
    """What both have is left out of ours, named, and everything else works."""
    his, prefix = "neighbor 10.99.0.12", "network 203.0.113.2/32"
    bench.operate(ROUTER, f"{his} remote-as 65002", f"{his} shutdown", undo=(ROUTER, f"no {his}"))
    bench.operate(ROUTER, IPV4, f"{prefix} route-map FABRIC-IN", undo=(ROUTER, IPV4, f"no {prefix}"))
    bench.fill(here(1), web(1), here(2), web(2))
    program = bench.start()
    blocked(bench, program, "10.99.0.12", "tor2", "203.0.113.2/32")
    bench.wait(lambda: bench.announced("tor1") == {1}, "our prefix at tor1")
    text = bench.running()
    assert "  network 203.0.113.2/32 route-map FABRIC-IN" in text, f"expected the operator's line, found {text}"


def test_a_file_for_frr_is_refused(bench: SharedBench) -> None:
    """The file that FRR starts with is the operator's."""
    before = bench.node.frr.conf.read_text("utf-8")
    program = bench.start("--frr-conf", str(bench.node.frr.conf))
    program.process.wait(15)
    assert program.process.returncode, f"expected a refusal, found {program.text()}"
    assert "--frr-conf" in program.text()
    assert bench.node.frr.conf.read_text("utf-8") == before


def test_without_an_instance_the_lines_to_add_are_named(bench: SharedBench) -> None:
    """A VRF without ``router bgp`` is named, and none is made there."""
    red = documents.peer("tor1", "10.99.0.11", my_asn=ASN, peer_asn=65001, vrf="red")
    bench.fill(here(1), web(1))
    bench.folder.put(red)
    with Witness(bench):
        program = bench.start()
        blocked(bench, program, "no BGP instance in VRF red", "'router bgp 64512 vrf red'")
        bench.wait(lambda: bench.announced("tor2") == {1}, "the others to be served")
        assert "vrf red" not in bench.running()


def test_vtysh_and_the_commands_see_our_part_only(bench: SharedBench) -> None:
    """Sent through vtysh, compared and rendered: nothing of the operator's is in it, and all of it goes again."""
    program = bench.ready("--apply-with", "vtysh", "--on-stop", "withdraw")
    with Witness(bench), fabric_untouched(bench):
        diff = bench.node.command("config", "diff")
        assert diff.returncode == 0, f"expected no difference, found {diff.stdout + diff.stderr}"
        desired = bench.node.command("config", "desired").stdout
        for line in ("FABRIC", "fab0", "import-check", "delay-timer", "router-id"):
            assert line not in desired, f"expected our part only, found {desired}"
        bench.operate(ROUTER, "no neighbor 10.99.0.12")
        bench.wait_announced(1, 2, 3)
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
