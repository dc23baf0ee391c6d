"""One node's whole decision: a snapshot and the addresses in, the configuration of its FRR out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from frrsync.core.announce import Announcer, Reason, Verdict, node_of
from frrsync.core.bgp import build
from frrsync.core.node_facts import NOTHING_KNOWN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frrsync.core.allocate import Allocation
    from frrsync.core.frr_config import FrrConfig
    from frrsync.core.model import Mistake, NamespacedName, Snapshot
    from frrsync.core.node_facts import NodeFacts
    from frrsync.core.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one node announces and why not the rest, and the configuration that follows.

    Attributes:
        sessions: the BGP sessions that this node should have.
        mistakes: what was left out on this node because objects contradict or miss each other.

    """

    verdicts: Mapping[NamespacedName, Verdict]
    config: FrrConfig
    sessions: tuple[Session, ...]
    mistakes: tuple[Mistake, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """The settings that decisions read; see ``frrsync.settings`` for their meaning."""

    node: str
    load_balancer_class: str = ""
    ignore_exclude_label: bool = False
    maximum_paths: int = 16


class NodeDecider:
    """Decides for one node, again and again; what did not change is not decided twice."""

    def __init__(self, options: NodeOptions) -> None:
        self._options = options
        self._accepted: frozenset[str] = frozenset()
        self._announcer = Announcer(
            options.node,
            load_balancer_class=options.load_balancer_class,
            ignore_exclude_label=options.ignore_exclude_label,
        )

    def decide(
        self,
        snapshot: Snapshot,
        allocated: Mapping[NamespacedName, Allocation],
        facts: NodeFacts = NOTHING_KNOWN,  # noqa: ARG002 - read by what follows
    ) -> Decision:
        """Return the decision for this snapshot, these addresses and what is true of the node."""
        verdicts = self._announcer.decide(snapshot, allocated)
        bgp = build(
            snapshot,
            node_of(snapshot, self._options.node),
            verdicts.values(),
            self._announcer.advertisements,
            maximum_paths=self._options.maximum_paths,
            accepted=self._accepted,
        )
        self._accepted = frozenset(session.peer.meta.name for session in bgp.sessions)
        return Decision(
            verdicts=_carried(verdicts, bgp.config),
            config=bgp.config,
            sessions=bgp.sessions,
            mistakes=(*self._announcer.mistakes, *bgp.mistakes),
        )


def _carried(verdicts: dict[NamespacedName, Verdict], config: FrrConfig) -> dict[NamespacedName, Verdict]:
    """Correct verdicts whose prefixes no session carries: nobody would hear of them."""
    carried = {
        network.prefix for router in config.routers for family in router.address_families for network in family.networks
    }
    silent = {
        name: verdict
        for name, verdict in verdicts.items()
        if verdict.routes and not any(route.prefix in carried for route in verdict.routes)
    }
    if not silent:
        return verdicts
    return verdicts | {name: _unheard(verdict) for name, verdict in silent.items()}


def _unheard(verdict: Verdict) -> Verdict:
    names = ", ".join(sorted({name for route in verdict.routes for name in route.advertisements}))
    detail = (
        f"no session of this node carries {', '.join(verdict.prefixes)}: look at spec.peers of BGPAdvertisement "
        f"{names}, and at the address families of the BGPPeers"
    )
    return Verdict(service=verdict.service, addresses=verdict.addresses, reason=Reason.NO_PEER, detail=detail)
