"""BGPPeer of ``metallb.io`` v1beta1 and v1beta2, from plain data to the model."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from frrsync.core.address import parse_address
from frrsync.core.grammar import dns_subdomain, duration, interface_name, password, vrf_name
from frrsync.core.metallb_kinds import spec_of
from frrsync.core.model import BGPPeer
from frrsync.core.selector_fields import read_selectors

if TYPE_CHECKING:
    from frrsync.core.fields import Fields
    from frrsync.core.model import Metadata

_V1BETA1: Final = frozenset(
    {
        "bfdProfile",
        "ebgpMultiHop",
        "holdTime",
        "keepaliveTime",
        "myASN",
        "nodeSelectors",
        "password",
        "peerASN",
        "peerAddress",
        "peerPort",
        "routerID",
        "sourceAddress",
    }
)
_V1BETA2: Final = _V1BETA1 | {
    "connectTime",
    "disableMP",
    "dualStackAddressFamily",
    "dynamicASN",
    "enableGracefulRestart",
    "interface",
    "localASN",
    "passwordSecret",
    "vrf",
}
_ONLY_V1BETA2: Final = MappingProxyType(
    dict.fromkeys(_V1BETA2 - _V1BETA1, "it exists in metallb.io/v1beta2 only, change apiVersion")
)
_PASSWORD_SECRET: Final = frozenset({"name", "namespace"})
_MAX_ASN: Final = 2**32 - 1
_MAX_TIMER: Final = 65535  # seconds; two octets in BGP's OPEN message (RFC 4271 section 4.2)
_MAX_PORT: Final = 16384  # the schema's bound, odd as it is
_SECOND: Final = 10**9


class DynamicASN(StrEnum):
    """``spec.dynamicASN``."""

    INTERNAL = "internal"
    EXTERNAL = "external"


def read_peer_v1beta1(top: Fields, meta: Metadata) -> BGPPeer:
    """Read the older version, which has fewer fields and lets ``peerPort`` be 0.

    A timer that is left out stays unset. MetalLB's own conversion makes 0 s of it, which turns keepalives
    off; nobody asked for that.
    """
    spec = spec_of(top, _V1BETA1, required=True, hints=_ONLY_V1BETA2)
    spec.require("peerASN")
    spec.require("peerAddress")
    return _read_peer(spec, meta, lowest_port=0)


def read_peer_v1beta2(top: Fields, meta: Metadata) -> BGPPeer:
    """Read the version that MetalLB stores."""
    spec = spec_of(top, _V1BETA2, required=True)
    spec.drop_null("peerPort", "disableMP", "dualStackAddressFamily")
    return _read_peer(spec, meta, lowest_port=1)


def _read_peer(spec: Fields, meta: Metadata, *, lowest_port: int) -> BGPPeer:
    spec.check((("disableMP", bool),))
    spec.require("myASN")
    secret = spec.fields("passwordSecret", _PASSWORD_SECRET)
    secret.check((("namespace", str),))
    hold_time, keepalive_time = _timers(spec)
    dynamic = spec.choice("dynamicASN", DynamicASN, None)
    peer = BGPPeer(
        meta=meta,
        my_asn=spec.integer("myASN", 1, _MAX_ASN, 0),
        peer_asn=spec.integer("peerASN", 0, _MAX_ASN, None) or None,
        dynamic_asn=None if dynamic is None else dynamic.value,
        local_asn=spec.integer("localASN", 1, _MAX_ASN, None),
        peer_address=spec.parsed("peerAddress", _unicast, ""),
        interface=spec.parsed("interface", interface_name, ""),
        source_address=spec.parsed("sourceAddress", _unicast, ""),
        peer_port=spec.integer("peerPort", lowest_port, _MAX_PORT, 0) or 179,
        hold_time=hold_time,
        keepalive_time=keepalive_time,
        connect_time=spec.parsed("connectTime", _connect_time, None, example="10s"),
        router_id=spec.parsed("routerID", _router_id, ""),
        node_selectors=read_selectors(spec, "nodeSelectors"),
        password=spec.hidden().parsed("password", password, ""),
        password_secret=secret.parsed("name", dns_subdomain, ""),
        bfd_profile=spec.parsed("bfdProfile", dns_subdomain, ""),
        enable_graceful_restart=spec.boolean("enableGracefulRestart"),
        ebgp_multi_hop=spec.boolean("ebgpMultiHop"),
        vrf=spec.parsed("vrf", vrf_name, ""),
        dual_stack_address_family=spec.boolean("dualStackAddressFamily"),
    )
    if not spec.report.mistakes:
        _judge(spec, peer)
    return peer


def _judge(spec: Fields, peer: BGPPeer) -> None:
    """Check the rules between fields."""
    for first, second, has_first, has_second in (
        ("peerASN", "dynamicASN", peer.peer_asn is not None, peer.dynamic_asn is not None),
        ("peerAddress", "interface", bool(peer.peer_address), bool(peer.interface)),
    ):
        if has_first == has_second:
            found = "both are set" if has_first else "neither is set"
            spec.add(second if has_first else first, f"{found}, exactly one of {first} and {second} is needed")
    if peer.password and peer.password_secret:
        spec.add("passwordSecret", "found together with password, only one of the two is allowed")
    if peer.ebgp_multi_hop and peer.peer_asn == peer.my_asn:
        spec.add("ebgpMultiHop", f"found true while myASN and peerASN are both {peer.my_asn}, it needs different ones")


def _unicast(text: str) -> str:
    """Return the address of a router in canonical text."""
    address = parse_address(text)
    if address.is_multicast or address.is_unspecified:
        raise ValueError(f"found {text!r}, the address of one router is needed")
    return str(address)


def _router_id(text: str) -> str:
    """Return a router ID: four octets, whatever families the session carries (RFC 6286)."""
    address = parse_address(text)
    if address.version != 4 or address.is_unspecified:
        raise ValueError(f"found {text!r}, an IPv4 address other than 0.0.0.0 is needed")
    return str(address)


def _hold_time(text: str) -> int:
    """Return whole seconds; RFC 4271 section 4.2 allows 0 and at least 3."""
    nanoseconds = duration(text)
    seconds = nanoseconds // _SECOND
    if nanoseconds < 0 or seconds in {1, 2} or seconds > _MAX_TIMER:
        raise ValueError(f"found {text!r}, allowed are 0s and 3s to {_MAX_TIMER}s")
    return seconds


def _keepalive_time(text: str) -> int:
    nanoseconds = duration(text)
    if not 0 <= nanoseconds // _SECOND <= _MAX_TIMER:
        raise ValueError(f"found {text!r}, allowed are 0s to {_MAX_TIMER}s")
    return nanoseconds // _SECOND


def _connect_time(text: str) -> int | None:
    seconds, rest = divmod(duration(text), _SECOND)
    if rest or not 1 <= seconds <= _MAX_TIMER:
        raise ValueError(f"found {text!r}, allowed are whole seconds from 1s to {_MAX_TIMER}s")
    return seconds


def _timers(spec: Fields) -> tuple[int | None, int | None]:
    """Return hold and keepalive time in seconds; one alone sets the other, at a ratio of three to one."""
    mistakes = len(spec.report.mistakes)
    hold_time: int | None = spec.parsed("holdTime", _hold_time, None, example="90s")
    keepalive_time: int | None = spec.parsed("keepaliveTime", _keepalive_time, None, example="30s")
    if len(spec.report.mistakes) > mistakes:
        return None, None
    if hold_time is not None and keepalive_time is None:
        return hold_time, hold_time // 3
    if keepalive_time is not None and hold_time is None:
        if keepalive_time * 3 > _MAX_TIMER:
            spec.add("keepaliveTime", f"found {keepalive_time}s, without holdTime allowed are 0s to {_MAX_TIMER // 3}s")
        return keepalive_time * 3, keepalive_time
    if hold_time is not None and keepalive_time is not None and keepalive_time > hold_time:
        spec.add("keepaliveTime", f"found {keepalive_time}s, allowed are 0s to holdTime, which is {hold_time}s")
    return hold_time, keepalive_time
