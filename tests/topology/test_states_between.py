"""While a plan is being carried out, what peers see at every single line of it is right."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from instruments import documents
from instruments.churn import Churn
from instruments.node import NAME, PEERS
from instruments.slow_vty import SlowVty

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from instruments.documents import Document
    from instruments.node import NodeUnderTest
    from instruments.scenario import Scenario

pytestmark = [pytest.mark.frr, pytest.mark.topology]

PAUSE_SECONDS = 0.12
"""Longer than FRR waits before it sends an UPDATE about a changed prefix or policy (0.05 and 0.1 s)."""
CHANGES = 12

POOL = documents.pool("alpha", "203.0.113.0/24", labels={"tier": "a"})
GOLD = [{"matchLabels": {"class": "gold"}}]
NONE = [{"matchLabels": {"class": "none"}}]


@pytest.fixture(scope="module", params=["sockets"])
def apply_with(request: pytest.FixtureRequest) -> str:
    """Use the sockets alone; vtysh is slow by itself."""
    way: str = request.param
    return way


@pytest.fixture
def slow(scenario: Scenario, node: NodeUnderTest, tmp_path: Path) -> Iterator[Scenario]:
    """Provide the judge of an agent whose every line takes a while."""
    node.signal_agent(signal.SIGTERM)
    with SlowVty(node.frr.run_dir, tmp_path / "slow", PAUSE_SECONDS) as vty:
        node.start_agent(vty.folder)
        yield scenario
        node.signal_agent(signal.SIGTERM)
    node.start_agent()


def gold(peers: list[str], community: str, selectors: list[Document]) -> Document:
    """Return the advertisement of the golden Services."""
    return documents.advertisement("gold", peers=peers, communities=[community], serviceSelectors=selectors)


def test_services_change_their_class(slow: Scenario) -> None:
    """Prefixes move between advertisements whose peers and communities change at the same time."""
    basic = documents.advertisement("basic", communities=["64512:2"])
    found = [POOL, basic, gold(["tor1", "inner"], "64512:1", GOLD)]
    for number in range(1, 5):
        asked = {"metallb.io/loadBalancerIPs": f"203.0.113.{number}"}
        labels = {"class": "gold"} if number % 2 else {}
        found.append(documents.endpoint_slice(f"w{number}", [documents.endpoint(NAME, "10.244.0.1")]))
        found.append(documents.service(f"w{number}", labels=labels, annotations=asked))
    slow.apply(*found)
    slow.settle(40)
    for step in (
        gold(["tor1", "inner"], "64512:1", NONE),
        gold(["tor1", "inner"], "64512:1", GOLD),
        gold(["tor2"], "64512:3", NONE),
        gold(["tor2", "tor1"], "64512:3", GOLD),
        gold(["tor1"], "64512:4", [*GOLD, {"matchExpressions": [{"key": "class", "operator": "DoesNotExist"}]}]),
        documents.advertisement("basic", communities=["64512:5"], peers=["tor2", "inner"]),
        basic,
    ):
        slow.apply(step)
        slow.settle(40)


def test_random_changes_at_a_slow_frr(slow: Scenario) -> None:
    """A few Services and whatever happens to them, three changes at once."""
    churn = Churn(7, NAME, PEERS, services=5)
    slow.apply(*churn.start())
    slow.settle(60)
    for _ in range(CHANGES):
        for _ in range(3):
            step = churn.draw()
            slow.apply(*step.put, remove=step.remove)
        slow.settle(60)
