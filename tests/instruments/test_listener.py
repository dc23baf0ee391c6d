"""The BGP listener against a real FRR that is driven by hand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from frrsync.lab.frr import FrrInstance
from frrsync.lab.rootfs import installation
from instruments.judge import Judge, compare
from instruments.network import NODE_IPV4, Cable
from instruments.observe import ListenerProcess, SpeakerConfig
from instruments.route import Route
from instruments.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from instruments.observe import Event

SPEAKERS = (
    SpeakerConfig(name="outer", address="10.99.0.11", asn=65001, router_id="10.99.0.11"),
    SpeakerConfig(name="six", address="fd99::13", asn=4200000001, router_id="10.99.0.13"),
    SpeakerConfig(name="inner", address="10.99.0.14", asn=64512, router_id="10.99.0.14"),
)
BY_HAND = f"""
bgp route-map delay-timer 1
route-map PLAIN permit 10
 set tag 1
exit
route-map DRESSED permit 10
 set tag 2
exit
route-map NONE deny 65535
exit
route-map OUT permit 10
 match tag 1
exit
route-map OUT permit 20
 match tag 2
 set community 64512:1 no-export
 set large-community 4200000000:2:3
 set local-preference 300
 set as-path prepend 64512 64512
exit
route-map OUT deny 65535
exit
router bgp 64512
 bgp router-id {NODE_IPV4}
 no bgp default ipv4-unicast
 no bgp network import-check
 neighbor 10.99.0.11 remote-as 65001
 neighbor 10.99.0.11 timers connect 1
 neighbor fd99::13 remote-as 4200000001
 neighbor fd99::13 timers connect 1
 neighbor 10.99.0.14 remote-as 64512
 neighbor 10.99.0.14 timers connect 1
 address-family ipv4 unicast
  network 203.0.113.1/32 route-map PLAIN
  network 203.0.113.64/26 route-map DRESSED
  neighbor 10.99.0.11 activate
  neighbor 10.99.0.11 route-map NONE in
  neighbor 10.99.0.11 route-map OUT out
  neighbor 10.99.0.14 activate
  neighbor 10.99.0.14 route-map NONE in
  neighbor 10.99.0.14 route-map OUT out
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:a::1/128 route-map PLAIN
  network 2001:db8:b::/112 route-map DRESSED
  neighbor fd99::13 activate
  neighbor fd99::13 route-map NONE in
  neighbor fd99::13 route-map OUT out
  neighbor 10.99.0.14 activate
  neighbor 10.99.0.14 route-map NONE in
  neighbor 10.99.0.14 route-map OUT out
 exit-address-family
exit
"""
PLAIN = Route(as_path=(64512,), next_hop_family=4)
DRESSED = Route(
    as_path=(64512, 64512, 64512),
    next_hop_family=4,
    communities=frozenset({"64512:1", "65535:65281"}),
    large_communities=frozenset({"4200000000:2:3"}),
)


def six(route: Route) -> Route:
    """Return the same route by an IPv6 next hop."""
    return Route(route.as_path, 6, route.communities, route.large_communities, route.local_pref)


def inner(route: Route, local_pref: int) -> Route:
    """Return the same route as an iBGP peer sees it."""
    return Route(route.as_path[1:], route.next_hop_family, route.communities, route.large_communities, local_pref)


EXPECTED = {
    "outer": {"203.0.113.1/32": PLAIN, "203.0.113.64/26": DRESSED},
    "six": {"2001:db8:a::1/128": six(PLAIN), "2001:db8:b::/112": six(DRESSED)},
    "inner": {
        "203.0.113.1/32": inner(PLAIN, 100),
        "203.0.113.64/26": inner(DRESSED, 300),
        "2001:db8:a::1/128": inner(six(PLAIN), 100),
        "2001:db8:b::/112": inner(six(DRESSED), 300),
    },
}


@pytest.fixture
def cable() -> Iterator[Cable]:
    """Provide two connected namespaces."""
    with Cable([speaker.address for speaker in SPEAKERS]) as made:
        yield made


@pytest.fixture
def listener(cable: Cable, tmp_path: Path) -> Iterator[ListenerProcess]:
    """Provide a listener with three speakers."""
    with ListenerProcess(cable.peers, tmp_path / "listener", SPEAKERS) as process:
        yield process


@pytest.fixture
def frr(cable: Cable, frr_version: FrrVersion, tmp_path: Path) -> Iterator[FrrInstance]:
    """Provide a running FRR that was configured by hand."""
    instance = FrrInstance(installation(frr_version), namespace=cable.node, folder=tmp_path / "frr")
    instance.prepare()
    instance.conf.write_text(BY_HAND, encoding="utf-8")
    instance.start()
    yield instance
    instance.stop()


def follow_until(listener: ListenerProcess, condition: Callable[[], bool], timeout: float = 15) -> list[Event]:
    """Read the log until the condition holds."""
    events = []
    deadline = time.monotonic() + timeout
    while True:
        events += listener.follow()
        if condition():
            return events
        assert time.monotonic() < deadline, f"after {timeout} s: {listener.tables} {listener.sessions()}"
        time.sleep(0.01)


@pytest.mark.frr
@pytest.mark.usefixtures("frr")
def test_the_listener_sees_every_attribute_of_both_families(listener: ListenerProcess) -> None:
    """Routes of a real FRR come out as it was told by hand, with 4-byte ASNs, eBGP and iBGP."""
    follow_until(listener, lambda: listener.tables == EXPECTED)
    differences = compare({name: listener.rib(name) for name in EXPECTED}, EXPECTED, 0)
    assert not differences, f"expected the process to hold the same, found {differences}"
    session = listener.sessions()["six"]
    assert (session["up"], session["remote_asn"]) == (True, 64512), f"expected a session of ASN 64512, found {session}"


@pytest.mark.frr
def test_a_session_that_ends_is_seen(listener: ListenerProcess, frr: FrrInstance) -> None:
    """A NOTIFICATION, the end and the next session are events, and the table is empty in between."""
    follow_until(listener, lambda: listener.tables == EXPECTED)
    frr.vtysh("clear bgp ipv4 10.99.0.11")
    events = follow_until(listener, lambda: not listener.tables["outer"])
    events += follow_until(listener, lambda: listener.tables == EXPECTED)
    found = [event.kind for event in events if event.peer == "outer" and event.kind not in {"update", "end-of-rib"}]
    assert found == ["notification-received", "down", "connect", "open", "up"], f"found {found}"
    judge = Judge(World("n1", {}, {}))
    judge.events(events)
    kinds = {(finding.kind, finding.peer) for finding in judge.verdict.findings if finding.kind == "session"}
    assert kinds == {("session", "outer")}, f"expected a finding about outer, found {judge.verdict}"


@pytest.mark.frr
def test_fifty_thousand_prefixes_are_followed(listener: ListenerProcess, frr: FrrInstance, tmp_path: Path) -> None:
    """The listener keeps up with a large table, and its log can be drained while it runs."""
    follow_until(listener, lambda: listener.tables == EXPECTED)
    lines = "\n".join(f"  network 10.{i >> 16}.{i >> 8 & 255}.{i & 255}/32 route-map PLAIN" for i in range(50_000))
    load = tmp_path / "many.conf"
    load.write_text(f"router bgp 64512\n address-family ipv4 unicast\n{lines}\n", encoding="utf-8")
    frr.vtysh_path.chmod(0o755)
    frr._run_vtysh(["-f", str(load)], seconds=60)
    follow_until(listener, lambda: len(listener.tables["outer"]) == 50_002, timeout=60)
    listener.rotate()
    assert listener.log_path.stat().st_size < 10_000, "expected an empty log after it was drained"
    frr.vtysh("configure terminal", "router bgp 64512", "address-family ipv4 unicast", "no network 10.0.0.7/32")
    follow_until(listener, lambda: len(listener.tables["outer"]) == 50_001)
    assert len(listener.rib("outer")) == 50_001, "expected the process to agree with the mirror"
