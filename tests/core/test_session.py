"""Which of two contradicting BGPPeers a node has, and that the others never notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from configuration_builders import OneNode, at, told
from instruments import documents

if TYPE_CHECKING:
    from frrsync.core.decide import Decision
    from instruments.documents import Document


def peer(name: str, address: str, when: str = "", **spec: Any) -> Document:
    """Return a BGPPeer; None in the spec takes a field out."""
    found = documents.peer(name, address, my_asn=64512, peer_asn=64513, **spec)
    found["spec"] = {field: value for field, value in found["spec"].items() if value is not None}
    return at(found, when) if when else found


def names(decision: Decision) -> list[str]:
    """Return the peers that have a session."""
    return sorted(session.peer.meta.name for session in decision.sessions)


BYSTANDER = peer("z", "192.0.2.99")


@pytest.mark.parametrize(
    ("old", "young", "field"),
    [
        ({}, {}, "spec.peerAddress"),
        ({}, {"peerPort": 1179}, "spec.peerAddress"),
        ({}, {"peerASN": None, "dynamicASN": "external"}, "spec.peerAddress"),
        (
            {"peerAddress": None, "interface": "eth1"},
            {"peerAddress": None, "interface": "eth1", "dualStackAddressFamily": True},
            "spec.interface",
        ),
        ({"vrf": "red"}, {"vrf": "red"}, "spec.peerAddress"),
        ({"vrf": "default"}, {}, "spec.peerAddress"),
        ({}, {"peerAddress": "192.0.2.2", "myASN": 64999}, "spec.myASN"),
        ({"routerID": "10.0.0.1"}, {"peerAddress": "192.0.2.2", "routerID": "10.0.0.2"}, "spec.routerID"),
        ({"routerID": "10.0.0.1"}, {"vrf": "red", "routerID": "10.0.0.2"}, "spec.routerID"),
    ],
)
def test_the_older_one_counts_and_the_rest_goes_on(old: dict[str, Any], young: dict[str, Any], field: str) -> None:
    """The name says nothing where time stamps do; the mistake names both objects."""
    bystander = BYSTANDER if old.get("myASN") is None else peer("z", "192.0.2.99", vrf="blue")
    one, other = peer("b", "192.0.2.1", "2025", **old), peer("a", "192.0.2.1", "2026", **young)
    decision = OneNode().decide(other, one, bystander)
    assert names(decision) == ["b", "z"], f"expected b and z, found {names(decision)}"
    (mistake,) = decision.mistakes
    assert (mistake.file, mistake.field) == ("a.yaml", field), f"expected {field} of a.yaml, found {mistake}"
    assert "the older BGPPeer b (b.yaml:1)" in mistake.message, f"expected the other's place in {mistake}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"vrf": "red"}, {}),
        ({"vrf": "red"}, {"vrf": "blue"}),
        ({"nodeSelectors": [{"matchLabels": {"rack": "other"}}]}, {}),
        ({"myASN": 64999, "vrf": "red"}, {"vrf": "blue"}),
        ({"routerID": "10.0.0.1"}, {"peerAddress": "192.0.2.2"}),
        ({"passwordSecret": {"name": "tor"}}, {"peerAddress": "192.0.2.2", "passwordSecret": {"name": "tor"}}),
    ],
)
def test_what_does_not_meet_does_not_contradict(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Other VRFs, other nodes, one Secret for two peers, a router ID beside none."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tor", "namespace": "metallb-system"},
        "type": "kubernetes.io/basic-auth",
        "stringData": {"password": "haddock"},
    }
    decision = OneNode().decide(peer("a", "192.0.2.1", **one), peer("b", "192.0.2.1", **other), secret)
    assert not decision.mistakes, f"expected no mistake, found {told(decision.mistakes)}"


def test_what_runs_stays_also_when_an_older_peer_comes() -> None:
    """Neither a new file nor an older object pushes out a session that works; at the start the older one counts."""
    node = OneNode()
    assert names(node.decide(peer("b", "192.0.2.1"))) == ["b"]
    decision = node.decide(peer("a", "192.0.2.1"), peer("b", "192.0.2.1"))
    assert names(decision) == ["b"], f"expected the one that runs, found {names(decision)}"
    both = (peer("a", "192.0.2.1", "2025"), peer("b", "192.0.2.1", "2026"))
    decision = node.decide(*both)
    assert names(decision) == ["b"], f"expected the one that runs, found {names(decision)}"
    decision = OneNode().decide(*both)
    assert names(decision) == ["a"], f"expected the older one where none runs, found {names(decision)}"


@pytest.mark.parametrize(
    "spec",
    [{"peerAddress": "192.0.2.2"}, {"myASN": 64999}, {"routerID": "10.0.0.9"}],
    ids=lambda spec: next(iter(spec)),
)
def test_a_peer_that_is_edited_pushes_out_nobody_that_runs(spec: dict[str, Any]) -> None:
    """Not at once and not later, whatever its name is; corrected, it is back."""
    node = OneNode()
    others = [peer("b", "192.0.2.2", routerID="10.0.0.1"), BYSTANDER]
    assert names(node.decide(peer("a", "192.0.2.1"), *others)) == ["a", "b", "z"]
    for _ in range(2):
        decision = node.decide(peer("a", "192.0.2.1", **spec), *others)
        assert names(decision) == ["b", "z"], f"expected those that nothing is wrong with, found {names(decision)}"
    assert names(node.decide(peer("a", "192.0.2.1"), *others)) == ["a", "b", "z"]


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"peerAddress": "2001:db8::1"}, "over IPv6"),
        ({"peerAddress": None, "interface": "eth1"}, "over IPv6"),
        ({"ebgpMultiHop": True}, "over several hops"),
        ({"vrf": "red"}, "in a VRF"),
        ({}, ""),
    ],
)
def test_a_session_runs_although_echo_does_not_work_on_it(spec: dict[str, Any], word: str) -> None:
    """MetalLB would refuse the whole configuration."""
    profile = documents.bfd_profile("fast", echoMode=True)
    decision = OneNode().decide(profile, peer("a", "192.0.2.1", bfdProfile="fast", **spec))
    assert names(decision) == ["a"], f"expected the session, found {names(decision)}"
    found = told(decision.mistakes)
    assert len(found) == bool(word), f"expected {word or 'no mistake'}, found {found}"
    assert not word or word in found[0], f"expected {word!r} in {found[0]!r}"


def test_a_peer_that_is_the_node_itself_is_left_out_there_only() -> None:
    """No session can come up with the node itself; other nodes have the address as a router."""
    nodes = [documents.node("n1", ip="192.0.2.1"), documents.node("n2", ip="192.0.2.2")]
    found = {name: names(OneNode(name).decide(*nodes, peer("a", "192.0.2.1"), BYSTANDER)) for name in ("n1", "n2")}
    assert found == {"n1": ["z"], "n2": ["a", "z"]}, f"found {found}"


def test_a_node_without_an_address_in_its_status_decides_all_the_same() -> None:
    """An entry without a value is no address; it stops nothing."""
    node = documents.node("n1", ip="192.0.2.1")
    del node["status"]["addresses"][0]["address"]
    assert names(OneNode().decide(node, BYSTANDER)) == ["z"]
