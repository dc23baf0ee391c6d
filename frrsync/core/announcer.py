"""The decisions of ``core.announce`` for one node, kept from one change to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from frrsync.core.advertisement import Resolved, met, resolve
from frrsync.core.announce import NodeRules, decide_service, node_of
from frrsync.core.changes import changed_keys
from frrsync.core.community import CommunitySet
from frrsync.core.selector import matches_any
from frrsync.core.width import wide_pairs, width_mistakes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frrsync.core.allocate import Allocation
    from frrsync.core.announce import Verdict
    from frrsync.core.model import EndpointSlice, Mistake, NamespacedName, Node, Service, Snapshot

_Inputs = tuple[
    "Mapping[NamespacedName, Service]",
    "Mapping[NamespacedName, tuple[EndpointSlice, ...]]",
    "Mapping[NamespacedName, Allocation]",
]


class Announcer:
    """Decides for one node, and keeps each decision as long as everything that it read is the same.

    The result never depends on what is kept: keeping only saves time, so that one change among ten
    thousand Services costs one decision.
    """

    def __init__(self, node: str, *, load_balancer_class: str = "", ignore_exclude_label: bool = False) -> None:
        self._node = node
        self._load_balancer_class = load_balancer_class
        self._ignore_exclude_label = ignore_exclude_label
        self._sources: tuple[object, ...] = ()
        self._rules: NodeRules | None = None
        self._met: Mapping[str, int] = {}
        self.mistakes: tuple[Mistake, ...] = ()
        self._pools: set[str] = set()
        self._seen: _Inputs = ({}, {}, {})
        self._verdicts: dict[NamespacedName, Verdict] = {}

    @property
    def advertisements(self) -> Mapping[str, Resolved]:
        """Return the advertisements that counted in the last decision, by name."""
        return self._rules.advertisements if self._rules else {}

    def decide(
        self, snapshot: Snapshot, allocated: Mapping[NamespacedName, Allocation], drained: str = ""
    ) -> dict[NamespacedName, Verdict]:
        """Return the verdict for every Service of the snapshot; ``drained`` says why nothing may be announced."""
        for name in changed_keys(self._seen[2], allocated):
            if name in allocated:
                self._pools.add(allocated[name].pool)
        rules = self._refresh(snapshot, drained)
        now = (snapshot.services, snapshot.slices, allocated)
        changed = {key for before, after in zip(self._seen, now, strict=True) for key in changed_keys(before, after)}
        self._seen = now
        if not changed:
            return self._verdicts
        verdicts = self._verdicts.copy()
        for name in changed:
            service = snapshot.services.get(name)
            if service is None:
                verdicts.pop(name, None)
                continue
            verdict = decide_service(rules, service, snapshot.slices.get(name, ()), allocated.get(name))
            if verdict != verdicts.get(name):
                verdicts[name] = verdict
        self._verdicts = verdicts
        return verdicts

    def _refresh(self, snapshot: Snapshot, drained: str) -> NodeRules:
        """Make the shared part anew if a source of it is another object than last time."""
        node = node_of(snapshot, self._node)
        sources = (snapshot.pools, snapshot.bgp_advertisements, snapshot.communities)
        known = self._sources
        if (
            self._rules is not None
            and all(new is old or new == old for new, old in zip(sources, known, strict=True))
            and self._rules.node == node
            and self._rules.drained == drained
            and self._pools <= self._rules.by_pool.keys()
        ):
            return self._rules
        rules, mistakes = self._make_rules(snapshot, node)
        rules = replace(rules, drained=drained)
        self._sources, self._rules, self.mistakes = sources, rules, tuple(mistakes)
        self._seen, self._verdicts = ({}, {}, {}), {}
        return rules

    def _make_rules(self, snapshot: Snapshot, node: Node) -> tuple[NodeRules, list[Mistake]]:
        everywhere = snapshot.bgp_advertisements
        self._met = met(self._met, (*everywhere.values(), *snapshot.communities.values()))
        here, mistakes = resolve(everywhere.values(), snapshot.communities, node.meta.labels, self._met)
        by_pool: dict[str, tuple[Resolved, ...]] = {}
        elsewhere: dict[str, tuple[str, ...]] = {}
        others = [
            Resolved(advertisement=item, communities=CommunitySet())
            for name, item in sorted(everywhere.items())
            if name not in here
        ]
        left_out: dict[str, tuple[str, ...]] = {}
        for name in self._pools | set(snapshot.pools):
            pool = snapshot.pools.get(name)
            covering = [item.advertisement for item in others if item.covers_pool(name, pool)]
            selected = {item.meta.name for item in covering if matches_any(item.node_selectors, node.meta.labels)}
            by_pool[name] = tuple(item for item in here.values() if item.covers_pool(name, pool))
            elsewhere[name] = tuple(item.meta.name for item in covering if item.meta.name not in selected)
            left_out[name] = tuple(sorted(selected))
        rules = NodeRules(
            node=node,
            advertisements=here,
            by_pool=by_pool,
            elsewhere=elsewhere,
            left_out=left_out,
            too_wide=wide_pairs(by_pool, snapshot.pools, self._rules.too_wide if self._rules else frozenset()),
            load_balancer_class=self._load_balancer_class,
            ignore_exclude_label=self._ignore_exclude_label,
        )
        return rules, [*mistakes, *width_mistakes(here.values(), snapshot.pools)]
