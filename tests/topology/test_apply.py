"""Applying to real FRR: equal in the end or back where it was, in both ways, whatever breaks meanwhile."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from frrsync.errors import ApplyError, FrrUnavailable, VerifyError
from frrsync.frr.apply import Applier
from frrsync.frr.running import FULL_VERIFY_LINES
from topology.bare_frr import IPV4, PASSWORD, ROUTER, BareFrr, changed, sample
from topology.faulty_frr import FaultAfter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.frr.tree import Tree
    from frrsync.lab.rootfs import FrrVersion

pytestmark = pytest.mark.frr

CLASS = "frrsync-class-f0000001"
HALF = 15
"""About half of the lines that the sample needs."""


@pytest.fixture(scope="module")
def shared_frr(frr_version: FrrVersion) -> Iterator[BareFrr]:
    """Provide one FRR for all tests here."""
    with BareFrr(frr_version) as frr:
        yield frr


@pytest.fixture
def frr(shared_frr: BareFrr) -> Iterator[BareFrr]:
    """Provide the FRR with all daemons up and nothing of ours in it."""
    shared_frr.start()
    Applier(shared_frr.open()).apply({}, "test", reread=True)
    yield shared_frr
    shared_frr.close_opened()


@pytest.fixture
def applier(frr: BareFrr, apply_with: str) -> Applier:
    """Provide an applier that speaks to FRR in one of the two ways."""
    return Applier(frr.open(apply_with))


def large(networks: int = FULL_VERIFY_LINES + 500) -> Tree:
    """Return the sample with so many networks that reading it costs more than a change."""
    tree = sample()
    tree[ROUTER][IPV4] |= {f"network 10.{i >> 8}.{i & 255}.1/32 route-map {CLASS}": {} for i in range(networks)}
    return tree


def test_a_first_load_is_equal_and_a_second_sends_nothing(frr: BareFrr, applier: Applier) -> None:
    """The running configuration stays the same to the byte."""
    first = applier.apply(sample(), "first")
    before = frr.vtysh("show running-config")
    second = applier.apply(sample(), "second")
    assert (first.changed, first.verified, first.error) == (True, True, "")
    assert (second.changed, second.commands) == (False, 0)
    assert frr.vtysh("show running-config") == before
    assert applier.differences(sample()) == ([], [])


def test_both_ways_agree_that_nothing_is_left_to_do(frr: BareFrr, applier: Applier) -> None:
    """What one way has applied, the other finds equal."""
    applier.apply(sample(), "first")
    assert [bool(Applier(frr.open(way)).plan(sample())) for way in ("sockets", "vtysh")] == [False, False]


def test_one_address_is_one_line(applier: Applier) -> None:
    """Coming and going of a prefix touches nothing else."""
    applier.apply(sample(), "first")
    line = f"network 198.51.100.9/32 route-map {CLASS}"
    added = applier.apply(changed(ROUTER, IPV4, add=line), "add")
    removed = applier.apply(sample(), "remove")
    assert (added.commands, removed.commands) == (1, 1)
    assert added.resets == removed.resets == ()


def test_a_plan_for_observing_sends_nothing(frr: BareFrr, applier: Applier) -> None:
    """It only says what would be sent."""
    plan = applier.plan(sample())
    assert plan.commands
    assert ROUTER not in frr.open().read()


def test_lines_that_frr_never_prints_do_not_come_back_for_ever(applier: Applier) -> None:
    """Defaults, and the line that FRR adds to a BFD profile, count as equal."""
    wanted = sample()
    wanted["bfd"]["profile fast"] |= {"detect-multiplier 3": {}, "minimum-ttl 254": {}}
    wanted[ROUTER] |= {"bgp ebgp-requires-policy": {}, "timers bgp 60 180": {}}
    del wanted[ROUTER]["neighbor 192.0.2.1 bfd"]
    wanted[ROUTER][IPV4] |= {"neighbor 192.0.2.1 send-community both": {}, "maximum-paths 256": {}}
    applier.apply(wanted, "first")
    assert applier.apply(wanted, "second").commands == 0


def test_lines_of_others_stay(frr: BareFrr, applier: Applier) -> None:
    """What is not ours is neither removed nor in the way."""
    frr.vtysh("configure terminal", "debug bgp zebra", "interface lo", "description theirs")
    applier.apply(sample(), "first")
    applier.apply({}, "second")
    assert frr.is_present("debug bgp zebra")
    assert frr.is_present("description theirs")
    frr.vtysh("configure terminal", "no debug bgp zebra", "interface lo", "no description")


@pytest.mark.parametrize(
    ("path", "line", "reason"),
    [
        ((ROUTER,), "neighbor 192.0.2.1 timers 1 1", "Invalid value"),
        ((ROUTER,), "neighbor 192.0.2.1 nonsense", "Unknown command"),
        ((ROUTER, IPV4), "network 10.0.0.1/33", "Unknown command"),
        (("route-map frrsync-out-2 permit 10",), "set large-community 1:2", "unsupported or malformed"),
        (("bfd", "profile slow"), "transmit-interval 5", "Unknown command"),
    ],
)
def test_a_refused_line_is_named_and_everything_taken_back(
    frr: BareFrr, applier: Applier, path: tuple[str, ...], line: str, reason: str
) -> None:
    """Other changes of the same plan go back as well."""
    applier.apply(sample(), "first")
    before = frr.open().read()
    wanted = changed(ROUTER, IPV4, add=f"network 198.51.100.9/32 route-map {CLASS}")
    context = wanted
    for one in path:
        context = context.setdefault(one, {})
    context[line] = {}
    with pytest.raises(ApplyError, match=reason) as caught:
        applier.apply(wanted, "bad")
    assert line in str(caught.value)
    assert caught.value.rolled_back, f"expected to be rolled back, found {caught.value}"
    assert caught.value.paths == ((*path, line),), f"expected the line in its contexts, found {caught.value.paths}"
    assert frr.open().read() == before
    assert applier.last is not None
    assert (applier.last.error, applier.last.changed) == (str(caught.value), False)
    assert applier.apply(sample(), "good").commands == 0


def test_a_line_that_frr_silently_rewrites_is_found_and_taken_back(frr: BareFrr, applier: Applier) -> None:
    """FRR shortens the keepalive time without a word; a change of nothing we asked for must not stay."""
    applier.apply(sample(), "first")
    before = frr.open().read()
    with pytest.raises(VerifyError, match=r"\(rolled back\): missing .*timers 30 10.*unexpected .*timers 3 10"):
        applier.apply(changed(ROUTER, add="neighbor 192.0.2.1 timers 30 10"), "bad")
    assert frr.open().read() == before


def test_a_password_is_in_no_error(frr: BareFrr, applier: Applier) -> None:
    """FRR repeats the refused line; we hide it, in the text and in the chain of errors."""
    wanted = changed(ROUTER, remove=f"neighbor 192.0.2.1 password {PASSWORD}")
    secret = "Geheim" * 20
    wanted[ROUTER][f"neighbor 192.0.2.1 password {secret}"] = {}
    with pytest.raises(ApplyError) as caught:
        applier.apply(wanted, "bad")
    error: BaseException | None = caught.value
    while error is not None:
        assert "Geheim" not in str(error), f"expected no password, found it in {type(error).__name__}"
        error = error.__cause__ or error.__context__
    assert "neighbor 192.0.2.1 password <hidden:" in str(caught.value)
    assert applier.last is not None
    assert "Geheim" not in applier.last.error
    assert caught.value.rolled_back


def test_bgpd_restarted_half_way_is_reported_as_that_and_not_rolled_back(frr: BareFrr, apply_with: str) -> None:
    """The next apply finds it empty and loads everything."""
    session = frr.open(apply_with)
    faulty = FaultAfter(session)
    faulty.arm(HALF, lambda: frr.restart("bgpd", load=False))
    interrupted = Applier(faulty)
    with pytest.raises(FrrUnavailable, match=r"restarted|stopped"):
        interrupted.apply(sample(), "half")
    assert interrupted.last is not None
    assert not interrupted.last.rolled_back
    applier = Applier(session)
    assert applier.apply(sample(), "whole").changed
    assert applier.differences(sample()) == ([], [])


def test_bgpd_killed_half_way_is_unavailable(frr: BareFrr, apply_with: str) -> None:
    """And the same applier goes on when it is back."""
    faulty = FaultAfter(frr.open(apply_with))
    applier = Applier(faulty)
    faulty.arm(HALF, lambda: frr.kill("bgpd"))
    with pytest.raises(FrrUnavailable):
        applier.apply(sample(), "half")
    frr.start(load=False)
    faulty.arm(HALF, lambda: frr.kill("bgpd"))
    with pytest.raises(FrrUnavailable):
        applier.apply(sample(), "half again")
    frr.start(load=False)
    Applier(frr.open(apply_with)).apply(sample(), "whole")


def without_fast() -> Tree:
    """Return the sample with another BFD profile and one more network."""
    wanted = changed(ROUTER, IPV4, add=f"network 198.51.100.9/32 route-map {CLASS}")
    wanted["bfd"] = {"profile slow": {"transmit-interval 900": {}}}
    return wanted


@pytest.mark.parametrize("daemon", ["bfdd", "zebra"])
def test_without_an_optional_daemon_networks_change_and_its_part_waits(
    frr: BareFrr, apply_with: str, daemon: str
) -> None:
    """BGP never waits for bfdd or zebra; what they run is brought when they are back."""
    applier = Applier(frr.open(apply_with))
    applier.apply(sample(), "first")
    frr.kill(daemon)
    wanted = without_fast()
    try:
        applied = applier.apply(wanted, "away", reread=True)
        assert (applied.changed, applied.verified) == (True, True)
        assert f"network 198.51.100.9/32 route-map {CLASS}" in frr.open().read()[ROUTER][IPV4]
        assert applier.apply(wanted, "again", reread=True).commands == 0
        with pytest.raises(ApplyError, match="Unknown command") as caught:
            applier.apply(changed(ROUTER, add="neighbor 192.0.2.1 nonsense"), "bad", reread=True)
        assert caught.value.rolled_back, f"expected to be rolled back, found {caught.value}"
    finally:
        frr.start(load=False)
    applier.apply(wanted, "back", reread=True)
    assert applier.differences(wanted) == ([], [])
    assert "profile slow" in frr.open().read()["bfd"]


def test_without_bfdd_a_neighbor_may_have_a_profile(frr: BareFrr, apply_with: str) -> None:
    """The first load is complete but for the profile itself."""
    frr.kill("bfdd")
    applier = Applier(frr.open(apply_with))
    try:
        applier.apply(sample(), "first")
        assert "neighbor 192.0.2.1 bfd profile fast" in frr.open().read()[ROUTER]
    finally:
        frr.start(load=False)
    assert applier.apply(sample(), "back", reread=True).commands == 2
    assert applier.differences(sample()) == ([], [])


def test_a_hung_bfdd_holds_up_one_apply_for_seconds_and_others_hardly(frr: BareFrr, apply_with: str) -> None:
    """Its socket takes connections all the while; when it goes on, nothing counts as restarted."""
    session = frr.open(apply_with)
    applier = Applier(session)
    applier.apply(sample(), "first")
    generation = session.generation
    frr.signal("bfdd", signal.SIGSTOP)
    try:
        started = time.monotonic()
        assert applier.apply(without_fast(), "hung", reread=True).verified
        first = time.monotonic()
        assert applier.apply(changed(ROUTER, add="timers bgp 10 30"), "still", reread=True).verified
        assert (first - started < 8, time.monotonic() - first < 5) == (True, True)
    finally:
        frr.signal("bfdd", signal.SIGCONT)
    applier.apply(without_fast(), "back", reread=True)
    assert applier.differences(without_fast()) == ([], [])
    assert session.generation == generation


def test_a_hung_bgpd_is_unavailable_and_then_well_again(frr: BareFrr, apply_with: str) -> None:
    """Nothing is lost or doubled when it goes on."""
    session = frr.open(apply_with, timeout=1)
    applier = Applier(session)
    applier.apply(sample(), "first")
    wanted = changed(ROUTER, IPV4, add=f"network 198.51.100.9/32 route-map {CLASS}")
    frr.signal("bgpd", signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(FrrUnavailable, match="hangs"):
            applier.apply(wanted, "hung")
        assert time.monotonic() - started < 5
    finally:
        frr.signal("bgpd", signal.SIGCONT)
    applier.apply(wanted, "again")
    assert applier.differences(wanted) == ([], [])


def test_a_vanished_socket_is_reported_and_a_restart_brings_it_back(frr: BareFrr, apply_with: str) -> None:
    """Somebody emptied the folder under a running bgpd."""
    frr.socket_of("bgpd").unlink()
    with pytest.raises(FrrUnavailable, match="bgpd has no socket"):
        Applier(frr.open(apply_with)).apply(sample(), "first")
    frr.restart("bgpd")
    assert Applier(frr.open(apply_with)).apply(sample(), "second").changed


def test_an_empty_restart_is_loaded_in_full(frr: BareFrr, applier: Applier) -> None:
    """Also bfdd's part, when it was bfdd; and also when the tree that ran before is still known."""
    applier.apply(sample(), "first")
    for daemon in ("bgpd", "bfdd", "zebra"):
        frr.restart(daemon, load=False)
        applier.apply(sample(), f"after {daemon}")
        assert applier.differences(sample()) == ([], []), f"expected all of it after a restart of {daemon}"


def test_an_instance_with_frrs_own_defaults_is_brought_over_and_back(frr: BareFrr, apply_with: str) -> None:
    """Without the IPv4 default FRR writes what was implicit, and the other way round."""
    frr.restart("bgpd", load=False)
    frr.vtysh(
        "configure terminal", ROUTER, "neighbor 192.0.2.1 remote-as 64520", "neighbor 2001:db8::1 remote-as 64520",
        "neighbor 2001:db8::2 remote-as 64520", IPV4, "no neighbor 2001:db8::2 activate",
    )  # fmt: skip
    applier = Applier(frr.open(apply_with))
    before = frr.open().read()
    with pytest.raises(ApplyError) as caught:
        applier.apply(changed(ROUTER, add="neighbor 192.0.2.1 nonsense"), "bad")
    assert caught.value.rolled_back, f"expected to be rolled back, found {caught.value}"
    assert frr.open().read() == before
    applier.apply(sample(), "over")
    assert applier.differences(sample()) == ([], [])


def test_a_hand_edit_is_repaired(frr: BareFrr, applier: Applier) -> None:
    """A line removed and a line added by somebody else."""
    applier.apply(sample(), "first")
    before = frr.open().read()
    frr.vtysh("configure terminal", ROUTER, "neighbor 192.0.2.1 description mine", IPV4, "no network 203.0.113.7/32")
    assert applier.apply(sample(), "check", reread=True).commands == 2
    assert frr.open().read() == before


def test_a_small_change_of_a_large_configuration_is_verified_later(frr: BareFrr, apply_with: str) -> None:
    """So it costs neither reading nor comparing, and the quiet second brings the proof."""
    applier = Applier(frr.open(apply_with))
    assert applier.apply(large(), "first").verified
    wanted = large()
    wanted[ROUTER][IPV4][f"network 198.51.100.9/32 route-map {CLASS}"] = {}
    quick = applier.apply(wanted, "small")
    assert (quick.commands, quick.verified, applier.is_verification_pending) == (1, False, True)
    proof = applier.verify_pending()
    assert proof is not None
    assert (proof.commands, proof.verified, applier.is_verification_pending) == (0, True, False)
    assert applier.verify_pending() is None


def test_what_changed_before_the_late_verification_is_repaired(frr: BareFrr, apply_with: str) -> None:
    """A difference found later is planned from what runs then."""
    applier = Applier(frr.open(apply_with))
    applier.apply(large(), "first")
    wanted = large()
    wanted[ROUTER][IPV4][f"network 198.51.100.9/32 route-map {CLASS}"] = {}
    applier.apply(wanted, "small")
    frr.vtysh("configure terminal", ROUTER, IPV4, "no network 10.0.1.1/32")
    repaired = applier.verify_pending()
    assert repaired is not None
    assert (repaired.commands, repaired.verified) == (1, True)
    assert applier.differences(wanted) == ([], [])


def test_a_restart_makes_a_known_large_configuration_doubtful(frr: BareFrr, apply_with: str) -> None:
    """A known tree is trusted only as long as the same daemons run."""
    applier = Applier(frr.open(apply_with))
    applier.apply(large(), "first")
    frr.restart("bgpd", load=False)
    result = applier.apply(large(), "again")
    assert result.commands > FULL_VERIFY_LINES
    assert result.verified
