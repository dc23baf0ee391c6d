"""What FRR says about its sessions, read into typed values.

Every key is read with a default, because versions differ in what they print; what FRR does not say is
None, never zero.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any

from frrsync.errors import VtyError

SESSIONS_COMMAND = "show bgp vrf all summary json"
FAILED_COMMAND = "show bgp vrf all summary failed json"
"""Asked for while a session is down: the summary does not say why."""
BFD_COMMAND = "show bfd peers json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFamily:
    """What a session carries in one address family, such as ``ipv4 unicast``."""

    name: str
    prefixes_sent: int | None
    prefixes_received: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One BGP session as bgpd sees it.

    Attributes:
        vrf: empty for the default VRF.
        peer: the address, or the interface of an unnumbered session.
        remote_as, local_as: None when FRR does not know yet (``remote-as external``).
        state: FRR's word, ``Established`` when routes are exchanged.
        uptime_seconds: since the session was established; None while it is not.
        connections_established, connections_dropped: since bgpd started.
        last_reset: FRR's words for why it is not established; None while it is, and where FRR does not say.
        messages_queued: messages that bgpd has not written to the connection yet.

    """

    vrf: str
    peer: str
    remote_as: int | None
    local_as: int | None
    state: str
    uptime_seconds: float | None
    connections_established: int | None
    connections_dropped: int | None
    families: tuple[SessionFamily, ...]
    last_reset: str | None = None
    messages_queued: int | None = None

    @property
    def is_established(self) -> bool:
        """Say whether routes are exchanged."""
        return self.state == "Established"

    @property
    def prefixes_sent(self) -> int | None:
        """Return the prefixes sent in all families, None when FRR says it of none."""
        known = [family.prefixes_sent for family in self.families if family.prefixes_sent is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BfdSession:
    """One BFD session as bfdd sees it; intervals in milliseconds.

    Attributes:
        vrf: empty for the default VRF.
        status: FRR's word: ``up``, ``down``, ``init`` or ``shutdown``.
        uptime_seconds: None while it is not up.

    """

    vrf: str
    peer: str
    local: str
    interface: str
    is_multihop: bool
    status: str
    uptime_seconds: float | None
    diagnostic: str
    detect_multiplier: int | None
    receive_interval: int | None
    transmit_interval: int | None


def read_sessions(text: str) -> tuple[Session, ...]:
    """Read the answer to ``show bgp vrf all summary json``, in the order of FRR."""
    sessions: dict[tuple[str, str], Session] = {}
    for vrf, families in _members(_document(text, SESSIONS_COMMAND)):
        for family, summary in _members(families):
            for peer, said in _members(summary.get("peers")):
                key = ("" if vrf == "default" else vrf, peer)
                sessions[key] = _with_family(sessions.get(key), key, family, said)
    return tuple(sessions.values())


def advertised_command(session: Session, family: SessionFamily) -> str:
    """Return what asks for the prefixes that a neighbor was sent in one family."""
    return f"show bgp vrf {session.vrf or 'default'} {family.name} neighbors {session.peer} advertised-routes json"


def read_advertised(text: str, command: str) -> frozenset[str]:
    """Read the answer to :func:`advertised_command`."""
    return frozenset(prefix for prefix, _ in _members(dict(_members(_document(text, command))).get("advertisedRoutes")))


def with_reasons(sessions: tuple[Session, ...], text: str) -> tuple[Session, ...]:
    """Return the sessions with the reasons that the answer to ``show bgp vrf all summary failed json`` gives."""
    reasons: dict[tuple[str, str], str] = {}
    for vrf, families in _members(_document(text, FAILED_COMMAND)):
        for _family, summary in _members(families):
            for peer, said in _members(summary.get("peers")):
                found = [said[name] for name in ("lastResetDueTo", "lastNotificationReason") if said.get(name)]
                reasons["" if vrf == "default" else vrf, peer] = ": ".join(map(str, found))
    return tuple(
        session if session.is_established else replace(session, last_reset=reasons.get((session.vrf, session.peer)))
        for session in sessions
    )


def read_bfd_sessions(text: str) -> tuple[BfdSession, ...]:
    """Read the answer to ``show bfd peers json``, in the order of FRR."""
    document = _document(text, BFD_COMMAND)
    if not isinstance(document, list):
        raise VtyError(f"{BFD_COMMAND!r} printed {type(document).__name__}, expected a list")
    return tuple(_bfd_session(said) for said in document if isinstance(said, dict))


def _document(text: str, command: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise VtyError(f"{command!r} printed no JSON: {error}; found {text.strip()[:80]!r}") from error


def _members(document: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the members of an object that are objects themselves."""
    if not isinstance(document, dict):
        return []
    return [(name, value) for name, value in document.items() if isinstance(value, dict)]


def _with_family(session: Session | None, key: tuple[str, str], family: str, said: dict[str, Any]) -> Session:
    """Return the session with what one family's summary says of it; the last word on its state wins."""
    state = str(said.get("state", "unknown"))
    uptime = said.get("peerUptimeMsec") if state == "Established" else None
    carried = SessionFamily(
        name=re.sub(r"^(ipv[46]|l2Vpn)(\w+)", lambda found: f"{found[1].lower()} {found[2].lower()}", family),
        prefixes_sent=said.get("pfxSnt"),
        prefixes_received=said.get("pfxRcd"),
    )
    return Session(
        vrf=key[0],
        peer=key[1],
        remote_as=said.get("remoteAs") or None,
        local_as=said.get("localAs") or None,
        state=state,
        uptime_seconds=None if uptime is None else uptime / 1000,
        connections_established=said.get("connectionsEstablished"),
        connections_dropped=said.get("connectionsDropped"),
        families=(*(session.families if session else ()), carried),
        messages_queued=said.get("outq"),
    )


def _bfd_session(said: dict[str, Any]) -> BfdSession:
    vrf = str(said.get("vrf", ""))
    status = str(said.get("status", "unknown"))
    return BfdSession(
        vrf="" if vrf == "default" else vrf,
        peer=str(said.get("peer", "")),
        local=str(said.get("local", "")),
        interface=str(said.get("interface", "")),
        is_multihop=bool(said.get("multihop", False)),
        status=status,
        uptime_seconds=said.get("uptime") if status == "up" else None,
        diagnostic=str(said.get("diagnostic", "")),
        detect_multiplier=said.get("detect-multiplier"),
        receive_interval=said.get("receive-interval"),
        transmit_interval=said.get("transmit-interval"),
    )
