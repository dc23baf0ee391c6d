"""Judge what a BGP listener saw against what it should have seen, UPDATE by UPDATE.

Changes take a moment to arrive, and several may be under way at once. So an UPDATE is right when *some*
state explains it that the node may really have been in: what was settled, plus any subset of the changes
that were made since. What no such state explains is a finding.
"""

from __future__ import annotations

import ipaddress
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from instruments import model

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from instruments.documents import Document, Key
    from instruments.observe import Event
    from instruments.route import Route, Table, Tables

READING_TIME = 0.5
"""Seconds that the node may take to notice a change that cannot be seen on the wire."""
MANY_CHANGES = 11
"""With more changes under way than this, their subsets are too many to look at."""


@dataclass(slots=True)
class Change:
    """One change of the manifests; None is a removal.

    Attributes:
        time: just before it was written.
        allocations: addresses that the change gives to Services or takes from them.

    """

    time: float
    documents: Mapping[Key, Document | None]
    allocations: Mapping[str, Sequence[str] | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that should not have been.

    ``kind`` is one of: ``leak`` (announced though it must not be there), ``hole`` (withdrawn though it must
    stay), ``attributes`` (announced with the wrong ones), ``session``; and at rest ``missing``, ``extra``,
    ``differs``.
    """

    kind: str
    peer: str
    prefix: str
    time: float
    text: str

    def __str__(self) -> str:
        """Return one line for a failure message."""
        return f"{self.time:.3f} {self.peer} {self.kind} {self.prefix}: {self.text}"


@dataclass(slots=True)
class Verdict:
    """What the judge found, and what it counted.

    ``repeated`` are announcements of what the peer had already: FRR 8.4 sends everything again after the
    route-map delay timer, which harms nobody.
    """

    findings: list[Finding] = field(default_factory=list)
    announced: int = 0
    withdrawn: int = 0
    repeated: int = 0

    @property
    def changes(self) -> int:
        """Return how many announcements told the peer something new."""
        return self.announced - self.repeated

    def __str__(self) -> str:
        """Return the counts and up to twenty findings."""
        counts = f"{self.announced} announced ({self.repeated} repeated), {self.withdrawn} withdrawn"
        return "\n".join([f"{len(self.findings)} findings, {counts}", *map(str, self.findings[:20])])


def compare(actual: Tables, expected: Tables, time: float) -> list[Finding]:
    """Return what differs at rest; a peer without a table has none of its prefixes."""
    findings = []
    for peer in sorted(actual.keys() | expected.keys()):
        have, want = actual.get(peer, {}), expected.get(peer, {})
        for prefix in sorted(have.keys() | want.keys()):
            if prefix not in have:
                findings.append(Finding("missing", peer, prefix, time, f"expected {want[prefix]}"))
            elif prefix not in want:
                findings.append(Finding("extra", peer, prefix, time, f"found {have[prefix]}"))
            elif have[prefix] != want[prefix]:
                text = f"expected {want[prefix]}; found {have[prefix]}"
                findings.append(Finding("differs", peer, prefix, time, text))
    return findings


class World:
    """The states that the node may be in: settled documents, and changes that may have arrived."""

    def __init__(self, node: str, documents: Mapping[Key, Document], allocations: model.Allocations) -> None:
        self._node = node
        self._documents = dict(documents)
        self._allocations = dict(allocations)
        self._open: list[Change] = []
        self._cache: dict[frozenset[int], Tables] = {}

    def change(self, change: Change) -> None:
        """Let a change be under way."""
        self._open.append(change)

    def latest(self) -> Tables:
        """Return what should be seen when every change has arrived."""
        return self._tables(range(len(self._open)))

    def settle(self, time: float) -> None:
        """Take the changes as arrived, except those that are young and that nobody could see arrive."""
        stay: list[Change] = []
        before = self._tables(())
        for index, change in enumerate(self._open):
            after = self._tables(range(index + 1))
            if after == before and time - change.time < READING_TIME:
                stay.append(change)
            else:  # who has read this version of a document has no older one any more
                stay = [older for older in stay if not older.documents.keys() & change.documents.keys()]
            before = after
        arrived = [change for change in self._open if change not in stay]
        self._documents, self._allocations = self._state(arrived)
        self._open = stay
        self._cache.clear()

    def routes(self, peer: str, prefix: str) -> Iterator[Route | None]:
        """Yield what a peer may have for a prefix, in every possible state, the likely ones first.

        With very many changes under way (a daemon was away) only the orderly states are looked at.
        """
        for count in range(len(self._open), -1, -1):
            yield self._tables(range(count)).get(peer, {}).get(prefix)
        owners = self._owners(prefix)
        relevant = [change for change in self._open if any(self._is_about(key, owners) for key in change.documents)]
        if len(relevant) > MANY_CHANGES:
            return
        for count in range(len(relevant) + 1):
            for subset in itertools.combinations(relevant, count):
                documents, allocations = self._state(subset)
                documents = {key: found for key, found in documents.items() if self._is_about(key, owners)}
                yield model.expected(documents, allocations, self._node).get(peer, {}).get(prefix)

    def _owners(self, prefix: str) -> set[str]:
        """Return the Services that may have, or have had, an address in the prefix."""
        network = ipaddress.ip_network(prefix)
        every = [self._allocations, *(change.allocations for change in self._open)]
        return {
            owner
            for allocations in every
            for owner, addresses in allocations.items()
            if any(ipaddress.ip_address(address) in network for address in addresses or ())
        }

    def _is_about(self, key: Key, owners: set[str]) -> bool:
        """Say whether a document may decide about a prefix of these Services."""
        kind, namespace, name = key
        if kind == "EndpointSlice":
            versions = [self._documents.get(key), *(change.documents.get(key) for change in self._open)]
            labels = next(version["metadata"]["labels"] for version in versions if version is not None)
            name = labels["kubernetes.io/service-name"]
        return kind not in {"Service", "EndpointSlice"} or f"{namespace}/{name}" in owners

    def _tables(self, subset: Iterable[int]) -> Tables:
        chosen = frozenset(subset)
        if chosen not in self._cache:
            documents, allocations = self._state([self._open[index] for index in sorted(chosen)])
            self._cache[chosen] = model.expected(documents, allocations, self._node)
        return self._cache[chosen]

    def _state(self, changes: Iterable[Change]) -> tuple[dict[Key, Document], dict[str, Sequence[str]]]:
        documents, allocations = dict(self._documents), dict(self._allocations)
        for change in changes:
            _merge(documents, change.documents)
            _merge(allocations, change.allocations)
        return documents, allocations


def _merge(target: dict[Any, Any], updates: Mapping[Any, Any]) -> None:
    for key, value in updates.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = value


class Judge:
    """Takes changes, moments of rest and events in the order of time; gives a verdict.

    A session may be made once per peer; any other loss is a finding, except within an :meth:`outage`.

    Attributes:
        excused: the peers that ever had an outage.

    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._held: dict[str, Table] = {}
        self._connected: set[str] = set()
        self._outage: set[str] = set()
        self.excused: set[str] = set()
        self.verdict = Verdict()

    def change(self, change: Change) -> None:
        """Take note of a change."""
        self._world.change(change)

    def settled(self, time: float) -> None:
        """Take note that the listener has what it should have."""
        self._world.settle(time)

    def latest(self) -> Tables:
        """Return what every peer should have in the end."""
        return self._world.latest()

    def outage(self, *peers: str) -> None:
        """Let the sessions of these peers break and come back, until :meth:`recovered`."""
        self._outage.update(peers)
        self.excused.update(peers)

    def recovered(self) -> None:
        """Let no session break any more."""
        self._outage.clear()

    def events(self, events: Iterable[Event]) -> None:
        """Judge a piece of the log."""
        for event in events:
            held = self._held.setdefault(event.peer, {})
            if event.kind == "update":
                self._withdrawn(event, held)
                self._announced(event, held)
            elif event.kind in {"connect", "down"} or event.kind.startswith("notification"):
                self._session(event, held)

    def _find(self, kind: str, event: Event, prefix: str, text: str) -> None:
        self.verdict.findings.append(Finding(kind, event.peer, prefix, event.time, text))

    def _session(self, event: Event, held: Table) -> None:
        is_first = event.kind == "connect" and event.peer not in self._connected
        self._connected.add(event.peer)
        if event.kind == "down":
            held.clear()
        if not is_first and event.peer not in self._outage:
            self._find("session", event, "-", f"{event.kind} of session {event.session}, {event.detail}")

    def _withdrawn(self, event: Event, held: Table) -> None:
        for prefix in event.withdrawn:
            self.verdict.withdrawn += 1
            held.pop(prefix, None)
            if all(route is not None for route in self._world.routes(event.peer, prefix)):
                self._find("hole", event, prefix, "withdrawn, yet it is wanted before and after")

    def _announced(self, event: Event, held: Table) -> None:
        for prefix in event.announced:
            route = event.route
            assert route is not None, "an announcement has attributes"
            self.verdict.announced += 1
            self.verdict.repeated += held.get(prefix) == route
            held[prefix] = route
            self._explain(event, prefix, route)

    def _explain(self, event: Event, prefix: str, route: Route) -> None:
        """Find a state in which this route is right, or take note that there is none."""
        allowed = set()
        for wanted in self._world.routes(event.peer, prefix):
            if wanted == route:
                return
            if wanted is not None:
                allowed.add(str(wanted))
        if allowed:
            self._find("attributes", event, prefix, f"found {route}; allowed {' | '.join(sorted(allowed))}")
        else:
            self._find("leak", event, prefix, f"found {route}; this peer must not have it")
