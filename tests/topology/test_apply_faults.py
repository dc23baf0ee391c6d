"""A fault after every single line of a plan, on real FRR: whatever breaks there, the next applies put it right."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from frrsync.errors import ApplyError, FrrUnavailable
from frrsync.frr.apply import Applier
from frrsync.frr.tree import parse
from topology.bare_frr import BareFrr, sample
from topology.faulty_frr import FaultAfter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from frrsync.frr.tree import Tree
    from frrsync.lab.rootfs import FrrVersion

pytestmark = pytest.mark.frr

TRIES = 3
"""How many applies a fault may cost before everything is as it is wanted."""
HANG_SECONDS = 0.3

OTHER = parse("""
bgp route-map delay-timer 1
ip nht resolve-via-default
ipv6 nht resolve-via-default
bfd
 profile fast
  transmit-interval 150
  receive-interval 100
 exit
 profile slow
  transmit-interval 900
  echo-mode
 exit
exit
route-map frrsync-class-f0000002 permit 10
 set tag 4026531842
exit
route-map frrsync-in deny 65535
exit
route-map frrsync-out-2 permit 10
 match tag 4026531842
 set community 64512:300
 set as-path prepend 64512 64512
exit
route-map frrsync-out-2 deny 65535
exit
router bgp 64512
 bgp router-id 192.0.2.11
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor 192.0.2.1 remote-as 64520
 neighbor 192.0.2.1 description changed
 neighbor 192.0.2.1 password other
 neighbor 192.0.2.1 ebgp-multihop 20
 neighbor 192.0.2.1 timers 3 9
 neighbor 192.0.2.1 timers connect 5
 neighbor 192.0.2.2 remote-as 64521
 neighbor 192.0.2.2 bfd
 neighbor 192.0.2.2 bfd profile slow
 neighbor 192.0.2.2 timers connect 5
 !
 address-family ipv4 unicast
  network 203.0.113.7/32 route-map frrsync-class-f0000002
  network 203.0.113.9/32 route-map frrsync-class-f0000002
  network 203.0.113.64/26 route-map frrsync-class-f0000002
  neighbor 192.0.2.1 activate
  neighbor 192.0.2.1 route-map frrsync-in in
  neighbor 192.0.2.1 route-map frrsync-out-2 out
  neighbor 192.0.2.2 activate
  neighbor 192.0.2.2 route-map frrsync-in in
  neighbor 192.0.2.2 route-map frrsync-out-2 out
 exit-address-family
exit
""")
"""Everything that a plan can hold: a neighbor that comes, one that goes, one reset, prefixes that move."""


@pytest.fixture(scope="module")
def shared_frr(frr_version: FrrVersion) -> Iterator[BareFrr]:
    """Provide one FRR for all tests here."""
    with BareFrr(frr_version) as frr:
        yield frr


@pytest.fixture
def frr(shared_frr: BareFrr) -> Iterator[BareFrr]:
    """Provide the FRR with all daemons up."""
    shared_frr.start()
    yield shared_frr
    shared_frr.close_opened()


def apply_until_done(applier: Applier, wanted: Tree) -> int:
    """Apply as the agent does, again after what failed; return how many applies that took."""
    for number in range(1, TRIES + 1):
        try:
            applier.apply(wanted, "again", reread=True)
        except (ApplyError, FrrUnavailable):
            if number == TRIES:
                raise
            continue
        assert applier.differences(wanted) == ([], [])
        assert not applier.plan(wanted)
        return number
    raise AssertionError


def interrupted_everywhere(frr: BareFrr, fault: Callable[[], None], relief: Callable[[], None], timeout: float) -> int:
    """Go from one configuration to the other with the fault after every line of the plan, again and again."""
    session = FaultAfter(frr.open(timeout=timeout))
    applier = Applier(session)
    apply_until_done(applier, sample())
    lines = len(applier.plan(OTHER).commands)
    for number in range(lines + 1):
        apply_until_done(applier, sample())
        session.arm(number, fault)
        try:
            applier.apply(OTHER, "fault", reread=True)
        except (FrrUnavailable, ApplyError) as error:
            half_done = isinstance(error, ApplyError) and not error.rolled_back
            if half_done:
                raise AssertionError(f"after line {number}: expected it to be taken back, found {error}") from error
        finally:
            relief()
        try:
            apply_until_done(applier, OTHER)
        except (ApplyError, FrrUnavailable, AssertionError) as error:
            raise AssertionError(f"after line {number} of {lines}: {error}") from error
    return lines


@pytest.mark.parametrize("daemon", ["bgpd", "bfdd"])
def test_a_daemon_that_restarts_empty_between_any_two_lines(frr: BareFrr, daemon: str) -> None:
    """It comes back at once, as under a supervisor; everything is loaded again."""
    lines = interrupted_everywhere(frr, lambda: frr.restart(daemon, load=False), lambda: None, 20.0)
    assert lines > 25, f"expected a plan of some size, found {lines} lines"


def test_a_bgpd_that_is_killed_between_any_two_lines(frr: BareFrr) -> None:
    """It is away for a while; the lines that follow find nobody."""
    interrupted_everywhere(frr, lambda: frr.kill("bgpd"), lambda: frr.start(("bgpd",), load=False), 20.0)


@pytest.mark.parametrize("daemon", ["bgpd", "bfdd"])
def test_a_daemon_that_hangs_between_any_two_lines(frr: BareFrr, daemon: str) -> None:
    """It goes on later with the lines that it was sent, and none of them is lost or doubled."""
    pids = frr.pids()
    interrupted_everywhere(
        frr, lambda: frr.signal(daemon, signal.SIGSTOP), lambda: frr.signal(daemon, signal.SIGCONT), HANG_SECONDS
    )
    assert frr.pids() == pids, f"expected nobody to have died: {pids}, found {frr.pids()}"


def test_a_socket_that_is_gone_between_any_two_lines_of_a_kept_connection_does_not_matter(frr: BareFrr) -> None:
    """Whoever empties the folder of sockets cuts nobody off who is connected."""
    applier = Applier(session := FaultAfter(frr.open()))
    apply_until_done(applier, sample())
    path = frr.socket_of("bgpd")
    aside = path.with_suffix(".aside")
    session.arm(10, lambda: path.rename(aside) and None)  # type: ignore[arg-type]
    try:
        assert applier.apply(OTHER, "unlinked", reread=True).verified
    finally:
        aside.rename(path)
    apply_until_done(applier, OTHER)


def test_what_somebody_else_changes_meanwhile_is_put_right_at_once(frr: BareFrr) -> None:
    """A line that we did not send is no reason to take ours back."""
    session = FaultAfter(frr.open())
    applier = Applier(session)
    apply_until_done(applier, sample())
    lines = len(applier.plan(OTHER).commands)

    def meddle() -> None:
        frr.vtysh(
            "configure terminal", "router bgp 64512", "no bgp network import-check", "timers bgp 7 21",
            "address-family ipv4 unicast", "no network 203.0.113.64/26", "network 10.9.9.9/32",
        )  # fmt: skip

    session.arm(lines, meddle)
    started = time.monotonic()
    result = applier.apply(OTHER, "meddled", reread=True)
    assert (result.verified, result.rolled_back, result.error) == (True, False, "")
    assert time.monotonic() - started < 5
    assert applier.differences(OTHER) == ([], [])
