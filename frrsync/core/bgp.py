"""Verdicts and peers to the typed configuration of the FRR beside this node."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_network
from typing import TYPE_CHECKING

from frrsync.core.agreement import agreeing, contradictions
from frrsync.core.community import parse_community, union
from frrsync.core.coverage import Coverage, NetworkList
from frrsync.core.frr_config import (
    OUTBOUND_PREFIX,
    Activation,
    AddressFamily,
    BfdProfileConfig,
    BgpRouter,
    FrrConfig,
    OutboundEntry,
    OutboundMap,
)
from frrsync.core.route_class import classes_of, describe
from frrsync.core.session import EMPTY_CLAIMS, Session, router_id, sessions_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frrsync.core.advertisement import Resolved
    from frrsync.core.announce import Verdict
    from frrsync.core.frr_config import ClassMap
    from frrsync.core.model import BFDProfile, Mistake, NamespacedName, Node, Snapshot
    from frrsync.core.route_class import Names
    from frrsync.core.session import Claim

FAMILIES = {4: "ipv4", 6: "ipv6"}
LOWEST_PREFERENCE = 0
"""Local preference of a route that is about to go (RFC 8326)."""
_GRACEFUL_SHUTDOWN = parse_community("graceful-shutdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpDecision:
    """The configuration of this node's FRR, the sessions behind it, and what was left out.

    ``prefixes`` counts what is to be announced, whether or not a session carries it.
    """

    config: FrrConfig
    prefixes: int
    sessions: tuple[Session, ...]
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpOptions:
    """How a node announces.

    Attributes:
        maximum_paths: equal paths that this FRR itself may use per route.
        accepted: the BGPPeers that run already, and what they claimed; see ``sessions_of``.
        lowered: every prefix is announced as the last choice.

    """

    maximum_paths: int
    accepted: Mapping[str, Claim | None] = field(default_factory=lambda: EMPTY_CLAIMS)
    lowered: bool = False


class BgpBuilder:
    """Builds the configuration of one node's FRR, again and again; what did not change is not built twice."""

    def __init__(self) -> None:
        self._coverage = Coverage()
        self._lists: dict[tuple[str, int], NetworkList] = {}

    def build(
        self,
        snapshot: Snapshot,
        node: Node,
        verdicts: Mapping[NamespacedName, Verdict],
        advertisements: Mapping[str, Resolved],
        options: BgpOptions,
    ) -> BgpDecision:
        """Return what the FRR of this node has to run."""
        sessions, mistakes = sessions_of(snapshot, node, options.accepted)
        covered = self._coverage.of(verdicts)
        classes = classes_of(covered.values())
        maps = [_outbound_map(session, classes, advertisements, lowered=options.lowered) for session in sessions]
        identifier, paths = router_id(sessions, node), options.maximum_paths
        wire = _Wire(covered=covered, classes=classes, lists=self._lists, maximum_paths=paths, router_id=identifier)
        config = FrrConfig(
            bfd_profiles=tuple(_bfd_profile(item) for _, item in sorted(snapshot.bfd_profiles.items())),
            class_maps=tuple(sorted(classes.values(), key=lambda item: item.name)),
            outbound_maps=tuple(sorted(set(maps), key=lambda item: item.name)),
            routers=_routers(list(zip(sessions, maps, strict=True)), wire),
        )
        mistakes += contradictions(sessions, covered, advertisements)
        return BgpDecision(config=config, prefixes=len(covered), sessions=tuple(sessions), mistakes=tuple(mistakes))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wire:
    """What every BGP instance of the node shares."""

    covered: Mapping[str, Names]
    classes: Mapping[Names, ClassMap]
    lists: dict[tuple[str, int], NetworkList]
    maximum_paths: int
    router_id: str


_Policied = list[tuple[Session, OutboundMap]]


def _routers(sessions: _Policied, wire: _Wire) -> tuple[BgpRouter, ...]:
    """Return one BGP instance per VRF that has a session."""
    by_vrf: dict[str, _Policied] = {}
    for session, policy in sessions:
        by_vrf.setdefault(session.peer.vrf, []).append((session, policy))
    return tuple(
        BgpRouter(
            asn=members[0][0].peer.my_asn,
            vrf=vrf,
            router_id=wire.router_id,
            # Without it a restarting router drops its routes although graceful restart was agreed.
            preserve_fw_state=any(session.peer.enable_graceful_restart for session, _ in members),
            neighbors=tuple(session.neighbor for session, _ in sorted(members, key=_printing_order)),
            address_families=tuple(
                family for version in FAMILIES if (family := _address_family(version, vrf, members, wire)) is not None
            ),
        )
        for vrf, members in sorted(by_vrf.items())
    )


def _printing_order(item: tuple[Session, OutboundMap]) -> tuple[int, int, str]:
    """Return the key that sorts neighbors as FRR prints them: interfaces, IPv4, IPv6, each ascending."""
    neighbor = item[0].neighbor
    if neighbor.unnumbered:
        return (0, 0, neighbor.peer)
    network = ip_network(neighbor.peer)
    return (network.version, int(network.network_address), "")


def _address_family(version: int, vrf: str, members: _Policied, wire: _Wire) -> AddressFamily | None:
    """Return one family of one instance; None when no session carries it."""
    active = [item for item in sorted(members, key=_printing_order) if version in item[0].families]
    if not active:
        return None
    known = {entry.tag for _, policy in active for entry in policy.entries}
    sent = {names: item.name for names, item in wire.classes.items() if item.tag in known}
    networks = wire.lists.setdefault((vrf, version), NetworkList(version))
    return AddressFamily(
        name=FAMILIES[version],
        networks=networks.of(wire.covered, sent),
        activations=tuple(
            Activation(peer=session.neighbor.peer, outbound_map=policy.name) for session, policy in active
        ),
        maximum_paths=wire.maximum_paths,
    )


def _outbound_map(
    session: Session, classes: Mapping[Names, ClassMap], advertisements: Mapping[str, Resolved], *, lowered: bool
) -> OutboundMap:
    """Return what this session is meant to see, named after that content.

    Sessions with equal policy get the same map: FRR keeps them in one update group.
    """
    entries: list[OutboundEntry] = []
    for names, class_map in sorted(classes.items(), key=lambda item: item[1].name):
        reaching, _ = agreeing(
            advertisements[name] for name in names if advertisements[name].reaches(session.peer.meta.name)
        )
        if reaching:
            entries.append(_entry(len(entries) + 1, class_map.tag, session, reaching, lowered=lowered))
    content = repr([(entry.tag, entry) for entry in entries])
    return OutboundMap(name=OUTBOUND_PREFIX + sha256(content.encode()).hexdigest()[:10], entries=tuple(entries))


def _entry(sequence: int, tag: int, session: Session, reaching: list[Resolved], *, lowered: bool) -> OutboundEntry:
    """Return one entry: the communities of all advertisements, and the preference and prepend that they share."""
    communities = union(item.communities for item in reaching)
    local_pref = reaching[0].advertisement.local_pref
    if lowered:
        communities, local_pref = communities | _GRACEFUL_SHUTDOWN, LOWEST_PREFERENCE
    prepend = reaching[0].advertisement.as_path_prepend or 0
    return OutboundEntry(
        sequence=sequence,
        tag=tag,
        description=describe(sorted(item.name for item in reaching)),
        communities=communities.standard_text(),
        large_communities=communities.large_text(),
        # Only iBGP carries it (RFC 4271, 5.1.5); left out elsewhere, a change touches no other session.
        local_preference=local_pref if session.is_internal else None,
        as_path_prepend=(session.peer.local_asn or session.peer.my_asn,) * prepend,
    )


def _bfd_profile(profile: BFDProfile) -> BfdProfileConfig:
    return BfdProfileConfig(
        name=profile.meta.name,
        detect_multiplier=profile.detect_multiplier,
        transmit_interval=profile.transmit_interval,
        receive_interval=profile.receive_interval,
        echo_interval=profile.echo_interval,
        echo_mode=profile.echo_mode,
        passive_mode=profile.passive_mode,
        minimum_ttl=profile.minimum_ttl,
    )
