"""Strategies that draw the configuration of one node: peers, policies, prefixes behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from frrsync.core.advertisement import resolve
from frrsync.core.announce import Route, Verdict
from frrsync.core.bgp import BgpBuilder, BgpOptions
from frrsync.core.model import BFDProfile, BGPAdvertisement, BGPPeer, Metadata, NamespacedName, Node, Snapshot

if TYPE_CHECKING:
    from frrsync.core.frr_config import FrrConfig

PEERS = ("192.0.2.1", "192.0.2.2", "2001:db8::3")
INTERFACE = "eth0"
ADVERTISEMENTS = ("a", "b", "c")
PREFIXES = (*(f"203.0.113.{number}/32" for number in range(5)), "2001:db8:9::7/128", "2001:db8:9:1::/64")
_VRFS = ("", "", "red")

advertisements = st.builds(
    lambda peers, communities, large, preference, prepend: BGPAdvertisement(
        meta=Metadata(name=""),
        peers=tuple(peers),
        communities=(*communities, *large),
        local_pref=preference,
        as_path_prepend=prepend,
    ),
    peers=st.lists(st.sampled_from(("p0", "p1", "p2")), max_size=2, unique=True),
    communities=st.lists(st.sampled_from(("64512:1", "64512:2", "no-export")), max_size=2, unique=True),
    large=st.lists(st.sampled_from(("large:64512:1:1", "large:64512:1:2")), max_size=1),
    preference=st.sampled_from((None, 200)),
    prepend=st.sampled_from((None, None, 2)),
)

profiles = st.builds(
    lambda name, **times: BFDProfile(meta=Metadata(name=name), **times),
    name=st.sampled_from(("fast", "slow")),
    detect_multiplier=st.sampled_from((None, 3, 5)),
    transmit_interval=st.sampled_from((None, 100, 300)),
    receive_interval=st.sampled_from((None, 100, 200)),
    echo_interval=st.sampled_from((None, 50, 60)),
    echo_mode=st.booleans(),
    passive_mode=st.booleans(),
    minimum_ttl=st.sampled_from((None, 254, 5)),
)


@st.composite
def _settings(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the session settings of a peer; at most a few differ from their defaults."""
    choices: dict[str, tuple[Any, ...]] = {
        "password": ("one", "two"),
        "local_asn": (64998, 64999),
        "peer_port": (1790, 1791),
        "hold_time": (9, 90, 180),
        "keepalive_time": (3, 60),
        "connect_time": (1, 120),
        "router_id": ("192.0.2.200", "192.0.2.201"),
        "bfd_profile": ("fast", "slow"),
        "enable_graceful_restart": (True,),
        "ebgp_multi_hop": (True,),
        "source_address": ("192.0.2.11", "192.0.2.12"),
        "dual_stack_address_family": (True,),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(choices)), max_size=4))
    return {name: draw(st.sampled_from(choices[name])) for name in sorted(chosen)}


@st.composite
def _peers(draw: st.DrawFn) -> dict[str, BGPPeer]:
    """Draw peers that come and go, with whatever settings; those that contradict each other are left out later."""
    asns = {vrf: draw(st.sampled_from((64512, 64512, 64512, 64514))) for vrf in _VRFS}
    peers = {}
    for number in sorted(draw(st.sets(st.integers(0, 3)))):
        vrf = draw(st.sampled_from(_VRFS))
        settings = draw(_settings())
        where: dict[str, Any] = {"peer_address": PEERS[number]} if number < len(PEERS) else {"interface": INTERFACE}
        dynamic = draw(st.sampled_from((None, None, "internal", "external")))
        if PEERS[2] in where.values():
            settings.pop("source_address", None)
        peers[f"p{number}"] = BGPPeer(
            meta=Metadata(name=f"p{number}"),
            my_asn=asns[vrf],
            peer_asn=None if dynamic else draw(st.sampled_from((64512, 64513, 64999))),
            dynamic_asn=dynamic,
            vrf=vrf,
            **where,
            **settings,
        )
    return peers


def _steady_peers() -> dict[str, BGPPeer]:
    """Return an internal, an external and a dual-stack peer."""
    return {
        f"p{number}": BGPPeer(
            meta=Metadata(name=f"p{number}"),
            my_asn=64512,
            peer_asn=64513 if number else 64512,
            peer_address=PEERS[number],
            dual_stack_address_family=number == 2,
        )
        for number in range(3)
    }


@st.composite
def configurations(draw: st.DrawFn, *, steady: bool = False) -> FrrConfig:
    """Draw the configuration of one node; with ``steady`` the peers are always the same, only policy differs."""
    peers = _steady_peers() if steady else draw(_peers())
    resources = {name: draw(advertisements) for name in ADVERTISEMENTS}
    named = [
        BGPAdvertisement(
            meta=Metadata(name=name),
            peers=item.peers,
            communities=item.communities,
            local_pref=item.local_pref,
            as_path_prepend=item.as_path_prepend,
        )
        for name, item in resources.items()
    ]
    resolved, mistakes = resolve(named, {}, {})
    assert not mistakes, f"expected advertisements without a mistake, found {mistakes}"
    verdicts = {}
    for prefix in PREFIXES:
        names = draw(st.sets(st.sampled_from(ADVERTISEMENTS)))
        if names:
            route = Route(prefix=prefix, advertisements=tuple(sorted(names)))
            name = NamespacedName("default", prefix)
            verdicts[name] = Verdict(service=name, routes=(route,))
    bfd = {} if steady else {item.meta.name: item for item in draw(st.lists(profiles, max_size=2))}
    snapshot = Snapshot(peers=peers, bfd_profiles=bfd)
    maximum_paths = 16 if steady else draw(st.sampled_from((1, 16, 256)))
    options = BgpOptions(maximum_paths=maximum_paths)
    return BgpBuilder().build(snapshot, Node(meta=Metadata(name="n")), verdicts, resolved, options).config
