"""The agent program and its FRR: starts, ends, restarts of either, and what FRR refuses."""

from __future__ import annotations

import shutil
import signal
import time
from typing import TYPE_CHECKING

import pytest

from instruments import documents
from instruments.documents import key_of
from instruments.node import ASN, NAME
from instruments.running import configure, differences, running_tree
from topology.agent_program import AgentBench, here, web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from topology.agent_program import Program

pytestmark = [pytest.mark.frr, pytest.mark.topology]

QUIET_SECONDS = 1.5
RELOAD_SECONDS = 5.0
"""From the return of a daemon to its whole configuration."""
PASSWORD = "Blaubeerkuchen-4711"  # noqa: S105 - made up


@pytest.fixture(scope="module")
def shared_bench(frr_version: FrrVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentBench]:
    """Provide FRR and its peers for all tests of the module."""
    with AgentBench(tmp_path_factory.mktemp("a"), frr_version) as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: AgentBench) -> Iterator[AgentBench]:
    """Provide the bench with all of FRR running; programs that a test started end with it."""
    shared_bench.node.frr.start()
    yield shared_bench
    shared_bench.stop()


def test_announcements_are_withdrawn_at_a_stop_if_asked_for(bench: AgentBench) -> None:
    """With --on-stop withdraw every prefix goes at SIGTERM, and the sessions stay."""
    program = bench.ready("--on-stop", "withdraw")
    with bench.untouched():
        program.end(signal.SIGTERM)
        bench.wait_announced()
    assert program.events("withdrawn"), f"expected it in the log, found {program.text()}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_announcements_stay_when_the_agent_ends_and_when_the_next_one_starts(
    bench: AgentBench, number: signal.Signals
) -> None:
    """After a clean stop as after kill -9 the next agent finds everything as it wants it."""
    program = bench.ready()
    bench.settle()
    with bench.untouched():
        program.end(number)
        code = program.process.returncode
        assert code == (0 if number is signal.SIGTERM else -9), f"expected a clean end, found exit code {code}"
        bench.assert_quiet(QUIET_SECONDS, "announcements to stay")
        program = bench.start()
        bench.wait(lambda: program.status().get("ok"), "status ok")
        bench.assert_quiet(QUIET_SECONDS, "no UPDATE from the new agent")
    last = program.status()["last_apply"]
    assert (last["commands"], last["result"]) == (0, "unchanged"), f"expected an empty plan, found {last}"
    assert not program.events("frr_applied"), "expected nothing to have been applied"
    assert bench.announced() == {1, 2, 3}


def test_an_agent_that_is_there_before_frr_waits_for_it(bench: AgentBench) -> None:
    """Without FRR the error is in log and status, names the socket, and goes away when FRR comes."""
    bench.ready().end()
    bench.node.frr.stop()
    program = bench.start()
    bench.wait(lambda: program.events("blocked"), "the missing FRR in the log")
    bench.wait(lambda: "frrUnreachable" in program.problems(), "FRR to be missing in the status")
    assert "bgpd" in program.problems()["frrUnreachable"], f"expected bgpd to be named, found {program.problems()}"
    assert str(bench.node.frr.run_dir) in program.text(), "expected the socket in the log"
    told = len(program.events("blocked"))
    assert told == 1, f"expected to be told once, found {told}: {program.text()}"
    bench.node.frr.start(load=False)
    bench.wait_announced(1, 2, 3)
    bench.wait(lambda: program.status()["ok"], "status ok")


@pytest.mark.parametrize("killed", ["bgpd", "bfdd", "zebra", "all"])
def test_a_restarted_frr_is_loaded_in_full(bench: AgentBench, killed: str) -> None:
    """A daemon that was killed and comes back empty has everything again, without help."""
    frr = bench.node.frr
    bench.fill(
        *[part for number in (1, 2) for part in (here(number), web(number))],
        documents.bfd_profile("fast", receiveInterval=200, transmitInterval=200),
    )
    program = bench.start()
    bench.wait_announced(1, 2)
    bench.wait(lambda: program.status().get("ok"), "status ok")
    before = running_tree(frr)
    wanted = {"all": frr.daemons, "zebra": tuple(name for name in ("mgmtd", "zebra") if name in frr.daemons)}
    daemons = wanted.get(killed, (killed,))
    bench.settle()
    sessions = bench.sessions()
    for daemon in daemons:
        frr.kill(daemon)
    frr.start(daemons, load=False)
    took = bench.wait(lambda: not differences(before, running_tree(frr)), f"the configuration as before {killed} died")
    assert took <= RELOAD_SECONDS, f"expected {killed} to be loaded within {RELOAD_SECONDS} s, found {took:.1f} s"
    bench.wait_announced(1, 2)
    bench.wait(lambda: program.status()["ok"], "status ok")
    if killed in {"bfdd", "zebra"}:
        assert bench.sessions() == sessions, f"expected no BGP session to be touched by {killed}"
        assert not bench.events(), f"expected no UPDATE because of {killed}"
    bench.folder.put(here(3), web(3))
    bench.wait_announced(1, 2, 3)


def test_an_edit_by_hand_is_repaired_at_the_next_check(bench: AgentBench) -> None:
    """What somebody took away or added in FRR is put right within the check interval."""
    program = bench.ready("--check-interval", "1")
    before = running_tree(bench.node.frr)
    router = next(line for line in before if line.startswith("router bgp "))
    with bench.untouched():
        family = "address-family ipv4 unicast"
        lines = ("no network 203.0.113.2/32", "network 203.0.113.77/32")
        configure(bench.node.frr.run_dir / "bgpd.vty", router, family, *lines)
        bench.wait(lambda: not differences(before, running_tree(bench.node.frr)), "the configuration as before")
        bench.wait_announced(1, 2, 3)
    repaired = program.events("frr_applied")[-1]
    assert repaired["trigger"] == "check", f"expected the check to have found it, found {repaired}"


def test_frr_starts_with_the_file_and_announces_the_same(bench: AgentBench) -> None:
    """FRR alone, with the written file and no agent, comes back with every session and prefix."""
    frr = bench.node.frr
    frr.conf.unlink(missing_ok=True)
    program = bench.ready("--frr-conf", str(frr.conf))
    bench.wait(frr.conf.exists, "the file")
    found, folder = frr.conf.stat(), frr.conf.parent.stat()
    assert found.st_mode & 0o777 == 0o640, f"expected mode 640, found {found.st_mode & 0o777:o}"
    assert (found.st_uid, found.st_gid) == (folder.st_uid, folder.st_gid), "expected the owner of the folder"
    bench.folder.put(here(4), web(4))
    bench.wait_announced(1, 2, 3, 4)
    bench.wait(lambda: "203.0.113.4/32" in frr.conf.read_text("utf-8"), "the new prefix in the file")
    before = running_tree(frr)
    program.end(signal.SIGKILL)
    try:
        for daemon in frr.daemons:
            frr.kill(daemon)
        bench.wait(lambda: not bench.node.listener.follow() and not bench.node.listener.up, "the sessions to end")
        frr.start()
        bench.wait_announced(1, 2, 3, 4)
        left = differences(before, running_tree(frr))
        assert not left, f"expected what ran before, found {left}"
    finally:
        frr.conf.unlink()


def test_a_password_is_shown_to_nobody(bench: AgentBench) -> None:
    """No log line, status or answer holds the clear text, not even when FRR refuses the line with it."""
    secret = {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
        "metadata": {"name": "tor", "namespace": documents.CONFIG_NAMESPACE}, "stringData": {"password": PASSWORD},
    }  # fmt: skip
    far = documents.peer("far", "10.99.0.99", my_asn=64512, peer_asn=65009, passwordSecret={"name": "tor"})
    templates = bench.node.run.with_name("secret-templates")
    templates.mkdir()
    bench.fill(here(1), web(1), secret, far)
    program = bench.start("--templates", str(templates), "--log-level", "debug")
    bench.wait_announced(1)
    assert PASSWORD in bench.node.frr.vtysh("show running-config"), "expected FRR to have the password"
    answers = [program.answers()]
    (templates / "neighbor.j2").write_text(
        '{% extends "frrsync/neighbor.j2" %}\n{% block neighbor_extra %}\n'
        "{% if neighbor.password %}\n neighbor {{ neighbor.peer }} password {{ neighbor.password }} twice\n"
        " neighbor {{ neighbor.peer }} nonsense\n{% endif %}\n{% endblock %}\n",
        encoding="utf-8",
    )
    bench.wait(lambda: "blocked" in program.problems(), "the refused line in the status")
    answers += [program.answers(), program.text()]
    shutil.rmtree(templates)
    found = [text for text in answers if PASSWORD in text]
    assert not found, f"expected the password nowhere, found {found}"
    configured = bench.node.command("status", "--output", "json").stdout
    assert NAME in configured
    assert PASSWORD not in configured


def extend(templates: Path, text: str) -> None:
    """Write a template that adds a line to every neighbor, in place."""
    (templates / "neighbor.j2").write_text(
        '{% extends "frrsync/neighbor.j2" %}\n{% block neighbor_extra %}\n'
        f" neighbor {{{{ neighbor.peer }}}} {text}\n{{% endblock %}}\n",
        encoding="utf-8",
    )


def tries(program: Program, seconds: float) -> int:
    """Count in the status how often something was refused in this time."""
    end = time.monotonic() + seconds
    found = set()
    while time.monotonic() < end:
        last = program.status().get("last_apply")
        if last and last["result"] == "rolledBack":
            found.add(last["at"])
        time.sleep(0.02)
    return len(found)


def test_a_line_that_frr_refuses_leaves_the_last_good_configuration(bench: AgentBench, tmp_path: Path) -> None:
    """It is taken back and named in the status, it is tried again in growing pauses, the rest goes on."""
    program = bench.ready("--templates", str(tmp_path))
    before = running_tree(bench.node.frr)
    bench.settle()
    with bench.untouched():
        extend(tmp_path, "wibble 7")
        bench.wait(lambda: "blocked" in program.problems(), "the refused line in the status")
        last = program.status()["last_apply"]
        for text in (program.problems()["blocked"], last["error"], program.text()):
            assert "wibble 7" in text, f"expected the line, found {text}"
            assert "Unknown command" in text, f"expected FRR's reason, found {text}"
        assert last["result"] == "rolledBack", f"expected a roll back, found {last}"
        found = tries(program, 5)
        assert 2 <= found <= 6, f"expected a few tries in 5 s, found {found}"
        left = differences(before, running_tree(bench.node.frr))
        assert not left, f"expected what ran before, found {left}"
        assert not bench.events(), "expected no UPDATE"
        bench.folder.put(here(4), web(4))
        bench.wait_announced(1, 2, 3, 4)
        extend(tmp_path, "dont-capability-negotiate")
        took = bench.wait(lambda: is_mended(bench, program), "the mended line")
    assert took < 3, f"expected the mended template within moments, found {took:.1f} s"


def is_mended(bench: AgentBench, program: Program) -> bool:
    """Say whether the harmless line runs and nothing is wrong any more."""
    return "dont-capability-negotiate" in bench.node.frr.vtysh("show running-config") and program.status()["ok"]


def test_what_frr_took_last_survives_restarts_while_something_is_refused(bench: AgentBench, tmp_path: Path) -> None:
    """Neither an FRR that comes back empty nor a new agent loses an announcement over a refused line."""
    program = bench.ready("--templates", str(tmp_path))
    extend(tmp_path, "wibble 7")
    bench.wait(lambda: "blocked" in program.problems(), "the refused line in the status")
    bench.node.frr.restart("bgpd", load=False)
    bench.wait(lambda: not bench.announced(), "the routes of the killed bgpd to go")
    bench.wait_announced(1, 2, 3)
    bench.settle()
    with bench.untouched():
        program.end()
        program = bench.start("--templates", str(tmp_path))
        bench.wait(lambda: "applyFailed" in program.problems(), "the refused line in the status")
        bench.assert_quiet(QUIET_SECONDS, "announcements to stay")


def test_a_peer_that_frr_refuses_is_left_out_and_everything_else_goes_on(bench: AgentBench, tmp_path: Path) -> None:
    """Its line is refused once, it is named as a mistake, routes still come and go, and mended it is used."""
    (tmp_path / "neighbor.j2").write_text(
        '{% extends "frrsync/neighbor.j2" %}\n{% block neighbor_extra %}\n{% if neighbor.description == "bad" %}\n'
        " neighbor {{ neighbor.peer }} wibble 7\n{% endif %}\n{% endblock %}\n",
        encoding="utf-8",
    )
    program = bench.ready("--templates", str(tmp_path))
    bad = documents.peer("bad", "192.0.2.66", my_asn=ASN, peer_asn=64999)
    with bench.untouched():
        bench.folder.put(bad)
        bench.wait(lambda: "mistakes" in program.problems(), "the refused peer among the mistakes")
        mistakes = [mistake["message"] for mistake in program.status()["mistakes"]]
        assert len(mistakes) == 1, f"expected one mistake, found {mistakes}"
        assert "wibble 7" in mistakes[0], f"expected the refused line, found {mistakes}"
        bench.folder.remove(key_of(web(3)))
        bench.wait_announced(1, 2)
        bench.folder.put(here(4), web(4))
        bench.wait_announced(1, 2, 4)
        assert "192.0.2.66" not in bench.node.frr.vtysh("show running-config")
    found = len(program.events("apply_failed"))
    assert found == 1, f"expected the peer to be tried once, found {found}: {program.text()}"
    bench.folder.remove(key_of(bad))
    bench.wait(lambda: program.status()["ok"], "status ok")
