"""BGPPeer of ``metallb.io`` v1beta1 and v1beta2, from plain data to the model."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from frrsync.core.address import is_embedded_ipv4, parse_address
from frrsync.core.grammar import bfd_profile_name, duration, interface_name, password, quoted, secret_name, vrf_name
from frrsync.core.metallb_kinds import spec_of
from frrsync.core.model import BGPPeer
from frrsync.core.selector_fields import read_selectors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
MAX_TIMER: Final = 65535  # seconds; two octets in BGP's OPEN message (RFC 4271 section 4.2)
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
    # Hidden: somebody may have put the password itself where its Secret belongs.
    secret = spec.hidden().fields("passwordSecret", _PASSWORD_SECRET)
    secret.check((("namespace", str),))
    hold_time, keepalive_time = _timers(spec)
    dynamic = spec.choice("dynamicASN", DynamicASN, None)
    peer = BGPPeer(
        meta=meta,
        my_asn=spec.integer("myASN", 1, _MAX_ASN, 0),
        peer_asn=spec.integer("peerASN", 0, _MAX_ASN, None) or None,
        dynamic_asn=None if dynamic is None else dynamic.value,
        local_asn=spec.integer("localASN", 1, _MAX_ASN, None),
        peer_address=spec.parsed("peerAddress", _router, ""),
        interface=spec.parsed("interface", interface_name, ""),
        source_address=spec.parsed("sourceAddress", _unicast, ""),
        peer_port=spec.integer("peerPort", lowest_port, _MAX_PORT, 0) or 179,
        hold_time=hold_time,
        keepalive_time=keepalive_time,
        connect_time=spec.parsed("connectTime", _connect_time, None, example="10s"),
        router_id=spec.parsed("routerID", _router_id, ""),
        node_selectors=read_selectors(spec, "nodeSelectors"),
        password=spec.hidden().parsed("password", password, ""),
        password_secret=secret.parsed("name", secret_name, ""),
        bfd_profile=spec.parsed("bfdProfile", bfd_profile_name, ""),
        enable_graceful_restart=spec.boolean("enableGracefulRestart"),
        ebgp_multi_hop=spec.boolean("ebgpMultiHop"),
        vrf=spec.parsed("vrf", vrf_name, ""),
        dual_stack_address_family=spec.boolean("dualStackAddressFamily"),
    )
    if not spec.report.mistakes:
        for name, message in disagreements(peer):
            spec.add(name, message)
    return peer


def disagreements(peer: BGPPeer) -> Iterator[tuple[str, str]]:
    """Yield the fields of one peer that contradict others of it, each with what is wrong."""
    for first, second, has_first, has_second in (
        ("peerASN", "dynamicASN", peer.peer_asn is not None, peer.dynamic_asn is not None),
        ("peerAddress", "interface", bool(peer.peer_address), bool(peer.interface)),
    ):
        if has_first == has_second:
            found = "both are set" if has_first else "neither is set"
            yield second if has_first else first, f"{found}, exactly one of {first} and {second} is needed"
    if peer.password and peer.password_secret:
        yield "passwordSecret", "found together with password, only one of the two is allowed"
    if peer.interface:
        for name, is_set in (("ebgpMultiHop", peer.ebgp_multi_hop), ("sourceAddress", bool(peer.source_address))):
            if is_set:
                yield name, "found together with interface, FRR allows it with peerAddress only"
    if peer.ebgp_multi_hop and peer.peer_asn == peer.my_asn:
        yield "ebgpMultiHop", f"found true while myASN and peerASN are both {peer.my_asn}, it needs different ones"


def _unicast(text: str) -> str:
    """Return the address of a router in canonical text."""
    address = parse_address(text)
    if address.is_multicast or address.is_unspecified:
        raise ValueError(f"found {text!r}, the address of one router is needed")
    if is_embedded_ipv4(address):
        raise ValueError(f"found {text!r}, which stands for an IPv4 address; write it as one")
    return str(address)


def _router(text: str) -> str:
    """Return the address of a router; FRR takes a link-local one without its link, and never gets a session."""
    address = _unicast(text)
    if parse_address(address).is_link_local and ":" in address:
        raise ValueError(f"found {text!r}, which is valid on one link only; use interface instead of peerAddress")
    return address


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
    if nanoseconds < 0 or seconds in {1, 2} or seconds > MAX_TIMER:
        raise ValueError(f"found {text!r}, allowed are 0s and 3s to {MAX_TIMER}s")
    return seconds


def _keepalive_time(text: str) -> int:
    nanoseconds = duration(text)
    if not 0 <= nanoseconds // _SECOND <= MAX_TIMER:
        raise ValueError(f"found {text!r}, allowed are 0s to {MAX_TIMER}s")
    return nanoseconds // _SECOND


def _connect_time(text: str) -> int | None:
    seconds, rest = divmod(duration(text), _SECOND)
    if rest or not 1 <= seconds <= MAX_TIMER:
        raise ValueError(f"found {text!r}, allowed are whole seconds from 1s to {MAX_TIMER}s")
    return seconds


def _asn(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:20]) <= _MAX_ASN):
        raise ValueError(f"found {quoted(text)}, allowed are 1 to {_MAX_ASN}")
    return int(text)


FROM_TEXT: Final[Mapping[str, Callable[[str], int | str | None]]] = MappingProxyType(
    {
        "myASN": _asn,
        "peerASN": _asn,
        "localASN": _asn,
        "peerAddress": _router,
        "interface": interface_name,
        "sourceAddress": _unicast,
        "routerID": _router_id,
        "holdTime": _hold_time,
        "keepaliveTime": _keepalive_time,
        "connectTime": _connect_time,
        "passwordSecret": secret_name,
    }
)
"""Fields of which every node may have its own value: the text of a label, say, is held to the rules of the field."""


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
        if keepalive_time * 3 > MAX_TIMER:
            spec.add("keepaliveTime", f"found {keepalive_time}s, without holdTime allowed are 0s to {MAX_TIMER // 3}s")
        return keepalive_time * 3, keepalive_time
    if hold_time is not None and keepalive_time is not None and keepalive_time > hold_time:
        spec.add("keepaliveTime", f"found {keepalive_time}s, allowed are 0s to holdTime, which is {hold_time}s")
    return hold_time, keepalive_time
