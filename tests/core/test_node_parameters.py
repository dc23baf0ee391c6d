"""BGPNodeParameters: every source of a value, what is said when there is none, and who counts of two."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from frrsync.agent.decisions import Decisions
from frrsync.agent.inputs import Known
from frrsync.cli import main
from frrsync.core.announce import node_of
from frrsync.core.consistency import mistakes_between
from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.core.node_facts import NOTHING_KNOWN, NodeFacts
from frrsync.core.node_parameters import NodePeers, asks_for_gateway, effective_peers
from frrsync.core.peer_kind import FROM_TEXT
from frrsync.directory.store import check_paths
from frrsync.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from frrsync.core.model import BGPPeer, Snapshot

Document = dict[str, Any]
PAGE = Path(__file__).parents[2] / "docs" / "per-node-parameters.md"
LABELS = {"rack": "a", "asn": "64601", "name": "eth1", "time": "9s", "number": "0x5", "secret": "tor-a", "short": "1s"}
ANNOTATIONS = {"id": "192.0.2.77", "v6": "2001:db8:0:2::1", "local": "fe80::1", "v4": "192.0.2.99", "word": "tor"}
ADDRESSES = ("192.0.2.11", "192.0.2.12", "2001:db8::11")
V4, V6 = "192.0.2.1", "2001:db8::1"


def node(name: str = "n1", **metadata: Any) -> Document:
    """Return a Node with labels and annotations."""
    found = {"name": name, "labels": LABELS, "annotations": ANNOTATIONS, **metadata}
    status = {"addresses": [{"type": "InternalIP", "address": address} for address in ADDRESSES]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": found, "status": status}


def peer(name: str = "tor", address: str = V4, **spec: Any) -> Document:
    """Return a BGPPeer; None takes a field away."""
    fields = {"myASN": 64512, "peerASN": 64513, "peerAddress": address, **spec}
    return {
        "apiVersion": "metallb.io/v1beta2",
        "kind": "BGPPeer",
        "metadata": {"name": name, "namespace": "metallb-system"},
        "spec": {field: value for field, value in fields.items() if value is not None},
    }


def parameters(name: str = "racks", created: str = "", **spec: Any) -> Document:
    """Return a BGPNodeParameters."""
    metadata = {"name": name, "namespace": "metallb-system"}
    if created:
        metadata["creationTimestamp"] = created
    return {"apiVersion": "frrsync.dev/v1alpha1", "kind": "BGPNodeParameters", "metadata": metadata, "spec": spec}


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Snapshot]:
    """Return a function that writes documents, one a file, and reads them without a mistake."""
    monkeypatch.chdir(tmp_path)

    def snapshot_of(*found: Document) -> Snapshot:
        for document in found:
            file = tmp_path / f"{document['metadata']['name']}.json"
            file.write_text(json.dumps(document, indent=1))
        state = check_paths([Path(f"{document['metadata']['name']}.json") for document in found])
        assert not state.mistakes, "\n".join(map(str, state.mistakes))
        return state.snapshot

    return snapshot_of


def here(
    snapshot: Snapshot, facts: NodeFacts = NOTHING_KNOWN, name: str = "n1"
) -> tuple[dict[str, BGPPeer], list[str]]:
    """Return the peers of a node and what was said about others."""
    found = effective_peers(snapshot, node_of(snapshot, name), facts)
    return dict(found.peers), [str(mistake) for mistake in (*found.mistakes, *found.unknown)]


GATEWAYS = NodeFacts(default_gateways=("192.0.2.254", "2001:db8::fe"))


@pytest.mark.parametrize(
    ("field", "source", "attribute", "expected"),
    [
        ("myASN", {"value": 64700}, "my_asn", 64700),
        ("myASN", {"fromLabel": "asn"}, "my_asn", 64601),
        ("peerASN", {"fromLabel": "rack", "values": {"a": 64701, "b": 64702}}, "peer_asn", 64701),
        ("peerASN", {"fromLabel": "none", "default": 64799}, "peer_asn", 64799),
        ("localASN", {"fromLabel": "asn", "default": 1}, "local_asn", 64601),
        ("peerAddress", {"fromAnnotation": "v4"}, "peer_address", "192.0.2.99"),
        ("peerAddress", {"fromNode": "DefaultGateway"}, "peer_address", "192.0.2.254"),
        ("peerAddress", {"fromLabel": "rack", "values": {"a": "192.0.2.7"}}, "peer_address", "192.0.2.7"),
        ("sourceAddress", {"fromNode": "InternalIP"}, "source_address", "192.0.2.11"),
        ("routerID", {"fromAnnotation": "id"}, "router_id", "192.0.2.77"),
        ("routerID", {"fromNode": "InternalIP"}, "router_id", "192.0.2.11"),
        ("holdTime", {"fromLabel": "time"}, "hold_time", 9),
        ("holdTime", {"fromLabel": "time"}, "keepalive_time", 3),
        ("keepaliveTime", {"fromLabel": "time"}, "hold_time", 27),
        ("connectTime", {"value": "7s"}, "connect_time", 7),
        ("passwordSecret", {"fromLabel": "secret"}, "password_secret", "tor-a"),
        ("myASN", {"fromLabel": "kubernetes.io/hostname", "values": {"n9": 1}, "default": 64720}, "my_asn", 64720),
    ],
)
def test_a_value_comes_from_where_the_resource_says(
    read: Callable[..., Snapshot], field: str, source: Document, attribute: str, expected: object
) -> None:
    """Each source, for each field of which every node may have its own value."""
    spec: Document = {field: source}
    snapshot = read(node(), peer(), parameters(**spec))
    peers, said = here(snapshot, GATEWAYS)
    assert not said, said
    assert getattr(peers["tor"], attribute) == expected


def test_addresses_are_of_the_family_of_the_peer(read: Callable[..., Snapshot]) -> None:
    """One resource serves both families."""
    both = parameters(peerAddress={"fromNode": "DefaultGateway"}, sourceAddress={"fromNode": "InternalIP"})
    peers, said = here(read(node(), peer(), peer("six", V6), both), GATEWAYS)
    assert not said, said
    assert (peers["tor"].peer_address, peers["tor"].source_address) == ("192.0.2.254", "192.0.2.11")
    assert (peers["six"].peer_address, peers["six"].source_address) == ("2001:db8::fe", "2001:db8::11")


def test_an_interface_may_differ_from_node_to_node(read: Callable[..., Snapshot]) -> None:
    """For unnumbered sessions over cables that are not called alike everywhere."""
    unnumbered = peer(address=V4, interface="eth0", peerAddress=None)
    peers, said = here(read(node(), unnumbered, parameters(interface={"fromLabel": "name"})))
    assert (peers["tor"].interface, said) == ("eth1", [])


WHERE = "BGPPeer metallb-system/tor: spec."


@pytest.mark.parametrize(
    ("spec", "facts", "expected"),
    [
        (
            {"myASN": {"fromLabel": "none"}},
            NOTHING_KNOWN,
            (
                "tor.json:9: "
                + WHERE
                + "myASN: left out: BGPNodeParameters racks (racks.json:12) takes it from label none "
                "of Node n1 (n1.json:1), which does not exist, and names no default"
            ),
        ),
        (
            {"peerASN": {"fromLabel": "rack", "values": {"b": 1, "c": 2}, "default": 3}},
            NOTHING_KNOWN,
            "takes it from label rack of Node n1 (n1.json:1): found 'a', allowed are b, c",
        ),
        (
            {"myASN": {"fromLabel": "number"}},
            NOTHING_KNOWN,
            "takes it from label number of Node n1 (n1.json:1): found '0x5', allowed are 1 to 4294967295",
        ),
        (
            {"peerAddress": {"fromAnnotation": "word"}},
            NOTHING_KNOWN,
            "takes it from annotation word of Node n1 (n1.json:1): 'tor' is not an IP address",
        ),
        (
            {"peerAddress": {"fromAnnotation": "local"}},
            NOTHING_KNOWN,
            "found 'fe80::1', which is valid on one link only; use interface instead of peerAddress",
        ),
        (
            {"peerAddress": {"fromAnnotation": "v6"}},
            NOTHING_KNOWN,
            "gives 2001:db8:0:2::1, an IPv4 address is needed as in the BGPPeer itself",
        ),
        (
            {"holdTime": {"fromLabel": "short"}},
            NOTHING_KNOWN,
            (
                "spec.holdTime: left out: BGPNodeParameters racks (racks.json:12) takes it from label short of Node n1 "
                "(n1.json:1): found '1s', allowed are 0s and 3s to 65535s"
            ),
        ),
        (
            {"holdTime": {"value": "9s"}, "keepaliveTime": {"value": "30s"}},
            NOTHING_KNOWN,
            "spec.keepaliveTime: left out: found 30s, allowed up to holdTime are 0s to 9s",
        ),
        (
            {"interface": {"fromLabel": "name"}},
            NOTHING_KNOWN,
            (
                "spec.interface: left out: both are set, exactly one of peerAddress and interface is needed (with the "
                "values of BGPNodeParameters racks (racks.json:1))"
            ),
        ),
        (
            {"peerAddress": {"fromNode": "DefaultGateway"}},
            NodeFacts(default_gateways=()),
            "takes it from the IPv4 default gateway of Node n1 (n1.json:1), which does not exist, and names no default",
        ),
        (
            {"peerAddress": {"fromNode": "DefaultGateway"}},
            NodeFacts(default_gateways=("192.0.2.1", "192.0.2.2", "2001:db8::1")),
            "found 192.0.2.1 and 192.0.2.2, exactly one is needed",
        ),
        (
            {"peerAddress": {"fromNode": "DefaultGateway"}},
            NOTHING_KNOWN,
            (
                "which only its FRR knows; for commands that do not ask it, annotation frrsync.dev/default-gateway of "
                "the Node can name it"
            ),
        ),
    ],
)
def test_a_value_that_cannot_be_had_leaves_the_peer_out_with_a_reason(
    read: Callable[..., Snapshot], spec: Document, facts: NodeFacts, expected: str
) -> None:
    """It names node, label, object and place, and what is allowed; the BGPPeer's own value is no way out."""
    snapshot = read(node(), peer(), peer("other", "192.0.2.50"), parameters(peers=["tor"], **spec))
    peers, said = here(snapshot, facts)
    assert list(peers) == ["other"], f"expected only the other peer, found {peers}"
    assert len(said) == 1, said
    assert expected in said[0], f"expected {expected!r} in {said[0]!r}"


def test_a_link_local_gateway_needs_an_unnumbered_session(read: Callable[..., Snapshot]) -> None:
    """FRR takes such an address without its link, and never gets a session."""
    snapshot = read(node(), peer("tor", V6), parameters(peerAddress={"fromNode": "DefaultGateway"}))
    peers, said = here(snapshot, NodeFacts(default_gateways=("fe80::1%eth0",)))
    assert not peers, peers
    assert "found fe80::1 on eth0, an address that is valid on one link only; allowed is a global one" in said[0], said


def test_a_gateway_is_none_of_a_vrf(read: Callable[..., Snapshot]) -> None:
    """The default route of the default VRF says nothing about another one."""
    snapshot = read(node(), peer(vrf="red"), parameters(peerAddress={"fromNode": "DefaultGateway"}))
    peers, said = here(snapshot, GATEWAYS)
    assert (peers, "allowed is a BGPPeer without vrf" in said[0]) == ({}, True), said


def test_the_annotation_stands_for_the_gateway_only_where_nobody_can_be_asked(read: Callable[..., Snapshot]) -> None:
    """What FRR says counts."""
    named = node(annotations={"frrsync.dev/default-gateway": "192.0.2.9, 2001:db8::9"})
    snapshot = read(named, peer(), peer("six", V6), parameters(peerAddress={"fromNode": "DefaultGateway"}))
    for facts, expected in ((NOTHING_KNOWN, ["192.0.2.9", "2001:db8::9"]), (GATEWAYS, ["192.0.2.254", "2001:db8::fe"])):
        peers, said = here(snapshot, facts)
        assert ([peers[name].peer_address for name in ("tor", "six")], said) == (expected, [])


def test_an_annotation_that_is_no_address_is_a_mistake(read: Callable[..., Snapshot]) -> None:
    """It names the annotation."""
    wrong = node(annotations={"frrsync.dev/default-gateway": "tor"})
    _, said = here(read(wrong, peer(), parameters(peerAddress={"fromNode": "DefaultGateway"})))
    assert "takes it from annotation frrsync.dev/default-gateway of Node n1 (n1.json:1): 'tor' is not" in said[0], said


def test_a_text_in_place_of_the_name_of_a_secret_is_never_shown(read: Callable[..., Snapshot]) -> None:
    """Somebody may have put the password there."""
    hidden = node(annotations={"tor": "Geheim!"})
    for source in ({"fromAnnotation": "tor"}, {"fromAnnotation": "tor", "values": {"a": "secret-a"}}):
        peers, said = here(read(hidden, peer(), parameters(passwordSecret=source)))
        assert not peers, peers
        assert "Geheim" not in said[0], said


def test_a_text_that_is_too_long_for_any_value_is_not_repeated(read: Callable[..., Snapshot]) -> None:
    """An annotation may be as long as a book."""
    book = node(annotations={"tor": "1" * 100_000})
    _, said = here(read(book, peer(), parameters(peerAddress={"fromAnnotation": "tor"})))
    assert "found 100000 characters, allowed are 253" in said[0]
    assert len(said[0]) < 300, said[0][:300]


def test_gateways_that_are_too_many_or_too_long_are_not_repeated(read: Callable[..., Snapshot]) -> None:
    """The annotation may be as long, and its addresses as many."""
    many = ",".join(f"10.{number // 250}.{number % 250}.1" for number in range(5000))
    for text, expected in (("1" * 100_000, "found 100000 characters, allowed are 253"), (many, "and 4997 more")):
        found = node(annotations={"frrsync.dev/default-gateway": text})
        _, said = here(read(found, peer(), parameters(peerAddress={"fromNode": "DefaultGateway"})))
        assert expected in said[0], said[0][:300]
        assert len(said[0]) < 300, said[0][:300]


def test_selectors_say_which_peers_and_nodes_are_meant(read: Callable[..., Snapshot]) -> None:
    """Everything else stays what the BGPPeer says, the same object."""
    snapshot = read(
        node(),
        node("n2", labels={"rack": "b"}),
        peer(),
        peer("other", "192.0.2.2"),
        parameters(peers=["tor"], nodeSelectors=[{"matchLabels": {"rack": "a"}}], myASN={"value": 5}),
    )
    peers, said = here(snapshot)
    assert ({name: item.my_asn for name, item in peers.items()}, said) == ({"tor": 5, "other": 64512}, [])
    assert peers["other"] is snapshot.peers["other"]
    assert here(snapshot, name="n2") == (snapshot.peers, [])


def test_a_peer_of_other_nodes_needs_no_value_here(read: Callable[..., Snapshot]) -> None:
    """What does not concern a node stops nothing on it."""
    elsewhere = peer(nodeSelectors=[{"matchLabels": {"rack": "z"}}])
    assert here(read(node(), elsewhere, parameters(myASN={"fromLabel": "none"})))[1] == []


@pytest.mark.parametrize(
    ("created", "winner"), [(("", ""), "alpha"), (("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"), "beta")]
)
def test_of_two_resources_for_one_field_the_older_counts(
    read: Callable[..., Snapshot], created: tuple[str, str], winner: str
) -> None:
    """The reason names both; fields that only the younger one sets are taken from it."""
    two = (
        parameters("alpha", created[0], myASN={"value": 1}, routerID={"value": "1.1.1.1"}),
        parameters("beta", created[1], myASN={"value": 2}, connectTime={"value": "3s"}),
    )
    peers, said = here(read(node(), peer(), *two))
    other = "beta" if winner == "alpha" else "alpha"
    assert peers["tor"].my_asn == (1 if winner == "alpha" else 2)
    assert (peers["tor"].router_id, peers["tor"].connect_time) == ("1.1.1.1", 3)
    assert len(said) == 1, said
    assert f"BGPNodeParameters metallb-system/{other}: spec.myASN: left out for BGPPeer tor: " in said[0]
    assert f"BGPNodeParameters {winner} ({winner}.json:" in said[0]


def test_a_new_resource_does_not_push_out_the_one_that_counts(read: Callable[..., Snapshot]) -> None:
    """Manifests carry no time stamps, and the first by name may be the newest."""
    old = read(node(), peer(), parameters("beta", myASN={"value": 2}))
    new = read(node(), peer(), parameters("alpha", myASN={"value": 1}), parameters("beta", myASN={"value": 2}))
    peers = NodePeers("n1")
    assert peers.applied(old, NOTHING_KNOWN).peers["tor"].my_asn == 2
    assert peers.applied(new, NOTHING_KNOWN).peers["tor"].my_asn == 2
    assert "alpha" in str(peers.mistakes[0]), peers.mistakes


def test_a_name_that_no_peer_has_is_a_mistake(read: Callable[..., Snapshot]) -> None:
    """A misspelt name would silently leave the peer what it is."""
    _, said = here(read(node(), peer(), parameters(peers=["tor", "toor"], myASN={"value": 5})))
    expected = (
        "BGPNodeParameters metallb-system/racks: spec.peers[1]: found 'toor', but there is no BGPPeer of that name"
    )
    assert said == [f"racks.json:11: {expected}, or it holds a mistake; defined are: tor"]


def test_rules_between_peers_see_the_values_of_the_node(read: Callable[..., Snapshot]) -> None:
    """Two peers may get one address on one node and different ones on the next."""
    by_rack = {"fromLabel": "rack", "values": {"a": "192.0.2.2", "b": "192.0.2.3"}}
    snapshot = read(
        node(),
        node("n2", labels={"rack": "b"}),
        peer("one", "192.0.2.2"),
        peer("two", "192.0.2.4"),
        parameters(peers=["two"], peerAddress=by_rack),
    )
    decided = {name: NodeDecider(NodeOptions(node=name)).decide(snapshot, {}) for name in ("n1", "n2")}
    assert [session.peer.meta.name for session in decided["n1"].sessions] == ["one"]
    assert "found 192.0.2.2 as in BGPPeer one" in str(decided["n1"].mistakes[0]), decided["n1"].mistakes
    assert [session.neighbor.peer for session in decided["n2"].sessions] == ["192.0.2.2", "192.0.2.3"]
    found = [str(mistake) for mistake in mistakes_between(snapshot)]
    assert [("on Node n1" in text, "n2" in text) for text in found] == [(True, False)], found


def test_check_names_every_node_that_has_no_value(read: Callable[..., Snapshot], tmp_path: Path) -> None:
    """Offline, with file and line; a default gateway that only FRR knows is no mistake of the manifests."""
    read(
        node(),
        node("n2", labels={}),
        node("n3", labels={"rack": "x"}),
        peer(),
        peer("gate", "192.0.2.2"),
        parameters(peers=["tor"], peerASN={"fromLabel": "rack", "values": {"a": 64701}}),
        parameters("gateway", peers=["gate"], peerAddress={"fromNode": "DefaultGateway"}),
    )
    result = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert len(lines) == 2, result.stdout
    assert f"of Node n2 ({tmp_path}/n2.json:1), which does not exist" in lines[0]
    assert f"of Node n3 ({tmp_path}/n3.json:1): found 'x', allowed are a" in lines[1]
    assert all(line.startswith(f"{tmp_path}/tor.json:10: BGPPeer metallb-system/tor: spec.peerASN: ") for line in lines)


def test_check_without_nodes_says_nothing_about_labels(read: Callable[..., Snapshot]) -> None:
    """A folder without Node objects cannot know them; two peers to be are not compared either."""
    by_rack = {"fromLabel": "rack", "values": {"a": "192.0.2.2"}}
    snapshot = read(peer("one"), peer("two"), parameters(peers=["one", "two"], peerAddress=by_rack))
    assert mistakes_between(snapshot) == ()


def test_render_says_which_peer_it_cannot_show(read: Callable[..., Snapshot], tmp_path: Path) -> None:
    """Nobody can be asked for the default gateway, so the peer is missing and the exit code says so."""
    read(
        node(),
        peer(),
        peer("other", "192.0.2.9"),
        parameters(peers=["tor"], peerAddress={"fromNode": "DefaultGateway"}),
    )
    (tmp_path / "state").mkdir()
    arguments = ["render", "--manifests", str(tmp_path), "--node", "n1", "--state-dir", str(tmp_path / "state")]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, "neighbor 192.0.2.9 remote-as" in result.stdout) == (1, True), result.output
    assert "neighbor 192.0.2.1 " not in result.stdout
    assert "which only its FRR knows" in result.stderr


def test_the_same_input_gives_the_same_objects(read: Callable[..., Snapshot]) -> None:
    """So that a change elsewhere costs nothing; without a resource of the kind nothing is touched at all."""
    snapshot = read(node(), peer(), peer("other", "192.0.2.2"), parameters(peers=["tor"], myASN={"fromLabel": "asn"}))
    peers = NodePeers("n1")
    first = peers.applied(snapshot, NOTHING_KNOWN)
    assert peers.applied(snapshot, NOTHING_KNOWN) is first
    assert not first.node_parameters
    assert peers.applied(first, NOTHING_KNOWN) is first, "expected nothing left to apply"
    resource = parameters(peers=["tor"], myASN={"fromLabel": "asn"})
    moved = read(node(labels={**LABELS, "rack": "b"}), peer(), peer("other", "192.0.2.2"), resource)
    again = peers.applied(moved, NOTHING_KNOWN)
    assert again is not first
    assert again.peers is first.peers, "expected equal peers to stay the same objects"
    plain = read(node(), peer())
    assert peers.applied(plain, NOTHING_KNOWN) is plain


def test_a_value_that_frr_refuses_costs_one_peer_and_nothing_else(read: Callable[..., Snapshot]) -> None:
    """FRR names the address of the node, not the one in the BGPPeer; the peer then counts as before."""

    def known(address: str) -> Known:
        source = {"fromLabel": "rack", "values": {"a": address}}
        return Known(snapshot=read(node(), peer(), peer("two", V6), parameters(peers=["tor"], peerAddress=source)))

    decisions = Decisions(Settings(node="n1"))
    first, second = known("192.0.2.7"), known("192.0.2.66")
    decisions.decide(first, NOTHING_KNOWN)
    taken = decisions.effective(first.snapshot)
    decisions.decide(second, NOTHING_KNOWN)
    assert decisions.suspect(second, taken, "refused 'neighbor 192.0.2.66 remote-as 64513'", (), is_certain=True)
    found = decisions.decide(second, NOTHING_KNOWN)
    assert {session.neighbor.peer for session in found.sessions} == {"192.0.2.7", V6}
    assert [mistake.name for mistake in found.mistakes] == ["metallb-system/tor"], found.mistakes


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"peerAddress": {"fromNode": "DefaultGateway"}}, True),
        ({"sourceAddress": {"fromNode": "InternalIP"}}, False),
        ({"peerAddress": {"fromNode": "DefaultGateway"}, "nodeSelectors": [{"matchLabels": {"rack": "z"}}]}, False),
    ],
)
def test_zebra_is_asked_only_where_something_depends_on_it(
    read: Callable[..., Snapshot], spec: Document, *, expected: bool
) -> None:
    """On the nodes that are selected, and for no other address."""
    assert asks_for_gateway(read(node(), peer(), parameters(**spec)), "n1") is expected


WRONG: list[tuple[Document, str]] = [
    ({}, "spec: sets no field of a BGPPeer, at least one is needed; known are connectTime, holdTime"),
    ({"peers": ["tor"]}, "spec: sets no field of a BGPPeer"),
    ({"myAsn": {"value": 1}}, "spec.myAsn: unknown field; did you mean myASN?"),
    ({"myASN": 64512}, "spec.myASN: found 64512, a mapping such as {fromLabel: KEY} or {value: VALUE} is needed"),
    ({"passwordSecret": "Geheim!"}, "spec.passwordSecret: found no mapping, a mapping such as"),
    ({"myASN": {}}, "spec.myASN: found none of them, exactly one of value, fromLabel, fromAnnotation, fromNode"),
    ({"myASN": {"value": 1, "fromLabel": "x"}}, "spec.myASN: found value and fromLabel, exactly one of"),
    ({"myASN": {"fromlabel": "x"}}, "spec.myASN.fromlabel: unknown field; did you mean fromLabel?"),
    ({"myASN": {"fromLabel": ""}}, "spec.myASN.fromLabel: found an empty text, a key is needed"),
    ({"myASN": {"fromLabel": "a b"}}, "spec.myASN.fromLabel: found key 'a b', allowed are letters"),
    ({"myASN": {"value": 0}}, "spec.myASN.value: found 0, allowed are 1 to 4294967295"),
    ({"myASN": {"value": "64512"}}, "spec.myASN.value: found '64512', a whole number is needed"),
    ({"myASN": {"value": 1, "default": 2}}, "spec.myASN.default: found together with value, which every node has"),
    ({"myASN": {"fromNode": "InternalIP"}}, "spec.myASN.fromNode: found 'InternalIP', myASN is nothing that a node"),
    ({"peerAddress": {"fromNode": "InternalIP"}}, "allowed for peerAddress is DefaultGateway"),
    ({"routerID": {"fromNode": "Hostname"}}, "spec.routerID.fromNode: found 'Hostname', allowed are DefaultGateway"),
    ({"myASN": {"fromLabel": "x", "values": {}}}, "spec.myASN.values: found no entry, at least one is needed"),
    ({"myASN": {"fromLabel": "x", "values": {"a": 0}}}, "spec.myASN.values.a: found 0, allowed are 1 to 4294967295"),
    ({"myASN": {"fromLabel": "x", "values": {"a b": 1}}}, "spec.myASN.values.a b: no label can have this value"),
    ({"myASN": {"value": 1, "values": {"a": 1}}}, "spec.myASN.values: found without fromLabel or fromAnnotation"),
    ({"peerAddress": {"value": "tor"}}, "spec.peerAddress.value: 'tor' is not an IP address"),
    ({"peerAddress": {"value": "fe80::1"}}, "spec.peerAddress.value: found 'fe80::1', which is valid on one link"),
    ({"routerID": {"fromLabel": "x", "default": "::1"}}, "spec.routerID.default: found '::1', an IPv4 address other"),
    ({"holdTime": {"value": 90}}, "spec.holdTime.value: found 90, text such as 90s is needed"),
    ({"holdTime": {"value": "2s"}}, "spec.holdTime.value: found '2s', allowed are 0s and 3s to 65535s"),
    ({"myASN": {"value": 1}, "peers": ["a", "a"]}, "spec.peers[1]: found 'a' twice, once is allowed"),
]


@pytest.mark.parametrize(("spec", "expected"), WRONG)
def test_a_mistake_in_the_resource_is_named(tmp_path: Path, spec: Document, expected: str) -> None:
    """One mistake, one line, at its field."""
    file = tmp_path / "racks.json"
    file.write_text(json.dumps(parameters(**spec)))
    state = check_paths([file])
    assert len(state.mistakes) == 1, state.mistakes
    assert expected in str(state.mistakes[0]), f"expected {expected!r} in {state.mistakes[0]}"
    assert "Geheim" not in str(state.mistakes[0])


def examples() -> list[list[Document]]:
    """Return the manifests of the page, block by block."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [list(yaml.safe_load_all(block)) for block in blocks]


def test_the_example_of_the_page_gives_every_rack_its_router(read: Callable[..., Snapshot]) -> None:
    """Two BGPPeers, one resource, a session to the router of the rack in either family."""
    racked = node(labels={"topology.kubernetes.io/rack": "b"})
    peers, said = here(read(racked, *examples()[0]), GATEWAYS)
    assert not said, said
    found = {name: (item.my_asn, item.peer_asn, item.peer_address) for name, item in peers.items()}
    assert found == {"tor-ipv4": (64602, 64702, "192.0.2.254"), "tor-ipv6": (64602, 64702, "2001:db8::fe")}


def test_the_page_names_every_field_and_every_source() -> None:
    """Nothing that can be written is undocumented."""
    table = PAGE.read_text("utf-8").partition("## The resource")[2].partition("## Rules")[0]
    words = {
        *FROM_TEXT,
        "peers",
        "nodeSelectors",
        "value",
        "fromLabel",
        "fromAnnotation",
        "fromNode",
        "values",
        "default",
    }
    missing = [word for word in sorted(words) if f"`{word}`" not in table]
    assert not missing, f"expected {missing} in {PAGE}"
