"""Eight routers and one misconfigured BGPPeer: the other seven work as if nothing were wrong."""

from __future__ import annotations

import contextlib
import itertools
import time
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import pytest

from frrsync.api.client import AgentClient
from frrsync.lab.frr import FrrInstance
from frrsync.lab.rootfs import installation
from instruments import documents
from instruments.documents import ManifestFolder, key_of
from instruments.network import NODE_IPV4, Cable
from instruments.observe import ListenerProcess, SpeakerConfig
from topology.agent_program import EVERYTHING, POOL, Program, here, web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion
    from instruments.documents import Document

pytestmark = [pytest.mark.frr, pytest.mark.topology]

NAME, ASN, BAD = "n1", 64512, "bad"
SECONDS = 15.0
ROUTERS = tuple(
    SpeakerConfig(name=name, address=f"10.99.0.{10 + number}", asn=65000 + number, router_id=f"10.99.0.{10 + number}")
    for number, name in enumerate(("r1", "r2", "r3", "r4", "r5", "r6", "r7", BAD), start=1)
)
GOOD = tuple(router.name for router in ROUTERS if router.name != BAD)
RIGHT = documents.peer(BAD, ROUTERS[-1].address, my_asn=ASN, peer_asn=ROUTERS[-1].asn)


class Misconfiguration(NamedTuple):
    """What is wrong with the peer, and what the status says about it; ``session`` if only FRR can tell."""

    fields: dict[str, Any]
    said: str
    session: bool = False


REFUSED_PORT = 7
TEMPLATE = f"""{{% extends "frrsync/neighbor.j2" %}}
{{% block neighbor_extra %}}
{{% if neighbor.port == {REFUSED_PORT} %}}
 neighbor {{{{ neighbor.peer }}}} wibble
{{% endif %}}
{{% endblock %}}
"""
"""An operator's template that makes FRR refuse a peer with that port."""

MISCONFIGURATIONS = {
    "wrong ASN": Misconfiguration({"peerASN": 65099}, "Bad Peer AS", session=True),
    "wrong password": Misconfiguration({"password": "wrong"}, "last reset: ", session=True),
    "missing Secret": Misconfiguration({"passwordSecret": {"name": "nowhere"}}, "there is no Secret of that name"),
    "missing BFDProfile": Misconfiguration({"bfdProfile": "nowhere"}, "there is no BFDProfile of that name"),
    "address of another peer": Misconfiguration({"peerAddress": ROUTERS[0].address}, "BGPPeer r1"),
    "address of the node": Misconfiguration({"peerAddress": NODE_IPV4}, f"an address of Node {NAME} itself"),
    "another own ASN": Misconfiguration({"myASN": 64999}, "found 64999, but 64512 in BGPPeer"),
    "local ASN that is the router's": Misconfiguration({"localASN": ROUTERS[-1].asn}, "neither myASN nor peerASN"),
    "source address of another host": Misconfiguration({"sourceAddress": "10.99.0.200"}, "last reset: ", session=True),
    "address without a route": Misconfiguration({"peerAddress": "192.0.2.99"}, "last reset: ", session=True),
    "port without a listener": Misconfiguration({"peerPort": 1}, "last reset: ", session=True),
    "port that cannot be": Misconfiguration({"peerPort": 70000}, "found 70000"),
    "hold time that cannot be": Misconfiguration({"holdTime": "1s"}, "found '1s'"),
    "refused by FRR": Misconfiguration({"peerPort": REFUSED_PORT}, "because FRR refused it"),
}


def wrong(fields: dict[str, Any]) -> Document:
    """Return the eighth peer with other fields."""
    return documents.bgp_peer(BAD, {**RIGHT["spec"], **fields})


class EightRouters:
    """A node with the agent program and real FRR, and eight routers that write down what they are sent."""

    def __init__(self, path: Path, version: FrrVersion) -> None:
        self._path = path
        self._version = version
        self._stack = contextlib.ExitStack()
        self._cable = Cable([router.address for router in ROUTERS])
        self._numbers = itertools.count(1)
        self.folder = ManifestFolder(path / "manifests", path / "staging")

    def __enter__(self) -> Self:
        """Start everything and wait until all sessions are up."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._cable)
            self.listener = stack.enter_context(ListenerProcess(self._cable.peers, self._path / "peers", ROUTERS))
            frr = FrrInstance(installation(self._version), namespace=self._cable.node, folder=self._path / "frr")
            stack.callback(frr.stop)
            frr.start()
            peers = [documents.peer(one.name, one.address, my_asn=ASN, peer_asn=one.asn) for one in ROUTERS]
            self.folder.put(documents.node(NAME, ip=NODE_IPV4), POOL, EVERYTHING, *peers)
            run, templates = self._path / "run", self._path / "templates"
            templates.mkdir()
            (templates / "neighbor.j2").write_text(TEMPLATE, "ascii")
            arguments = [
                "run", "--node", NAME, "--manifests", str(self.folder.path), "--run-dir", str(run),
                "--state-dir", str(self._path / "state"), "--vty-dir", str(frr.run_dir), "--vtysh", str(frr.vtysh_path),
                "--templates", str(templates),
            ]  # fmt: skip
            client = AgentClient(run / f"agent-{NAME}.sock", timeout_seconds=SECONDS)
            self.program = Program(arguments, self._path / "agent.log", client)
            stack.callback(self.program.stop)
            self.wait(lambda: len(self.sessions()) == len(ROUTERS), "eight sessions")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End everything."""
        self._stack.close()

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for something; a failure shows the status."""
        deadline = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > deadline:
                status = self.program.status()
                found = {name: status.get(name) for name in ("problems", "mistakes", "last_apply")}
                raise AssertionError(f"expected within {SECONDS:g} s: {what}; found {found}")
            time.sleep(0.02)

    def sessions(self) -> dict[str, int]:
        """Return the serial number of every session that is up; a reset changes it."""
        return {name: entry["session"] for name, entry in self.listener.sessions().items() if entry["up"]}

    def seven(self) -> dict[str, int]:
        """Return the sessions of the routers that nothing is wrong with."""
        return {name: number for name, number in self.sessions().items() if name in GOOD}

    def announce_another(self) -> str:
        """Write one more Service and its endpoints, and return its prefix."""
        number = next(self._numbers)
        self.folder.put(here(number), web(number))
        return f"203.0.113.{number}/32"

    def holders(self, prefix: str) -> set[str]:
        """Return the routers that have this prefix."""
        self.listener.follow()
        return {name for name, table in self.listener.tables.items() if prefix in table}

    def is_at_seven(self, prefix: str) -> bool:
        """Say whether the routers that nothing is wrong with have this prefix."""
        return set(GOOD) <= self.holders(prefix)

    def reasons(self, *, session: bool) -> str:
        """Return what the status says about the bad peer: of its session, or of its manifest."""
        status = self.program.status()
        if session:
            said = [problem["message"] for problem in status.get("problems", ())]
            return "\n".join(message for message in said if f"({BAD}) is " in message)
        mistakes = [found for found in status.get("mistakes", ()) if found["name"] == f"metallb-system/{BAD}"]
        return "\n".join(found["message"] for found in mistakes)


@pytest.fixture(scope="module")
def eight(frr_version: FrrVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EightRouters]:
    """Provide the node and its routers, on one version of FRR."""
    with EightRouters(tmp_path_factory.mktemp("8"), frr_version) as running:
        yield running


@pytest.mark.parametrize("case", MISCONFIGURATIONS)
def test_seven_peers_do_not_notice_what_is_wrong_with_the_eighth(eight: EightRouters, case: str) -> None:
    """No session of theirs is lost, what changes meanwhile reaches them, and the status tells what is wrong."""
    fields, said, session = MISCONFIGURATIONS[case]
    eight.folder.put(RIGHT)
    eight.wait(lambda: len(eight.sessions()) == len(ROUTERS), "eight sessions")
    first, before = eight.announce_another(), eight.seven()
    eight.folder.put(wrong(fields))
    second = eight.announce_another()
    eight.wait(lambda: said in eight.reasons(session=session), f"{said!r} about {BAD} in the status")
    third = eight.announce_another()
    for prefix in (first, second, third):
        eight.wait(partial(eight.is_at_seven, prefix), f"{prefix} at seven routers")
    number = int(second.removesuffix("/32").rpartition(".")[2])
    eight.folder.remove(key_of(web(number)))
    eight.wait(lambda: not eight.holders(second), f"{second} withdrawn from all routers")
    after = eight.seven()
    assert after == before, f"expected the sessions {before}, found {after}"


def test_once_corrected_the_eighth_works_as_well(eight: EightRouters) -> None:
    """Whatever was wrong last, the right manifest is enough; nothing is left in the status."""
    eight.folder.put(wrong({"peerASN": 65099}))
    eight.wait(lambda: "Bad Peer AS" in eight.reasons(session=True), f"what is wrong with {BAD} in the status")
    before = eight.seven()
    eight.folder.put(RIGHT)
    eight.wait(lambda: BAD in eight.sessions(), f"the session with {BAD}")
    eight.wait(lambda: eight.program.status().get("ok"), "status ok")
    prefix = eight.announce_another()
    eight.wait(lambda: BAD in eight.holders(prefix), f"{prefix} at {BAD}")
    assert eight.seven() == before, f"expected the sessions {before}, found {eight.seven()}"
