"""Configurations in steps: for every field, without it, with it, changed, and without it again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from frrsync.core.frr_config import BfdProfileConfig, FrrConfig, Neighbor, OutboundEntry, OutboundMap
from golden.test_render_roundtrip import (
    CLASS,
    DEFAULT_PROFILE,
    EVERYTHING,
    FULL_PROFILE,
    IPV6,
    NOTHING,
    OUT,
    PLAIN,
    UNNUMBERED,
    config,
    router,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.core.frr_config import BgpRouter

Steps = tuple[FrrConfig, ...]
Fields = dict[str, Any]

EXTERNAL = replace(PLAIN, connect_time=5)
INTERNAL = Neighbor(peer="192.0.2.5", remote_as="64512", connect_time=5)
BARE = Neighbor(peer=EVERYTHING.peer, remote_as="64520")
KINDS = {"external": EXTERNAL, "internal": INTERNAL, "ipv6": IPV6, "unnumbered": UNNUMBERED}

_ANY: dict[str, tuple[Fields, Fields]] = {
    "description": ({"description": "a b"}, {"description": "c"}),
    "bfd": ({"bfd_profile": "full.profile-1"}, {"bfd_profile": "defaults"}),
    "password": ({"password": "one"}, {"password": "two"}),
    "port": ({"port": 1790}, {"port": 1791}),
    "connect time": ({"connect_time": 7}, {"connect_time": 120}),
    "timers": ({"keepalive_time": 3, "hold_time": 9}, {"keepalive_time": 60, "hold_time": 180}),
    "hold time 0": ({"keepalive_time": 0, "hold_time": 0}, {"keepalive_time": 1, "hold_time": 3}),
    "graceful restart": ({"graceful_restart": True}, {"graceful_restart": True, "description": "x"}),
    "remote-as": ({"remote_as": "64777"}, {"remote_as": "external"}),
    "from external to internal": ({"remote_as": "internal", "local_as": None}, {"remote_as": "external"}),
}
_EXTERNAL: dict[str, tuple[Fields, Fields]] = {"local-as": ({"local_as": 64999}, {"local_as": 64997})}
_NUMBERED: dict[str, tuple[Fields, Fields]] = {
    "multihop": ({"ebgp_multihop": 2}, {"ebgp_multihop": 254}),
    "connected check": ({"disable_connected_check": True}, {"disable_connected_check": True, "ebgp_multihop": 5}),
}
_ABSENT: Fields = {
    "description": "",
    "bfd_profile": "",
    "password": "",
    "port": None,
    "connect_time": None,
    "keepalive_time": None,
    "hold_time": None,
    "local_as": None,
    "ebgp_multihop": None,
    "disable_connected_check": False,
    "update_source": "",
    "graceful_restart": False,
}


def _only(*neighbors: Neighbor) -> FrrConfig:
    families = ("ipv6",) if any(":" in item.peer for item in neighbors) else ("ipv4",)
    return config(router(*neighbors, families=families))


def _neighbor_steps() -> Iterator[tuple[str, Steps]]:
    for kind, neighbor in KINDS.items():
        fields = dict(_ANY)
        if kind != "internal":
            fields |= _EXTERNAL
        if kind in {"external", "ipv6"}:
            fields |= _NUMBERED
        if kind != "unnumbered":
            source = "2001:db8:0:1::11" if kind == "ipv6" else "192.0.2.11"
            fields["update-source"] = ({"update_source": source}, {"update_source": "eth0"})
        for name, (first, second) in fields.items():
            absent = {field: _ABSENT[field] for field in {**first, **second} if field in _ABSENT}
            stages: tuple[Fields, ...] = (absent, absent | first, absent | second, absent)
            yield f"{kind}: {name}", tuple(_only(replace(neighbor, **stage)) for stage in stages)
    yield "everything at once", tuple(_only(item) for item in (BARE, EVERYTHING, BARE))
    yield (
        "everything, external and internal",
        tuple(_only(item) for item in (EVERYTHING, replace(BARE, remote_as="internal"), EVERYTHING)),
    )


def _router_steps() -> Iterator[tuple[str, Steps]]:
    plain = router(EXTERNAL)
    dual = router(EXTERNAL, families=("ipv4", "ipv6"))
    for name, values in {
        "router_id": ("192.0.2.99",),
        "multipath_relax": (False,),
        "preserve_fw_state": (True,),
        "asn": (64999, 65000),
    }.items():
        changed = [replace(plain, **{name: value}) for value in values]  # type: ignore[arg-type]
        yield f"router: {name}", tuple(config(item) for item in (plain, *changed, plain))
    paths = [
        replace(dual, address_families=tuple(replace(item, maximum_paths=most) for item in dual.address_families))
        for most in (None, 8, 16, 1, 256, 2, None)
    ]
    yield "router: maximum paths", tuple(config(item) for item in paths)
    ipv6 = router(EXTERNAL, families=("ipv6",))
    yield "router: families", tuple(config(item) for item in (plain, dual, ipv6, plain))
    everybody = router(UNNUMBERED, EXTERNAL, EVERYTHING, IPV6, families=("ipv4", "ipv6"))
    several = (plain, everybody, router(EVERYTHING), router(UNNUMBERED), router(), plain)
    yield "router: neighbors come and go", tuple(config(item) for item in several)
    yield "router: there or not", (config(plain), config(), config(plain), FrrConfig(), config(plain))


def _vrf_steps() -> Iterator[tuple[str, Steps]]:
    plain = router(EXTERNAL)
    red = replace(plain, vrf="red")
    blue = replace(router(replace(EXTERNAL, password="x")), vrf="blue", asn=64513)
    both: tuple[tuple[BgpRouter, ...], ...] = ((plain,), (plain, red), (plain, blue, red), (red,), (blue,))
    more: tuple[tuple[BgpRouter, ...], ...] = ((replace(plain, asn=65000), red), (red,), (plain,))
    yield "VRF: come and go", tuple(config(*routers) for routers in (*both, *more))
    moved = ((plain,), (red,), (blue, red), (replace(blue, asn=64999), red), (plain,))
    yield "VRF: a neighbor moves", tuple(config(*routers) for routers in moved)
    interface = router(UNNUMBERED)
    other = replace(router(replace(UNNUMBERED, peer="eth1")), vrf="red")
    unnumbered = ((interface,), (interface, other), (replace(interface, vrf="red"),), (interface,))
    yield "VRF: an interface moves", tuple(config(*routers) for routers in unnumbered)


def _bfd_steps() -> Iterator[tuple[str, Steps]]:
    def used(**fields: Any) -> FrrConfig:
        profile = BfdProfileConfig(name="x", **fields)
        return replace(_only(replace(EXTERNAL, bfd_profile="x")), bfd_profiles=(profile,))

    for name, values in {
        "detect_multiplier": (5, 3, 255),
        "transmit_interval": (100, 300, 60000),
        "receive_interval": (100, 300, 60000),
        "echo_interval": (100, 50, 60),
        "echo_mode": (True,),
        "passive_mode": (True,),
        "minimum_ttl": (1, 254, 200),
    }.items():
        yield f"BFD: {name}", (used(), *(used(**{name: value}) for value in values), used())
    base = config(router(EXTERNAL))
    profiles = ((DEFAULT_PROFILE,), (replace(FULL_PROFILE, name="defaults"),), (DEFAULT_PROFILE,), (), (FULL_PROFILE,))
    yield "BFD: profiles", (*(replace(base, bfd_profiles=item) for item in profiles), FrrConfig())


def _map_steps() -> Iterator[tuple[str, Steps]]:
    """Yield an entry's fields twice: under a new name, as the decision does, and under the same, as nobody should."""

    def swapped(entry: OutboundEntry) -> FrrConfig:
        name = f"frrsync-out-{abs(hash(entry)):x}"
        return replace(
            config(router(EXTERNAL, outbound=name)), outbound_maps=(OutboundMap(name=name, entries=(entry,)),)
        )

    def edited(entry: OutboundEntry) -> FrrConfig:
        return replace(_only(EXTERNAL), outbound_maps=(replace(OUT, entries=(entry,)), NOTHING))

    start = OutboundEntry(sequence=1, tag=CLASS.tag, description="d")
    for name, values in {
        "description": ("x", "y z"),
        "communities": (("64512:1",), ("64512:2", "no-export")),
        "large_communities": (("1:2:3",), ("1:2:4", "1:2:5")),
        "local_preference": (5, 0),
        "as_path_prepend": ((1, 2), (3,)),
        "tag": (9, 10),
        "sequence": (3, 77),
    }.items():
        entries = (start, *(replace(start, **{name: value}) for value in values), start)  # type: ignore[arg-type]
        yield f"another map: {name}", tuple(swapped(entry) for entry in entries)
        yield f"the same map: {name}", tuple(edited(entry) for entry in entries)


STEPS: dict[str, Steps] = {
    name: steps
    for group in (_neighbor_steps(), _router_steps(), _vrf_steps(), _bfd_steps(), _map_steps())
    for name, steps in group
}
