"""What a configuration means to its neighbors, computed from the tree alone."""

from __future__ import annotations

import pytest

from frrsync.core.preview import RouteAttributes
from frrsync.frr.effect import PeerKey, effect_of, prefix_changes
from frrsync.frr.preview import node_preview
from frrsync.frr.secrets import redacted
from frrsync.frr.tree import parse

PREFIX = "203.0.113.7/32"
CONFIG = """
route-map class permit 10
 set tag 7
route-map out permit 1
 match tag 6
 set community 9:9
route-map out permit 2
 match tag 7
 set community 64512:2 64512:1
 set large-community 1:2:3
 set local-preference 200
 set as-path prepend 64512 64512
route-map out deny 65535
router bgp 64512
 no bgp default ipv4-unicast
 neighbor 192.0.2.1 remote-as 64520
 neighbor 192.0.2.1 description tor
 address-family ipv4 unicast
  network 203.0.113.7/32 route-map class
  neighbor 192.0.2.1 activate
  neighbor 192.0.2.1 route-map out out
"""
EXTERNAL = RouteAttributes(
    as_path=(64512, 64512, 64512), communities=("64512:1", "64512:2"), large_communities=("1:2:3",)
)


def seen(*changes: tuple[str, str], peer: str = "192.0.2.1") -> RouteAttributes | None:
    """Return what a neighbor sees of the prefix after replacements in the text."""
    text = CONFIG
    for old, new in changes:
        assert old in text, f"expected {old!r} in the configuration"
        text = text.replace(old, new)
    return effect_of(parse(text))[PeerKey("", peer)].prefixes.get(PREFIX)


def test_a_neighbor_sees_what_its_outbound_map_makes_of_the_class() -> None:
    """Sorted, as sets compare; an external session carries no local preference."""
    assert seen() == EXTERNAL


@pytest.mark.parametrize(
    "change",
    [
        ("set tag 7", "set tag 8"),
        ("match tag 7", "match tag 8"),
        ("  neighbor 192.0.2.1 activate\n", ""),
        ("  neighbor 192.0.2.1 route-map out out\n", ""),
        ("route-map out out", "route-map missing out"),
        ("route-map class\n", "route-map missing\n"),
        ("description tor", "shutdown"),
        ("route-map out permit 2", "route-map out deny 2"),
        ("  network 203.0.113.7/32 route-map class\n", "  network 203.0.113.8/32 route-map class\n"),
    ],
)
def test_a_neighbor_does_not_see_what_nothing_lets_through(change: tuple[str, str]) -> None:
    """A map that is missing denies, and an external neighbor without a map is sent nothing (RFC 8212)."""
    assert seen(change) is None


@pytest.mark.parametrize(
    ("settings", "path", "preference"),
    [
        ("remote-as external", (64512,), None),
        ("remote-as internal", (), 200),
        ("remote-as 64512", (), 200),
        ("remote-as 64520\n neighbor 192.0.2.1 local-as 65000 no-prepend replace-as", (65000,), None),
        ("remote-as 64520\n neighbor 192.0.2.1 local-as 65000", (65000, 64512), None),
    ],
)
def test_the_kind_of_session_decides_path_and_preference(
    settings: str, path: tuple[int, ...], preference: int | None
) -> None:
    """The path is what the neighbor reads: our own ASN in front of what was prepended."""
    found = seen(("remote-as 64520", settings))
    assert found is not None
    assert (found.as_path, found.local_preference) == ((*path, 64512, 64512), preference)


def test_an_internal_session_has_the_default_preference_unless_a_map_sets_one() -> None:
    """100 in FRR, and it is on the wire."""
    found = seen(("remote-as 64520", "remote-as internal"), (" set local-preference 200\n", ""))
    assert found is not None
    assert found.local_preference == 100


def test_lines_of_templates_that_are_not_computed_are_shown() -> None:
    """A condition of a permit is taken to hold; whoever reads the plan sees it."""
    found = seen((" match tag 7\n", " match tag 7\n match ip address prefix-list x\n set metric 5\n"))
    assert found is not None
    assert found.other == ("permit match ip address prefix-list x", "set metric 5")
    assert found.communities == EXTERNAL.communities


def test_a_member_of_a_peer_group_has_what_the_group_has() -> None:
    """As operators write it for unnumbered fabrics."""
    found = seen(
        (" neighbor 192.0.2.1 remote-as 64520\n", " neighbor fabric peer-group\n neighbor fabric remote-as external\n"),
        (" neighbor 192.0.2.1 description tor\n", " neighbor eth0 interface peer-group fabric\n"),
        ("  neighbor 192.0.2.1 activate\n", "  neighbor fabric activate\n"),
        ("neighbor 192.0.2.1 route-map", "neighbor fabric route-map"),
        peer="eth0",
    )
    assert found == EXTERNAL


def test_a_route_map_adds_to_communities_or_takes_them_away() -> None:
    """``additive`` keeps those of the class, ``none`` keeps nothing."""
    added = seen(("set tag 7", "set tag 7\n set community 1:1"), ("64512:2 64512:1", "64512:1 additive"))
    none = seen(("set tag 7", "set tag 7\n set community 1:1"), ("64512:2 64512:1", "none"))
    assert added is not None
    assert none is not None
    assert (added.communities, none.communities) == (("1:1", "64512:1"), ())


def test_changes_are_told_for_each_peer_and_vrf() -> None:
    """The same address in a VRF is another peer."""
    before = effect_of(parse(CONFIG))
    after = effect_of(parse(CONFIG.replace("router bgp 64512", "router bgp 64512 vrf red")))
    lost, gained = prefix_changes(before, after)
    assert (lost.vrf, lost.name, [change.after for change in lost.prefixes]) == ("", "tor", [None])
    assert (gained.vrf, gained.name, [change.before for change in gained.prefixes]) == ("red", "tor", [None])


def test_an_unchanged_password_is_no_difference_whoever_hid_it() -> None:
    """An agent gives no password away; the other side is hidden in the same way."""
    line = " neighbor 192.0.2.1 description tor\n"
    tree = parse(CONFIG.replace(line, f"{line} neighbor 192.0.2.1 password s3cret\n"))
    assert not node_preview("n1", "10.3", redacted(tree), tree).commands
    other = parse(CONFIG.replace(line, f"{line} neighbor 192.0.2.1 password another\n"))
    preview = node_preview("n1", "10.3", redacted(tree), other)
    assert [session.reason[:36] for session in preview.sessions] == ["neighbor 192.0.2.1 password <hidden:"]
    assert "another" not in repr(preview)


def test_a_password_is_hidden_wherever_a_template_printed_it_and_numbers_stay() -> None:
    """A description with the password in it shows its hash; an ASN that is the password of somebody stays."""
    tree = parse(
        "router bgp 64512\n neighbor 192.0.2.1 remote-as 64520\n neighbor 192.0.2.1 password 64520\n"
        " neighbor 192.0.2.1 description key 64520!\n neigh 192.0.2.2 passw s3cret\n"
    )
    lines = list(redacted(tree)["router bgp 64512"])
    mark = lines[1].rpartition(" ")[2]
    assert lines[0] == "neighbor 192.0.2.1 remote-as 64520"
    assert mark.startswith("<hidden:")
    assert lines[2] == f"neighbor 192.0.2.1 description key {mark}!"
    assert lines[3].startswith("neigh 192.0.2.2 passw <hidden:")


def test_a_reset_is_told_in_the_vrf_that_changes() -> None:
    """The same address may be a peer in several."""
    text = CONFIG + CONFIG[CONFIG.index("router bgp") :].replace("router bgp 64512", "router bgp 64512 vrf red")
    changed = text.replace("vrf red\n no bgp", "vrf red\n bgp router-id 192.0.2.9\n no bgp")
    assert changed != text
    sessions = node_preview("n1", "10.3", parse(text), parse(changed)).sessions
    assert [(session.vrf, session.fate.value) for session in sessions] == [("red", "reset")]
