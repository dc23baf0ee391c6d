"""The fields of BGPPeer, BGPAdvertisement, BFDProfile and Community as the routers see them, on real FRR.

All sessions of the module live beside each other on one node. VRF is missing: the kernel of the tests has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from frrsync.lab.rootfs import VERSIONS
from topology.bare_frr import wait_until
from topology.field_manifests import (
    FAR,
    INNER,
    LOCAL_ASN,
    NODE_ASN,
    PASSWORD,
    PREFIX,
    PREFIX6,
    UNNUMBERED,
    node_in,
    peer,
    router_of,
)
from topology.field_sessions import FieldSessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.lab.rootfs import FrrVersion

pytestmark = [pytest.mark.frr, pytest.mark.topology]


@pytest.fixture(scope="module")
def sessions(frr_version: FrrVersion) -> Iterator[FieldSessions]:
    """Provide the node with all its sessions, on one version of FRR."""
    with FieldSessions(frr_version) as running:
        yield running


def as_path(path: dict[str, Any]) -> list[int]:
    """Return the ASNs of a path, the nearest first."""
    return [asn for segment in path["aspath"]["segments"] for asn in segment["list"]]


def test_no_manifest_of_this_module_has_a_mistake(sessions: FieldSessions) -> None:
    """What is seen below comes from objects that frrsync is content with."""
    assert sessions.mistakes == ()


def test_the_router_sees_the_router_id_and_the_default_timers(sessions: FieldSessions) -> None:
    """``routerID`` of one peer, and a v1beta1 peer without timers: 180 s and not the 0 s of MetalLB's conversion."""
    seen = sessions.wait_until_up(sessions.router, node_in("plain"))
    assert seen["remoteRouterId"] == "192.0.2.77", f"expected routerID, found {seen['remoteRouterId']}"
    hold = seen["bgpTimerHoldTimeMsecs"]
    assert hold == 180_000, f"expected a hold time of 180 s, found {hold} ms"


def test_hold_and_keepalive_time_are_negotiated(sessions: FieldSessions) -> None:
    """The router agrees to the shorter hold time; the node sends a keepalive as often as it is told to."""
    seen = sessions.wait_until_up(sessions.router, node_in("timers"))
    assert seen["bgpTimerHoldTimeMsecs"] == 9_000, f"expected 9 s, found {seen['bgpTimerHoldTimeMsecs']} ms"
    own = sessions.seen(sessions.node, router_of("timers"))
    assert own["bgpTimerKeepAliveIntervalMsecs"] == 2_000, f"found {own['bgpTimerKeepAliveIntervalMsecs']} ms"


def test_connect_time_is_the_pause_between_attempts(sessions: FieldSessions) -> None:
    """Where nobody answers, 1 s gives many attempts while 60 s gives one."""
    wait_until(lambda: sessions.tries("retries-fast") >= 5, "five attempts, one a second", 20)
    slow = sessions.tries("retries-slow")
    assert 1 <= slow <= 2, f"expected one or two attempts with connectTime 60s, found {slow}"


@pytest.mark.parametrize("name", ["password", "secret"])
def test_a_right_password_gives_a_session(sessions: FieldSessions, name: str) -> None:
    """TCP MD5, with the password in the peer or in its Secret."""
    sessions.wait_until_up(sessions.router, node_in(name))


def test_a_wrong_password_gives_none_until_it_is_corrected(sessions: FieldSessions) -> None:
    """The kernel drops what is signed otherwise; with the right password the session comes up."""
    sessions.wait_until_up(sessions.router, node_in("password"))
    state = sessions.seen(sessions.router, node_in("wrong-password"))
    assert state["bgpState"] != "Established", "expected no session with a wrong password"
    assert "connectionsEstablished" not in state or state["connectionsEstablished"] == 0, f"found {state}"
    before = sessions.folder.documents["BGPPeer", "metallb-system", "wrong-password"]
    sessions.folder.put(peer("wrong-password", password=PASSWORD))
    try:
        sessions.apply()
        sessions.wait_until_up(sessions.router, node_in("wrong-password"))
    finally:
        sessions.folder.put(before)
        sessions.apply()


def test_the_session_comes_from_the_source_address(sessions: FieldSessions) -> None:
    """The router knows a neighbor of the second address only."""
    seen = sessions.wait_until_up(sessions.router, node_in("source"))
    assert seen["hostForeign"] == node_in("source"), f"found {seen['hostForeign']}"


def test_the_router_sees_the_local_asn_alone(sessions: FieldSessions) -> None:
    """``no-prepend replace-as``: the ASN of the node is in no path."""
    seen = sessions.wait_until_up(sessions.router, node_in("local-asn"))
    assert seen["remoteAs"] == LOCAL_ASN, f"expected {LOCAL_ASN}, found {seen['remoteAs']}"
    path = as_path(sessions.path(sessions.router, node_in("local-asn"), PREFIX))
    assert path == [LOCAL_ASN], f"expected only {LOCAL_ASN}, found {path}"


def test_a_dynamic_asn_takes_the_right_kind_only(sessions: FieldSessions) -> None:
    """``external`` meets another AS, ``internal`` our own; ``internal`` towards another AS never comes up."""
    sessions.wait_until_up(sessions.router, node_in("external"))
    sessions.wait_until_up(sessions.inner, "10.97.0.1")
    state = sessions.seen(sessions.router, node_in("wrong-kind"))
    assert state["bgpState"] != "Established", f"expected no session with another AS, found {state['bgpState']}"


def test_ebgp_over_a_hop_with_a_port_and_bfd(sessions: FieldSessions, frr_version: FrrVersion) -> None:
    """The router behind the router listens on 1790; BFD runs multihop and holds to ``minimumTtl``."""
    seen = sessions.wait_until_up(sessions.far, node_in("plain"))
    assert seen["portLocal"] == 1790, f"expected the node to dial 1790, found {seen['portLocal']}"
    bfd = sessions.bfd(sessions.node, FAR)
    assert bfd["multihop"] is True, f"expected multihop BFD, found {bfd}"
    assert bfd["minimum-ttl"] == 250, f"expected minimumTtl 250, found {bfd['minimum-ttl']}"
    path = as_path(sessions.path(sessions.far, node_in("plain"), PREFIX))
    assert path == [NODE_ASN], f"found {path}"


def test_graceful_restart_is_offered_where_it_is_enabled(sessions: FieldSessions) -> None:
    """The router may keep routes of that session, with forwarding state preserved, and of no other."""
    offered = sessions.wait_until_up(sessions.router, node_in("graceful"))["gracefulRestartInfo"]
    assert offered["remoteGrMode"] == "Restart", f"expected Restart, found {offered['remoteGrMode']}"
    assert offered["ipv4Unicast"]["fBit"] is True, "expected forwarding state to be preserved"
    other = sessions.wait_until_up(sessions.router, node_in("plain"))["gracefulRestartInfo"]
    assert other["remoteGrMode"] == "Helper", f"expected Helper, found {other['remoteGrMode']}"


def test_one_session_carries_both_families_even_with_disable_mp(sessions: FieldSessions) -> None:
    """IPv6 prefixes over IPv4, with a next hop of their own; ``disableMP`` changes nothing."""
    sessions.wait_until_up(sessions.router, node_in("dual"))
    for prefix in (PREFIX, PREFIX6):
        path = sessions.path(sessions.router, node_in("dual"), prefix)
        hops = [hop["ip"] for hop in path["nexthops"]]
        assert all((":" in hop) == (":" in prefix) for hop in hops), f"{prefix}: found the next hops {hops}"


def test_a_session_without_the_other_family_does_not_carry_it(sessions: FieldSessions) -> None:
    """IPv4 over IPv4 only, as long as nobody asks for more."""
    sessions.path(sessions.router, node_in("plain"), PREFIX)
    negotiated = sessions.seen(sessions.router, node_in("plain"))["addressFamilyInfo"]
    assert list(negotiated) == ["ipv4Unicast"], f"expected IPv4 only, found {list(negotiated)}"


def test_an_ipv6_router_needs_no_address_on_the_link(sessions: FieldSessions) -> None:
    """Its global address is behind a route; the check for a connected network is lifted."""
    sessions.wait_until_up(sessions.router, "fd99::1")
    sessions.path(sessions.router, "fd99::1", PREFIX6)


def test_every_timer_of_a_bfd_profile_is_used(sessions: FieldSessions) -> None:
    """What the node uses is what the router hears from it; passive, so the router speaks first."""
    sessions.wait_until_up(sessions.router, node_in("bfd"))
    own = sessions.bfd(sessions.node, router_of("bfd"))
    wanted = {
        "multihop": False, "passive-mode": True, "receive-interval": 250, "transmit-interval": 350,
        "detect-multiplier": 4, "echo-receive-interval": 100, "echo-transmit-interval": 100,
    }  # fmt: skip
    found = {name: own[name] for name in wanted}
    assert found == wanted, f"expected {wanted}, found {found}"
    heard = sessions.bfd(sessions.router, node_in("bfd"))
    remote = [heard[f"remote-{name}"] for name in ("receive-interval", "transmit-interval", "detect-multiplier")]
    assert remote == [250, 350, 4], f"expected the router to hear 250, 350 and 4, found {remote}"
    assert heard["remote-echo-receive-interval"] == 100, f"found {heard['remote-echo-receive-interval']}"
    wait_until(lambda: sessions.bfd(sessions.node, router_of("bfd"))["rtt-max"] > 0, "echo packets to come back", 10)


def test_bfd_at_one_end_only(sessions: FieldSessions, frr_version: FrrVersion) -> None:
    """FRR 8.4 has the session all the same; 10.3 waits for BFD, as ``docs/fields.md`` warns."""
    if frr_version == VERSIONS[0]:
        sessions.wait_until_up(sessions.router, node_in("lonely-bfd"))
        return
    sessions.wait_until_up(sessions.router, node_in("plain"))
    state = sessions.seen(sessions.node, router_of("lonely-bfd"))["bgpState"]
    assert state == "Idle", f"expected FRR 10.3 to wait for BFD, found {state}: the warning may go"


def test_an_unnumbered_session_carries_both_families(sessions: FieldSessions) -> None:
    """Over link-local addresses alone; IPv4 prefixes have an IPv6 next hop (RFC 8950)."""
    seen = sessions.wait_until_up(sessions.router, UNNUMBERED)
    assert seen["bgpNeighborAddr"].startswith("fe80:"), f"expected a link-local address, found {seen}"
    for prefix in (PREFIX, PREFIX6):
        hops = [hop["ip"] for hop in sessions.path(sessions.router, UNNUMBERED, prefix)["nexthops"]]
        assert hops, f"expected next hops of {prefix}"
        assert all(hop.startswith("fe80:") for hop in hops), f"{prefix}: found the next hops {hops}"
    assert sessions.bfd(sessions.node, seen["hostLocal"])["interface"] == UNNUMBERED, "expected BFD over the interface"


def test_the_local_preference_reaches_the_inner_router(sessions: FieldSessions) -> None:
    """Over iBGP, where it counts."""
    path = sessions.path(sessions.inner, "10.97.0.1", PREFIX)
    assert path["locPrf"] == 321, f"expected 321, found {path['locPrf']}"
    assert sessions.bfd(sessions.node, INNER)["status"] == "up", "expected BFD beside iBGP"


def test_the_own_asn_is_prepended(sessions: FieldSessions) -> None:
    """Three times more than without."""
    path = as_path(sessions.path(sessions.router, node_in("prepend"), PREFIX))
    assert path == [NODE_ASN] * 4, f"expected four times {NODE_ASN}, found {path}"


def test_communities_of_every_kind_arrive(sessions: FieldSessions) -> None:
    """Standard, well-known, large, and a large one behind an alias; other neighbors see none of them."""
    path = sessions.path(sessions.router, node_in("coloured"), PREFIX)
    assert path["community"]["string"] == "64512:100 no-export", f"found {path['community']}"
    assert path["largeCommunity"]["string"] == "64512:1:2 64512:3:4", f"found {path['largeCommunity']}"
    other = sessions.path(sessions.router, node_in("plain"), PREFIX)
    assert not {"community", "largeCommunity"} & other.keys(), f"expected no communities, found {other}"


@pytest.mark.parametrize("prefix", ["203.0.113.16/28", "2001:db8:9::10/124"])
def test_an_aggregate_arrives_instead_of_the_address(sessions: FieldSessions, prefix: str) -> None:
    """Of both families; the neighbor that is meant to see the aggregate does not see the address."""
    sessions.path(sessions.router, node_in("aggregate"), prefix)
    family = "ipv6" if ":" in prefix else "ipv4"
    routes = sessions.router.json(f"show bgp {family} unicast json")["routes"]
    found = [name for name, paths in routes.items() if any(one["peerId"] == node_in("aggregate") for one in paths)]
    assert found == [prefix], f"expected {prefix} only, found {found}"
