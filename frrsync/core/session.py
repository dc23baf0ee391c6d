"""The BGP sessions of one node: which BGPPeers it has, and the neighbor that each becomes.

Where two peers contradict each other, the one that runs counts, else the older one, else the first by name;
the other is left out with a reason that names both, and everything else goes on. What concerns other nodes
only is never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from frrsync.core.address import parse_address
from frrsync.core.advertisement import age, mistake_of
from frrsync.core.frr_config import Neighbor
from frrsync.core.selector import matches_any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from frrsync.core.model import BGPPeer, Mistake, Node, Secret, Snapshot

CONNECT_TIME = 5
"""Seconds between attempts when a BGPPeer names none: FRR 8.4 would wait 120 s after a failed one."""
MULTIHOP = 254
"""Hops of ``ebgpMultiHop``; FRR prints 255 differently in 8.4 and 10.3, so one below."""
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


def sessions_of(snapshot: Snapshot, node: Node, accepted: Collection[str] = ()) -> tuple[list[Session], list[Mistake]]:
    """Return the sessions that this node should have, oldest peer first, and what is wrong with others.

    Peers named in ``accepted`` count as the oldest: manifests carry no time stamps, and a new file must not
    push out the peers that run.
    """
    sessions: list[Session] = []
    mistakes: list[Mistake] = []
    for peer in sorted(snapshot.peers.values(), key=lambda item: (item.meta.name not in accepted, age(item.meta))):
        if not matches_any(peer.node_selectors, node.meta.labels):
            continue
        try:
            _check_against([session.peer for session in sessions], peer)
            password = _password(peer, snapshot.secrets)
        except _LeftOutError as error:
            mistakes.append(mistake_of("BGPPeer", peer.meta, error.field, f"left out on {node.meta.name}: {error}"))
            continue
        if peer.bfd_profile and peer.bfd_profile not in snapshot.bfd_profiles:
            known = ", ".join(sorted(snapshot.bfd_profiles)) or "none"
            text = (
                f"found {peer.bfd_profile!r}, which no BFDProfile has; BFD runs with FRR's timers; allowed are: {known}"
            )
            mistakes.append(mistake_of("BGPPeer", peer.meta, "spec.bfdProfile", text))
        sessions.append(Session(peer=peer, neighbor=_neighbor(peer, password)))
    return sessions, mistakes


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


def _check_local_asn(peer: BGPPeer) -> None:
    """Raise for a ``localASN`` that FRR 8.4 or 10.3 refuses or turns into something else."""
    if peer.local_asn is None:
        return
    if peer.local_asn in {peer.my_asn, peer.peer_asn}:
        raise _LeftOutError("spec.localASN", f"found {peer.local_asn}, allowed is another one than myASN and peerASN")
    if peer.dynamic_asn == "internal" or peer.peer_asn == peer.my_asn:
        raise _LeftOutError("spec.localASN", f"found {peer.local_asn}, allowed is none on an internal (iBGP) session")


def _check_against(others: list[BGPPeer], peer: BGPPeer) -> None:
    """Raise if one FRR cannot have this peer beside those that were there before it."""
    _check_local_asn(peer)
    for other in others:
        name = other.meta.name
        if _identifier(other) == _identifier(peer):
            where = "spec.interface" if peer.interface else "spec.peerAddress"
            raise _LeftOutError(where, f"found {_identifier(peer)[0]}, which BGPPeer {name} has on this node already")
        if other.vrf == peer.vrf and other.my_asn != peer.my_asn:
            raise _LeftOutError(
                "spec.myASN",
                f"found {peer.my_asn}, allowed is {other.my_asn} as in BGPPeer {name}, which counts: one ASN a VRF",
            )
        if peer.router_id and other.router_id and peer.router_id != other.router_id:
            raise _LeftOutError(
                "spec.routerID",
                f"found {peer.router_id}, allowed is {other.router_id} as in BGPPeer {name}, which counts",
            )


def _password(peer: BGPPeer, secrets: Mapping[str, Secret]) -> str:
    """Return the password of the session; never part of an error text."""
    if not peer.password_secret:
        return peer.password
    where = "spec.passwordSecret"
    secret = secrets.get(peer.password_secret)
    if secret is None:
        raise _LeftOutError(where, f"found {peer.password_secret!r}, but there is no Secret of that name")
    if secret.type != _BASIC_AUTH:
        raise _LeftOutError(where, f"Secret {peer.password_secret} has type {secret.type}, allowed is {_BASIC_AUTH}")
    if not secret.password:
        raise _LeftOutError(where, f"Secret {peer.password_secret} has no value for key password")
    text = secret.password
    if len(text) > _PASSWORD_LENGTH or not text.isascii() or not text.isprintable() or set(text) & set(" |?"):
        raise _LeftOutError(
            where,
            f"Secret {peer.password_secret} has a password that FRR cannot take; allowed are 1 to "
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


def _neighbor(peer: BGPPeer, password: str) -> Neighbor:
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
        ebgp_multihop=MULTIHOP if peer.ebgp_multi_hop and external else None,
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
