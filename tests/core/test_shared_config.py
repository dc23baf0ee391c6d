"""Our part of an FRR that an operator runs: what is ours, what fits, and plans that touch nothing else."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from frrsync.core.frr_config import (
    MARK,
    Activation,
    AddressFamily,
    BfdProfileConfig,
    BgpRouter,
    ClassMap,
    FrrConfig,
    Neighbor,
    Network,
    OutboundEntry,
    OutboundMap,
)
from frrsync.core.shared_config import shared_config
from frrsync.errors import ConfigError
from frrsync.frr.dialect import dialect_of
from frrsync.frr.plan import Command, Daemon
from frrsync.frr.render import Renderer
from frrsync.frr.scope import managed
from frrsync.frr.shared import has_lost, make_plan, ours
from frrsync.frr.shared_fit import fit, held
from frrsync.frr.tree import parse

if TYPE_CHECKING:
    from frrsync.frr.tree import Tree

DIALECT = dialect_of("FRRouting 10.3 --enable-multipath=256")
ROUTER = "router bgp 64512"
IPV4 = "address-family ipv4 unicast"
IPV6 = "address-family ipv6 unicast"
OPERATOR = """frr defaults traditional
bgp route-map delay-timer 1
ip prefix-list MINE seq 5 permit 192.0.2.0/24
route-map MINE permit 10
exit
bfd
 profile uplink
 exit
exit
router bgp 64512
 bgp router-id 192.0.2.1
 no bgp network import-check
 neighbor fab0 interface remote-as external
 !
 address-family ipv4 unicast
  network 192.0.2.1/32
 exit-address-family
exit
"""


def config(prefixes: tuple[str, ...] = ("203.0.113.7/32",), *, asn: int = 64512) -> FrrConfig:
    """Return what a node with one IPv4 and one IPv6 peer wants, as for an FRR of our own."""
    entry = OutboundEntry(sequence=1, tag=7, description="all")
    return FrrConfig(
        bfd_profiles=(BfdProfileConfig(name="fast", receive_interval=100),),
        class_maps=(ClassMap(name="frrsync-class-00000007", tag=7, description="all"),),
        outbound_maps=(OutboundMap(name="frrsync-out-1", entries=(entry,)),),
        routers=(
            BgpRouter(
                asn=asn,
                router_id="192.0.2.1",
                preserve_fw_state=True,
                neighbors=(
                    Neighbor(peer="10.0.0.1", remote_as="65001", description="tor", bfd_profile="fast", connect_time=5),
                    Neighbor(peer="fd00::1", remote_as="65001", description="six", connect_time=5),
                ),
                address_families=(
                    AddressFamily(
                        name="ipv4",
                        networks=tuple(Network(prefix=item, class_map="frrsync-class-00000007") for item in prefixes),
                        activations=(Activation(peer="10.0.0.1", outbound_map="frrsync-out-1"),),
                        maximum_paths=16,
                    ),
                    AddressFamily(
                        name="ipv6",
                        networks=(),
                        activations=(Activation(peer="fd00::1", outbound_map="frrsync-out-1"),),
                        maximum_paths=16,
                    ),
                ),
            ),
        ),
    )


def rendered(wanted: FrrConfig) -> Tree:
    """Return the tree of a configuration for a shared FRR."""
    return Renderer(None, DIALECT).render(shared_config(wanted)).tree


def merged(one: Tree, other: Tree) -> Tree:
    """Return both configurations in one."""
    return {**one, **{line: merged(one.get(line, {}), below) for line, below in other.items()}}


def running(wanted: FrrConfig, operator: str = OPERATOR) -> Tree:
    """Return an operator's FRR that took a configuration: IPv4 is said of nobody, but that the others have it not."""
    tree = merged(parse(operator), rendered(wanted))
    family = tree[ROUTER][IPV4]
    family.pop("neighbor 10.0.0.1 activate")
    family["no neighbor fd00::1 activate"] = {}
    return tree


def test_nothing_is_rendered_but_what_is_ours() -> None:
    """No global line, no line of the instance, no equal paths; names of ours; the mark on, and off again."""
    text = Renderer(None, DIALECT).render(shared_config(config())).text
    for line in ("frr defaults", "delay-timer", "router-id", "import-check", "default ipv4", "maximum-paths"):
        assert line not in text, f"expected no {line!r}, found {text}"
    for line in ("coalesce-time", "multipath-relax", "preserve-fw-state", " nht "):
        assert line not in text, f"expected no {line!r}, found {text}"
    for line in (" profile frrsync-fast", " neighbor 10.0.0.1 bfd profile frrsync-fast", " set large-community none"):
        assert line in text.splitlines(), f"expected {line!r}, found {text}"
    assert f" set large-community {MARK}" in text


def test_a_long_profile_keeps_a_name_of_its_own() -> None:
    """FRR takes 63 characters; two long names stay two."""
    names = ["p" * 62 + "a", "p" * 62 + "b"]
    found = shared_config(FrrConfig(bfd_profiles=tuple(BfdProfileConfig(name=name) for name in names))).bfd_profiles
    assert all(len(item.name) <= 63 and item.name.startswith("frrsync-") for item in found)
    assert len({item.name for item in found}) == 2


def test_what_frr_took_is_what_is_wanted() -> None:
    """The running configuration less the operator's lines equals the fitted one: nothing to do."""
    there = running(config())
    part = ours(there, DIALECT)
    fitted = fit(rendered(config()), there, part)
    assert fitted.obstacles == ("neighbor fab0",) or not fitted.obstacles
    assert make_plan(part, managed(fitted.tree, DIALECT)).commands == ()


def test_nothing_of_the_operators_is_ours() -> None:
    """Not even an empty instance or context is left of it."""
    assert ours(parse(OPERATOR), DIALECT) == {}


def test_everything_of_ours_goes_and_nothing_else() -> None:
    """No instance and no context is taken back."""
    lines = [
        " / ".join((*item.context, item.line)) for item in make_plan(ours(running(config()), DIALECT), {}).commands
    ]
    assert f"{ROUTER} / no neighbor 10.0.0.1" in lines
    assert f"{ROUTER} / {IPV4} / no network 203.0.113.7/32" in lines
    assert "bfd / no profile frrsync-fast" in lines
    assert not {"no bfd", f"no {ROUTER}"} & set(lines), f"expected the operator's contexts to stay, found {lines}"


def test_a_new_neighbor_is_marked_and_leaves_the_families_it_is_in_by_default() -> None:
    """Before anything else is said of it; it is opened last."""
    fitted = managed(fit(rendered(config()), parse(OPERATOR), {}).tree, DIALECT)
    commands = make_plan({}, fitted).commands
    lines = [command.line for command in commands]
    start = lines.index("neighbor fd00::1 remote-as 65001")
    assert commands[start + 1 : start + 4] == (
        Command(Daemon.BGPD, (ROUTER,), "neighbor fd00::1 shutdown message frrsync-unfinished"),
        Command(Daemon.BGPD, (ROUTER, IPV4), "no neighbor fd00::1 activate"),
        Command(Daemon.BGPD, (ROUTER, IPV6), "no neighbor fd00::1 activate"),
    )
    assert lines.index("neighbor fd00::1 activate") < lines.index("no neighbor fd00::1 shutdown")


def test_a_neighbor_that_was_left_half_made_is_made_anew() -> None:
    """It is ours by its mark, and would see the operator's routes if it were opened before its maps stand."""
    there = parse(OPERATOR)
    there[ROUTER]["neighbor 10.0.0.1 remote-as 65001"] = {}
    there[ROUTER]["neighbor 10.0.0.1 shutdown message frrsync-unfinished"] = {}
    part = ours(there, DIALECT)
    fitted = fit(rendered(config()), there, part)
    assert not [text for text in fitted.obstacles if "10.0.0.1" in text]
    lines = [command.line for command in make_plan(part, managed(fitted.tree, DIALECT)).commands]
    assert lines[0] == "no neighbor 10.0.0.1"
    assert "neighbor 10.0.0.1 remote-as 65001" in lines


def test_a_neighbor_that_lost_our_maps_is_made_anew() -> None:
    """It says nothing but what we would say: a reload of the operator's met one that we had just brought back."""
    operator = OPERATOR.replace("traditional", "datacenter").replace(
        " neighbor fab0 interface remote-as external\n", ""
    )
    there = parse(operator)
    there[ROUTER] |= {"neighbor 10.0.0.1 remote-as 65001": {}, "neighbor 10.0.0.1 description tor": {}}
    fitted = fit(rendered(config()), there, ours(there, DIALECT))
    assert fitted.obstacles == ()
    lines = [command.line for command in make_plan({}, managed(fitted.tree, DIALECT)).commands]
    assert "neighbor 10.0.0.1 shutdown message frrsync-unfinished" in lines


@pytest.mark.parametrize("lines", ["remote-as 65001", "remote-as 65001; timers connect 5"])
def test_a_plain_neighbor_of_the_operators_is_not_taken_over(lines: str) -> None:
    """It says nothing but what we would say; but it does not say the name of our BGPPeer."""
    there = parse(OPERATOR)
    there[ROUTER] |= {f"neighbor 10.0.0.1 {line}": {} for line in lines.split("; ")}
    fitted = fit(rendered(config()), there, ours(there, DIALECT))
    assert "neighbor 10.0.0.1 of 'router bgp 64512' is the operator's" in fitted.obstacles[0]
    assert not [line for line in (*fitted.tree[ROUTER], *fitted.tree[ROUTER][IPV4]) if " 10.0.0.1 " in line]


def test_a_neighbor_whose_first_line_was_the_last_of_an_agent_is_made_anew() -> None:
    """A map announces it before that line and goes behind the last one."""
    there = parse(OPERATOR)
    fitted = managed(fit(rendered(config()), there, {}).tree, DIALECT)
    commands = make_plan({}, fitted, there).commands
    announcing = Command(Daemon.BGPD, ("route-map frrsync-new-10.0.0.1 permit 10",), "")
    first = Command(Daemon.BGPD, (ROUTER,), "neighbor 10.0.0.1 remote-as 65001")
    assert commands.index(announcing) < commands.index(first)
    assert commands[-2:] == tuple(
        Command(Daemon.BGPD, (), f"no route-map frrsync-new-{peer}") for peer in ("10.0.0.1", "fd00::1")
    )
    there[announcing.context[0]] = {}
    there[ROUTER][first.line] = {}
    part = ours(there, DIALECT)
    again = fit(rendered(config()), there, part)
    assert not [text for text in again.obstacles if "10.0.0.1" in text]
    lines = [command.line for command in make_plan(part, managed(again.tree, DIALECT), there).commands]
    assert "neighbor 10.0.0.1 shutdown message frrsync-unfinished" in lines
    assert "no route-map frrsync-new-10.0.0.1" in lines


def test_a_peer_group_is_never_ours() -> None:
    """Also when the operator has it use a map of ours: its members would go with it."""
    there = parse(OPERATOR)
    there[ROUTER] |= {"neighbor G peer-group": {}, "neighbor G remote-as external": {}}
    there[ROUTER][IPV4] = {"neighbor G route-map frrsync-in in": {}, **there[ROUTER][IPV4]}
    assert ours(there, DIALECT) == {}


def test_a_neighbor_that_the_operator_shut_is_not_half_made() -> None:
    """Whatever words he uses, in the message or in a description."""
    there = parse(OPERATOR)
    there[ROUTER] |= {
        "neighbor 192.0.2.9 remote-as 65009": {},
        "neighbor 192.0.2.9 shutdown message frrsync": {},
        "neighbor fab0 description was shutdown message frrsync-unfinished": {},
    }
    assert ours(there, DIALECT) == {}


def test_a_new_neighbor_leaves_every_family_that_the_instance_activates() -> None:
    """Before it is opened: else it would be sent the operator's EVPN routes."""
    whole = parse(OPERATOR.replace(" bgp router-id", " bgp default l2vpn-evpn\n bgp router-id"))
    fitted = managed(fit(rendered(config()), whole, {}).tree, DIALECT)
    evpn = [item for item in make_plan({}, fitted, whole).commands if "address-family l2vpn evpn" in item.context]
    assert [item.line for item in evpn] == ["no neighbor 10.0.0.1 activate", "no neighbor fd00::1 activate"]


def test_lines_that_were_taken_away_are_told_from_prefixes() -> None:
    """A prefix that goes is ours to withdraw; anything else was taken by somebody else."""
    taken = ours(running(config()), DIALECT)
    assert not has_lost(taken, taken)
    without_prefix = ours(running(config(())), DIALECT)
    assert not has_lost(taken, without_prefix)
    for path in (("route-map frrsync-in deny 65535",), ("bfd", "profile frrsync-fast"), (ROUTER, IPV4), (ROUTER,)):
        less = deepcopy(taken)
        context = less
        for line in path[:-1]:
            context = context[line]
        del context[path[-1]]
        assert has_lost(taken, less), f"expected {path} to be missed"


def test_while_lines_are_taken_away_prefixes_still_go_and_nothing_comes() -> None:
    """What is left stays as it is, but for what is not to be announced."""
    part = ours(running(config(("203.0.113.7/32", "203.0.113.8/32"))), DIALECT)
    fitted = fit(rendered(config(("203.0.113.8/32", "203.0.113.9/32"))), running(config()), part)
    plan = make_plan(part, managed(held(part, fitted.tree), DIALECT))
    assert [command.line for command in plan.commands] == ["no network 203.0.113.7/32"]


def test_a_view_is_not_the_default_vrf() -> None:
    """It is an instance of its own, which no BGPPeer names."""
    (said,) = fit(rendered(config()), parse(OPERATOR.replace(ROUTER, f"{ROUTER} view route-server")), {}).obstacles
    assert "no BGP instance in the default VRF" in said


def test_a_transit_class_carries_the_mark() -> None:
    """While prefixes are parked in it, an operator's neighbor must not see them either."""
    before = config()
    other = OutboundEntry(sequence=1, tag=7, description="all", communities=("64512:1",))
    maps = (OutboundMap(name="frrsync-out-1", entries=(other, OutboundEntry(sequence=2, tag=8, description="b"))),)
    router = before.routers[0]
    moved = (Network(prefix="203.0.113.7/32", class_map="frrsync-class-00000008"),)
    family = FrrConfig(
        bfd_profiles=before.bfd_profiles,
        class_maps=(*before.class_maps, ClassMap(name="frrsync-class-00000008", tag=8, description="b")),
        outbound_maps=maps,
        routers=(
            BgpRouter(
                asn=router.asn,
                router_id=router.router_id,
                neighbors=router.neighbors,
                address_families=(
                    AddressFamily(name="ipv4", networks=moved, activations=router.address_families[0].activations),
                    router.address_families[1],
                ),
            ),
        ),
    )
    there = running(before)
    part = ours(there, DIALECT)
    commands = make_plan(part, managed(fit(rendered(family), there, part).tree, DIALECT)).commands
    transit = [command for command in commands if command.context and "frrsync-transit-" in command.context[0]]
    assert [command.line.split(" ")[1] for command in transit] == ["large-community", "tag"]


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        (OPERATOR.replace("router bgp 64512", "router bgp 65100"), ("tor, six", "64512", "router bgp 65100")),
        (OPERATOR.partition("router bgp")[0], ("no BGP instance in the default VRF", "'router bgp 64512'")),
        (
            OPERATOR.replace(" no bgp network import-check\n", "").replace("bgp route-map delay-timer 1\n", ""),
            ("add 'bgp route-map delay-timer 1', 'router bgp 64512 / no bgp network import-check'",),
        ),
    ],
)
def test_an_instance_that_is_not_ready_gets_nothing(operator: str, words: tuple[str, ...]) -> None:
    """The obstacle names what is there and what is wanted, or the lines to add."""
    fitted = fit(rendered(config()), parse(operator), {})
    assert fitted.tree == {}
    (said,) = fitted.obstacles
    assert all(word in said for word in words), f"expected {words}, found {said}"


def test_what_goes_still_goes_when_a_line_is_missing() -> None:
    """Nothing new, nothing changed, but a prefix that is not wanted any more is withdrawn."""
    there = running(
        config(("203.0.113.7/32", "203.0.113.8/32")), OPERATOR.replace(" no bgp network import-check\n", "")
    )
    part = ours(there, DIALECT)
    fitted = fit(rendered(config(("203.0.113.8/32", "203.0.113.9/32"))), there, part)
    lines = [command.line for command in make_plan(part, managed(fitted.tree, DIALECT)).commands]
    assert lines == ["no network 203.0.113.7/32"]


def test_an_open_neighbor_closes_its_family_only() -> None:
    """Neighbors of ours stay, prefixes of the family go."""
    operator = OPERATOR.replace("traditional", "datacenter")
    fitted = fit(rendered(config()), parse(operator), {})
    assert len(fitted.obstacles) == 1
    assert not [line for line in fitted.tree[ROUTER][IPV4] if line.startswith("network ")]
    assert "neighbor 10.0.0.1 activate" in fitted.tree[ROUTER][IPV4]
    assert not fit(rendered(config()), parse(operator), {}, ("fab0",)).obstacles


def test_what_the_operator_has_too_is_left_out() -> None:
    """A neighbor and a prefix; the obstacle names the BGPPeer."""
    operator = OPERATOR.replace(
        "  network 192.0.2.1/32\n", "  network 192.0.2.1/32\n  network 203.0.113.7/32\n"
    ).replace(" !\n", " neighbor 10.0.0.1 remote-as 65001\n neighbor 10.0.0.1 shutdown\n !\n")
    fitted = fit(rendered(config(("203.0.113.7/32", "203.0.113.9/32"))), parse(operator), {})
    router = fitted.tree[ROUTER]
    assert not [line for line in (*router, *router[IPV4]) if "10.0.0.1" in line]
    assert [line for line in router[IPV4] if line.startswith("network ")] == [
        "network 203.0.113.9/32 route-map frrsync-class-00000007"
    ]
    assert [text.split(",")[0] for text in fitted.obstacles] == [
        "neighbor 10.0.0.1 of 'router bgp 64512' is the operator's",
        "network 203.0.113.7/32 of 'router bgp 64512' is the operator's and stays as it is",
    ]


def test_lines_of_templates_that_are_not_ours_are_left_out() -> None:
    """At the top, in the instance and in a family; lines of our neighbors stay."""
    wanted = rendered(config())
    wanted["log syslog"] = {}
    wanted[ROUTER] |= {"bgp cluster-id 1.1.1.1": {}, "neighbor 10.0.0.1 passive": {}}
    wanted[ROUTER] |= {"neighbor 192.0.2.77 remote-as 65077": {}, "no neighbor fab0 bfd": {}}
    wanted[ROUTER][IPV4] = {"neighbor fab0 route-map frrsync-in in": {}, **wanted[ROUTER][IPV4]}
    wanted[ROUTER][IPV4] |= {"redistribute static": {}}
    fitted = fit(wanted, parse(OPERATOR), {})
    (said,) = fitted.obstacles
    assert "bgp cluster-id 1.1.1.1" in said
    assert "log syslog" not in fitted.tree
    for line in ("neighbor 192.0.2.77 remote-as 65077", "no neighbor fab0 bfd"):
        assert line not in fitted.tree[ROUTER], f"expected no line of a neighbor without our maps, found {line!r}"
    assert "neighbor fab0 route-map frrsync-in in" not in fitted.tree[ROUTER][IPV4]
    assert "neighbor 10.0.0.1 passive" in fitted.tree[ROUTER]
    assert "bgp cluster-id 1.1.1.1" not in fitted.tree[ROUTER]
    assert "redistribute static" not in fitted.tree[ROUTER][IPV4]


def test_a_plan_that_would_touch_the_operators_lines_is_refused() -> None:
    """The last net under everything else."""
    mine: Tree = {"neighbor 10.0.0.1 remote-as 65001": {}}
    refused: tuple[Tree, ...] = (
        {"bgp route-map delay-timer 1": {}},
        {ROUTER: {**mine, "bgp cluster-id 1.1.1.1": {}}},
        {ROUTER: {**mine, IPV4: {"neighbor 10.0.0.1 route-map frrsync-out-1 out": {}, "redistribute static": {}}}},
    )
    for wanted in refused:
        with pytest.raises(ConfigError, match="not frrsync's to set in a shared FRR"):
            make_plan({}, wanted)


def test_where_all_neighbors_are_the_operators_nothing_is_sent() -> None:
    """Without a neighbor and a prefix nothing is left of an instance, which FRR would not print either."""
    wanted = config(())
    router = wanted.routers[0]
    families = tuple(replace(family, networks=()) for family in router.address_families[:1])
    only = replace(wanted, routers=(replace(router, neighbors=router.neighbors[:1], address_families=families),))
    there = parse(OPERATOR + "router bgp 64512\n neighbor 10.0.0.1 remote-as 65001\nexit\n")
    fitted = fit(rendered(only), there, {})
    assert ROUTER not in fitted.tree, f"expected nothing of the instance, found {fitted.tree}"
    commands = make_plan({}, managed(fitted.tree, DIALECT)).commands
    assert not [item for item in commands if item.context[:1] == (ROUTER,)], f"found {commands}"


def test_an_instance_with_dotted_notation_is_the_same_instance() -> None:
    """FRR 10 prints ``1.0`` for 65536, and what was said of the notation."""
    operator = OPERATOR.replace("router bgp 64512", "router bgp 1.0 as-notation dot")
    fitted = fit(rendered(config(asn=65536)), parse(operator), {})
    assert not fitted.obstacles
    assert "router bgp 65536" in fitted.tree
