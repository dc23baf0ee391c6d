"""An agent with templates of the operator's: added lines, lines in another form, and everything that breaks."""

from __future__ import annotations

import os
import shutil
from functools import partial
from typing import TYPE_CHECKING

import pytest

from instruments.documents import key_of
from instruments.running import differences, running_tree
from topology.agent_program import AgentBench, here, web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from topology.agent_program import Program

pytestmark = [pytest.mark.frr, pytest.mark.topology]

QUIET_SECONDS = 1.2
"""Longer than the check interval of these tests."""


@pytest.fixture(scope="module")
def shared_bench(frr_version: FrrVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentBench]:
    """Provide one FRR for all tests of the module."""
    with AgentBench(tmp_path_factory.mktemp("t"), frr_version) as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: AgentBench) -> Iterator[AgentBench]:
    """Provide the bench; programs that a test started end with it."""
    yield shared_bench
    shared_bench.stop()


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """Return a folder of templates without any."""
    (tmp_path / "templates" / "fragments").mkdir(parents=True)
    return tmp_path / "templates"


def running(bench: AgentBench) -> str:
    """Return FRR's running configuration."""
    return bench.node.frr.vtysh("show running-config")


def has(bench: AgentBench, text: str) -> bool:
    """Say whether FRR's running configuration has a text."""
    return text in running(bench)


def mistakes(program: Program) -> list[str]:
    """Return what is wrong with templates, as the status says it."""
    found = program.status().get("mistakes", ())
    return [f"{one['file']}:{one['line']}: {one['message']}" for one in found if one["kind"] == "Template"]


def sent(program: Program) -> int:
    """Count how often lines were sent."""
    return len(program.events("frr_applied"))


def write(templates: Path, name: str, text: str) -> Path:
    """Write a fragment in place and return its path."""
    path = templates / "fragments" / name
    path.write_text(text, encoding="utf-8")
    return path


def test_fragments_come_change_and_go(bench: AgentBench, templates: Path) -> None:
    """Each stands at its place within moments, no session is reset, and no neighbor sees another route."""
    program = bench.ready("--templates", str(templates))
    before = running_tree(bench.node.frr)
    bench.settle()
    texts = {
        "before.j2": "ip prefix-list before seq 5 permit 192.0.2.0/24\n",
        "after.j2": "ip prefix-list after seq 5 permit {{ routers[0].router_id }}/32\n",
        "router.j2": " bgp bestpath med missing-as-worst\n",
        "router-default.j2": " bgp deterministic-med\n",
        "router-red.j2": " nonsense\n",
        "neighbor.j2": " neighbor {{ neighbor.peer }} dont-capability-negotiate\n",
        "neighbor-tor1.j2": " neighbor {{ neighbor.peer }} timers delayopen 9\n",
        "neighbor-nobody.j2": " nonsense\n",
        "address_family-ipv4.j2": "{% for activation in family.activations %}\n"
        "  neighbor {{ activation.peer }} maximum-prefix 9\n{% endfor %}\n",
    }
    with bench.untouched():
        for name, text in texts.items():
            write(templates, name, text)
        took = bench.wait(lambda: " maximum-prefix 9" in running(bench), "all fragments")
        bench.wait(lambda: program.status()["ok"], "status ok")
        found = running(bench)
        assert found.count(" dont-capability-negotiate\n") > found.count(" timers delayopen 9\n") == 1, found
        for line in ("ip prefix-list before seq 5", "ip prefix-list after seq 5", " bgp deterministic-med"):
            assert line in found, f"expected {line}, found {found}"
        bench.assert_quiet(QUIET_SECONDS, "no UPDATE")
        shutil.rmtree(templates / "fragments")
        bench.wait(lambda: not differences(before, running_tree(bench.node.frr)), "what ran before")
        bench.wait(lambda: program.status()["ok"], "status ok")
        bench.assert_quiet(QUIET_SECONDS, "no UPDATE")
    assert took < 4, f"expected it within moments, found {took:.1f} s"


def test_a_line_in_another_form_is_sent_once_and_told_once(bench: AgentBench, templates: Path) -> None:
    """Log and status name it; nothing is sent in later rounds, after a restart, or for another Service."""
    option = ("--templates", str(templates), "--check-interval", "1")
    program = bench.ready(*option)
    bench.settle()
    with bench.untouched():
        file = write(templates, "neighbor.j2", " neighbor {{ neighbor.peer }} timers 30 10\n")
        bench.wait(lambda: mistakes(program), "the mistake in the status")
        found, applies = mistakes(program), sent(program)
        assert len(found) == 1, f"expected one mistake for one line of a template, found {found}"
        assert found[0].startswith(f"{file}:1: FRR "), found
        assert " timers 3 10' for 'neighbor " in found[0], found
        told = program.events("frr_prints_differently")
        assert told, "expected it in the log"
        bench.assert_quiet(QUIET_SECONDS, "no UPDATE")
        assert sent(program) == applies, f"expected no line in later rounds, found {program.events('frr_applied')}"
        assert program.events("frr_prints_differently") == told, "expected it to be told once"
        document = program._client.diff()
        assert not document["missing"], f"expected no difference, found {document}"
        assert not document["unexpected"], f"expected no difference, found {document}"
        bench.folder.put(here(4), web(4))
        bench.wait_announced(1, 2, 3, 4)
        bench.settle()
        program.end()
        record = bench.node.run / "reprints-n1.json"
        assert record.stat().st_mode & 0o007 == 0, "expected the record to be nobody else's"
        record.unlink()  # a form that is known to mean the same needs none
        program = bench.start(*option)
        bench.wait(lambda: mistakes(program) == found, "the same mistake of the new agent")
        bench.assert_quiet(QUIET_SECONDS, "no UPDATE")
        assert sent(program) == 0, f"expected the new agent to send nothing, found {program.events('frr_applied')}"
        write(templates, "neighbor.j2", " neighbor {{ neighbor.peer }} timers 3 10\n")
        bench.wait(lambda: program.status()["ok"], "status ok with FRR's form")
        assert sent(program) == 0, f"expected nothing to send, found {program.events('frr_applied')}"


def test_a_restarted_bgpd_gets_the_form_of_frr(bench: AgentBench, templates: Path) -> None:
    """Routes come back, nothing is learned twice, nothing loops."""
    write(templates, "neighbor.j2", " neighbor {{ neighbor.peer }} timers 30 10\n")
    bench.fill(here(1), web(1))
    program = bench.start("--templates", str(templates), "--check-interval", "1")
    bench.wait(lambda: mistakes(program), "the mistake in the status")
    bench.wait_announced(1)
    bench.node.frr.restart("bgpd", load=False)
    bench.wait(lambda: not bench.announced(), "the routes of the killed bgpd to go")
    bench.wait_announced(1)
    assert " timers 3 10\n" in running(bench)
    bench.settle()
    applies = sent(program)
    bench.assert_quiet(QUIET_SECONDS, "no UPDATE")
    assert sent(program) == applies, "expected nothing to be sent again"
    assert len(program.events("frr_prints_differently")) <= 4, program.events("frr_prints_differently")


BROKEN = {
    "bad syntax": "{% if %}\n",
    "unknown field": "! {{ neighbor.addres }}\n",
    "too slow": "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}\n",
    "a character that FRR must not see": "! {{ neighbor.peer }}\n neighbor {{ neighbor.peer }} description a\tb\n",
    "no UTF-8": b"\xff\n",
    "no file at all": None,
}


def test_broken_while_running_stays_as_it_was(bench: AgentBench, templates: Path) -> None:
    """The status names file and line, what ran before stays and follows the manifests; mended it counts."""
    file = write(templates, "neighbor.j2", " neighbor {{ neighbor.peer }} timers delayopen 3\n")
    program = bench.ready("--templates", str(templates), numbers=(1,))
    bench.settle()
    with bench.untouched():
        for number, (name, content) in enumerate(BROKEN.items()):
            print(name)
            interval = number % 2 + 3
            if content is None:
                file.unlink()
                os.mkfifo(file)
            else:
                file.write_bytes(content if isinstance(content, bytes) else content.encode())
            bench.wait(lambda: f"{file}:" in program.problems().get("blocked", ""), f"{file} in the status")
            assert f" timers delayopen {interval}\n" in running(bench), "expected the templates from before"
            if number % 2:
                bench.folder.remove(key_of(web(10)))
            else:
                bench.folder.put(here(10), web(10))
            bench.wait_announced(1, *([] if number % 2 else [10]))
            if content is None:
                file.unlink()
            interval = 7 - interval
            write(templates, file.name, f" neighbor {{{{ neighbor.peer }}}} timers delayopen {interval}\n")
            bench.wait(partial(has, bench, f" timers delayopen {interval}\n"), "the mended template")
            bench.wait(lambda: program.status()["ok"], "status ok")


def test_broken_at_the_start_leaves_frr_alone(bench: AgentBench, templates: Path) -> None:
    """What an agent before it configured stays; mended, the agent goes on by itself."""
    program = bench.ready()
    program.end()
    before = running_tree(bench.node.frr)
    file = write(templates, "routers.j2", " nonsense\n")
    with bench.untouched():
        program = bench.start("--templates", str(templates))
        said = f"{file}: found no place of this name for a fragment; allowed: before.j2, after.j2"
        bench.wait(lambda: said in program.problems().get("blocked", ""), said)
        file.unlink()
        file = write(templates, "router.j2", "\n{{ nothing }}\n")
        said = f"{file}:2: 'nothing' is undefined"
        bench.wait(lambda: said in program.problems().get("blocked", ""), said)
        left = differences(before, running_tree(bench.node.frr))
        assert not left, f"expected what ran before, found {left}"
        write(templates, "router.j2", " bgp bestpath med missing-as-worst\n")
        bench.wait(lambda: "missing-as-worst" in running(bench), "the mended template")
        bench.wait(lambda: program.status()["ok"], "status ok")
        bench.assert_quiet(QUIET_SECONDS, "no UPDATE")


def test_empty_files_removed_files_and_a_folder_that_goes(bench: AgentBench, templates: Path) -> None:
    """An empty fragment prints nothing, an empty bfd.j2 replaces ours; without the folder its last content stays."""
    program = bench.ready("--templates", str(templates))
    with bench.untouched():
        file = write(templates, "router.j2", " bgp bestpath med missing-as-worst\n")
        bench.wait(lambda: "missing-as-worst" in running(bench), "the fragment")
        file.write_text("", "utf-8")
        bench.wait(lambda: "missing-as-worst" not in running(bench), "an empty fragment to print nothing")
        (templates / "bfd.j2").write_text("", "utf-8")
        write(templates, "router.j2", " bgp bestpath med missing-as-worst\n")
        bench.wait(lambda: "missing-as-worst" in running(bench), "the fragment")
        bench.wait(lambda: program.status()["ok"], "status ok")
        shutil.rmtree(templates)
        bench.wait(lambda: str(templates) in program.problems().get("blocked", ""), "the missing folder in the status")
        bench.folder.put(here(6), web(6))
        bench.wait_announced(1, 2, 3, 6)
        assert "missing-as-worst" in running(bench), "expected the last content to stay in force"
        (templates / "fragments").mkdir(parents=True)
        bench.wait(lambda: "missing-as-worst" not in running(bench), "the empty folder that came back")
        bench.wait(lambda: program.status()["ok"], "status ok")


def test_a_mounted_configmap_is_followed(bench: AgentBench, templates: Path) -> None:
    """Kubernetes puts a new folder beside the old one and turns a link: no file changes."""

    def publish(version: str, text: str) -> None:
        (templates / version / "fragments").mkdir(parents=True)
        (templates / version / "fragments" / "router.j2").write_text(text, "utf-8")
        (templates / "..new").symlink_to(version)
        (templates / "..new").rename(templates / "..data")

    (templates / "fragments").rmdir()
    publish("..one", " bgp deterministic-med\n")
    (templates / "fragments").symlink_to("..data/fragments")
    program = bench.ready("--templates", str(templates))
    assert has(bench, " bgp deterministic-med\n")
    publish("..two", " bgp bestpath med missing-as-worst\n")
    shutil.rmtree(templates / "..one")
    bench.wait(partial(has, bench, "missing-as-worst"), "the new content")
    assert not has(bench, " bgp deterministic-med\n")
    bench.wait(lambda: program.status()["ok"], "status ok")
