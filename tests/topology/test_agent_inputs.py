"""What an agent reads, and what becomes of its announcements when that breaks, vanishes or comes in floods."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from frrsync.lab.rootfs import VERSIONS
from instruments.documents import key_of
from instruments.running import differences, running_tree
from topology.agent_program import AgentBench, here, web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from topology.agent_program import Program

pytestmark = [pytest.mark.frr, pytest.mark.topology]

QUIET_SECONDS = 1.0


@pytest.fixture(scope="module")
def shared_bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentBench]:
    """Provide one FRR for all tests of the module: which one makes no difference here."""
    version = request.config.getoption("--frr") or VERSIONS[-1]
    with AgentBench(tmp_path_factory.mktemp("i"), version) as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: AgentBench) -> Iterator[AgentBench]:
    """Provide the bench; programs that a test started end with it."""
    yield shared_bench
    shared_bench.stop()


def run(*command: str) -> None:
    """Run a command of the system."""
    subprocess.run(command, check=True)  # noqa: S603 - ours


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """Return an empty folder of templates."""
    folder = tmp_path / "templates"
    folder.mkdir()
    return folder


def test_observing_sends_nothing_and_says_what_it_would_do(bench: AgentBench) -> None:
    """With --observe FRR stays as it is; the status and the diff say what is missing."""
    bench.ready().end()
    before = running_tree(bench.node.frr)
    bench.settle()
    bench.fill(here(1), web(1), here(9), web(9))
    observer = bench.start("--observe")
    bench.wait(lambda: observer.status().get("last_apply"), "a last apply")
    last = observer.status()["last_apply"]
    assert (last["result"], last["commands"] > 0) == ("observed", True), f"expected commands to be counted: {last}"
    assert "network 203.0.113.9/32" in observer.answers(), "expected the diff to name the prefix"
    assert observer.status()["observe"] is True
    bench.fill(*[part for number in (1, 2, 3) for part in (here(number), web(number))])
    bench.wait(lambda: observer.status()["last_apply"]["result"] == "unchanged", "nothing left to do in the status")
    bench.assert_quiet(QUIET_SECONDS, "no UPDATE while observing")
    found = differences(before, running_tree(bench.node.frr))
    assert not found, f"expected FRR to be as before, found {found}"


def test_nothing_is_withdrawn_before_the_manifests_were_read(bench: AgentBench) -> None:
    """An agent that starts without its folder waits; when the folder comes, it goes on."""
    bench.ready().end(signal.SIGKILL)
    away = bench.folder.path.with_name("away")
    bench.folder.path.rename(away)
    bench.settle()
    program = bench.start()
    try:
        bench.wait(lambda: "blocked" in program.problems(), "the missing folder in the status")
        assert str(bench.folder.path) in program.problems()["blocked"]
        bench.assert_quiet(QUIET_SECONDS, "announcements to stay")
    finally:
        away.rename(bench.folder.path)
    bench.wait(lambda: program.status()["ok"], "status ok")
    bench.assert_quiet(QUIET_SECONDS, "announcements to stay")
    bench.folder.put(here(4), web(4))
    bench.wait_announced(1, 2, 3, 4)


def test_an_agent_that_waits_costs_nothing(bench: AgentBench) -> None:
    """Waiting for a folder, past the check interval too, the loop does not spin."""
    away = bench.folder.path.with_name("away")
    bench.folder.path.rename(away)
    program = bench.start("--check-interval", "1")
    try:
        bench.wait(lambda: "blocked" in program.problems(), "the missing folder in the status")
        time.sleep(1.5)  # the check interval has to be over for the question to mean anything
        before = program.cpu_seconds()
        time.sleep(2)
        used = program.cpu_seconds() - before
    finally:
        away.rename(bench.folder.path)
    assert used < 0.5, f"expected less than 0.5 s of processor time in 2 s of waiting, found {used:.2f}"


def test_announcements_stay_while_the_manifests_are_gone(bench: AgentBench) -> None:
    """A folder that vanishes withdraws nothing; what changed is seen when it comes back."""
    program = bench.ready()
    away = bench.folder.path.with_name("away")
    bench.settle()
    bench.folder.path.rename(away)
    try:
        bench.wait(lambda: "mistakes" in program.problems(), "the vanished folder in the status")
        bench.assert_quiet(QUIET_SECONDS, "announcements to stay")
    finally:
        away.rename(bench.folder.path)
    bench.folder.put(here(4), web(4))
    bench.wait_announced(1, 2, 3, 4)
    bench.wait(lambda: program.status()["ok"], "status ok")


def test_announcements_stay_while_the_record_is_gone(bench: AgentBench) -> None:
    """An agent beside a controller keeps the addresses when their record vanishes, and goes on later."""
    bench.ready().end()
    program = bench.start(command="agent")
    bench.wait(lambda: program.status().get("ok"), "status ok")
    record = bench.node.state / "allocations.json"
    away = record.with_name("away.json")
    bench.settle()
    record.rename(away)
    bench.wait(lambda: "blocked" in program.problems(), "the vanished record in the status")
    assert "vanished" in program.problems()["blocked"], f"found {program.problems()}"
    bench.assert_quiet(QUIET_SECONDS, "announcements to stay")
    away.rename(record)
    bench.wait(lambda: program.status()["ok"], "status ok")
    bench.start(command="controller")
    bench.folder.put(here(4), web(4))
    bench.wait_announced(1, 2, 3, 4)


@pytest.mark.parametrize("trouble", ["full", "missing"])
def test_a_file_that_cannot_be_written_stops_nothing(bench: AgentBench, tmp_path: Path, trouble: str) -> None:
    """On a full disk, or without the folder, log and status say so, and changes are applied all the same."""
    folder = tmp_path / "etc"
    if trouble == "full":
        folder.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(folder))
        (folder / "filler").write_bytes(b"x" * 8192)
    try:
        bench.fill(*[part for number in (1, 2, 3) for part in (here(number), web(number))])
        program = bench.start("--frr-conf", str(folder / "frr.conf"))
        bench.wait_announced(1, 2, 3)
        bench.folder.put(here(4), web(4))
        bench.wait_announced(1, 2, 3, 4)
        bench.wait(lambda: program.events("cannot_write_file"), "the error in the log")
        bench.wait(lambda: "fileNotWritten" in program.problems(), "the error in the status")
        found = [one.name for one in folder.iterdir() if one.name != "filler"] if trouble == "full" else []
        assert not found, f"expected no half of a file, found {found}"
        program.stop()
    finally:
        if trouble == "full":
            run("umount", str(folder))


def is_blocked(program: Program, said: str) -> bool:
    """Say whether the status names this as what blocks the agent."""
    return said in program.problems().get("blocked", "")


def write(templates: Path, name: str) -> Path:
    """Write a template that adds a prefix-list of that name, in place; return its path."""
    file = templates / "frr.conf.j2"
    file.write_text(
        '{% extends "frrsync/frr.conf.j2" %}\n{% block after %}\n'
        f"ip prefix-list {name} seq 5 permit 192.0.2.0/24\n{{% endblock %}}\n",
        encoding="utf-8",
    )
    return file


def has(bench: AgentBench, name: str) -> bool:
    """Say whether FRR has a prefix-list."""
    return f"ip prefix-list {name} seq 5" in bench.node.frr.vtysh("show running-config")


def test_a_changed_template_is_applied(bench: AgentBench, templates: Path) -> None:
    """A template is in force moments after it was written, changed or deleted, and no session notices."""
    program = bench.ready("--templates", str(templates))
    bench.settle()
    with bench.untouched():
        file = write(templates, "one")
        took = [bench.wait(lambda: has(bench, "one"), "the new template")]
        write(templates, "two")
        took.append(bench.wait(lambda: has(bench, "two"), "the changed template"))
        file.unlink()
        took.append(bench.wait(lambda: not has(bench, "two"), "our own template again"))
        bench.assert_quiet(QUIET_SECONDS, "no UPDATE")
    bench.wait(lambda: program.status()["ok"], "status ok")
    assert max(took) < 3, f"expected each within moments, found {took}"


def test_a_broken_template_stops_nothing_but_itself(bench: AgentBench, templates: Path) -> None:
    """File and line are in log and status, the templates from before go on with what manifests say."""
    file = write(templates, "good")
    program = bench.ready("--templates", str(templates))
    before = running_tree(bench.node.frr)
    for broken, said in (
        ("{% if %}\n", f"{file}:1: Expected an expression"),
        ("fine\n {{ neighbour.peer }}\n", f"{file}:2: 'neighbour' is undefined"),
    ):
        file.write_text(broken, "utf-8")
        blocked = partial(is_blocked, program, said)
        bench.wait(blocked, f"{said} in the status")
        assert said in program.text(), f"expected {said} in the log, found {program.text()}"
        left = differences(before, running_tree(bench.node.frr))
        assert not left, f"expected what ran before, found {left}"
    bench.folder.put(here(4), web(4))
    bench.wait_announced(1, 2, 3, 4)
    assert has(bench, "good"), "expected the templates from before"
    assert "blocked" in program.problems(), "expected the error to stay in the status"
    write(templates, "mended")
    took = bench.wait(lambda: has(bench, "mended"), "the mended template")
    bench.wait(lambda: program.status()["ok"], "status ok")
    assert took < 3, f"expected it within moments, found {took:.1f} s"


def test_vanished_templates_stop_nothing(bench: AgentBench, templates: Path) -> None:
    """Without the folder its last content stays in force; a folder that comes back is read."""
    write(templates, "good")
    program = bench.ready("--templates", str(templates))
    templates.rename(templates.with_name("away"))
    bench.wait(lambda: is_blocked(program, str(templates)), "the missing folder in the status")
    bench.folder.put(here(4), web(4))
    bench.wait_announced(1, 2, 3, 4)
    assert has(bench, "good"), "expected the templates from before"
    templates.mkdir()
    write(templates, "back")
    bench.wait(lambda: has(bench, "back"), "the folder that came back")
    bench.wait(lambda: program.status()["ok"], "status ok")
    shutil.rmtree(templates)
    bench.wait(lambda: "blocked" in program.problems(), "the deleted folder in the status")


def test_a_flood_of_changes_is_done_in_few_steps(bench: AgentBench) -> None:
    """Two hundred files, written one by one, end in few applies, the last state soon after the last file."""
    program = bench.ready()
    before = len(program.events("frr_applied"))
    for number in range(11, 211):
        bench.folder.put(here(number), web(number))
    took = bench.wait_announced(1, 2, 3, *range(11, 211))
    applies = len(program.events("frr_applied")) - before
    print(f"200 Services one by one: {applies} applies, the last at the peers after {took:.2f} s")
    assert applies <= 60, f"expected few applies, found {applies}"
    assert took < 5, f"expected the last state soon, found it after {took:.1f} s"


def test_an_idle_agent_costs_next_to_nothing(bench: AgentBench) -> None:
    """With a hundred Services and nothing to do."""
    program = bench.ready(numbers=tuple(range(1, 101)))
    bench.settle(2)
    before, began = program.cpu_seconds(), time.monotonic()
    time.sleep(5)
    percent = 100 * (program.cpu_seconds() - before) / (time.monotonic() - began)
    print(f"100 Services, idle: {percent:.2f} % of a core, {program.resident_mib():.0f} MiB")
    assert percent < 2, f"expected less than 2 % of a core (1 % on a quiet machine), found {percent:.2f} %"
    assert program.resident_mib() < 128, f"expected less than 128 MiB, found {program.resident_mib():.0f}"
    bench.folder.remove(*[key_of(part) for number in range(1, 101) for part in (web(number), here(number))])
