"""Defects that are made on purpose: each must be found, and as what it is, or the suite is blind."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest

from instruments import documents
from instruments.documents import key_of
from instruments.node import ASN, NAME
from instruments.running import configure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from instruments.node import NodeUnderTest
    from instruments.scenario import Scenario

pytestmark = [pytest.mark.frr, pytest.mark.topology]

POOL = documents.pool("alpha", "203.0.113.0/24")
LOW = documents.advertisement("low", communities=["64512:1"], serviceSelectors=[{"matchLabels": {"class": "low"}}])
HIGH = documents.advertisement(
    "high", communities=["64512:2"], serviceSelectors=[{"matchLabels": {"class": "high"}}], peers=["tor1", "inner"]
)
P_LOW, P_HIGH = "203.0.113.1/32", "203.0.113.2/32"


@pytest.fixture(scope="module", params=["sockets"])
def apply_with(request: pytest.FixtureRequest) -> str:
    """Use the sockets alone: the defects are made behind the agent's back."""
    way: str = request.param
    return way


@pytest.fixture
def frozen(node: NodeUnderTest) -> Iterator[Scenario]:
    """Provide two Services at rest, and an agent that is stopped so that it repairs nothing."""
    judged = node.scenario()
    found = [POOL, LOW, HIGH]
    for number, name in ((1, "low"), (2, "high")):
        found.append(documents.endpoint_slice(name, [documents.endpoint(NAME, "10.244.0.1")]))
        asked = {"metallb.io/loadBalancerIPs": f"203.0.113.{number}"}
        found.append(documents.service(name, labels={"class": name}, annotations=asked))
    judged.apply(*found)
    judged.settle()
    judged.assert_clean()
    node.signal_agent(signal.SIGSTOP)
    yield judged
    node.signal_agent(signal.SIGCONT)
    # a new agent finds what is wrong at once, where this one would at its next check
    node.signal_agent(signal.SIGKILL)
    node.start_agent()


def configured(node: NodeUnderTest, pattern: str) -> str:
    """Return a word of the running configuration."""
    found = re.search(pattern, node.frr.vtysh("show running-config"))
    assert found, f"expected {pattern!r} in the running configuration"
    return found[1]


def found_by(scenario: Scenario) -> set[tuple[str, str, str]]:
    """Return kind, peer and prefix of every finding."""
    return {(finding.kind, finding.peer, finding.prefix) for finding in scenario.verdict.findings}


def test_a_leak_is_found(frozen: Scenario, node: NodeUnderTest) -> None:
    """An entry that permits everything sends tor2 what only others may have."""
    outbound = configured(node, r"neighbor 10\.99\.0\.12 route-map (\S+) out")
    configure(node.frr.run_dir / "bgpd.vty", f"route-map {outbound} permit 65534")
    wanted = {("leak", "tor2", P_HIGH)}
    frozen.wait(lambda: found_by(frozen) >= wanted, 10, lambda: f"expected the judge to find {wanted}")
    assert found_by(frozen) == wanted, f"expected exactly {wanted}, found {frozen.verdict}"
    with pytest.raises(AssertionError, match="leak"):
        frozen.assert_clean()


def test_a_stale_tag_is_found(frozen: Scenario, node: NodeUnderTest) -> None:
    """A prefix in another Service's class shows itself by its communities, and at a peer too many."""
    other = configured(node, rf"network {re.escape(P_LOW)} route-map (\S+)")
    configure(
        node.frr.run_dir / "bgpd.vty",
        f"router bgp {ASN}", "address-family ipv4 unicast", f"network {P_HIGH} route-map {other}",
    )  # fmt: skip
    wanted = {("attributes", "tor1", P_HIGH), ("attributes", "inner", P_HIGH), ("leak", "tor2", P_HIGH)}
    frozen.wait(lambda: found_by(frozen) >= wanted, 10, lambda: f"expected the judge to find {wanted}")
    assert found_by(frozen) == wanted, f"expected exactly {wanted}, found {frozen.verdict}"
    with pytest.raises(AssertionError, match="attributes"):
        frozen.assert_clean()


def test_a_missed_withdrawal_is_found(frozen: Scenario) -> None:
    """A Service is gone and its route stays: the suite does not pass."""
    frozen.apply(remove=[key_of(documents.service("high"))])
    with pytest.raises(AssertionError, match=rf"tor1 extra {re.escape(P_HIGH)}"):
        frozen.settle(2)
    found = {(finding.kind, finding.peer, finding.prefix) for finding in frozen.at_rest()}
    wanted = {("extra", "tor1", P_HIGH), ("extra", "inner", P_HIGH)}
    assert found == wanted, f"expected exactly {wanted}, found {found}"
