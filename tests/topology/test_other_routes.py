"""What a change is not about stays as it is: no other route is withdrawn, changed, or loses its session.

The published bad case has 4 peers, 450 routes and 30 Services that come and go as fast as they can. The other
one is a single endpoint among 1,000 Services, and an agent that is restarted or exchanged.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from instruments import documents
from instruments.documents import key_of
from instruments.node import NAME, NodeUnderTest, base

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from instruments.documents import Document
    from instruments.observe import Event
    from instruments.route import Table

pytestmark = [pytest.mark.frr, pytest.mark.topology]

STABLE = 420
FLAPPING = 30
FLAP_SECONDS = 15
MANY = 1000
PATIENCE_SECONDS = 60
QUIET_SECONDS = 2.0
POOL = documents.pool("many", "198.18.0.0/16")
ADVERTISEMENT = documents.advertisement("many", communities=["64512:7"], localPref=150)


class Watched:
    """The peers' view of one node, with everything that happens to routes that no change is about."""

    def __init__(self, node: NodeUnderTest) -> None:
        self.node = node
        self.events: list[Event] = []

    def read(self) -> None:
        """Take in what the listener has logged."""
        self.events += self.node.listener.follow()

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.read()
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}; found {self.counts()} routes"
            time.sleep(0.01)

    def counts(self) -> dict[str, int]:
        """Return how many routes each peer has."""
        return {peer: len(table) for peer, table in self.node.listener.tables.items()}

    def rest(self) -> None:
        """Wait until nobody has been sent anything for a while."""
        seen, since = len(self.events), time.monotonic()
        deadline = since + PATIENCE_SECONDS
        while time.monotonic() < since + QUIET_SECONDS:
            self.read()
            if len(self.events) != seen:
                seen, since = len(self.events), time.monotonic()
            assert since < deadline, f"expected {QUIET_SECONDS} s of quiet within {PATIENCE_SECONDS} s"
            time.sleep(0.05)

    def begin(self) -> dict[str, Table]:
        """Forget what happened so far and return what every peer has."""
        self.rest()
        self.events.clear()
        return {peer: dict(table) for peer, table in self.node.listener.tables.items()}

    def assert_untouched(self, before: dict[str, Table], changing: Sequence[str]) -> None:
        """Fail if a session broke, or a route that is none of these was withdrawn or became another.

        FRR 8.4 sends some routes once more with the attributes that the peer has already; that is counted.
        """
        self.rest()
        own = set(changing)
        lost = [event for event in self.events if event.kind in {"down", "connect"}]
        assert not lost, f"expected every session to stay up, found {lost[:5]}"
        touched, repeated = [], 0
        for event in self.events:
            known = before[event.peer]
            touched += [f"{event.peer} lost {prefix}" for prefix in event.withdrawn if prefix not in own]
            for prefix in event.announced:
                if prefix not in own and event.route == known.get(prefix):
                    repeated += 1
                elif prefix not in own:
                    touched.append(f"{event.peer} got {prefix} as {event.route}, had {known.get(prefix)}")
        print(f"{len(self.events)} events, {repeated} routes sent once more as they were")
        assert not touched, f"expected no other route to be touched, found {len(touched)}: {touched[:5]}"


@pytest.fixture(scope="module")
def crowded(frr_version: FrrVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Provide a node with 1,000 Services, all of them at the four peers."""
    with NodeUnderTest(tmp_path_factory.mktemp("n"), frr_version, "sockets") as node:
        node.folder.put(*base(), POOL, ADVERTISEMENT)
        for number in range(MANY):
            node.folder.put(*service(number))
        node.start_agent()
        watched = Watched(node)
        watched.wait(
            lambda: all(len(node.listener.tables[peer]) == MANY for peer in ("tor1", "tor2", "inner")), "every route"
        )
        yield watched


def address(number: int) -> str:
    """Return the address of a Service."""
    return f"198.18.{number // 250}.{number % 250 + 1}"


def service(number: int, *, ready: bool = True) -> list[Document]:
    """Return a Service with its endpoints."""
    name = f"s{number}"
    endpoints = [documents.endpoint(NAME, "10.244.0.1", ready=ready)]
    return [
        documents.endpoint_slice(name, endpoints),
        documents.service(name, annotations={"metallb.io/loadBalancerIPs": address(number)}),
    ]


def flap(watched: Watched, numbers: Sequence[int], seconds: float) -> int:
    """Let Services come and go as fast as files can be written; return how often, and leave none of them."""
    folder, count = watched.node.folder, 0
    end = time.monotonic() + seconds
    there: dict[int, list[Document]] = {}
    while time.monotonic() < end:
        for number in numbers:
            if number in there:
                folder.remove(*map(key_of, there.pop(number)))
            else:
                there[number] = service(number)
                folder.put(*there[number])
            count += 1
        watched.read()
    for made in there.values():
        folder.remove(*map(key_of, made))
    return count


def bad_case(version: FrrVersion, path: Path, seconds: float) -> None:
    """450 routes at 4 peers, of which 30 come and go."""
    changing = range(STABLE, STABLE + FLAPPING)
    with NodeUnderTest(path, version, "sockets") as node:
        node.folder.put(*base(), POOL, ADVERTISEMENT)
        for number in range(STABLE):
            node.folder.put(*service(number))
        node.start_agent()
        watched = Watched(node)
        watched.wait(lambda: watched.counts()["inner"] == STABLE, "the routes that stay")
        fingerprint, before = node.fingerprint(), watched.begin()
        print(f"{flap(watched, changing, seconds)} times a Service came or went in {seconds} s")
        watched.wait(lambda: watched.counts()["inner"] == STABLE, "the Services to be gone")
        watched.assert_untouched(before, [f"{address(number)}/32" for number in changing])
        assert watched.node.listener.tables == before, "expected the tables of the beginning"
        assert node.fingerprint() == fingerprint, f"expected {fingerprint}, found {node.fingerprint()}"


def test_services_that_come_and_go_touch_no_other_route(frr_version: FrrVersion, tmp_path: Path) -> None:
    """4 peers, 450 routes, 30 Services as fast as they can, for a quarter of a minute."""
    bad_case(frr_version, tmp_path / "n", FLAP_SECONDS)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_five_minutes_of_services_that_come_and_go_touch_no_other_route(
    frr_version: FrrVersion, tmp_path: Path
) -> None:
    """The same for five minutes."""
    bad_case(frr_version, tmp_path / "n", 300)


def test_an_endpoint_among_a_thousand_services_touches_its_own_route_only(crowded: Watched) -> None:
    """Ten times it goes and comes; one prefix leaves and returns at every peer of its family."""
    own = f"{address(500)}/32"
    before = crowded.begin()
    for _ in range(10):
        crowded.node.folder.put(service(500, ready=False)[0])
        crowded.wait(lambda: own not in crowded.node.listener.tables["inner"], "the withdrawal")
        crowded.node.folder.put(service(500)[0])
        crowded.wait(lambda: own in crowded.node.listener.tables["inner"], "the route to be back")
    crowded.assert_untouched(before, [own])
    assert crowded.node.listener.tables == before, "expected the tables of the beginning"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
@pytest.mark.parametrize("apply_with", ["sockets", "vtysh"])
def test_another_agent_touches_no_route(crowded: Watched, number: signal.Signals, apply_with: str) -> None:
    """Nothing at all is sent while an agent is stopped or killed and another one starts, whichever way it applies."""
    before = crowded.begin()
    crowded.node.signal_agent(number)
    crowded.node.apply_with = apply_with
    crowded.node.start_agent()
    crowded.wait(lambda: crowded.node.command("config", "diff").returncode == 0, "the new agent to be content")
    crowded.assert_untouched(before, [])
    assert not [event for event in crowded.events if event.kind == "update"], "expected no UPDATE at all"
    probe = f"{address(MANY)}/32"
    crowded.node.folder.put(*service(MANY))
    crowded.wait(lambda: probe in crowded.node.listener.tables["inner"], "the new agent to announce")
    crowded.node.folder.remove(*map(key_of, service(MANY)))
    crowded.wait(lambda: probe not in crowded.node.listener.tables["inner"], "the new agent to withdraw")
