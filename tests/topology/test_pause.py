"""A pause and the observing agent on a real FRR: nothing is sent, and the status says what waits."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from instruments.documents import key_of
from instruments.node import NAME
from instruments.running import configure
from instruments.vty_proxy import VtyProxy
from topology.agent_program import AgentBench, here, web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from topology.agent_program import Program

pytestmark = [pytest.mark.frr, pytest.mark.topology]

FAMILY = ("router bgp 64512", "address-family ipv4 unicast")


@pytest.fixture(scope="module")
def shared_bench(frr_version: FrrVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentBench]:
    """Provide FRR and its peers for all tests of the module."""
    with AgentBench(tmp_path_factory.mktemp("p"), frr_version) as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: AgentBench) -> Iterator[AgentBench]:
    """Provide the bench; programs that a test started end with it."""
    yield shared_bench
    shared_bench.stop()


@pytest.fixture
def proxy(bench: AgentBench, tmp_path: Path) -> Iterator[VtyProxy]:
    """Provide sockets that keep a record of what is said to FRR."""
    with VtyProxy(bench.node.frr.run_dir, tmp_path / "vty") as found:
        yield found


def order(bench: AgentBench, *words: str, code: int = 0) -> str:
    """Give an order with the program and return what it prints."""
    done = bench.node.command(*words)
    assert done.returncode == code, f"expected exit code {code}, found {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def waiting(program: Program) -> str:
    """Return what the status says about a pause; empty when there is none."""
    return program.problems().get("paused", "")


def test_nothing_is_sent_while_paused_and_everything_afterwards(bench: AgentBench, proxy: VtyProxy) -> None:
    """Changed manifests, a hand's edit, a check and a restarted agent send nothing; resume does."""
    options = ("--vty-dir", str(proxy.folder), "--check-interval", "1")
    program = bench.ready(*options)
    said = order(bench, "pause", "--for", "10m")
    assert "nothing is sent to FRR until" in said
    before = len(proxy.changes)
    bench.folder.put(here(4), web(4))
    configure(bench.node.frr.run_dir / "bgpd.vty", *FAMILY, "no network 203.0.113.2/32")
    bench.wait_announced(1, 3)
    bench.wait(lambda: "2 lines wait" in waiting(program), "two lines to wait in the status")
    assert program.status()["last_apply"]["result"] == "observed"
    assert program.status()["paused_until"] is not None
    program.end(signal.SIGTERM)
    program = bench.start(*options)
    bench.wait(lambda: "2 lines wait" in waiting(program), "the pause to outlive a restart of the agent")
    bench.folder.put(here(5), web(5))
    bench.wait(lambda: "3 lines wait" in waiting(program), "three lines to wait in the status")
    time.sleep(1.5)  # a check comes and goes
    sent = proxy.changes[before:]
    assert not sent, f"expected nothing to be sent, found {sent}"
    assert order(bench, "status", code=1).startswith(f"node {NAME}: 1 problem\n  paused: nothing is sent to FRR until")
    assert "not paused" in order(bench, "resume")
    bench.wait_announced(1, 2, 3, 4, 5)
    bench.wait(lambda: program.status()["ok"], "status ok")


def test_a_pause_ends_by_itself(bench: AgentBench, proxy: VtyProxy) -> None:
    """At once when its time is over, not at the next check; what failed or waited is done then."""
    program = bench.ready("--vty-dir", str(proxy.folder))
    order(bench, "pause", "--for", "3")
    ends = time.monotonic() + 3
    bench.folder.remove(key_of(web(2)))
    bench.wait(lambda: waiting(program), "the pause in the status")
    before = len(proxy.changes)
    bench.wait_announced(1, 3)
    first = proxy.changes[before].at
    assert ends - 1.0 < first < ends + 1.5, f"expected the end of the pause, found {first - ends:+.2f} s"
    bench.wait(lambda: program.status()["ok"], "status ok")


def test_a_paused_agent_withdraws_nothing_when_it_stops(bench: AgentBench, proxy: VtyProxy) -> None:
    """Who paused it wants FRR to be left alone."""
    program = bench.ready("--vty-dir", str(proxy.folder), "--on-stop", "withdraw")
    order(bench, "pause", "--for", "1h")
    before = len(proxy.changes)
    program.end(signal.SIGTERM)
    assert not proxy.changes[before:]
    assert bench.announced() == {1, 2, 3}
    bench.start("--vty-dir", str(proxy.folder))
    bench.wait(lambda: not bench.node.command("resume").returncode, "an agent that takes orders")


@pytest.mark.parametrize("apply_with", ["sockets", "vtysh"])
def test_an_observing_agent_sends_nothing(bench: AgentBench, proxy: VtyProxy, apply_with: str) -> None:
    """It says how many lines it would send, through whatever happens, and at its end."""
    bench.ready().end()
    bench.folder.put(here(7), web(7))
    bench.folder.remove(key_of(web(1)))
    options = ("--vty-dir", str(proxy.folder), "--check-interval", "1", "--apply-with", apply_with)
    program = bench.start("--observe", "--on-stop", "withdraw", *options)
    bench.wait(lambda: program.status().get("last_apply") is not None, "a first look at FRR")
    bench.wait(lambda: program.status()["last_apply"]["commands"] == 2, "two lines that would be sent")
    bench.folder.put(here(8), web(8))
    bench.wait(lambda: program.status()["last_apply"]["commands"] == 3, "three lines that would be sent")
    bench.node.frr.restart("bgpd", load=False)
    bench.wait(lambda: program.status()["last_apply"]["commands"] > 3, "a whole configuration that would be sent")
    program.end(signal.SIGTERM)
    assert not proxy.changes, f"expected nothing to be sent, found {proxy.changes[:5]}"
    assert len(proxy.said) > 10, f"expected FRR to have been asked, found {proxy.said}"


def test_orders_that_cannot_be_are_refused_with_a_reason(bench: AgentBench) -> None:
    """Exit code 2, and what is allowed; a confirmation of nothing is a no."""
    bench.ready()
    for words, text in (
        (("pause", "--for", "8d"), "allowed are more than 0 and up to"),
        (("pause", "--for", "0"), "allowed are more than 0"),
        (("pause", "--for", "soon"), "such as 30m"),
    ):
        done = bench.node.command(*words)
        assert (done.returncode, text in done.stderr) == (2, True), f"expected {text!r}, found {done}"
    done = bench.node.command("confirm")
    assert (done.returncode, done.stderr) == (1, "nothing is held back\n"), f"found {done}"
