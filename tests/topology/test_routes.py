"""From manifests to routes at the peers, change by change."""

from __future__ import annotations

import copy
import signal
from typing import TYPE_CHECKING, Any

import pytest

from instruments import documents
from instruments.documents import key_of
from instruments.model import EXCLUDE_LABEL
from instruments.node import ASN, NAME, PEERS, base
from instruments.route import Route
from instruments.running import differences, running_tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from instruments.documents import Document
    from instruments.node import NodeUnderTest
    from instruments.scenario import Scenario

pytestmark = [pytest.mark.frr, pytest.mark.topology]

POOL = documents.pool("alpha", "203.0.113.0/24", "2001:db8:a::/112", labels={"tier": "a"})
EVERYTHING = documents.advertisement("everything")
BOTH = ("IPv4", "IPv6")


def web(name: str, number: int, *, policy: str = "Cluster", labels: dict[str, str] | None = None) -> Document:
    """Return a dual-stack Service with fixed addresses."""
    return documents.service(
        name,
        policy=policy,
        labels=labels,
        families=BOTH,
        annotations={"metallb.io/loadBalancerIPs": f"203.0.113.{number},2001:db8:a::{number:x}"},
    )


def here(name: str, *, ready: bool = True) -> Document:
    """Return endpoints with one on the node under test and an unready one elsewhere."""
    return documents.endpoint_slice(
        name,
        [
            documents.endpoint(NAME, "10.244.0.1", ready=ready, serving=ready),
            documents.endpoint("elsewhere", "10.244.1.1", ready=False, serving=False),
        ],
    )


def several(count: int, **fields: Any) -> list[Document]:
    """Return Services w1, w2 ... with their endpoints."""
    return [
        part for number in range(1, count + 1) for part in (here(f"w{number}"), web(f"w{number}", number, **fields))
    ]


def changed(document: Document, **spec: Any) -> Document:
    """Return a copy with other fields in its spec; None takes one away."""
    copied = copy.deepcopy(document)
    copied["spec"] = {name: value for name, value in {**document["spec"], **spec}.items() if value is not None}
    return copied


def keys(found: Iterable[Document]) -> list[documents.Key]:
    """Return the keys of documents, the last first."""
    return [key_of(document) for document in found][::-1]


def test_a_service_appears_with_its_attributes_at_every_peer(scenario: Scenario) -> None:
    """Communities of all kinds, local preference, prepending and both families arrive as written."""
    attributes = documents.advertisement(
        "one", communities=["64512:7", "large:1:2:3", "blue", "no-export"], localPref=250, asPathPrepend=2
    )
    scenario.apply(POOL, documents.community("names", blue="65010:1"), attributes, here("web"), web("web", 7))
    scenario.settle()
    found = scenario.judge.latest()
    four, v6 = "203.0.113.7/32", "2001:db8:a::7/128"
    assert {peer: sorted(table) for peer, table in found.items()} == {
        "tor1": [four], "tor2": [v6, four], "six": [v6], "inner": [v6, four],
    }  # fmt: skip
    common = frozenset({"64512:7", "65010:1", "65535:65281"}), frozenset({"1:2:3"})
    assert found["tor1"][four] == Route((ASN,) * 3, 4, *common)
    assert found["inner"][v6] == Route((ASN,) * 2, 6, *common, 250)


def test_an_address_is_allocated_and_announced(scenario: Scenario) -> None:
    """A Service that asks for nothing gets an address of the pool, which is announced."""
    plain = documents.service("auto", families=BOTH)
    scenario.apply(POOL, EVERYTHING, here("auto"), plain)
    scenario.await_allocations()
    scenario.settle()
    assert all(scenario.judge.latest().values()), f"expected a route at every peer, found {scenario.judge.latest()}"


def test_local_policy_needs_an_endpoint_here(scenario: Scenario) -> None:
    """With policy Local only endpoints of this node count, with Cluster any."""
    elsewhere = documents.endpoint_slice("web", [documents.endpoint("elsewhere", "10.244.1.1")])
    scenario.apply(POOL, EVERYTHING, elsewhere, web("web", 7))
    scenario.settle()
    for step in (web("web", 7, policy="Local"), here("web"), elsewhere, web("web", 7)):
        scenario.apply(step)
        scenario.settle()
    assert all(scenario.judge.latest().values()), "expected the Service to be announced in the end"


def test_an_unready_endpoint_takes_only_its_service_away(scenario: Scenario) -> None:
    """Among ten Services one loses its endpoint and gets it back; nothing is sent about the others."""
    scenario.apply(POOL, EVERYTHING, *several(10, policy="Local"))
    scenario.settle()
    sent = scenario.verdict.changes
    scenario.apply(here("w4", ready=False))
    scenario.settle()
    assert scenario.verdict.withdrawn == 6, f"expected one withdrawal per peer and family, found {scenario.verdict}"
    scenario.apply(here("w4"))
    scenario.settle()
    assert scenario.verdict.changes - sent == 6, f"expected one announcement each, found {scenario.verdict}"


def test_changed_attributes_arrive_without_a_withdrawal(scenario: Scenario) -> None:
    """Communities, an alias, local preference and prepending change in place."""
    scenario.apply(POOL, documents.community("names", blue="65010:1"), EVERYTHING, *several(10))
    scenario.settle()
    for step in (
        changed(EVERYTHING, communities=["blue", "64512:1"]),
        documents.community("names", blue="65010:2"),
        changed(EVERYTHING, communities=["blue"], localPref=300),
        changed(EVERYTHING, communities=["blue"], asPathPrepend=3),
        EVERYTHING,
    ):
        scenario.apply(step)
        scenario.settle()
    assert scenario.verdict.withdrawn == 0, f"expected no withdrawal, found {scenario.verdict}"


def test_an_aggregation_length_replaces_the_host_routes(scenario: Scenario) -> None:
    """Lengths of both families change to and fro; an aggregate stays until its last Service goes."""
    wide = changed(EVERYTHING, aggregationLength=28, aggregationLengthV6=120)
    found = several(5)
    scenario.apply(POOL, EVERYTHING, *found)
    scenario.settle()
    for step in (wide, EVERYTHING, wide):
        scenario.apply(step)
        scenario.settle()
    for number in range(5, 0, -1):
        scenario.apply(remove=keys(found[2 * number - 2 : 2 * number]))
        scenario.settle()
        wanted = {"203.0.113.0/28"} if number > 1 else set()
        assert set(scenario.judge.latest()["tor1"]) == wanted, f"expected {wanted} with {number - 1} Services left"


def test_services_move_between_advertisements_without_leak_or_hole(scenario: Scenario) -> None:
    """Selectors decide which Services have which attributes at which peers; moving them disturbs nobody."""
    gold = documents.advertisement(
        "gold", communities=["64512:1"], serviceSelectors=[{"matchLabels": {"class": "gold"}}], peers=["tor1", "inner"]
    )
    silver = documents.advertisement(
        "silver", communities=["64512:2"], serviceSelectors=[{"matchLabels": {"class": "silver"}}]
    )
    scenario.apply(POOL, gold, silver, *several(6, labels={"class": "gold"}))
    scenario.settle()
    swapped = [{"matchLabels": {"class": "silver"}}], [{"matchExpressions": [{"key": "class", "operator": "Exists"}]}]
    for step in (
        web("w1", 1, labels={"class": "silver"}),
        changed(gold, serviceSelectors=swapped[0]),
        changed(silver, serviceSelectors=swapped[1]),
        changed(gold, serviceSelectors=swapped[0], communities=["64512:3"], peers=["six", "tor1"]),
        web("w2", 2, labels={"class": "silver", "zone": "x"}),
        changed(gold, serviceSelectors=None, ipAddressPoolSelectors=[{"matchLabels": {"tier": "a"}}]),
        silver,
    ):
        scenario.apply(step)
        scenario.settle()


def test_peers_of_an_advertisement_are_the_only_ones_that_see_it(scenario: Scenario) -> None:
    """An advertisement wanders from peer to peer; nobody else is told, not even for a moment."""
    only = documents.advertisement("only", peers=["tor1"], communities=["64512:1"])
    scenario.apply(POOL, only, *several(5))
    scenario.settle()
    for peers in (["tor2"], ["six", "inner"], ["inner"], list(PEERS), ["tor1"], ["nobody"]):
        scenario.apply(changed(only, peers=peers))
        scenario.settle()
        seen = {peer for peer, table in scenario.judge.latest().items() if table}
        assert seen == set(peers) - {"nobody"}, f"expected routes at {peers}, found them at {seen}"


def test_adding_and_removing_services_resets_no_session(scenario: Scenario, node: NodeUnderTest) -> None:
    """Thirty Services come and go, one by one and all at once; sessions and daemons stay as they are."""
    before = node.fingerprint()
    found = several(30)
    scenario.apply(POOL, EVERYTHING)
    for number in range(0, 60, 2):
        scenario.apply(*found[number : number + 2])
    scenario.settle()
    scenario.apply(remove=keys(found))
    scenario.settle()
    scenario.apply(*found)
    scenario.settle()
    assert node.fingerprint() == before, f"expected {before}, found {node.fingerprint()}"


def test_the_node_decides_by_its_labels_and_its_condition(scenario: Scenario) -> None:
    """Exclusion, a network that is not there and node selectors take the routes away and bring them back."""
    picky = changed(EVERYTHING, nodeSelectors=[{"matchLabels": {"rack": "r1"}}])
    plain = base()[0]
    scenario.apply(POOL, picky, *several(3))
    scenario.settle()
    for step in (
        documents.node(NAME, labels={"rack": "r1", EXCLUDE_LABEL: ""}, ip="10.99.0.1"),
        documents.node(NAME, labels={"rack": "r1"}, ip="10.99.0.1", network_unavailable=True),
        documents.node(NAME, labels={"rack": "r2"}, ip="10.99.0.1"),
    ):
        scenario.apply(step)
        scenario.settle()
        assert not any(scenario.judge.latest().values()), f"expected no route with {step}"
        scenario.apply(plain)
        scenario.settle()


def test_a_peer_that_goes_and_comes_disturbs_no_other(scenario: Scenario, node: NodeUnderTest) -> None:
    """Removing a BGPPeer ends its session only; making it again brings the routes back."""
    scenario.apply(POOL, EVERYTHING, *several(3))
    scenario.settle()
    peer = next(document for document in base() if document["metadata"]["name"] == "tor2")
    scenario.judge.outage("tor2")
    scenario.apply(remove=[key_of(peer)])
    scenario.wait(lambda: "tor2" not in node.listener.up, 10, lambda: "the session of tor2 is still up")
    scenario.apply(peer)
    scenario.settle(15)
    scenario.judge.recovered()


def test_a_second_run_sends_nothing(scenario: Scenario, node: NodeUnderTest) -> None:
    """An agent that finds everything in place changes neither FRR nor what the peers have."""
    scenario.apply(POOL, EVERYTHING, *several(10))
    scenario.settle()
    scenario.quiet(1.5)
    running = running_tree(node.frr)
    version = node.frr.json("show bgp ipv4 unicast summary json")["tableVersion"]
    counted = scenario.verdict.announced, scenario.verdict.withdrawn
    node.signal_agent(signal.SIGTERM)
    node.start_agent()
    scenario.wait(lambda: node.command("config", "diff").returncode == 0, 15, node.agent_log)
    assert (scenario.verdict.announced, scenario.verdict.withdrawn) == counted, str(scenario.verdict)
    found = differences(running, running_tree(node.frr))
    assert not found, f"expected the configuration to be untouched, found {found}"
    assert node.frr.json("show bgp ipv4 unicast summary json")["tableVersion"] == version
