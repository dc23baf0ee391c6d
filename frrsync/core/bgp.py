"""Verdicts and peers to the typed configuration of the FRR beside this node."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_network
from typing import TYPE_CHECKING

from frrsync.core.advertisement import age
from frrsync.core.community import union
from frrsync.core.frr_config import (
    OUTBOUND_PREFIX,
    Activation,
    AddressFamily,
    BfdProfileConfig,
    BgpRouter,
    FrrConfig,
    Network,
    OutboundEntry,
    OutboundMap,
)
from frrsync.core.route_class import classes_of, describe
from frrsync.core.session import Session, router_id, sessions_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from frrsync.core.advertisement import Resolved
    from frrsync.core.announce import Verdict
    from frrsync.core.frr_config import ClassMap
    from frrsync.core.model import BFDProfile, Mistake, Node, Snapshot
    from frrsync.core.route_class import Names

FAMILIES = {4: "ipv4", 6: "ipv6"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BgpDecision:
    """The configuration of this node's FRR, the sessions behind it, and what was left out."""

    config: FrrConfig
    sessions: tuple[Session, ...]
    mistakes: tuple[Mistake, ...]


def build(
    snapshot: Snapshot,
    node: Node,
    verdicts: Iterable[Verdict],
    advertisements: Mapping[str, Resolved],
    *,
    maximum_paths: int,
    accepted: Collection[str] = (),
) -> BgpDecision:
    """Return what the FRR of this node has to run."""
    sessions, mistakes = sessions_of(snapshot, node, accepted)
    covered = prefixes_of(verdicts)
    classes = classes_of(covered.values())
    maps = [_outbound_map(session, classes, advertisements) for session in sessions]
    wire = _Wire(covered=covered, classes=classes, maximum_paths=maximum_paths, router_id=router_id(sessions, node))
    config = FrrConfig(
        bfd_profiles=tuple(_bfd_profile(item) for _, item in sorted(snapshot.bfd_profiles.items())),
        class_maps=tuple(sorted(classes.values(), key=lambda item: item.name)),
        outbound_maps=tuple(sorted(set(maps), key=lambda item: item.name)),
        routers=_routers(list(zip(sessions, maps, strict=True)), wire),
    )
    return BgpDecision(config=config, sessions=tuple(sessions), mistakes=tuple(mistakes))


def prefixes_of(verdicts: Iterable[Verdict]) -> dict[str, Names]:
    """Return every prefix on the wire with the sorted names of the advertisements that cover it."""
    covered: dict[str, Names] = {}
    for verdict in verdicts:
        for route in verdict.routes:
            known = covered.get(route.prefix)
            if known is None:
                covered[route.prefix] = route.advertisements
            elif known != route.advertisements:
                covered[route.prefix] = tuple(sorted({*known, *route.advertisements}))
    return covered


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wire:
    """What every BGP instance of the node shares."""

    covered: Mapping[str, Names]
    classes: Mapping[Names, ClassMap]
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
                family for version in FAMILIES if (family := _address_family(version, members, wire)) is not None
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


def _address_family(version: int, members: _Policied, wire: _Wire) -> AddressFamily | None:
    """Return one family of one instance; None when no session carries it."""
    active = [item for item in sorted(members, key=_printing_order) if version in item[0].families]
    if not active:
        return None
    known = {entry.tag for _, policy in active for entry in policy.entries}
    sent = {names: item.name for names, item in wire.classes.items() if item.tag in known}
    prefixes = [prefix for prefix, names in wire.covered.items() if names in sent and _order(prefix)[0] == version]
    prefixes.sort(key=_order)
    return AddressFamily(
        name=FAMILIES[version],
        networks=tuple(_network(prefix, sent[wire.covered[prefix]]) for prefix in prefixes),
        activations=tuple(
            Activation(peer=session.neighbor.peer, outbound_map=policy.name) for session, policy in active
        ),
        maximum_paths=wire.maximum_paths,
    )


@lru_cache(maxsize=200_000)
def _order(prefix: str) -> tuple[int, int, int]:
    """Return family, address and length: the order in which FRR prints prefixes."""
    network = ip_network(prefix)
    return (network.version, int(network.network_address), network.prefixlen)


@lru_cache(maxsize=200_000)
def _network(prefix: str, class_map: str) -> Network:
    """Return the same object for the same line, so that unchanged families compare quickly."""
    return Network(prefix=prefix, class_map=class_map)


def _outbound_map(
    session: Session, classes: Mapping[Names, ClassMap], advertisements: Mapping[str, Resolved]
) -> OutboundMap:
    """Return what this session is meant to see, named after that content.

    Sessions with equal policy get the same map: FRR keeps them in one update group.
    """
    entries: list[OutboundEntry] = []
    for names, class_map in sorted(classes.items(), key=lambda item: item[1].name):
        reaching = [advertisements[name] for name in names if advertisements[name].reaches(session.peer.meta.name)]
        if reaching:
            entries.append(_entry(len(entries) + 1, class_map.tag, session, reaching))
    content = repr([(entry.tag, entry) for entry in entries])
    return OutboundMap(name=OUTBOUND_PREFIX + sha256(content.encode()).hexdigest()[:10], entries=tuple(entries))


def _entry(sequence: int, tag: int, session: Session, reaching: list[Resolved]) -> OutboundEntry:
    """Return one entry: the communities of all advertisements, the oldest one's preference and prepend."""
    communities = union(item.communities for item in reaching)
    oldest_first = [item.advertisement for item in sorted(reaching, key=lambda item: age(item.advertisement.meta))]
    local_pref = next((item.local_pref for item in oldest_first if item.local_pref), None)
    prepend = next((item.as_path_prepend for item in oldest_first if item.as_path_prepend), 0)
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
