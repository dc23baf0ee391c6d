"""A real FRR as node, a BGP listener as its four peers, the agent program, and a judge of every UPDATE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from instruments.node import NodeUnderTest, base, host_routes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.lab.rootfs import FrrVersion
    from instruments.documents import Document
    from instruments.scenario import Scenario


@pytest.fixture(scope="module", params=["sockets", "vtysh"])
def apply_with(request: pytest.FixtureRequest) -> str:
    """Say how changes reach FRR; a module may name one way with a mark of its own."""
    way: str = request.param
    return way


@pytest.fixture(scope="module")
def base_documents() -> list[Document]:
    """Return the node and its peers, which every test begins with."""
    return base()


@pytest.fixture(scope="module")
def shared_node(
    frr_version: FrrVersion, apply_with: str, base_documents: list[Document], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NodeUnderTest]:
    """Provide a node with a running agent for all tests of a module, and look after the host."""
    routes = host_routes()
    with NodeUnderTest(tmp_path_factory.mktemp("n"), frr_version, apply_with) as node:
        node.folder.put(*base_documents)
        node.start_agent()
        yield node
    assert host_routes() == routes, "expected the host's routes to be untouched"


@pytest.fixture
def node(shared_node: NodeUnderTest, base_documents: list[Document]) -> NodeUnderTest:
    """Provide the node without any Service, with all sessions up."""
    shared_node.reset(base_documents)
    return shared_node


@pytest.fixture
def scenario(node: NodeUnderTest) -> Iterator[Scenario]:
    """Provide the judge; afterwards no UPDATE may have been wrong, no session or daemon may have gone."""
    before = node.fingerprint()
    judged = node.scenario()
    yield judged
    node.assert_agent_runs()
    judged.assert_clean()
    after = node.fingerprint()
    for peer in judged.judge.excused:
        before.pop(peer)
        after.pop(peer)
    assert after == before, f"expected the processes and sessions {before}, found {after}"
