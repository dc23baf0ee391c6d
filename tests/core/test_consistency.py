"""What ``frrsync check`` finds between objects is what the nodes find, for every node, each mistake once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from configuration_builders import OneNode, at, snapshot_of, told
from frrsync.core.consistency import mistakes_between
from instruments import documents

if TYPE_CHECKING:
    from instruments.documents import Document

POOL = documents.pool("main", "198.51.100.0/24")


def peer(name: str, address: str, rack: str = "", **spec: object) -> Document:
    """Return a BGPPeer of all nodes or of one rack."""
    selectors = [{"matchLabels": {"rack": rack}}] if rack else []
    return documents.peer(name, address, my_asn=64512, peer_asn=64513, nodeSelectors=selectors, **spec)


def nodes(*racks: str) -> list[Document]:
    """Return nodes n1, n2 ... in these racks."""
    return [documents.node(f"n{number}", labels={"rack": rack}) for number, rack in enumerate(racks, 1)]


def check(*objects: Document) -> list[str]:
    """Return the mistakes as a user reads them."""
    return told(mistakes_between(snapshot_of(*objects)))


def test_the_same_address_on_disjoint_nodes_is_fine() -> None:
    """A rack has its own router, and all of them may have the same address."""
    found = check(*nodes("r1", "r2"), peer("a", "192.0.2.1", "r1"), peer("b", "192.0.2.1", "r2", myASN=64999))
    assert not found, f"expected no mistake, found {found}"


def test_the_same_address_on_some_nodes_is_one_mistake_that_names_them() -> None:
    """Whoever mends it knows where to look."""
    found = check(*nodes("r1", "r2", "r1"), peer("a", "192.0.2.1"), peer("b", "192.0.2.1", "r1"))
    assert len(found) == 1, f"expected one mistake, found {found}"
    assert "left out on Node n1, n3: found 192.0.2.1 as in BGPPeer a (a.yaml:1), which counts" in found[0], found[0]


def test_different_rivals_on_different_nodes_are_told_apart() -> None:
    """One peer may lose against one on this node and against another on that node."""
    found = check(
        *nodes("r1", "r2"), peer("a", "192.0.2.1", "r1"), peer("b", "192.0.2.1", "r2"), peer("c", "192.0.2.1")
    )
    assert len(found) == 2, f"expected two mistakes, found {found}"
    assert "left out on Node n1: found 192.0.2.1 as in BGPPeer a" in found[0], found[0]
    assert "left out on Node n2: found 192.0.2.1 as in BGPPeer b" in found[1], found[1]


def test_without_nodes_only_what_selects_every_node_is_compared() -> None:
    """A folder with nothing but the configuration is checked as far as it goes."""
    assert not check(peer("a", "192.0.2.1", "r1"), peer("b", "192.0.2.1"))
    assert len(check(peer("a", "192.0.2.1"), peer("b", "192.0.2.1"))) == 1


def test_a_reference_is_followed_although_no_node_is_selected() -> None:
    """The node may come tomorrow; the mistake is there today, and names no node."""
    found = check(*nodes("r1"), peer("a", "192.0.2.1", "r9", passwordSecret={"name": "tor"}))
    assert len(found) == 1, f"expected one mistake, found {found}"
    assert ": left out: found 'tor'" in found[0], found[0]


def test_advertisements_that_share_no_peer_of_a_node_do_not_contradict_there() -> None:
    """Only what concerns a node can stop something on it."""
    objects = [
        POOL,
        peer("a", "192.0.2.1", "r1"),
        peer("b", "192.0.2.2", "r2"),
        documents.advertisement("one", localPref=100, peers=["a", "b"]),
        documents.advertisement("two", localPref=200, peers=["b"]),
    ]
    assert not check(*nodes("r1"), *objects)
    found = check(*nodes("r1", "r2"), *objects)
    assert len(found) == 1, f"expected one mistake, found {found}"
    assert "left out on Node n2 for IPAddressPool main at BGPPeer b" in found[0], found[0]


def test_other_prefix_lengths_and_other_pools_do_not_meet() -> None:
    """A /24 and the /32 in it are two routes."""
    pools = [POOL, documents.pool("lab", "203.0.113.0/24")]
    one = documents.advertisement("one", localPref=100, ipAddressPools=["main"])
    for other in (
        documents.advertisement("two", localPref=200, aggregationLength=24),
        documents.advertisement("two", localPref=200, ipAddressPools=["lab"]),
        documents.advertisement("two", localPref=200, serviceSelectors=[{"matchLabels": {"app": "none"}}]),
    ):
        found = check(*pools, peer("a", "192.0.2.1"), one, other)
        assert not found, f"expected no mistake, found {found}"


def test_who_is_left_out_already_pushes_nobody_out() -> None:
    """Of three in a row only those are named that a node leaves out."""
    pools = [POOL, documents.pool("lab", "203.0.113.0/24")]
    objects = [
        at(documents.advertisement("a", localPref=1, ipAddressPools=["main"]), "2024"),
        at(documents.advertisement("b", localPref=2), "2025"),
        at(documents.advertisement("c", localPref=1, ipAddressPools=["main"]), "2026"),
        at(documents.advertisement("d", localPref=1, ipAddressPools=["lab"]), "2027"),
    ]
    found = sorted(check(*pools, peer("p", "192.0.2.1"), *objects))
    names = [line.split(": ")[1] for line in found]
    assert names == ["BGPAdvertisement metallb-system/b", "BGPAdvertisement metallb-system/d"], f"found {found}"
    assert "IPAddressPool main" in found[0], found[0]
    assert "IPAddressPool lab" in found[1], found[1]


@pytest.mark.parametrize("name", ["n1", "n2"])
def test_a_node_finds_what_check_finds(name: str) -> None:
    """The same object, the same field; only where they meet is said in its own words."""
    objects = [
        *nodes("r1", "r2"),
        POOL,
        peer("a", "192.0.2.1"),
        peer("b", "192.0.2.1"),
        peer("c", "192.0.2.3", "r1", bfdProfile="none"),
        peer("d", "192.0.2.4", "r2", myASN=64999),
        documents.community("names", gold="64512:1"),
        documents.advertisement("one", communities=["golf"]),
        documents.advertisement("two", localPref=100),
        documents.advertisement("three", localPref=200),
        documents.advertisement("wide", aggregationLength=8, localPref=7),
        documents.service("web"),
        documents.endpoint_slice("web", [documents.endpoint("n1", "10.0.0.1")]),
    ]
    of_check = {(item.name, item.field, item.line) for item in mistakes_between(snapshot_of(*objects))}
    of_node = {(item.name, item.field, item.line) for item in OneNode(name).decide(*objects).mistakes}
    assert of_node <= of_check, f"expected check to find {sorted(of_node - of_check)} too"
    elsewhere = {"metallb-system/d"} if name == "n1" else {"metallb-system/c"}
    assert {found[0] for found in of_check - of_node} == elsewhere, f"found {sorted(of_check - of_node)}"


def test_many_nodes_are_checked_in_seconds() -> None:
    """A pipeline waits for it: 40 nodes, 64 peers, 60 advertisements, 40 pools, 1,000 Services."""
    objects: list[Document] = [*nodes(*(f"r{number % 8}" for number in range(40)))]
    objects += [documents.pool(f"p{number}", f"10.{number}.0.0/16") for number in range(40)]
    objects += [peer(f"t{number}", f"192.0.2.{number}", f"r{number % 8}") for number in range(64)]
    objects += [documents.advertisement(f"a{number}", localPref=1 + number % 3) for number in range(60)]
    objects += [documents.service(f"s{number}", labels={"app": f"s{number}"}) for number in range(1000)]
    snapshot = snapshot_of(*objects)
    start = time.process_time()
    found = mistakes_between(snapshot)
    spent = time.process_time() - start
    assert found, "expected contradictions"
    assert spent < 6, f"expected at most 6 s of CPU, took {spent:.1f} s"
