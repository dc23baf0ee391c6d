"""Whatever breaks around a running agent: the status says what, it tries again in growing pauses, and recovers."""

from __future__ import annotations

import contextlib
import grp
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frrsync.api.client import AgentClient
from frrsync.errors import FrrsyncError
from instruments.documents import key_of
from instruments.node import NAME
from instruments.running import configure, differences, running_tree
from instruments.vty_proxy import VtyProxy
from topology.agent_program import SECONDS, AgentBench, here, web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from frrsync.lab.rootfs import FrrVersion
    from topology.agent_program import Program

pytestmark = [pytest.mark.frr, pytest.mark.topology]

ROUTER = "router bgp 64512"
FAMILY = "address-family ipv4 unicast"
NOBODY = 65534


@pytest.fixture(scope="module")
def shared_bench(frr_version: FrrVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentBench]:
    """Provide FRR and its peers for all tests of the module."""
    with AgentBench(tmp_path_factory.mktemp("f"), frr_version) as bench:
        yield bench


@pytest.fixture
def bench(shared_bench: AgentBench) -> Iterator[AgentBench]:
    """Provide the bench with all of FRR running; programs that a test started end with it."""
    shared_bench.node.frr.start()
    yield shared_bench
    shared_bench.stop()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Provide a folder that every user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="frrsync-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def kill_bgpd(bench: AgentBench) -> None:
    """Leave a socket at which nobody listens."""
    bench.node.frr.kill("bgpd")


def remove_socket(bench: AgentBench) -> None:
    """Leave no socket."""
    bench.node.frr.kill("bgpd")
    (bench.node.frr.run_dir / "bgpd.vty").unlink()


def replace_socket(bench: AgentBench) -> None:
    """Leave something that is no socket."""
    remove_socket(bench)
    (bench.node.frr.run_dir / "bgpd.vty").write_text("no socket", "ascii")


def remove_folder(bench: AgentBench) -> None:
    """Leave no folder at all, under daemons that go on."""
    folder = bench.node.frr.run_dir
    bench.node.frr.kill("bgpd")
    folder.rename(folder.with_name("aside"))


OUTAGES: dict[str, tuple[Callable[[AgentBench], None], str]] = {
    "nobody listens": (kill_bgpd, "bgpd is not running"),
    "no socket": (remove_socket, "bgpd has no socket at"),
    "a file instead of the socket": (replace_socket, "bgpd"),
    "no folder": (remove_folder, "bgpd has no socket at"),
}


@pytest.mark.parametrize("name", OUTAGES)
def test_an_outage_is_in_the_status_and_over_when_frr_is_back(bench: AgentBench, name: str) -> None:
    """What changed meanwhile is there afterwards."""
    program = bench.ready("--check-interval", "1")
    outage, reason = OUTAGES[name]
    outage(bench)
    bench.wait(lambda: reason in program.problems().get("frrUnreachable", ""), f"{reason!r} in the status")
    bench.folder.put(here(4), web(4))
    aside = bench.node.frr.run_dir.with_name("aside")
    if aside.exists():
        aside.rename(bench.node.frr.run_dir)
    elif not (bench.node.frr.run_dir / "bgpd.vty").is_socket():
        (bench.node.frr.run_dir / "bgpd.vty").unlink(missing_ok=True)
    before = program.cpu_seconds()
    time.sleep(1.0)  # the cost of waiting is what is looked at
    spent = program.cpu_seconds() - before
    assert spent < 0.3, f"expected an agent that waits, found {spent:.2f} s of CPU in a second"
    bench.node.frr.start(("bgpd",), load=False)
    bench.wait_announced(1, 2, 3, 4)
    bench.wait(lambda: program.status()["ok"], "status ok")


def test_a_hung_bgpd_is_in_the_status_and_gets_what_changed_when_it_goes_on(bench: AgentBench) -> None:
    """Stopped for seconds, with changes before, in and after it."""
    program = bench.ready()
    bench.node.frr.start()
    pid = bench.node.frr.pid("bgpd")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        bench.folder.put(here(4), web(4))
        bench.wait(lambda: "frrUnreachable" in program.problems(), "the hung bgpd in the status")
        assert "hangs" in program.problems()["frrUnreachable"]
        bench.folder.put(here(5), web(5))
    finally:
        os.kill(pid, signal.SIGCONT)
    bench.wait_announced(1, 2, 3, 4, 5, seconds=30)
    bench.wait(lambda: program.status()["ok"], "status ok")


def test_a_refused_line_is_tried_again_in_growing_pauses(bench: AgentBench, tmp_path: Path) -> None:
    """Counted where FRR hears it."""
    templates = tmp_path / "templates"
    templates.mkdir()
    with VtyProxy(bench.node.frr.run_dir, tmp_path / "vty") as proxy:
        program = bench.ready("--vty-dir", str(proxy.folder), "--templates", str(templates))
        (templates / "router_bgp.j2").write_text(
            '{% extends "frrsync/router_bgp.j2" %}{% block router_extra %}\n wibble 7\n{% endblock %}\n', "utf-8"
        )
        bench.wait(lambda: "wibble 7" in program.problems().get("blocked", ""), "the refused line in the status")
        began = time.monotonic()
        bench.wait(lambda: time.monotonic() - began > 5, "five seconds of retries")
        times = [said.at for said in proxy.said if "wibble" in said.command]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert 3 <= len(times) <= 8, f"expected a few tries, found gaps of {gaps}"
        assert gaps[-1] > 1.5 * gaps[0], f"expected pauses that grow, found {gaps}"
        (templates / "router_bgp.j2").unlink()
        bench.wait(lambda: program.status()["ok"], "status ok")


EDITS = (
    (FAMILY, "no network 203.0.113.1/32"),
    (FAMILY, "no network 203.0.113.2/32"),
    (FAMILY, "network 203.0.113.77/32"),
    (FAMILY, "network 10.7.7.7/32"),
    (FAMILY, "no neighbor 10.99.0.11 route-map frrsync-in in"),
    ("bgp network import-check",),
    ("timers bgp 7 21",),
    ("neighbor 10.99.0.11 description somebody else",),
    ("no neighbor 10.99.0.12 timers connect",),
    ("neighbor 10.99.0.99 remote-as 65009",),
    ("no neighbor 10.99.0.99",),
    ("coalesce-time 900",),
)


def test_somebody_else_writes_at_random_all_the_time(bench: AgentBench) -> None:
    """For six seconds, beside changes of our own; afterwards everything is as wanted."""
    program = bench.ready("--check-interval", "1")
    before = running_tree(bench.node.frr)
    stop = threading.Event()
    chance = random.Random(4)
    path = bench.node.frr.run_dir / "bgpd.vty"

    def meddle() -> None:
        while not stop.wait(chance.uniform(0.005, 0.1)):
            with contextlib.suppress(RuntimeError, OSError):  # refused, or the daemon is busy
                configure(path, ROUTER, *chance.choice(EDITS))

    writer = threading.Thread(target=meddle)
    writer.start()
    try:
        for number in range(12):
            bench.folder.put(here(10 + number % 5), web(10 + number % 5))
            time.sleep(0.5)  # changes of our own beside theirs
            bench.fill(*[part for one in (1, 2, 3) for part in (here(one), web(one))])
    finally:
        stop.set()
        writer.join()
    bench.wait(lambda: not differences(before, running_tree(bench.node.frr)), "what is wanted to run", 30)
    bench.wait_announced(1, 2, 3, seconds=30)
    bench.wait(lambda: program.status()["ok"], "status ok")
    tries = len(program.events("frr_applied")) + len(program.events("apply_failed"))
    assert tries < 400, f"expected no tight loop, found {tries} applies"
    assert not program.events("round_failed"), program.text()


def test_a_held_lock_of_mgmtd_is_in_nobodys_way(bench: AgentBench, frr_version: FrrVersion) -> None:
    """Our lines go straight to the daemons that run them."""
    if frr_version == "8.4":
        pytest.skip("FRR 8.4 has no mgmtd")
    bench.ready()
    shell = [str(bench.node.frr.vtysh_path), "--vty_socket", str(bench.node.frr.run_dir)]
    holder = subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)  # noqa: S603 - ours
    assert holder.stdin is not None
    try:
        holder.stdin.write("configure terminal file-lock\n")
        holder.stdin.flush()
        bench.folder.put(here(4), web(4))
        bench.wait_announced(1, 2, 3, 4)
    finally:
        holder.stdin.close()
        holder.wait(10)


def start_apart(
    bench: AgentBench, folder: Path, vty: Path, *options: str, prepare: str = "", become: str = ""
) -> tuple[subprocess.Popen[bytes], AgentClient]:
    """Start the agent in a mount namespace of its own, where ``folder`` can hold 64 KiB, and as whoever is asked."""
    arguments = [
        sys.executable, "-m", "frrsync", "run", "--node", NAME, "--manifests", str(bench.folder.path),
        "--state-dir", str(folder / "state"), "--run-dir", str(folder / "run"), "--vty-dir", str(vty),
        "--vtysh", str(bench.node.frr.vtysh_path), "--check-interval", "1", *options,
    ]  # fmt: skip
    script = f'mount -t tmpfs -o size=64k,mode=0755 tmpfs "$0" && {prepare} exec {become} "$@"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(folder), *arguments]
    with (folder.parent / "apart.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)  # noqa: S603 - ours
    inside = Path(f"/proc/{process.pid}/root{folder}")
    return process, AgentClient(inside / "run" / f"agent-{NAME}.sock", timeout_seconds=SECONDS)


def problems(client: AgentClient) -> dict[str, str]:
    """Return what the status says is wrong; empty while nobody answers."""
    try:
        return {problem["code"]: problem["message"] for problem in client.status()["problems"]}
    except FrrsyncError:
        return {"none": "no agent answers"}


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program whatever its state."""
    process.terminate()
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def test_a_full_disk_stops_no_route_and_is_in_the_status(bench: AgentBench, tmp_path: Path) -> None:
    """The file for FRR's start and the record keep their last content, and are written when there is room."""
    bench.fill(here(1), web(1))
    disk = tmp_path / "disk"
    disk.mkdir()
    process, client = start_apart(bench, disk, bench.node.frr.run_dir, "--frr-conf", str(disk / "frr.conf"))
    inside = Path(f"/proc/{process.pid}/root{disk}")
    try:
        bench.wait_announced(1)
        bench.wait(lambda: not problems(client), "status ok")
        old = (inside / "frr.conf").read_text("utf-8")
        with contextlib.suppress(OSError), (inside / "ballast").open("wb") as ballast:
            while True:
                ballast.write(b"x" * 512)
                ballast.flush()
        bench.folder.put(here(2), *[part for number in range(20, 60) for part in (here(number), web(number))])
        gone = "No space left on device"
        bench.wait(lambda: gone in str(problems(client)), f"the full disk in the status, found {problems(client)}")
        assert (inside / "frr.conf").read_text("utf-8") == old, "expected the file as it was"
        bench.folder.remove(*[key for key in bench.folder.documents if key in {key_of(web(1)), key_of(here(1))}])
        bench.wait(lambda: 1 not in bench.announced(), "a withdrawal in spite of the full disk")
        (inside / "ballast").unlink()
        bench.wait(lambda: not problems(client), "status ok", 30)
        bench.wait(lambda: "203.0.113.59/32" in (inside / "frr.conf").read_text("utf-8"), "the file to be written")
        assert (inside / "frr.conf").stat().st_mode & 0o777 == 0o640
    finally:
        end(process)


def test_an_agent_of_another_user_works_with_the_group_of_the_sockets(bench: AgentBench, open_folder: Path) -> None:
    """Without it the status says who may; a folder that it may not write is named as well."""
    as_nobody = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    if subprocess.run([*as_nobody, sys.executable, "-c", "import frrsync"], check=False).returncode:  # noqa: S603 - ours
        pytest.skip("this Python and its packages are for root only")
    with VtyProxy(bench.node.frr.run_dir, open_folder / "vty") as proxy:
        bench.fill(here(1), web(1))
        manifests = open_folder / "manifests"
        shutil.copytree(bench.folder.path, manifests)
        for path in (manifests, *manifests.rglob("*")):
            path.chmod(0o755)
        for daemon in ("bgpd", "bfdd", "zebra"):
            os.chown(proxy.path(daemon), 0, grp.getgrnam("games").gr_gid)
            proxy.path(daemon).chmod(0o600)
        disk = open_folder / "disk"
        disk.mkdir()
        group = grp.getgrnam("games").gr_gid
        prepare = 'mkdir "$0/state" "$0/run" && chown nobody "$0/state" "$0/run" &&'
        become = f"setpriv --reuid {NOBODY} --regid {NOBODY} --groups {group}"
        process, client = start_apart(
            bench, disk, proxy.folder, "--manifests", str(manifests), "--frr-conf", str(disk / "frr.conf"),
            "--guard-percent", "100", prepare=prepare, become=become,
        )  # fmt: skip
        try:
            allowed = "members of the group frrvty"
            bench.wait(lambda: allowed in problems(client).get("frrUnreachable", ""), f"{problems(client)}")
            for daemon in ("bgpd", "bfdd", "zebra"):
                proxy.path(daemon).chmod(0o660)
            bench.wait_announced(1)
            bench.wait(lambda: list(problems(client)) == ["fileNotWritten"], f"found {problems(client)}")
            assert "Permission denied" in problems(client)["fileNotWritten"]
        finally:
            end(process)


def test_a_second_agent_on_the_same_frr_refuses_to_start(bench: AgentBench, tmp_path: Path) -> None:
    """Under whatever name and by whatever path; one that only observes is welcome."""
    first = bench.ready()
    link = tmp_path / "link"
    link.symlink_to(bench.node.frr.run_dir)
    options = ("--node", "n2", "--state-dir", str(tmp_path / "state"), "--vty-dir", str(link))
    second = bench.start(*options)
    assert second.process.wait(SECONDS) == 2
    assert "another agent works on the FRR of" in second.text(), second.text()
    watcher = bench.start("--observe", *options)
    time.sleep(1.0)  # long enough to have ended if it did
    assert watcher.process.poll() is None, watcher.text()
    watcher.end()
    first.end(signal.SIGKILL)
    third: Program = bench.start()
    bench.wait(lambda: third.status().get("ok"), "an agent to take over from one that was killed")
