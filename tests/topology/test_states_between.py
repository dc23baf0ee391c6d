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


def picking(name: str, peers: list[str], community: str, **labels: str) -> Document:
    """Return an advertisement for the Services with these labels; none of them picks every Service."""
    selectors = [{"matchLabels": labels}] if labels else []
    return documents.advertisement(name, peers=peers, communities=[community], serviceSelectors=selectors)


def services(**labels: dict[str, str]) -> list[Document]:
    """Return Services with these labels, each with an endpoint and an address of its own."""
    found = [POOL]
    for number, (name, own) in enumerate(labels.items()):
        asked = {"metallb.io/loadBalancerIPs": f"203.0.113.{number}"}
        found.append(documents.endpoint_slice(name, [documents.endpoint(NAME, "10.244.0.1")]))
        found.append(documents.service(name, labels=own, annotations=asked))
    return found


def test_services_change_their_class(slow: Scenario) -> None:
    """Prefixes move between advertisements whose peers and communities change at the same time."""
    basic = picking("basic", list(PEERS), "64512:2")
    first = picking("gold", ["tor1", "inner"], "64512:1", metal="gold")
    slow.apply(basic, first, *services(a={"metal": "gold"}, b={}, c={"metal": "gold"}, d={}))
    slow.settle(40)
    for step in (
        picking("gold", ["tor1", "inner"], "64512:1", metal="none"),
        first,
        picking("gold", ["tor2"], "64512:3", metal="none"),
        picking("gold", ["tor2", "tor1"], "64512:3", metal="gold"),
        picking("gold", ["tor1"], "64512:4"),
        picking("basic", ["tor2", "inner"], "64512:5"),
        basic,
    ):
        slow.apply(step)
        slow.settle(40)


def test_a_service_leaves_a_class_that_changes_its_meaning(slow: Scenario) -> None:
    """One edit gives an advertisement another community and fewer Services: those that leave never see the new one."""
    both = {"metal": "gold", "zone": "x"}
    alone = {"metal": "iron", "zone": "x"}
    slow.apply(
        picking("basic", ["tor1", "tor2"], "64512:2", metal="gold"),
        picking("gold", ["tor1"], "64512:1", metal="gold"),
        picking("iron", ["tor1", "inner"], "64512:6", metal="iron"),
        *services(a={"metal": "gold"}, b=both, c={"metal": "iron"}, d=alone),
    )
    slow.settle(40)
    for step in (
        picking("gold", ["tor1"], "64512:3", **both),
        picking("iron", ["tor1", "inner"], "64512:7", **alone),
        picking("gold", ["tor1", "tor2"], "64512:4", metal="gold"),
        picking("iron", ["tor2", "inner"], "64512:8", metal="iron"),
        picking("gold", ["inner"], "64512:5", **both),
        picking("iron", ["inner"], "64512:9", **alone),
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
