"""Which of an operator's neighbors could be sent our prefixes by accident, told from the configuration alone."""

from __future__ import annotations

import pytest

from frrsync.core.frr_config import MARK
from frrsync.frr.exposure import allowed_names, exposed
from frrsync.frr.fence import is_fence
from frrsync.frr.tree import parse

LIST = f"bgp large-community-list standard LB seq 5 permit {MARK}\n"
ROUTER = "router bgp 64512"
IPV4 = "address-family ipv4 unicast"
IPV6 = "address-family ipv6 unicast"
FENCE = "route-map OUT deny 5\n match large-community LB\nexit\nroute-map OUT permit 10\nexit\n"
OPEN = "route-map OPEN permit 10\nexit\n"


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        pytest.param("", True, id="no such map: denies everything"),
        pytest.param("route-map OUT permit 10\n", False, id="permits everything"),
        pytest.param("route-map OUT deny 10\n", True, id="denies everything"),
        pytest.param(FENCE, True, id="denies the mark first"),
        pytest.param(FENCE.replace("LB", "LB exact-match"), True, id="denies exactly the mark"),
        pytest.param(FENCE.replace("deny 5", "permit 5"), True, id="permits the mark on purpose"),
        pytest.param(FENCE.replace("deny 5", "deny 15"), False, id="denies the mark too late"),
        pytest.param(FENCE.replace("LB", "OTHER"), False, id="another list"),
        pytest.param(FENCE.replace(" match large", " match tag 7\n match large"), False, id="the mark and more"),
        pytest.param("route-map OUT permit 10\n match ip address prefix-list MINE\n", False, id="a prefix-list"),
        pytest.param(
            "route-map OUT deny 1\n match ip address prefix-list X\nexit\n" + FENCE,
            True,
            id="an earlier deny is no harm",
        ),
        pytest.param(
            "route-map OUT permit 1\n call F\n on-match next\nexit\nroute-map OUT permit 10\nexit\n"
            "route-map F deny 1\n match large-community LB\nexit\nroute-map F permit 2\n",
            True,
            id="calls a fence and goes on",
        ),
        pytest.param(
            "route-map OUT permit 1\n call F\nexit\nroute-map F deny 1\n match large-community LB\nexit\n"
            "route-map F permit 2\n",
            True,
            id="calls a fence and ends there",
        ),
        pytest.param(
            "route-map OUT permit 1\n call MISSING\n on-match next\nexit\nroute-map OUT permit 10\n",
            False,
            id="a call of a missing map is none",
        ),
        pytest.param(
            "route-map OUT permit 1\n call F\n on-match next\nexit\nroute-map F permit 2\n",
            False,
            id="what was permitted with on-match next stays permitted at the end",
        ),
        pytest.param(
            "route-map OUT permit 1\n call OUT\n on-match next\nexit\nroute-map OUT permit 10\n",
            False,
            id="calls itself",
        ),
        pytest.param(
            "route-map OUT permit 1\n set large-community none\n on-match next\nexit\n" + FENCE,
            False,
            id="the mark is taken off before the fence",
        ),
        pytest.param(
            "route-map OUT permit 1\n set large-comm-list LB delete\n call F\nexit\n"
            "route-map F deny 1\n match large-community LB\nexit\nroute-map F permit 2\n",
            False,
            id="the mark is taken off before the call",
        ),
        pytest.param(
            "route-map OUT permit 1\n call F\n on-match next\nexit\nroute-map F permit 2\n"
            " set large-community none\nexit\n" + FENCE,
            False,
            id="a called map takes the mark off",
        ),
    ],
)
def test_a_route_map_is_a_fence_if_it_decides_about_the_mark(maps: str, *, expected: bool) -> None:
    """As FRR reads them: by number, a deny of a called map is final, a missing map is not called."""
    assert is_fence("OUT", parse(LIST + maps)) is expected


def test_a_list_with_more_than_the_mark_is_no_list_of_the_mark() -> None:
    """An entry on it could be meant for something else."""
    more = LIST + "bgp large-community-list standard LB seq 10 permit 65000:1:1\n"
    assert not is_fence("OUT", parse(more + FENCE))


def whole(router: str, *, defaults: str = "datacenter", more: str = "") -> str:
    """Return an operator's configuration with these lines in the instance."""
    return f"frr defaults {defaults}\n{LIST}{FENCE}{OPEN}{ROUTER}\n{router}exit\n{more}"


def family(lines: str, name: str = IPV4) -> str:
    """Return an address family with these lines, one of them a word per line."""
    return f" {name}\n" + "".join(f"  {line}\n" for line in lines.split("; ")) + " exit-address-family\n"


GROUP = " neighbor G peer-group\n neighbor G remote-as external\n"
PLAIN = " neighbor 192.0.2.9 remote-as 65009\n"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(whole(""), [], id="nobody"),
        pytest.param(whole(PLAIN), ["192.0.2.9"], id="active by default, no policy"),
        pytest.param(whole(" no bgp default ipv4-unicast\n" + PLAIN), [], id="not active"),
        pytest.param(
            whole(" no bgp default ipv4-unicast\n" + PLAIN + family("neighbor 192.0.2.9 activate")),
            ["192.0.2.9"],
            id="activated",
        ),
        pytest.param(whole(PLAIN + family("no neighbor 192.0.2.9 activate")), [], id="taken out of the family"),
        pytest.param(whole(PLAIN + family("neighbor 192.0.2.9 route-map OUT out")), [], id="fenced"),
        pytest.param(whole(PLAIN + family("neighbor 192.0.2.9 route-map OPEN out")), ["192.0.2.9"], id="open policy"),
        pytest.param(whole(PLAIN + " neighbor 192.0.2.9 shutdown\n"), [], id="shut down"),
        pytest.param(whole(PLAIN + " neighbor 192.0.2.9 shutdown message later\n"), [], id="shut down with a message"),
        pytest.param(
            whole(PLAIN + " neighbor 192.0.2.9 shutdown rtt 9 count 3\n"), ["192.0.2.9"], id="shut only if slow"
        ),
        pytest.param(
            whole(PLAIN + " neighbor 192.0.2.9 description the peer-group\n"), ["192.0.2.9"], id="described as a group"
        ),
        pytest.param(
            whole(
                GROUP
                + PLAIN
                + " neighbor 192.0.2.9 description peer-group G\n"
                + family("neighbor G route-map OUT out")
            ),
            ["192.0.2.9"],
            id="described as a member",
        ),
        pytest.param(
            whole(PLAIN + family("neighbor 192.0.2.9 route-map OUT out; neighbor 192.0.2.9 unsuppress-map OPEN")),
            ["192.0.2.9"],
            id="fenced, but for suppressed prefixes",
        ),
        pytest.param(
            whole(
                PLAIN
                + family("neighbor 192.0.2.9 route-map OUT out; neighbor 192.0.2.9 advertise-map OPEN exist-map OUT")
            ),
            ["192.0.2.9"],
            id="fenced, but for a conditional advertisement",
        ),
        pytest.param(
            whole(PLAIN + family("neighbor 192.0.2.9 route-map OUT out; neighbor 192.0.2.9 unsuppress-map OUT")),
            [],
            id="fenced both ways",
        ),
        pytest.param(
            whole(" neighbor fab0 interface v6only remote-as external\n", defaults="traditional"),
            [],
            id="unnumbered, external without policy: RFC 8212",
        ),
        pytest.param(whole(PLAIN, defaults="traditional"), [], id="external without policy: RFC 8212"),
        pytest.param(
            whole(PLAIN + family("neighbor 192.0.2.9 prefix-list X out"), defaults="traditional"),
            ["192.0.2.9"],
            id="external with another outbound policy",
        ),
        pytest.param(
            whole(" no bgp ebgp-requires-policy\n" + PLAIN, defaults="traditional"), ["192.0.2.9"], id="RFC 8212 off"
        ),
        pytest.param(
            whole(" neighbor 192.0.2.9 remote-as 64512\n", defaults="traditional"), ["192.0.2.9"], id="internal"
        ),
        pytest.param(whole(GROUP), [], id="a group without members"),
        pytest.param(whole(GROUP + " neighbor fab0 interface peer-group G\n"), ["fab0"], id="member of a group"),
        pytest.param(
            whole(GROUP + " neighbor fab0 interface peer-group G\n" + family("neighbor G route-map OUT out")),
            [],
            id="member of a fenced group",
        ),
        pytest.param(
            whole(
                GROUP
                + " neighbor fab0 interface peer-group G\n"
                + family("neighbor G route-map OUT out; neighbor fab0 route-map OPEN out")
            ),
            ["fab0"],
            id="member of a fenced group with a policy of its own",
        ),
        pytest.param(
            whole(GROUP + " bgp listen range 198.18.0.0/15 peer-group G\n"), ["range 198.18.0.0/15"], id="dynamic"
        ),
        pytest.param(
            whole(" neighbor 10.0.0.1 remote-as 65001\n" + family("neighbor 10.0.0.1 route-map frrsync-in in")),
            [],
            id="ours",
        ),
        pytest.param(
            whole(
                " no bgp default ipv4-unicast\n"
                + PLAIN
                + family("neighbor 192.0.2.9 activate", "address-family ipv4 labeled-unicast")
            ),
            ["192.0.2.9"],
            id="labeled unicast shares the table",
        ),
        pytest.param(
            whole("", more=f"router bgp 64512 vrf red\n{PLAIN}" + family("import vrf default") + "exit\n"),
            ["192.0.2.9"],
            id="another VRF imports",
        ),
        pytest.param(
            whole(
                "",
                more="route-map STRIP permit 10\n set large-community none\nexit\n"
                f"router bgp 64512 vrf red\n{PLAIN}"
                + family("import vrf route-map STRIP; import vrf default; neighbor 192.0.2.9 route-map OUT out")
                + "exit\n",
            ),
            ["192.0.2.9"],
            id="another VRF imports and takes the mark off",
        ),
        pytest.param(
            whole(
                "",
                more=f"router bgp 64512 vrf red\n{PLAIN}"
                + family("import vrf route-map OUT; import vrf default")
                + "exit\n",
            ),
            [],
            id="another VRF imports behind a fence",
        ),
        pytest.param(
            whole(
                " no bgp default ipv4-unicast\n"
                + PLAIN
                + family("advertise ipv4 unicast; neighbor 192.0.2.9 activate", "address-family l2vpn evpn")
            ),
            ["192.0.2.9"],
            id="sent as EVPN",
        ),
    ],
)
def test_neighbors_that_could_see_our_prefixes_are_found(text: str, found: list[str]) -> None:
    """And no other; each complaint names the neighbor and the lines that help."""
    said = exposed(parse(text), ROUTER, IPV4, ())
    assert [line.split(" of ")[0].removeprefix("neighbor ").split(" (")[0] for line in said] == found
    for line in said:
        assert "route-map" in line
        assert "--allow-neighbor" in line


@pytest.mark.parametrize("name", ["fab0", "G"])
def test_a_neighbor_is_allowed_by_its_name_or_its_groups(name: str) -> None:
    """As ``--allow-neighbor`` names it."""
    text = whole(GROUP + " neighbor fab0 interface peer-group G\n")
    assert exposed(parse(text), ROUTER, IPV4, (name,)) == []


def test_neighbors_are_allowed_as_they_are_written() -> None:
    """Interfaces and peer-groups keep their case; FRR prints addresses in the short form."""
    found = allowed_names(" FABRIC,Eth0 , 2001:DB8:0::1, 198.18.0.0/15,, 192.0.2.9")
    assert found == {"FABRIC", "Eth0", "2001:db8::1", "198.18.0.0/15", "192.0.2.9"}


def test_a_neighbor_of_ours_is_none_of_another_vrf() -> None:
    """Addresses may repeat there: the operator's one is looked at."""
    text = whole(PLAIN, more=f"router bgp 64512 vrf red\n{PLAIN}" + family("import vrf default") + "exit\n")
    (said,) = exposed(parse(text), ROUTER, IPV4, (), ("192.0.2.9",))
    assert "'router bgp 64512 vrf red'" in said


def test_an_ipv6_family_asks_for_neighbors_active_there() -> None:
    """A neighbor active in IPv4 by default is not active in IPv6, unless the instance says so."""
    assert exposed(parse(whole(PLAIN)), ROUTER, IPV6, ()) == []
    assert exposed(parse(whole(" bgp default ipv6-unicast\n" + PLAIN)), ROUTER, IPV6, ())


def test_the_complaint_about_a_policy_numbers_the_entry_before_the_first() -> None:
    """The lines can be typed as they stand."""
    text = whole(PLAIN + family("neighbor 192.0.2.9 route-map OPEN out"))
    (said,) = exposed(parse(text), ROUTER, IPV4, ())
    assert said == (
        "neighbor 192.0.2.9 of 'router bgp 64512' would be sent our prefixes, so none of ipv4 unicast is announced; "
        "add 'bgp large-community-list standard FRRSYNC seq 5 permit 4294967294:0:1', "
        "'route-map OPEN deny 9 / match large-community FRRSYNC' to keep them back, the same with 'permit' to let "
        "them through, or set --allow-neighbor 192.0.2.9"
    )
