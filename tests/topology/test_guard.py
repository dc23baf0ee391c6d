"""The guard against mass withdrawal with a real agent, a real FRR and peers that see every UPDATE."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from instruments import documents
from instruments.documents import key_of
from instruments.node import NAME
from topology.agent_program import AgentBench, here, web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from topology.agent_program import Program

pytestmark = [pytest.mark.frr, pytest.mark.topology]

ALL = tuple(range(1, 21))
QUIET_SECONDS = 1.5
GUARDED = ("--guard-percent", "50")


@pytest.fixture(scope="module")
def shared_bench(frr_version: FrrVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentBench]:
    """Provide FRR and its peers for all tests of the module."""
    with AgentBench(tmp_path_factory.mktemp("g"), frr_version) as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: AgentBench) -> Iterator[AgentBench]:
    """Provide the bench; programs that a test started end with it."""
    yield shared_bench
    shared_bench.stop()


def is_held(program: Program) -> bool:
    """Say whether the status has a withdrawal that is held."""
    return "withdrawalHeld" in program.problems()


def remove(bench: AgentBench, *numbers: int) -> None:
    """Take Services with their endpoints out of the folder."""
    bench.folder.remove(*[key_of(part) for number in numbers for part in (web(number), here(number))])


def test_an_emptied_folder_withdraws_nothing_until_it_is_confirmed(bench: AgentBench) -> None:
    """All routes and sessions stay, the status is alarmed once; frrsync confirm lets them go at once."""
    program = bench.ready(*GUARDED, numbers=ALL)
    bench.settle()
    with bench.untouched():
        bench.folder.remove(*bench.folder.documents)
        bench.wait(lambda: is_held(program), "the withdrawal to be held")
        bench.assert_quiet(QUIET_SECONDS, "every route to stay")
    held = program.status()["held"]
    assert held["announced"] == len(ALL), f"found {held}"
    assert held["prefixes"] > len(ALL) / 2, f"found {held}"
    assert "frrsync confirm" in program.problems()["withdrawalHeld"]
    assert len(program.events("withdrawal_held")) == 1, program.text()
    done = bench.node.command("confirm")
    assert done.returncode == 0, f"expected it to be let go, found {done}"
    assert f"of {len(ALL)} prefixes" in done.stdout
    bench.wait(lambda: not bench.node.listener.follow() and not any(bench.node.listener.tables.values()), "no route")
    bench.wait(lambda: not is_held(program), "nothing to be held any more")


def test_what_else_changes_goes_on_while_services_are_held(bench: AgentBench) -> None:
    """An endpoint that is not ready is withdrawn at once, and what is new is announced."""
    program = bench.ready(*GUARDED, numbers=ALL)
    remove(bench, *ALL[:15])
    bench.wait(lambda: is_held(program), "the withdrawal to be held")
    gone = documents.endpoint_slice("w20", [documents.endpoint(NAME, "10.244.0.1", ready=False)])
    bench.folder.put(gone, here(30), web(30))
    bench.wait_announced(*ALL[:-1], 30)
    assert is_held(program)
    with bench.untouched():
        bench.folder.put(*[part for number in ALL[:15] for part in (here(number), web(number))])
        bench.wait(lambda: not is_held(program), "the hold to end with the objects")
    bench.wait_announced(*ALL[:-1], 30)
    assert program.events("withdrawal_no_longer_wanted")


def test_a_held_withdrawal_is_done_after_its_time(bench: AgentBench) -> None:
    """And not before."""
    program = bench.ready(*GUARDED, "--guard-time", "3", numbers=ALL)
    remove(bench, *ALL[:15])
    bench.wait(lambda: is_held(program), "the withdrawal to be held")
    assert bench.announced() == set(ALL)
    bench.wait_announced(*ALL[15:])
    assert program.events("withdrawal_let_go")[0]["because"] == "time", program.text()


def test_unready_endpoints_are_never_held(bench: AgentBench) -> None:
    """However many."""
    program = bench.ready(*GUARDED, numbers=ALL)
    for number in ALL:
        slices = documents.endpoint_slice(f"w{number}", [documents.endpoint(NAME, "10.244.0.1", ready=False)])
        bench.folder.put(slices)
    bench.wait_announced(seconds=10)
    assert not program.events("withdrawal_held")


def test_an_agent_that_starts_on_an_empty_folder_leaves_frr_alone(bench: AgentBench) -> None:
    """It knows from FRR what was announced; when the objects are back it goes on without a trace."""
    program = bench.ready(*GUARDED, numbers=ALL)
    bench.settle()
    kept = list(bench.folder.documents.values())
    with bench.untouched():
        program.end(signal.SIGKILL)
        bench.folder.remove(*bench.folder.documents)
        program = bench.start(*GUARDED)
        bench.wait(lambda: is_held(program), "the withdrawal to be held")
        bench.assert_quiet(QUIET_SECONDS, "every route to stay")
        assert not program.events("frr_applied")
        bench.folder.put(*kept)
        bench.wait(lambda: program.status().get("ok"), "status ok")
        bench.assert_quiet(QUIET_SECONDS, "no route to change")
    assert bench.announced() == set(ALL)


def test_an_allocation_record_that_lost_its_content_withdraws_nothing(bench: AgentBench, tmp_path: Path) -> None:
    """A controller that starts without its record gives addresses anew; until then those from before count."""
    bench.fill(*[part for number in ALL for part in (here(number), web(number))])
    controller = bench.start(command="controller")
    program = bench.start(*GUARDED, command="agent")
    bench.wait_announced(*ALL)
    bench.settle()
    controller.end()
    record = bench.node.state / "allocations.json"
    found = record.read_text("utf-8")
    empty = tmp_path / "empty"
    empty.mkdir()
    with bench.untouched():
        lost = bench.start("--manifests", str(empty), command="controller")
        bench.wait(lambda: is_held(program), "the withdrawal to be held")
        lost.end()
        bench.assert_quiet(QUIET_SECONDS, "every route to stay")
        record.write_text(found, "utf-8")
        bench.wait(lambda: not is_held(program), "the hold to end with the record")
        bench.assert_quiet(QUIET_SECONDS, "every route to stay")
