"""A daemon's vty socket on real FRR: what is said, what is refused, and every way to lose the daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from frrsync.errors import CommandRefused, FrrUnavailable
from frrsync.frr.plan import Daemon
from frrsync.frr.vty import PIPELINE_WINDOW, VtySocket
from topology.bare_frr import BareFrr, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion

pytestmark = pytest.mark.frr

INSTANCE = ("configure terminal", "router bgp 64512", "no bgp default ipv4-unicast", "no bgp network import-check")


@pytest.fixture(scope="module")
def shared_frr(frr_version: FrrVersion) -> Iterator[BareFrr]:
    """Provide one FRR for all tests here."""
    with BareFrr(frr_version) as frr:
        yield frr


@pytest.fixture
def frr(shared_frr: BareFrr) -> Iterator[BareFrr]:
    """Provide the FRR with all daemons up; bgpd is empty afterwards."""
    shared_frr.start()
    yield shared_frr
    shared_frr.close_opened()
    shared_frr.restart("bgpd")


@pytest.fixture
def bgpd(frr: BareFrr) -> Iterator[VtySocket]:
    """Provide bgpd's socket."""
    with VtySocket(frr.socket_of("bgpd"), timeout=10) as socket:
        yield socket


def test_an_answer_has_a_status_and_a_text(bgpd: VtySocket) -> None:
    """Status 0 is done and 2 unknown, both with what FRR said."""
    good, bad = bgpd.send("show version"), bgpd.send("show nonsense")
    assert good.status == 0
    assert "FRRouting" in good.text
    assert (bad.status, "Unknown command" in bad.text) == (2, True), f"found {bad}"


def test_many_lines_in_flight_all_arrive(frr: BareFrr, bgpd: VtySocket) -> None:
    """Pipelined lines are applied in order and each gets its own answer."""
    networks = [f"network 10.{number >> 8}.{number & 255}.1/32" for number in range(2000)]
    bgpd.configure([*INSTANCE, "address-family ipv4 unicast"])
    bgpd.configure(networks, window=PIPELINE_WINDOW)
    bgpd.configure(["end"])
    found = bgpd.show("show running-config").count("  network 10.")
    assert found == 2000, f"expected 2000 networks, found {found}"


def test_a_refused_line_stops_the_pipeline_and_leaves_the_answers_in_step(bgpd: VtySocket) -> None:
    """At most a window of lines behind the fault is applied, and the next answer is that of the next line."""
    bgpd.configure([*INSTANCE, "address-family ipv4 unicast"])
    lines = [f"network 10.0.{number}.1/32" for number in range(200)]
    lines[50] = "network 10.0.50.1/33"
    with pytest.raises(CommandRefused) as caught:
        bgpd.configure(lines, window=PIPELINE_WINDOW)
    assert caught.value.line == lines[50]
    assert bgpd.send("end").status == 0
    assert "FRRouting" in bgpd.show("show version")
    found = bgpd.show("show running-config").count("  network 10.")
    assert 50 <= found < 50 + PIPELINE_WINDOW, f"expected 50 to {50 + PIPELINE_WINDOW - 1} networks, found {found}"


def test_a_line_behind_a_refused_one_is_not_sent_without_a_window(bgpd: VtySocket) -> None:
    """One line at a time: nothing behind the fault reaches FRR."""
    bgpd.configure(INSTANCE)
    with pytest.raises(CommandRefused, match="status 13"):
        bgpd.configure(
            ["neighbor 192.0.2.1 remote-as 64520", "neighbor 192.0.2.1 timers 1 1", "bgp cluster-id 1.1.1.1"]
        )
    bgpd.send("end")
    assert "cluster-id" not in bgpd.show("show running-config")


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("route-map x permit 10", "set large-community 1:2"), "unsupported or malformed"),
        (
            ("router bgp 64512", "neighbor 192.0.2.1 remote-as 1", "neighbor 192.0.2.1 route-map no in"),
            "does not exist",
        ),
    ],
)
def test_a_fault_behind_status_0_is_refused(bgpd: VtySocket, lines: tuple[str, ...], reason: str) -> None:
    """FRR takes the line and says in words that it means nothing."""
    with pytest.raises(CommandRefused, match=reason) as caught:
        bgpd.configure(["configure terminal", *lines])
    assert caught.value.status == 0
    bgpd.send("end")


def test_a_harmless_text_is_no_fault(bgpd: VtySocket) -> None:
    """What only comes into effect with the next session is applied all the same."""
    bgpd.configure([*INSTANCE, "neighbor 192.0.2.1 remote-as 64520", "neighbor 192.0.2.1 graceful-restart", "end"])
    assert "neighbor 192.0.2.1 graceful-restart" in bgpd.show("show running-config")


@pytest.mark.parametrize("line", ["show version\nshow clock", "show version\0exit", "show " + "x" * 5000])
def test_what_frr_would_take_for_two_commands_is_not_sent(bgpd: VtySocket, line: str) -> None:
    """A line end, a NUL, or more than FRR's buffer holds."""
    with pytest.raises(CommandRefused, match="not sent"):
        bgpd.send(line)


def test_a_missing_socket_is_named_with_the_option(frr: BareFrr) -> None:
    """The user has to start FRR or to name another folder."""
    with pytest.raises(FrrUnavailable, match=r"ospfd has no socket at /.*ospfd\.vty.*is FRR running.*--vty-dir"):
        VtySocket(frr.socket_of("ospfd"), timeout=1).send("show version")


def test_a_stopped_daemon_is_not_running(frr: BareFrr) -> None:
    """The socket's file outlives a killed daemon."""
    frr.kill("bgpd")
    with pytest.raises(FrrUnavailable, match="bgpd is not running"):
        VtySocket(frr.socket_of("bgpd"), timeout=1).send("show version")


def test_a_daemon_killed_between_two_lines_is_unavailable_at_once(frr: BareFrr, bgpd: VtySocket) -> None:
    """The second line fails without waiting, and the next use finds the new daemon, empty."""
    bgpd.configure(INSTANCE)
    frr.kill("bgpd")
    started = time.monotonic()
    with pytest.raises(FrrUnavailable, match="stopped or restarted"):
        bgpd.configure(["network 10.0.0.1/32"])
    assert time.monotonic() - started < 1
    frr.start()
    assert "router bgp" not in bgpd.show("show running-config")
    assert bgpd.processes == 2, f"expected two processes at this socket, found {bgpd.processes}"


def test_a_hung_daemon_times_out_and_answers_again_later(frr: BareFrr, bgpd: VtySocket) -> None:
    """The late answer of before is not taken for that of the next line, and it is the same process."""
    bgpd.timeout = 0.5
    bgpd.send("show version")
    frr.signal("bgpd", signal.SIGSTOP)
    try:
        with pytest.raises(FrrUnavailable, match=r"did not answer within 0\.5 s"):
            bgpd.send("show nonsense")
        with pytest.raises(FrrUnavailable, match=r"did not answer within 0\.5 s"):
            bgpd.send("show nonsense")
    finally:
        frr.signal("bgpd", signal.SIGCONT)
    assert bgpd.send("show version").status == 0
    assert bgpd.processes == 1, f"expected one process at this socket, found {bgpd.processes}"


def test_a_restart_is_noticed_within_a_second(frr: BareFrr) -> None:
    """Without a word sent: the old daemon closed the connection, another one listens."""
    session = frr.open()
    session.read()
    before = session.generation
    assert session.alive()[Daemon.BGPD]
    frr.kill("bgpd")
    started = time.monotonic()
    wait_until(lambda: not session.alive()[Daemon.BGPD], "bgpd to be missed", seconds=1)
    frr.start()
    wait_until(lambda: session.alive()[Daemon.BGPD], "bgpd to be found again", seconds=1)
    assert session.generation > before
    print(f"missed and found within {time.monotonic() - started:.3f} s, the start of bgpd included")


def test_asking_for_life_waits_for_nobody(frr: BareFrr) -> None:
    """It costs microseconds, also while a daemon hangs."""
    session = frr.open()
    session.read()
    frr.signal("zebra", signal.SIGSTOP)
    try:
        started = time.monotonic()
        for _ in range(100):
            session.alive()
        assert time.monotonic() - started < 0.5
    finally:
        frr.signal("zebra", signal.SIGCONT)


def test_a_path_longer_than_a_socket_address_works(frr: BareFrr, tmp_path: Path) -> None:
    """unix(7) allows 107 bytes; the folder's descriptor has no such limit."""
    folder = tmp_path / ("x" * 120)
    folder.symlink_to(frr.run_dir)
    with VtySocket(folder / "bgpd.vty", timeout=5) as bgpd:
        assert "FRRouting" in bgpd.show("show version")


def test_without_permission_the_group_is_named(frr: BareFrr) -> None:
    """Another user than root and outside of FRR's group may not even connect."""
    program = (
        "import os, sys, pathlib\n"
        "from frrsync.errors import FrrUnavailable\n"
        "from frrsync.frr.vty import VtySocket\n"
        "os.setgroups([]); os.setegid(65534); os.seteuid(65534)\n"
        "try:\n"
        "    VtySocket(pathlib.Path(sys.argv[1]), timeout=2).send('show version')\n"
        "except FrrUnavailable as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program, str(frr.socket_of("bgpd"))],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "no permission" in done.stdout, f"expected the reason, found {done}"
    assert "user id 65534" in done.stdout
    assert "frrvty" in done.stdout
