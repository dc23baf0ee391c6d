"""Programs that die in the middle of changes: everything is right again soon after they are back."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from instruments import documents
from instruments.churn import Churn
from instruments.documents import key_of
from instruments.node import BEACON, NAME, PEERS, base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instruments.documents import Document
    from instruments.node import NodeUnderTest
    from instruments.scenario import Scenario

pytestmark = [pytest.mark.frr, pytest.mark.topology]

RECOVERY_SECONDS = 5.0
"""From the return of the program to the right routes at every peer; held against the clock in the soak test only,
because a busy machine takes its time."""
GENEROUS_SECONDS = 20.0


@pytest.fixture(scope="module")
def base_documents() -> list[Document]:
    """Return the node and its peers, one of them with BFD."""
    return base(bfd=True)


@pytest.fixture
def crashing(node: NodeUnderTest) -> Iterator[Scenario]:
    """Provide the judge for a test in which programs die; other FRRs must live on."""
    bystander = node.bystander.pids()
    judged = node.scenario()
    yield judged
    judged.judge.recovered()
    node.assert_agent_runs()
    judged.assert_clean()
    assert node.bystander.pids() == bystander, "expected the FRR at the other end to live on"


class Turmoil:
    """Random changes around a crash."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self._scenario = scenario
        self._churn = Churn(seed, NAME, PEERS, services=20)
        scenario.apply(*self._churn.start())
        scenario.settle()

    def changes(self, count: int) -> None:
        """Make changes without waiting for their effect."""
        for _ in range(count):
            step = self._churn.draw()
            self._scenario.apply(*step.put, remove=step.remove)

    def recover(self, node: NodeUnderTest) -> float:
        """Wait for the right routes; return the seconds it took since the return of the program."""
        try:
            return self._scenario.settle(GENEROUS_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{node.agent_log()}") from None


def test_the_agent_is_killed(crashing: Scenario, node: NodeUnderTest) -> None:
    """FRR goes on without the agent; the next one brings what was missed and touches nothing else."""
    before = node.fingerprint()
    turmoil = Turmoil(crashing, seed=1)
    turmoil.changes(4)
    node.signal_agent(signal.SIGKILL)
    turmoil.changes(4)
    node.start_agent()
    turmoil.recover(node)
    assert node.fingerprint() == before, f"expected {before}, found {node.fingerprint()}"


def test_the_agent_is_killed_again_and_again(crashing: Scenario, node: NodeUnderTest) -> None:
    """Whatever moment the agent dies in, half a change never stays."""
    before = node.fingerprint()
    turmoil = Turmoil(crashing, seed=2)
    for attempt in range(5):
        turmoil.changes(2)
        time.sleep(0.03 * attempt)  # the moment of death is what varies here
        node.signal_agent(signal.SIGKILL)
        node.start_agent()
        turmoil.recover(node)
    assert node.fingerprint() == before, f"expected {before}, found {node.fingerprint()}"


def test_bgpd_is_killed(crashing: Scenario, node: NodeUnderTest) -> None:
    """A bgpd that comes back empty is filled again, without help and without a wrong route."""
    others = {name: pid for name, pid in node.frr.pids().items() if name != "bgpd"}
    turmoil = Turmoil(crashing, seed=3)
    turmoil.changes(4)
    crashing.judge.outage(*PEERS)
    node.frr.kill("bgpd")
    turmoil.changes(4)
    node.frr.start(("bgpd",))
    turmoil.recover(node)
    found = {name: pid for name, pid in node.frr.pids().items() if name != "bgpd"}
    assert found == others, f"expected the other daemons to live on as {others}, found {found}"


def test_bfdd_is_killed(crashing: Scenario, node: NodeUnderTest) -> None:
    """A bfdd that comes back empty gets its profiles again, and its session with the peer."""
    turmoil = Turmoil(crashing, seed=4)
    crashing.wait(lambda: bfd_is_up(node), 10, lambda: str(node.frr.json("show bfd peers json")))
    turmoil.changes(4)
    crashing.judge.outage("tor1")
    node.frr.kill("bfdd")
    turmoil.changes(4)
    node.frr.start(("bfdd",))
    crashing.wait(lambda: bfd_is_up(node), 15, lambda: str(node.frr.json("show bfd peers json")))
    turmoil.recover(node)
    assert " profile fast" in node.frr.vtysh("show running-config"), "expected the BFD profile to be back"


def test_all_of_frr_is_killed(crashing: Scenario, node: NodeUnderTest) -> None:
    """An FRR that starts from nothing has everything again, while the agent runs on."""
    turmoil = Turmoil(crashing, seed=5)
    turmoil.changes(4)
    crashing.judge.outage(*PEERS)
    for daemon in node.frr.daemons:
        node.frr.kill(daemon)
    turmoil.changes(4)
    node.frr.start()
    turmoil.recover(node)


def test_agent_and_frr_are_killed_together(crashing: Scenario, node: NodeUnderTest) -> None:
    """As after a power cut: both start at the same time."""
    turmoil = Turmoil(crashing, seed=6)
    turmoil.changes(4)
    crashing.judge.outage(*PEERS)
    node.signal_agent(signal.SIGKILL)
    for daemon in node.frr.daemons:
        node.frr.kill(daemon)
    turmoil.changes(4)
    node.start_agent()
    node.frr.start()
    turmoil.recover(node)


def test_what_comes_and_goes_in_a_young_session_is_withdrawn(crashing: Scenario, node: NodeUnderTest) -> None:
    """Changes in the first second of a session arrive like all others.

    FRR 8.4 never withdraws what a lone member of an update group was sent within the coalesce time.
    """
    attributes = documents.advertisement("young", localPref=250, ipAddressPools=["beacon"])
    found = [attributes if document["kind"] == attributes["kind"] else document for document in BEACON]
    seen = node.listener.tables["inner"]
    crashing.judge.outage(*PEERS)
    for _ in range(3):
        node.frr.restart("bgpd", load=False)
        crashing.wait(lambda: "inner" not in node.listener.up, 10, lambda: "the session never ended")
        crashing.wait(lambda: "inner" in node.listener.up, 15, node.agent_log)
        crashing.apply(*found)
        crashing.wait(lambda: bool(seen), 15, node.agent_log)
        crashing.apply(remove=[key_of(document) for document in found])
        crashing.settle()


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_thirty_kills_are_each_recovered_from_in_time(crashing: Scenario, node: NodeUnderTest) -> None:
    """Agent, bgpd, bfdd and all of FRR in turn, each in the middle of changes, against the clock."""
    turmoil = Turmoil(crashing, seed=int(time.time()))
    taken = {}
    for number in range(30):
        victims = [("agent",), ("bgpd",), ("bfdd",), node.frr.daemons][number % 4]
        turmoil.changes(4)
        crashing.judge.outage(*PEERS)
        for victim in victims:
            kill(node, victim)
        turmoil.changes(4)
        if victims == ("agent",):
            node.start_agent()
        else:
            node.frr.start(victims)
        taken[number, victims] = turmoil.recover(node)
        crashing.judge.recovered()
    print(taken)
    late = {what: seconds for what, seconds in taken.items() if seconds > RECOVERY_SECONDS}
    assert not late, f"expected recovery within {RECOVERY_SECONDS} s, found {late}"


def kill(node: NodeUnderTest, program: str) -> None:
    """Kill the agent or a daemon."""
    if program == "agent":
        node.signal_agent(signal.SIGKILL)
    else:
        node.frr.kill(program)


def bfd_is_up(node: NodeUnderTest) -> bool:
    """Say whether the BFD session with tor1 is up and has the times of the profile."""
    found = [entry for entry in node.frr.json("show bfd peers json") if entry["peer"] == "10.99.0.11"]
    return bool(found) and found[0]["status"] == "up" and found[0]["transmit-interval"] == 200
