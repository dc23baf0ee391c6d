"""What the renderer prints comes back from a real FRR line by line, for every field of the configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from frrsync.core.community import WELL_KNOWN
from frrsync.core.frr_config import (
    INBOUND_MAP,
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
from frrsync.errors import LabError
from frrsync.frr.dialect import dialect_of
from frrsync.frr.render import Renderer
from frrsync.frr.tree import difference
from golden.boot import REPOSITORY, without_noise

if TYPE_CHECKING:
    from frrsync.frr.tree import Tree
    from golden.boot import BootedFrr

pytestmark = pytest.mark.frr

CLASS = ClassMap(name="frrsync-class-f0000001", tag=0xF0000001, description="web, mail-2.example")
OUT = OutboundMap(
    name="frrsync-out-0123456789",
    entries=(
        OutboundEntry(
            sequence=1,
            tag=CLASS.tag,
            description="web \"quoted\" 'too' # ! é",
            communities=("64512:100", "64512:200", *sorted(WELL_KNOWN, key=WELL_KNOWN.__getitem__)),
            large_communities=("4294967295:0:1", "1:2:3"),
            local_preference=0,
            as_path_prepend=(64512, 64512, 4294967295),
        ),
        OutboundEntry(sequence=65534, tag=1, description="", local_preference=4294967295),
    ),
)
NOTHING = OutboundMap(name="frrsync-out-nothing", entries=())
FULL_PROFILE = BfdProfileConfig(
    name="full.profile-1",
    detect_multiplier=4,
    transmit_interval=100,
    receive_interval=150,
    echo_interval=60,
    echo_mode=True,
    passive_mode=True,
    minimum_ttl=200,
)
DEFAULT_PROFILE = BfdProfileConfig(
    name="defaults",
    detect_multiplier=3,
    transmit_interval=300,
    receive_interval=300,
    echo_interval=50,
    minimum_ttl=254,
)
NETWORKS = {
    "ipv4": ("198.51.100.0/26", "203.0.113.7/32", "203.0.113.9/32"),
    "ipv6": ("2001:db8:0:1:1:1:1:1/128", "2001:db8:9::/64", "2001:db8:9::7/128"),
}


def router(*neighbors: Neighbor, families: tuple[str, ...] = ("ipv4",), outbound: str = OUT.name) -> BgpRouter:
    """Return an instance whose neighbors all carry the families."""
    return BgpRouter(
        asn=64512,
        router_id="192.0.2.11",
        neighbors=neighbors,
        address_families=tuple(
            AddressFamily(
                name=family,
                networks=tuple(Network(prefix=prefix, class_map=CLASS.name) for prefix in NETWORKS[family]),
                activations=tuple(Activation(peer=item.peer, outbound_map=outbound) for item in neighbors),
                maximum_paths=16,
            )
            for family in families
        ),
    )


def config(*routers: BgpRouter) -> FrrConfig:
    """Return a configuration with the policy and the profiles of this module."""
    return FrrConfig(
        bfd_profiles=(DEFAULT_PROFILE, FULL_PROFILE),
        class_maps=(CLASS,),
        outbound_maps=(OUT, NOTHING),
        routers=routers,
    )


PLAIN = Neighbor(peer="192.0.2.1", remote_as="64520")
EVERYTHING = Neighbor(
    peer="192.0.2.2",
    remote_as="4200000000",
    description="rack-a # ! ; $x {y} <é>",
    bfd_profile="full.profile-1",
    password="!#\"$\\{}p<>()'`~^;:&*@%,.[]=+-_/",
    ebgp_multihop=254,
    local_as=64999,
    port=1790,
    update_source="192.0.2.11",
    keepalive_time=3,
    hold_time=9,
    connect_time=5,
    graceful_restart=True,
)
IPV6 = Neighbor(
    peer="2001:db8:0:1::1",
    remote_as="external",
    disable_connected_check=True,
    update_source="2001:db8:0:1::11",
    password="p" * 80,
    connect_time=65535,
)
UNNUMBERED = Neighbor(
    peer="eth0",
    unnumbered=True,
    remote_as="external",
    description="unnumbered",
    bfd_profile="defaults",
    password="secret",
    local_as=64998,
    port=1790,
    keepalive_time=60,
    hold_time=180,
    connect_time=120,
    graceful_restart=True,
)
IGNORED_BY_FRR = replace(UNNUMBERED, ebgp_multihop=5, disable_connected_check=True, update_source="192.0.2.11")

CASES = {
    "nothing": FrrConfig(),
    "policy without a router": config(),
    "router without a neighbor": config(router()),
    "plain eBGP": config(router(PLAIN)),
    "every field of a neighbor": config(router(EVERYTHING)),
    "iBGP by number and by word": config(
        router(Neighbor(peer="192.0.2.5", remote_as="64512"), Neighbor(peer="192.0.2.6", remote_as="internal"))
    ),
    "all kinds of neighbors, dual stack": config(
        router(UNNUMBERED, PLAIN, EVERYTHING, IPV6, families=("ipv4", "ipv6"))
    ),
    "an interface takes no multihop and no source": config(router(IGNORED_BY_FRR)),
    "default values are not printed": config(router(replace(PLAIN, port=179))),
    "hold time 0": config(router(replace(PLAIN, keepalive_time=0, hold_time=0))),
    "a neighbor that sees nothing": config(router(PLAIN, outbound=NOTHING.name)),
    "no multipath, forwarding state kept": config(
        replace(router(PLAIN), multipath_relax=False, preserve_fw_state=True)
    ),
    "as many paths as the build has": config(
        replace(
            router(PLAIN),
            address_families=tuple(replace(family, maximum_paths=256) for family in router(PLAIN).address_families),
        )
    ),
    "one path": config(
        replace(
            router(PLAIN),
            address_families=tuple(replace(family, maximum_paths=1) for family in router(PLAIN).address_families),
        )
    ),
    "only a VRF": config(replace(router(PLAIN), vrf="red")),
    "default instance and two VRFs": config(
        router(PLAIN), replace(router(PLAIN), vrf="blue", asn=64513), replace(router(PLAIN), vrf="red")
    ),
    "a family without a neighbor is left out": config(
        replace(
            router(PLAIN),
            address_families=(
                *router(PLAIN).address_families,
                *router(families=("ipv6",)).address_families,
            ),
        )
    ),
}


def shown(left: Tree, right: Tree) -> str:
    """Return what is only in one of two trees, for a failure message."""
    missing = "\n".join(" / ".join(path) for path in difference(left, right))
    added = "\n".join(" / ".join(path) for path in difference(right, left))
    return f"rendered, but not in FRR:\n{missing}\nin FRR, but not rendered:\n{added}"


@pytest.mark.parametrize("case", CASES)
def test_frr_runs_exactly_what_was_rendered(case: str, booted_frr: BootedFrr) -> None:
    """Boot FRR from the rendered text and compare its running configuration as a tree."""
    dialect = dialect_of(booted_frr.installed_version())
    rendered = Renderer(None, dialect).render(CASES[case])
    running = booted_frr.boot(rendered.text)
    assert running == rendered.tree, shown(rendered.tree, running)


def test_a_line_that_frr_refuses_is_reported(booted_frr: BootedFrr) -> None:
    """Judge the judge: a bad line, and a good line of the wrong place, must fail the boot."""
    good = Renderer(None, dialect_of(booted_frr.installed_version())).render(CASES["plain eBGP"]).text
    booted_frr.boot(good)
    with pytest.raises(LabError, match=r"192\.0\.2\.99"):
        booted_frr.boot(
            good.replace(
                " neighbor 192.0.2.1 remote-as", " neighbor 192.0.2.99 timers 3 9\n neighbor 192.0.2.1 remote-as"
            )
        )
    with pytest.raises(LabError, match="line"):
        booted_frr.boot(good.replace("no bgp network import-check", "no bgp network import-chek"))


def test_a_line_that_frr_rewrites_is_seen(booted_frr: BootedFrr) -> None:
    """Judge the judge: a value that FRR changes without a word must show up as a difference."""
    rendered = Renderer(None, dialect_of(booted_frr.installed_version())).render(CASES["plain eBGP"])
    running = booted_frr.boot(rendered.text.replace("203.0.113.7/32", "203.0.113.7/24"))
    assert running != rendered.tree
    assert "203.0.113.0/24" in shown(rendered.tree, running)


def test_frr_starts_with_the_files_that_are_copied_next_to_it(booted_frr: BootedFrr) -> None:
    """The first frr.conf loads; the daemons of this tier run with the options of frr/daemons already."""
    text = (REPOSITORY / "frr/frr.conf").read_text("utf-8")
    running = booted_frr.boot(text)
    assert running == without_noise({"frr defaults traditional": {}, "bgp route-map delay-timer 1": {}})


def test_the_inbound_map_of_the_templates_is_that_of_the_model(booted_frr: BootedFrr) -> None:
    """The template spells the name out; it must be the constant that other code uses."""
    rendered = Renderer(None, dialect_of(booted_frr.installed_version())).render(CASES["plain eBGP"])
    assert f"route-map {INBOUND_MAP} deny 65535" in rendered.tree
