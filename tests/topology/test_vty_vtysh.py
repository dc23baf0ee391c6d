"""Vtysh on real FRR: the same trees and the same refusals as through the sockets, and no password for others."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frrsync.errors import CommandRefused, FrrUnavailable, VtyError
from frrsync.frr.answer import Batch
from frrsync.frr.apply import Applier
from frrsync.frr.plan import Daemon
from frrsync.frr.show import BFD_COMMAND, SESSIONS_COMMAND, read_bfd_sessions, read_sessions
from frrsync.frr.vtysh import Vtysh
from topology.bare_frr import IPV4, PASSWORD, ROUTER, BareFrr, sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.lab.rootfs import FrrVersion

pytestmark = pytest.mark.frr


@pytest.fixture(scope="module")
def shared_frr(frr_version: FrrVersion) -> Iterator[BareFrr]:
    """Provide one FRR for all tests here."""
    with BareFrr(frr_version) as frr:
        yield frr


@pytest.fixture
def frr(shared_frr: BareFrr) -> Iterator[BareFrr]:
    """Provide the FRR with all daemons up and the sample in it."""
    shared_frr.start()
    Applier(shared_frr.open()).apply(sample(), "test", reread=True)
    yield shared_frr
    shared_frr.close_opened()


def vtysh_of(frr: BareFrr, timeout: float = 20) -> Vtysh:
    """Return this FRR's vtysh."""
    return Vtysh(frr.vtysh_path, frr.run_dir, timeout=timeout)


def test_both_ways_read_the_same_tree(frr: BareFrr) -> None:
    """Vtysh merges what the daemons print; the sockets give it daemon by daemon."""
    by_sockets, by_vtysh = frr.open("sockets").read(), frr.open("vtysh").read()
    assert by_sockets == by_vtysh
    assert by_sockets[ROUTER][IPV4]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("neighbor 192.0.2.1 timers 1 1", "Invalid value"),
        ("neighbor 192.0.2.1 nonsense", "Unknown command"),
        ("neighbor 192.0.2.9 description x", "remote-as"),
    ],
)
def test_the_refused_line_of_a_chain_is_named(frr: BareFrr, line: str, reason: str) -> None:
    """Vtysh stops at the fault; the lines before it stay, those behind it are not sent."""
    chain = Batch((ROUTER,), ("neighbor 192.0.2.1 description before", line, "neighbor 192.0.2.1 description after"))
    with pytest.raises(CommandRefused, match=reason) as caught:
        vtysh_of(frr).configure([chain])
    assert caught.value.line == line
    assert frr.is_present("neighbor 192.0.2.1 description before")


def test_a_fault_behind_status_0_is_refused_through_vtysh(frr: BareFrr) -> None:
    """The exit code of vtysh says nothing about it."""
    with pytest.raises(CommandRefused, match="unsupported or malformed") as caught:
        vtysh_of(frr).configure([Batch(("route-map x permit 10",), ("set large-community 1:2",))])
    assert caught.value.line == "set large-community 1:2"


def test_more_lines_than_one_run_takes_all_arrive(frr: BareFrr) -> None:
    """Long batches are cut and enter their context again."""
    lines = tuple(f"network 10.{number >> 8}.{number & 255}.1/32" for number in range(1000))
    vtysh_of(frr).configure([Batch((ROUTER, IPV4), lines)])
    found = [line for line in frr.open().read()[ROUTER][IPV4] if line.startswith("network 10.")]
    assert len(found) == 1000, f"expected 1000 networks, found {len(found)}"


def test_no_password_is_in_the_arguments_of_a_process_or_in_a_history(frr: BareFrr) -> None:
    """Arguments can be read by every user of the machine."""
    seen = frr.folder / "arguments"
    recorder = frr.folder / "recorder"
    recorder.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{seen}\nexec {frr.vtysh_path} "$@"\n', "utf-8")
    recorder.chmod(0o755)
    frr.restart("bgpd")
    Applier(frr.open("vtysh", vtysh=recorder)).apply(sample(), "test")
    assert frr.is_present(f"neighbor 192.0.2.1 password {PASSWORD}"), "expected FRR to have the password"
    assert "neighbor 192.0.2.1 remote-as 64520" in seen.read_text("utf-8")
    leaks = [path for path in (*frr.folder.rglob("*"), Path.home() / ".history_frr") if _holds(path, PASSWORD)]
    assert leaks == [], f"expected the password in no file of vtysh, found it in {leaks}"


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and text.encode() in path.read_bytes()


def test_a_refused_password_is_not_repeated(frr: BareFrr) -> None:
    """FRR repeats the whole line in what it says."""
    with pytest.raises(CommandRefused) as caught:
        vtysh_of(frr).configure([Batch((ROUTER,), ("neighbor 192.0.2.77 password Geheimnis",))])
    assert "Geheimnis" not in str(caught.value)


def test_a_hung_daemon_stops_vtysh_in_time(frr: BareFrr) -> None:
    """Vtysh itself would wait for ever."""
    frr.signal("zebra", signal.SIGSTOP)
    try:
        with pytest.raises(FrrUnavailable, match="daemon of this FRR hangs"):
            vtysh_of(frr, timeout=1).show("show version")
    finally:
        frr.signal("zebra", signal.SIGCONT)
    assert "FRRouting" in vtysh_of(frr).show("show version")


def test_a_missing_vtysh_is_named_with_the_option(frr: BareFrr) -> None:
    """The user has to name the right program."""
    with pytest.raises(FrrUnavailable, match=r"cannot run vtysh at /nowhere/vtysh.*--vtysh"):
        Vtysh(Path("/nowhere/vtysh"), frr.run_dir).show("show version")


def test_an_empty_folder_has_no_frr(frr: BareFrr, tmp_path: Path) -> None:
    """Vtysh says that it found nobody; we say what to look at."""
    with pytest.raises(FrrUnavailable, match=r"reached no daemon: is FRR running.*--vty-dir.*frrvty"):
        Vtysh(frr.vtysh_path, tmp_path).show("show version")


def test_a_dead_bgpd_is_no_empty_configuration(frr: BareFrr) -> None:
    """The merged view leaves out a daemon that does not run; taking that for empty would be wrong."""
    session = frr.open("vtysh")
    session.read()
    frr.kill("bgpd")
    with pytest.raises(FrrUnavailable, match=r"bgpd is not running|reached no bgpd"):
        session.read()
    frr.start()
    assert ROUTER not in session.read()


def test_a_dead_bfdd_is_said_to_be_out_of_reach(frr: BareFrr) -> None:
    """Nothing is known of what it runs, which is not the same as nothing."""
    session = frr.open("vtysh")
    assert "bfd" in session.read()
    assert Daemon.BFDD in session.reachable
    frr.kill("bfdd")
    assert ROUTER in session.read()
    assert Daemon.BFDD not in session.reachable
    frr.start()
    session.read()
    assert Daemon.BFDD in session.reachable


def test_copies_in_other_daemons_are_not_taken_for_bgpds(frr: BareFrr) -> None:
    """Loaded from a file, route-maps are in zebra or mgmtd as well, and stay there when bgpd starts anew."""
    frr.vtysh("configure terminal", "route-map everywhere permit 10", "set tag 7")
    frr.restart("bgpd", load=False)
    assert "route-map everywhere permit 10" in frr.vtysh("show running-config")
    assert "route-map everywhere permit 10" not in frr.open("vtysh").read()
    frr.vtysh("configure terminal", "no route-map everywhere")


def test_sending_to_a_dead_bgpd_is_unavailable(frr: BareFrr) -> None:
    """A line that nobody takes is no refused line."""
    frr.kill("bgpd")
    with pytest.raises(FrrUnavailable, match="bgpd is not running"):
        vtysh_of(frr).configure([Batch((ROUTER,), ("bgp router-id 192.0.2.11",))])


@pytest.mark.parametrize("way", ["sockets", "vtysh"])
@pytest.mark.parametrize(
    "command", ["configure terminal", "show version | include a", "show a\nshow b", "show a; show b"]
)
def test_only_one_show_command_is_taken(frr: BareFrr, way: str, command: str) -> None:
    """Nothing else may pass through a door that people use."""
    with pytest.raises(VtyError, match="not a single show command"):
        frr.open(way).show(command)


@pytest.mark.parametrize("way", ["sockets", "vtysh"])
def test_sessions_are_read_with_what_is_unknown_left_open(frr: BareFrr, way: str) -> None:
    """A session that is down has no uptime, which is not zero; each family of it is listed."""
    session = frr.open(way)
    found = {one.peer: one for one in read_sessions(session.show(SESSIONS_COMMAND, Daemon.BGPD))}
    assert set(found) == {"192.0.2.1", "2001:db8::1"}
    peer = found["192.0.2.1"]
    assert (peer.vrf, peer.remote_as, peer.local_as, peer.is_established) == ("", 64520, 64512, False)
    assert peer.uptime_seconds is None
    assert [family.name for family in peer.families] == ["ipv4 unicast"]
    assert peer.connections_dropped == 0
    bfd = {one.peer: one for one in read_bfd_sessions(session.show(BFD_COMMAND, Daemon.BFDD))}
    assert (bfd["192.0.2.1"].status, bfd["192.0.2.1"].uptime_seconds) == ("down", None)
