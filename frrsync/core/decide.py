"""One node's whole decision: a snapshot and the addresses in, the configuration of its FRR out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from frrsync.core.announce import Reason, Verdict, node_of
from frrsync.core.announcer import Announcer
from frrsync.core.bgp import BgpBuilder, BgpOptions
from frrsync.core.drain import explain, node_mistakes, settled
from frrsync.core.node_facts import NOT_DRAINED, NOTHING_KNOWN, DrainStage
from frrsync.core.node_parameters import NodePeers
from frrsync.core.session import claim
from frrsync.core.shared_config import shared_config

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from frrsync.core.allocate import Allocation
    from frrsync.core.bgp import BgpDecision
    from frrsync.core.frr_config import FrrConfig
    from frrsync.core.model import Mistake, NamespacedName, Snapshot
    from frrsync.core.node_facts import Drain, NodeFacts
    from frrsync.core.session import Claim, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one node announces and why not the rest, and the configuration that follows.

    Attributes:
        sessions: the BGP sessions that this node should have.
        mistakes: what was left out on this node because objects contradict or miss each other.
        drain: how far the node withdraws itself in this decision.

    """

    verdicts: Mapping[NamespacedName, Verdict]
    config: FrrConfig
    sessions: tuple[Session, ...]
    mistakes: tuple[Mistake, ...]
    drain: Drain = NOT_DRAINED


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """The settings that decisions read; see ``frrsync.settings`` for their meaning."""

    node: str
    load_balancer_class: str = ""
    ignore_exclude_label: bool = False
    maximum_paths: int = 16
    shared: bool = False


class NodeDecider:
    """Decides for one node, again and again; what did not change is not decided twice."""

    def __init__(self, options: NodeOptions, accepted: Collection[str] = ()) -> None:
        """Begin with the names of the BGPPeers that run already; they count as the oldest."""
        self._options = options
        self._accepted: Mapping[str, Claim | None] = dict.fromkeys(accepted)
        self._builder = BgpBuilder()
        self._announcer = Announcer(
            options.node,
            load_balancer_class=options.load_balancer_class,
            ignore_exclude_label=options.ignore_exclude_label,
        )
        self._peers = NodePeers(options.node)

    def decide(
        self,
        snapshot: Snapshot,
        allocated: Mapping[NamespacedName, Allocation],
        facts: NodeFacts = NOTHING_KNOWN,
    ) -> Decision:
        """Return the decision for this snapshot, these addresses and what is true of the node."""
        snapshot = self._peers.applied(snapshot, facts)
        node = node_of(snapshot, self._options.node)
        drain = settled(node) if facts.drain is None else facts.drain
        drained = explain(self._options.node, drain) if drain.stage is DrainStage.WITHDRAWN else ""
        verdicts = self._announcer.decide(snapshot, allocated, drained)
        bgp = self._builder.build(
            snapshot,
            node,
            verdicts,
            self._announcer.advertisements,
            BgpOptions(
                maximum_paths=self._options.maximum_paths,
                accepted=self._accepted,
                lowered=drain.stage is DrainStage.LOWERED,
            ),
        )
        self._accepted = {session.peer.meta.name: claim(session.peer) for session in bgp.sessions}
        return Decision(
            verdicts=_carried(verdicts, bgp),
            config=shared_config(bgp.config) if self._options.shared else bgp.config,
            sessions=bgp.sessions,
            mistakes=(*self._announcer.mistakes, *node_mistakes(node), *self._peers.mistakes, *bgp.mistakes),
            drain=drain,
        )


def _carried(verdicts: Mapping[NamespacedName, Verdict], bgp: BgpDecision) -> Mapping[NamespacedName, Verdict]:
    """Correct verdicts whose prefixes no session carries: nobody would hear of them."""
    if any(
        sum(len(family.networks) for family in router.address_families) == bgp.prefixes for router in bgp.config.routers
    ):
        return verdicts
    carried = {
        network.prefix
        for router in bgp.config.routers
        for family in router.address_families
        for network in family.networks
    }
    silent = {
        name: verdict
        for name, verdict in verdicts.items()
        if verdict.routes and not any(route.prefix in carried for route in verdict.routes)
    }
    return {**verdicts, **{name: _unheard(verdict) for name, verdict in silent.items()}} if silent else verdicts


def _unheard(verdict: Verdict) -> Verdict:
    names = ", ".join(sorted({name for route in verdict.routes for name in route.advertisements}))
    detail = (
        f"no session of this node carries {', '.join(verdict.prefixes)}: look at spec.peers of BGPAdvertisement "
        f"{names}, and at the address families of the BGPPeers"
    )
    return Verdict(service=verdict.service, addresses=verdict.addresses, reason=Reason.NO_PEER, detail=detail)
