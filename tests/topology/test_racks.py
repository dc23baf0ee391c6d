"""Two BGPPeers for six nodes in three racks: every value that differs comes from the node."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from frrsync.lab.rootfs import VERSIONS
from instruments import documents
from topology.racks import (
    HOME,
    NODE_ASNS,
    RACK,
    RACKS,
    ROUTER_ASNS,
    Racks,
    node,
    node_address,
    parameters,
    router_address,
    services,
    wanted,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from instruments.documents import Document

pytestmark = [pytest.mark.frr, pytest.mark.topology]

PEERS = (
    documents.peer("tor-ipv4", "192.0.2.1", my_asn=64512, peer_asn=64513),
    documents.peer("tor-ipv6", "2001:db8::1", my_asn=64512, peer_asn=64513),
)
BY_LABEL = (
    parameters(
        "racks",
        myASN={"fromLabel": RACK, "values": NODE_ASNS},
        peerASN={"fromLabel": RACK, "values": ROUTER_ASNS},
    ),
    *(
        parameters(
            f"racks-ipv{version}",
            peers=[f"tor-ipv{version}"],
            peerAddress={"fromLabel": RACK, "values": {rack: router_address(rack, version) for rack in RACKS}},
        )
        for version in (4, 6)
    ),
)
BY_GATEWAY = (
    parameters(
        "racks",
        myASN={"fromLabel": RACK, "values": NODE_ASNS},
        peerAddress={"fromNode": "DefaultGateway"},
    ),
    *(
        documents.peer(f"tor-ipv{version}", address, my_asn=64512, peer_asn=0, dynamicASN="external")
        for version, address in ((4, "192.0.2.1"), (6, "2001:db8::1"))
    ),
)


def everything(*found: Document, racks: Mapping[str, str] = HOME) -> list[Document]:
    """Return the manifests of the whole cluster."""
    return [*found, *services(), *(node(name, rack) for name, rack in racks.items())]


@pytest.fixture(scope="module")
def racks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Racks]:
    """Provide the racks with agents; devices take turns with the FRR versions, unless one is asked for."""
    only = request.config.getoption("--frr")
    with Racks(tmp_path_factory.mktemp("k"), [only] if only else VERSIONS) as found:
        found.put_only(*everything(*PEERS, *BY_LABEL))
        found.start_agents()
        yield found


def home(**moved: str) -> dict[str, dict[str, int]]:
    """Return by router the nodes that it has, with their AS numbers."""
    placed = {**HOME, **moved}
    return {rack: {name: NODE_ASNS[at] for name, at in placed.items() if at == rack} for rack in RACKS}


def test_every_router_has_the_nodes_of_its_rack_and_no_other(racks: Racks) -> None:
    """Address and number of the router and the node's own number come from one label; moving it moves the session."""
    racks.put_only(*everything(*PEERS, *BY_LABEL))
    racks.wait_for({rack: wanted(nodes) for rack, nodes in home().items()})
    racks.folder.put(node("n2", "b"))
    racks.wait_for({rack: wanted(nodes) for rack, nodes in home(n2="b").items()})
    racks.folder.put(node("n2", "a"))
    racks.wait_for({rack: wanted(nodes) for rack, nodes in home().items()})


def test_a_node_without_a_value_loses_its_sessions_with_a_reason_and_nobody_else_does(racks: Racks) -> None:
    """The reason names node, label and object with its place; it is no fall back to what the BGPPeer says."""
    racks.put_only(*everything(*PEERS, *BY_LABEL))
    racks.wait_for({rack: wanted(nodes) for rack, nodes in home().items()})
    racks.folder.put(node("n4", "d"))
    left = home()
    del left["b"]["n4"]
    racks.wait_for({rack: wanted(nodes) for rack, nodes in left.items()})
    racks.wait(lambda: "mistakes" in racks.agents["n4"].problems(), lambda: str(racks.agents["n4"].status()))
    found = [mistake["message"] for mistake in racks.agents["n4"].status()["mistakes"]]
    assert len(found) == 2, f"expected one mistake for each BGPPeer, found {found}"
    for word in ("BGPNodeParameters racks (", f"label {RACK} of Node n4 (", "found 'd', allowed are a, b, c"):
        assert all(word in message for message in found), f"expected {word!r} in {found}"
    others = {name: program.problems() for name, program in racks.agents.items() if name != "n4"}
    assert not any(others.values()), f"expected no problem on other nodes, found {others}"


def test_a_session_follows_the_default_gateway(racks: Racks) -> None:
    """FRR's own table names the router of either family; another gateway, another router, within seconds."""
    for name, rack in HOME.items():
        racks.route(name, rack)
    racks.put_only(*everything(*BY_GATEWAY))
    racks.wait_for({rack: wanted(nodes) for rack, nodes in home().items()})
    moved = home()
    del moved["a"]["n1"]
    moved["c"]["n1"] = NODE_ASNS["a"]
    racks.route("n1", "c")
    took = racks.wait_for({rack: wanted(nodes) for rack, nodes in moved.items()})
    assert took < 10, f"expected the session to move within 10 s, found {took:.1f} s"
    planned = racks.plan("n1")
    assert planned.returncode == 0, f"expected nothing to do, found {planned.stdout}{planned.stderr}"


def test_a_gateway_that_nobody_can_name_now_is_still_the_gateway(racks: Racks) -> None:
    """A default route that vanishes, and a zebra that is restarted, end no session, nor does a new agent then."""
    for name, rack in HOME.items():
        racks.route(name, rack)
    racks.put_only(*everything(*BY_GATEWAY))
    expected = {rack: wanted(nodes) for rack, nodes in home().items()}
    racks.wait_for(expected)
    before = racks.uptimes("b")
    racks.agents["n3"].end()
    racks.start_agent("n3", racks.nodes["n3"])
    racks.wait(lambda: racks.agents["n3"].status().get("ok"), lambda: str(racks.agents["n3"].status()))
    racks.nodes["n4"].restart("zebra", load=False)
    racks.unroute("n4")
    racks.wait(lambda: racks.agents["n4"].status().get("ok"), lambda: str(racks.agents["n4"].status()))
    racks.agents["n4"].end()
    racks.start_agent("n4", racks.nodes["n4"])
    racks.wait(lambda: racks.agents["n4"].status().get("ok"), lambda: str(racks.agents["n4"].status()))
    racks.stays(expected, seconds=2)
    planned = racks.plan("n4")
    assert planned.returncode == 0, f"expected nothing to do, found {planned.stdout}{planned.stderr}"
    after = racks.uptimes("b")
    assert all(abs(after[peer] - before[peer]) <= 1 for peer in before), (
        f"expected {before} and no reset, found {after}"
    )
    assert set(before) == {node_address(name, version) for name in ("n3", "n4") for version in (4, 6)}


def test_an_agent_that_cannot_ask_for_the_gateway_touches_nothing(racks: Racks) -> None:
    """It starts beside a zebra that hangs: the sessions of the agent before it stay, and it goes on when zebra does."""
    for name, rack in HOME.items():
        racks.route(name, rack)
    racks.put_only(*everything(*BY_GATEWAY))
    expected = {rack: wanted(nodes) for rack, nodes in home().items()}
    racks.wait_for(expected)
    zebra = racks.nodes["n5"].pid("zebra")
    assert zebra is not None
    racks.agents["n5"].end()
    os.kill(zebra, signal.SIGSTOP)
    try:
        racks.start_agent("n5", racks.nodes["n5"])
        racks.wait(lambda: "blocked" in racks.agents["n5"].problems(), lambda: str(racks.agents["n5"].status()))
        said = racks.agents["n5"].problems()["blocked"]
        assert "the default gateway of this node is not known yet" in said, said
        racks.stays(expected, seconds=1)
    finally:
        os.kill(zebra, signal.SIGCONT)
    racks.wait(lambda: racks.agents["n5"].status().get("ok"), lambda: str(racks.agents["n5"].status()))
    racks.stays(expected, seconds=1)
