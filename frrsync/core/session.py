"""The BGP sessions of one node: which BGPPeers it has, and the neighbor that each becomes.

Where two peers contradict each other, the older one counts, without time stamps the one that runs, else the
first by name; the other is left out with a reason that names both, and everything else goes on. What concerns
other nodes only is never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING

from frrsync.core.address import parse_address
from frrsync.core.advertisement import mistake_of, placed, rival, seniority
from frrsync.core.frr_config import Neighbor
from frrsync.core.grammar import quoted
from frrsync.core.selector import matches_any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frrsync.core.model import BFDProfile, BGPPeer, Mistake, Node, Secret, Snapshot

CONNECT_TIME = 5
"""Seconds between attempts when a BGPPeer names none: FRR 8.4 would wait 120 s after a failed one."""
MULTIHOP = 254
"""Hops of ``ebgpMultiHop``; FRR prints 255 differently in 8.4 and 10.3, so one below."""
Claim = tuple[str, str, int, str]
"""What of a peer may contradict another: address or interface, VRF, own ASN, router ID."""
EMPTY_CLAIMS: Mapping[str, Claim | None] = MappingProxyType({})
"""For a node of which nothing is known to run."""
_BASIC_AUTH = "kubernetes.io/basic-auth"
_PASSWORD_LENGTH = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A BGPPeer on this node and the neighbor that it becomes."""

    peer: BGPPeer
    neighbor: Neighbor

    @property
    def families(self) -> tuple[int, ...]:
        """Return the IP versions whose prefixes this session carries."""
        if self.peer.interface or self.peer.dual_stack_address_family:
            return (4, 6)
        return (parse_address(self.peer.peer_address).version,)

    @property
    def is_internal(self) -> bool:
        """Say whether this is iBGP, the only kind that carries a local preference."""
        own = self.peer.local_asn or self.peer.my_asn
        return self.peer.dynamic_asn == "internal" or self.peer.peer_asn == own


def claim(peer: BGPPeer) -> Claim:
    """Return what of a peer may contradict another."""
    return (*_identifier(peer), peer.my_asn, peer.router_id)


def sessions_of(
    snapshot: Snapshot, node: Node, accepted: Mapping[str, Claim | None] = EMPTY_CLAIMS
) -> tuple[list[Session], list[Mistake]]:
    """Return the sessions that this node should have, and what is wrong with others.

    Peers named in ``accepted`` run. Those that still claim what they did then come first: neither a new object
    nor the edit of an older one may push out a session that works. After them the older one counts.
    """
    sessions: list[Session] = []
    mistakes: list[Mistake] = []
    running = {
        name: int(before is not None and name in snapshot.peers and claim(snapshot.peers[name]) != before)
        for name, before in accepted.items()
    }
    for peer in sorted(
        snapshot.peers.values(), key=lambda item: (running.get(item.meta.name) != 0, seniority(item.meta, running))
    ):
        if not matches_any(peer.node_selectors, node.meta.labels):
            continue
        try:
            _check_alone(peer, node)
            _check_against([session.peer for session in sessions], peer)
            password = _password(peer, snapshot.secrets)
        except _LeftOutError as error:
            mistakes.append(mistake_of("BGPPeer", peer.meta, error.field, f"left out: {error}"))
            continue
        faults = {
            "spec.bfdProfile": _bfd_fault(peer, snapshot.bfd_profiles),
            "spec.sourceAddress": _source_fault(peer),
        }
        mistakes += [mistake_of("BGPPeer", peer.meta, field, text) for field, text in faults.items() if text]
        sessions.append(Session(peer=peer, neighbor=_neighbor(peer, password, snapshot.bfd_profiles)))
    return sessions, mistakes


def _bfd_fault(peer: BGPPeer, profiles: Mapping[str, BFDProfile]) -> str:
    """Return what of BFD does not work although the session does, empty for nothing."""
    if not peer.bfd_profile:
        return ""
    profile = profiles.get(peer.bfd_profile)
    if profile is None:
        known = ", ".join(sorted(profiles)) or "none"
        return (
            f"found {peer.bfd_profile!r}, but there is no BFDProfile of that name, or it holds a mistake; "
            f"BFD runs with FRR's timers; defined are: {known}"
        )
    if not profile.echo_mode:
        return ""
    over_ipv6 = bool(peer.interface) or parse_address(peer.peer_address).version == 6
    for is_so, what in (
        (over_ipv6, "over IPv6"),
        (peer.ebgp_multi_hop, "over several hops (ebgpMultiHop)"),
        (bool(peer.vrf), "in a VRF"),
    ):
        if is_so:
            return (
                f"found {placed('BFDProfile', profile.meta)} with echoMode, which does not work {what}; "
                "BFD runs without echo"
            )
    return ""


def _source_fault(peer: BGPPeer) -> str:
    """Return why FRR cannot dial, empty if it can; it takes such a source and fails to bind, for ever and silently."""
    if not peer.source_address or not peer.peer_address:
        return ""
    version = parse_address(peer.peer_address).version
    if parse_address(peer.source_address).version == version:
        return ""
    return (
        f"found {peer.source_address}, from which FRR cannot dial {peer.peer_address}; "
        f"allowed is an IPv{version} address of the node"
    )


def router_id(sessions: list[Session], node: Node) -> str:
    """Return the BGP identifier: from a BGPPeer, else the node's IPv4 InternalIP, else from its name.

    FRR takes one of the host's IPv4 addresses when none is given; a node without any would have no BGP.
    """
    for session in sessions:
        if session.peer.router_id:
            return session.peer.router_id
    for text in node.internal_ips:
        if parse_address(text).version == 4:
            return text
    digest = sha256(node.meta.name.encode()).digest()
    return f"{1 + digest[0] % 223}.{digest[1]}.{digest[2]}.{digest[3]}"


class _LeftOutError(Exception):
    """A peer that cannot be used on this node, and the field that is the cause."""

    def __init__(self, field: str, text: str) -> None:
        self.field = field
        super().__init__(text)


def _identifier(peer: BGPPeer) -> tuple[str, str]:
    return peer.interface or peer.peer_address, peer.vrf


def _check_alone(peer: BGPPeer, node: Node) -> None:
    """Raise for what FRR 8.4 or 10.3 refuses on this node, or turns into something else."""
    if peer.peer_address in node.internal_ips and not peer.vrf:
        raise _LeftOutError(
            "spec.peerAddress",
            f"found {peer.peer_address}, an address of Node {node.meta.name} itself; allowed is that of a router",
        )
    if peer.local_asn is None:
        return
    if peer.local_asn in {peer.my_asn, peer.peer_asn}:
        text = f"found {peer.local_asn}, allowed is an ASN that is neither myASN nor peerASN, or none"
        raise _LeftOutError("spec.localASN", text)
    if peer.dynamic_asn == "internal" or peer.peer_asn == peer.my_asn:
        raise _LeftOutError("spec.localASN", f"found {peer.local_asn}, allowed is none on an internal session (iBGP)")


def _check_against(others: list[BGPPeer], peer: BGPPeer) -> None:
    """Raise if one FRR cannot have this peer beside those that were there before it."""
    vrf = f"VRF {peer.vrf}" if peer.vrf else "the default VRF"
    for other in others:
        name = rival("BGPPeer", other.meta, peer.meta)
        if _identifier(other) == _identifier(peer):
            field, what = ("interface", "over an interface") if peer.interface else ("peerAddress", "with an address")
            where = f" in {vrf}" if peer.vrf else ""
            text = f"found {_identifier(peer)[0]}{where} as in {name}; a node has one session {what}{where}"
            raise _LeftOutError(f"spec.{field}", text)
        if other.vrf == peer.vrf and other.my_asn != peer.my_asn:
            text = f"found {peer.my_asn}, but {other.my_asn} in {name}; a node has one ASN in {vrf}"
            raise _LeftOutError("spec.myASN", text)
        if peer.router_id and other.router_id and peer.router_id != other.router_id:
            text = (
                f"found {peer.router_id}, but {other.router_id} in {name}; a node has one router ID, and a BGPPeer "
                "without one takes it from another"
            )
            raise _LeftOutError("spec.routerID", text)


def _password(peer: BGPPeer, secrets: Mapping[str, Secret]) -> str:
    """Return the password of the session; never part of an error text."""
    if not peer.password_secret:
        return peer.password
    where = "spec.passwordSecret.name"
    secret = secrets.get(peer.password_secret)
    if secret is None:
        place = f" in namespace {peer.meta.namespace}" if peer.meta.namespace else ""
        raise _LeftOutError(
            where, f"found {peer.password_secret!r}, but there is no Secret of that name{place}, or it holds a mistake"
        )
    name = placed("Secret", secret.meta)
    if secret.type != _BASIC_AUTH:
        raise _LeftOutError(where, f"found {name} of type {quoted(secret.type)}, allowed is {_BASIC_AUTH}")
    if not secret.password:
        raise _LeftOutError(where, f"found {name} without a value for key password; it needs one")
    text = secret.password
    if len(text) > _PASSWORD_LENGTH or not text.isascii() or not text.isprintable() or set(text) & set(" |?"):
        raise _LeftOutError(
            where,
            f"found {name} with a password that FRR cannot take; allowed are 1 to "
            f"{_PASSWORD_LENGTH} printable ASCII characters without blank, | and ?",
        )
    return text


def _timers(peer: BGPPeer) -> tuple[int | None, int | None]:
    """Return keepalive and hold time; one given sets the other at 1 to 3 (RFC 4271, section 10)."""
    hold, keepalive = peer.hold_time, peer.keepalive_time
    if hold is None and keepalive is not None:
        hold = 3 * keepalive
    if keepalive is None and hold is not None:
        keepalive = hold // 3
    if keepalive is not None and hold is not None:
        keepalive = min(keepalive, hold // 3)  # FRR silently cuts it to a third
    return keepalive, hold


def _hops(profile: BFDProfile | None) -> int:
    """Return the hops of a session over several of them.

    bgpd gives its BFD session the TTL that is left after these hops, whatever the profile says (8.4 and 10.3);
    so the profile's ``minimumTtl`` counts only if the hops are those that it allows.
    """
    if profile is None or profile.minimum_ttl is None:
        return MULTIHOP
    return min(256 - profile.minimum_ttl, MULTIHOP)


def _neighbor(peer: BGPPeer, password: str, profiles: Mapping[str, BFDProfile]) -> Neighbor:
    keepalive, hold = _timers(peer)
    external = peer.dynamic_asn == "external" or (peer.peer_asn is not None and peer.peer_asn != peer.my_asn)
    over_ipv6 = bool(peer.peer_address) and parse_address(peer.peer_address).version == 6
    return Neighbor(
        peer=peer.interface or peer.peer_address,
        unnumbered=bool(peer.interface),
        remote_as=peer.dynamic_asn or str(peer.peer_asn),
        description=peer.meta.name,
        bfd_profile=peer.bfd_profile,
        password=password,
        ebgp_multihop=_hops(profiles.get(peer.bfd_profile)) if peer.ebgp_multi_hop and external else None,
        # A router's global IPv6 address need not be on the link; MetalLB lifts the check as well.
        disable_connected_check=over_ipv6 and external and not peer.ebgp_multi_hop,
        local_as=peer.local_asn,
        port=peer.peer_port if peer.peer_port != 179 else None,
        update_source=peer.source_address,
        keepalive_time=keepalive,
        hold_time=hold,
        connect_time=peer.connect_time or CONNECT_TIME,
        graceful_restart=peer.enable_graceful_restart,
    )
