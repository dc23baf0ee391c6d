"""Judge what a BGP listener saw against what it should have seen, UPDATE by UPDATE.

Changes take a moment to arrive, and several may be under way at once. So an UPDATE is right when *some*
state explains it that the node may really have been in (``world``). What no such state explains is a finding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instruments.observe import Event
    from instruments.route import Route, Table, Tables
    from instruments.world import Change, World


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
