"""The guard against mass withdrawal: what it holds back, what it lets through, and how a hold ends."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from frrsync.agent.decisions import Decisions
from frrsync.agent.guard import EASE_SECONDS, Guard
from frrsync.agent.inputs import Known
from frrsync.agent.orders import NO_ORDERS, Orders
from frrsync.agent.vanished import prefixes_of
from frrsync.core.allocation import Allocation
from frrsync.core.model import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Endpoint,
    EndpointSlice,
    IPAddressPool,
    Metadata,
    NamespacedName,
    Node,
    Secret,
    Service,
    Snapshot,
    TrafficPolicy,
)
from frrsync.core.node_facts import NOTHING_KNOWN
from frrsync.core.selector import LabelSelector
from frrsync.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

NODE = "n1"
SERVICES = 20


def name_of(number: int) -> NamespacedName:
    """Return the name of a Service."""
    return NamespacedName("default", f"s{number}")


def service(number: int, **changes: Any) -> Service:
    """Return a Service."""
    return Service(meta=Metadata(namespace="default", name=f"s{number}"), type="LoadBalancer", **changes)


def part(number: int, *, ready: bool = True, name: str = "") -> EndpointSlice:
    """Return the endpoints of a Service, on this node."""
    endpoint = Endpoint(addresses=("10.0.0.1",), node_name=NODE, ready=ready)
    meta = Metadata(namespace="default", name=name or f"s{number}-1")
    return EndpointSlice(meta=meta, service_name=f"s{number}", endpoints=(endpoint,))


def full(services: int = SERVICES) -> Known:
    """Return a node that announces so many Services to one peer."""
    numbers = range(1, services + 1)
    return Known(
        snapshot=Snapshot(
            services={name_of(number): service(number) for number in numbers},
            slices={name_of(number): (part(number),) for number in numbers},
            nodes={NODE: Node(meta=Metadata(name=NODE, labels={"rack": "r1"}))},
            pools={"p": IPAddressPool(meta=Metadata(name="p"), addresses=())},
            peers={
                "tor": BGPPeer(
                    meta=Metadata(name="tor"), my_asn=64512, peer_asn=64513, peer_address="192.0.2.1",
                    password_secret="key", bfd_profile="fast",
                )
            },
            bgp_advertisements={
                "all": BGPAdvertisement(
                    meta=Metadata(name="all"),
                    node_selectors=(LabelSelector(match_labels=(("rack", "r1"),)),),
                )
            },
            bfd_profiles={"fast": BFDProfile(meta=Metadata(name="fast"))},
            secrets={"key": Secret(meta=Metadata(name="key"), type="kubernetes.io/basic-auth", password="x")},
        ),
        allocated={name_of(number): Allocation(addresses=(f"203.0.113.{number}",), pool="p") for number in numbers},
    )  # fmt: skip


def without(known: Known, field: str, *keys: object) -> Known:
    """Return the same without these objects, or without all of a kind."""
    mapping = getattr(known.snapshot, field)
    left = {key: value for key, value in mapping.items() if keys and key not in keys}
    return replace(known, snapshot=replace(known.snapshot, **{field: left}))


def with_services(known: Known, change: Callable[[Service], Service], count: int = SERVICES) -> Known:
    """Return the same with this many Services changed."""
    services = dict(known.snapshot.services)
    for number in range(1, count + 1):
        services[name_of(number)] = change(services[name_of(number)])
    return replace(known, snapshot=replace(known.snapshot, services=services))


def released(known: Known, *numbers: int) -> Known:
    """Return the same without the addresses of these Services, or without all."""
    gone = {name_of(number) for number in numbers}
    return replace(
        known, allocated={name: one for name, one in known.allocated.items() if numbers and name not in gone}
    )


def gone(known: Known, *numbers: int) -> Known:
    """Return the same without these Services, their slices and their addresses."""
    names = [name_of(number) for number in numbers]
    return released(without(without(known, "services", *names), "slices", *names), *numbers)


class Bench:
    """A guard with the real decisions behind it, asked again and again."""

    def __init__(self, running: frozenset[str] = frozenset(), **settings: Any) -> None:
        known = Settings(node=NODE, **{"guard_minimum": 10, **settings})
        self._decisions = Decisions(known)
        self._running = running
        self.guard = Guard(known)
        self.decided = 0
        self.wanted = 0

    @property
    def is_held(self) -> bool:
        """Say whether something is held back."""
        return self.guard.held is not None

    def settled(self, known: Known) -> int:
        """Return how many prefixes are announced of this when it has been so for a moment."""
        found = self.announces(known)
        if not self.is_held and self.guard.deadline is not None:
            time.sleep(max(0.0, self.guard.deadline - time.monotonic()) + 0.01)
            found = self.announces(known)
        return found

    def eased(self, known: Known) -> int:
        """Return how many prefixes are announced of this when nothing more came back for a moment."""
        self.announces(known)
        time.sleep(EASE_SECONDS + 0.01)
        return self.announces(known)

    def announces(self, known: Known, orders: Orders = NO_ORDERS) -> int:
        """Return how many prefixes are announced of this."""
        return len(self.prefixes(known, orders))

    def sessions(self, known: Known) -> int:
        """Return how many sessions are wanted of this."""
        self.announces(known)
        return self.wanted

    def prefixes(self, known: Known, orders: Orders = NO_ORDERS) -> frozenset[str]:
        """Return the prefixes that are announced of this."""

        def decide(found: Known) -> Any:
            self.decided += 1
            return self._decisions.decide(found, NOTHING_KNOWN)

        _, decision = self.guard.decide(known, decide, lambda: self._running, orders)
        self.wanted = len(decision.sessions)
        return prefixes_of(decision)


@pytest.mark.parametrize(
    ("what", "change", "objects"),
    [
        ("every Service", lambda known: without(known, "services"), SERVICES),
        ("every EndpointSlice", lambda known: without(known, "slices"), SERVICES),
        ("the advertisement", lambda known: without(known, "bgp_advertisements"), 1),
        ("the peer", lambda known: without(known, "peers"), 1),
        ("the Secret of the peer", lambda known: without(known, "secrets"), 1),
        ("the Node object", lambda known: without(known, "nodes"), 1),
        ("the allocation record", released, SERVICES),
        ("everything", lambda _known: Known(), 2 * SERVICES),
        ("more than half", lambda known: gone(known, *range(1, 12)), 22),
    ],
)
def test_prefixes_stay_when_objects_vanish(what: str, change: Callable[[Known], Known], objects: int) -> None:
    """Whatever kind of object is gone."""
    bench = Bench()
    assert bench.announces(full()) == SERVICES
    found = bench.settled(change(full()))
    assert found == SERVICES, f"expected all prefixes to stay without {what}, found {found}"
    held = bench.guard.held
    assert held is not None
    assert (held.announced, held.objects) == (SERVICES, objects), f"expected {objects} objects, found {held}"
    assert not bench.guard.holds_everything


@pytest.mark.parametrize(
    ("what", "change", "left"),
    [
        ("half of the Services", lambda known: gone(known, *range(1, 11)), 10),
        ("endpoints that are not ready", lambda known: replace(known, snapshot=replace(
            known.snapshot, slices={name: (part(1, ready=False),) for name in known.snapshot.slices})), 0),
        ("a label of the node", lambda known: replace(known, snapshot=replace(
            known.snapshot, nodes={NODE: Node(meta=Metadata(name=NODE, labels={"rack": "r2"}))})), 0),
        ("another class", lambda known: with_services(known, lambda one: replace(one, load_balancer_class="x")), 0),
        ("another type and no address", lambda known: released(
            with_services(known, lambda one: replace(one, type="ClusterIP"))), 0),
        ("local endpoints only, elsewhere", lambda known: with_services(
            replace(known, snapshot=replace(known.snapshot, slices={
                name: (replace(part(1), endpoints=(Endpoint(addresses=("10.0.0.1",), node_name="n2"),)),)
                for name in known.snapshot.slices})),
            lambda one: replace(one, external_traffic_policy=TrafficPolicy.LOCAL)), 0),
        ("a pool, whose addresses stay", lambda known: without(known, "pools"), SERVICES),
        ("a BFD profile", lambda known: without(known, "bfd_profiles"), SERVICES),
        ("slices that are replaced", lambda known: replace(known, snapshot=replace(known.snapshot, slices={
            name: (part(1, name=f"new{name.name}"),) for name in known.snapshot.slices})), SERVICES),
    ],
)  # fmt: skip
def test_what_is_no_mass_vanishing_goes_at_once(what: str, change: Callable[[Known], Known], left: int) -> None:
    """Readiness, labels, edits and a part of the prefixes are nobody's accident."""
    bench = Bench()
    bench.announces(full())
    found = bench.settled(change(full()))
    assert (found, bench.guard.held) == (left, None), f"expected {left} prefixes after {what}, found {found}"


def test_everything_else_goes_on_while_objects_are_held() -> None:
    """A Service that loses its endpoints goes, one that is new comes, and an edited one counts as edited."""
    bench = Bench()
    bench.announces(full())
    vanished = gone(full(), *range(1, 16))
    assert bench.announces(vanished) == SERVICES
    slices = {**vanished.snapshot.slices, name_of(20): (part(20, ready=False),), name_of(30): (part(30),)}
    services = {**vanished.snapshot.services, name_of(30): service(30)}
    edited = replace(
        vanished,
        snapshot=replace(vanished.snapshot, slices=slices, services=services),
        allocated={**vanished.allocated, name_of(30): Allocation(addresses=("203.0.113.30",), pool="p")},
    )
    found = bench.prefixes(edited)
    wanted = {f"203.0.113.{number}/32" for number in (*range(1, 20), 30)}
    assert found == wanted, f"expected {sorted(wanted)}, found {sorted(found)}"


def test_an_address_that_somebody_else_has_now_is_not_put_back() -> None:
    """Two Services never claim one address."""
    bench = Bench()
    bench.announces(full())
    found = gone(full(), *range(1, 16))
    found = replace(found, allocated={**found.allocated, name_of(20): Allocation(addresses=("203.0.113.1",), pool="p")})
    assert "203.0.113.20/32" not in bench.prefixes(found)
    assert bench.announces(found) == SERVICES - 1


def test_a_hold_ends_when_the_objects_are_back() -> None:
    """As soon as what is still missing is no mass any more, that goes."""
    bench = Bench()
    bench.announces(full())
    assert bench.announces(gone(full(), *range(1, 19))) == SERVICES
    assert bench.announces(gone(full(), *range(1, 16))) == SERVICES
    shown = bench.guard.held
    assert shown is not None
    assert shown.prefixes == 15
    assert bench.announces(gone(full(), *range(1, 9))) == SERVICES, "expected the rest to have a moment to come back"
    assert bench.eased(gone(full(), 1, 2)) == SERVICES - 2
    assert not bench.is_held
    assert bench.announces(full()) == SERVICES


def test_a_hold_ends_with_a_confirmation_that_came_after_it() -> None:
    """One from before does not count."""
    bench = Bench()
    old = Orders(confirmed_at=1.0)
    bench.announces(full(), old)
    left = gone(full(), *range(1, 19))
    assert bench.announces(left, old) == SERVICES
    assert bench.announces(left, Orders(confirmed_at=2.0)) == 2
    assert bench.guard.held is None
    assert bench.announces(left, Orders(confirmed_at=2.0)) == 2


def test_a_hold_ends_after_its_time() -> None:
    """What is still wanted then is done."""
    bench = Bench(guard_time=0.0)
    bench.announces(full())
    left = gone(full(), *range(1, 19))
    assert bench.announces(left) == SERVICES
    assert bench.guard.deadline is not None
    assert bench.announces(left) == 2


def test_what_vanishes_late_in_a_hold_has_its_own_time() -> None:
    """An accident shortly before the end of a hold does not go with it; single objects begin nothing anew."""
    bench = Bench(guard_time=60.0)
    bench.announces(full())
    assert bench.announces(gone(full(), *range(1, 13))) == SERVICES
    first = bench.guard.deadline
    assert bench.announces(gone(full(), *range(1, 14))) == SERVICES
    assert bench.guard.deadline == first, "expected one object more to begin nothing anew"
    assert bench.announces(Known()) == SERVICES
    assert bench.guard.held is not None
    assert (bench.guard.held.prefixes, bench.guard.held.announced) == (SERVICES, SERVICES)
    assert first is not None
    assert bench.guard.deadline is not None
    assert bench.guard.deadline > first, "expected the time to begin anew"


def test_configuration_that_is_removed_first_waits_for_the_rest() -> None:
    """Peers that go one by one, and then everything else: no session ends on the way to the hold."""
    bench = Bench()
    known = full()
    second = replace(known.snapshot.peers["tor"], meta=Metadata(name="tor2"), peer_address="192.0.2.2")
    known = replace(known, snapshot=replace(known.snapshot, peers={**known.snapshot.peers, "tor2": second}))
    assert bench.announces(known) == SERVICES
    one = without(known, "peers", "tor")
    for found in (one, without(known, "peers")):
        assert bench.sessions(found) == 2, "expected both peers to count for a moment"
    assert bench.settled(Known()) == SERVICES
    assert (bench.is_held, bench.sessions(Known())) == (True, 2)


def test_a_peer_that_is_removed_goes_a_moment_later() -> None:
    """Even if nothing else wakes the agent: there is a deadline."""
    bench = Bench()
    known = full()
    second = replace(known.snapshot.peers["tor"], meta=Metadata(name="tor2"), peer_address="192.0.2.2")
    both = replace(known, snapshot=replace(known.snapshot, peers={**known.snapshot.peers, "tor2": second}))
    bench.announces(both)
    assert bench.sessions(known) == 2
    assert bench.settled(known) == SERVICES
    assert (bench.sessions(known), bench.guard.deadline) == (1, None)


def test_objects_that_vanish_one_after_the_other_count_together() -> None:
    """As files that are removed in a loop."""
    bench = Bench()
    bench.announces(full())
    found = [bench.announces(gone(full(), *range(1, number))) for number in range(2, SERVICES + 1)]
    assert found[9:] == [SERVICES] * len(found[9:]) or found[10:] == [SERVICES] * len(found[10:]), f"found {found}"


@pytest.mark.parametrize(
    ("settings", "left"), [({"guard_percent": 100}, 0), ({"guard_minimum": 21}, 0), ({"guard_percent": 99}, SERVICES)]
)
def test_the_settings_count(settings: dict[str, Any], left: int) -> None:
    """100 percent turns it off, and small nodes are left alone."""
    bench = Bench(**settings)
    bench.announces(full())
    assert bench.announces(without(full(), "services")) == left


def test_a_guard_costs_one_decision_more_when_it_trips_and_none_otherwise() -> None:
    """Also while it holds."""
    bench = Bench()
    counts = []
    vanished = without(full(), "services")
    for known in (full(), full(), vanished, vanished, vanished):
        before = bench.decided
        bench.announces(known)
        counts.append(bench.decided - before)
    assert counts == [1, 1, 2, 1, 1], f"found {counts}"


RUNNING = frozenset(f"203.0.113.{number}/32" for number in range(1, SERVICES + 1))


@pytest.mark.parametrize(
    ("what", "known", "is_held"),
    [
        ("an empty folder", Known(), True),
        ("an empty record", released(full()), True),
        ("no Service", without(full(), "services"), True),
        ("no slices", without(full(), "slices"), True),
        ("no peer", without(full(), "peers"), True),
        ("no advertisement", without(full(), "bgp_advertisements"), True),
        ("everything as before", full(), False),
        ("half of it", gone(full(), *range(1, 11)), False),
        ("endpoints not ready", replace(full(), snapshot=replace(
            full().snapshot, slices={name_of(n): (part(n, ready=False),) for n in range(1, SERVICES + 1)})), False),
        ("another class", with_services(full(), lambda one: replace(one, load_balancer_class="x")), False),
    ],
)  # fmt: skip
def test_an_agent_that_starts_compares_with_what_frr_announces(what: str, known: Known, *, is_held: bool) -> None:
    """There are no objects to put back: nothing is sent until they are there, or somebody confirms."""
    bench = Bench(RUNNING)
    bench.announces(known)
    assert bench.guard.holds_everything is is_held, f"expected held={is_held} with {what}, found {bench.guard.held}"


def test_a_hold_of_the_start_ends_with_the_objects_or_a_confirmation() -> None:
    """And is a hold like any other afterwards."""
    bench = Bench(RUNNING)
    bench.announces(Known())
    bench.announces(gone(full(), *range(1, 9)))
    assert bench.guard.holds_everything, "expected the rest to have a moment to come back"
    assert (bench.announces(full()), bench.is_held) == (SERVICES, False)
    assert (bench.announces(Known()), bench.is_held, bench.guard.holds_everything) == (SERVICES, True, False)
    other = Bench(RUNNING)
    other.announces(Known())
    assert (other.announces(Known(), Orders(confirmed_at=1.0)), other.guard.held) == (0, None)


def test_what_frr_announces_by_an_aggregate_is_explained_by_its_services() -> None:
    """A /28 goes because no endpoint behind it is ready."""
    known = full()
    slices = {name_of(number): (part(number, ready=False),) for number in range(1, SERVICES + 1)}
    unready = replace(known, snapshot=replace(known.snapshot, slices=slices))
    bench = Bench(frozenset({"203.0.113.0/28", "203.0.113.16/28"}), guard_minimum=2)
    bench.announces(unready)
    assert bench.guard.held is None
