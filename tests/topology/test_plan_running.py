"""``frrsync plan --manifests`` against a node that runs: what it says is what the agent then does."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from frrsync.cli import main
from instruments import documents
from instruments.documents import ManifestFolder
from instruments.network import NODE_IPV4
from instruments.node import ASN, NAME, SPEAKERS
from topology.agent_program import EVERYTHING, POOL, AgentBench, here, web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.lab.rootfs import FrrVersion

pytestmark = [pytest.mark.frr, pytest.mark.topology]

PASSWORD = "s3cret"  # noqa: S105 - made up
TOR = documents.peer("tor1", SPEAKERS[0].address, my_asn=ASN, peer_asn=SPEAKERS[0].asn, password=PASSWORD)


@pytest.fixture
def bench(frr_version: FrrVersion, tmp_path: Path) -> Iterator[AgentBench]:
    """Provide a node whose session to tor1 has a password."""
    with AgentBench(tmp_path, frr_version) as bench:
        bench.node.listener.request("password", peer="tor1", remote=NODE_IPV4, password=PASSWORD)
        bench.fill(POOL, EVERYTHING, TOR, web(1), here(1), web(2), here(2))
        yield bench


def plan(bench: AgentBench, folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Return exit code and document of the command."""
    node = bench.node
    arguments = ["plan", "--manifests", str(folder), "--state-dir", str(node.state), "--run-dir", str(node.run)]
    arguments += ["--vty-dir", str(node.frr.run_dir), "--vtysh", str(node.frr.vtysh_path), "--output", "json"]
    result = CliRunner().invoke(main, [*arguments, *options])
    assert result.stdout, f"expected a document, found exit code {result.exit_code}: {result.stderr}"
    assert PASSWORD not in result.output
    return result.exit_code, json.loads(result.stdout)


def test_a_plan_against_a_running_node_is_what_its_agent_then_does(bench: AgentBench, tmp_path: Path) -> None:
    """Asked of the agent, then of FRR itself: the same plan; an unchanged password is no difference."""
    program = bench.start()
    bench.wait_announced(1, 2)
    bench.wait(lambda: program.status().get("ok"), "status ok")
    code, document = plan(bench, bench.folder.path)
    assert (code, document["outcome"]) == (0, "nothing"), f"expected nothing to do, found {document}"
    assert document["from"].startswith(f"agent of node {NAME} at ")

    changed = documents.advertisement("everything", communities=["64512:7"])
    copy = ManifestFolder(tmp_path / "changed", tmp_path / "staging")
    copy.put(*(bench.folder.documents | {documents.key_of(changed): changed}).values())
    code, document = plan(bench, copy.path)
    (node,) = document["nodes"]
    assert (code, node["node"], node["sessions"]) == (2, NAME, [])
    moved = {peer["name"]: [item["prefix"] for item in peer["moved"]] for peer in node["peers"]}
    assert moved["tor1"] == ["203.0.113.1/32", "203.0.113.2/32"]

    bench.folder.put(changed)
    bench.wait(lambda: program.status()["last_apply"]["commands"] == len(node["commands"]), "the plan to be sent")
    assert program.status()["last_apply"]["result"] == "applied"
    code, document = plan(bench, copy.path)
    assert (code, document["services"]) == (0, [])

    program.end(signal.SIGKILL)  # its socket stays
    code, document = plan(bench, copy.path)
    assert (code, document["from"]) == (0, f"FRR at {bench.node.frr.run_dir}")
    assert [note for note in document["notes"] if note.endswith("asked FRR itself")], document["notes"]
    back = documents.advertisement("everything")
    copy.put(back)
    code, asked = plan(bench, copy.path, "--node", NAME)
    assert code == 2
    assert [peer["name"] for peer in asked["nodes"][0]["peers"]] == [peer["name"] for peer in node["peers"]]


def test_what_cannot_be_read_goes_with_its_mistake_as_the_reason(bench: AgentBench, tmp_path: Path) -> None:
    """And with a note: the agent, which read it before, would keep what it was."""
    program = bench.start()
    bench.wait(lambda: program.status().get("ok"), "status ok")
    broken = {**TOR, "spec": {**TOR["spec"], "peerPort": 70000}}
    copy = ManifestFolder(tmp_path / "changed", tmp_path / "staging")
    copy.put(*(bench.folder.documents | {documents.key_of(TOR): broken}).values())
    code, document = plan(bench, copy.path)
    (session,) = document["nodes"][0]["sessions"]
    assert (code, session["change"]) == (1, "removed")
    assert session["reason"].startswith("BGPPeer tor1 cannot be read: spec.peerPort: found 70000"), session["reason"]
    assert [note for note in document["notes"] if "keeps what it was" in note], document["notes"]


def test_an_empty_frr_gets_everything(bench: AgentBench) -> None:
    """Without an agent, and with every session made."""
    code, document = plan(bench, bench.folder.path)
    (node,) = document["nodes"]
    assert code == 2
    assert {session["change"] for session in node["sessions"]} == {"made"}
    assert node["lines"]["remove"] == []
    gained = {peer["name"]: [item["prefix"] for item in peer["gained"]] for peer in node["peers"]}
    assert gained["tor1"] == ["203.0.113.1/32", "203.0.113.2/32"]
    assert {service["change"] for service in document["services"]} == {"gained"}


def test_an_frr_that_an_operator_shares_is_planned_as_its_agent_then_acts(bench: AgentBench) -> None:
    """Before the agent comes FRR itself is asked, afterwards the agent; no line of the operator's is in either plan."""
    instance = f"router bgp {ASN}"
    bench.node.frr.vtysh(
        "configure terminal",
        "bgp route-map delay-timer 1",
        instance,
        "no bgp network import-check",
        "bgp router-id 1.1.1.1",
    )
    code, document = plan(bench, bench.folder.path, "--frr-mode", "shared", "--node", NAME)
    (node,) = document["nodes"]
    assert (code, document["notes"], node["lines"]["remove"]) == (2, [], [])
    program = bench.start("--frr-mode", "shared")
    bench.wait_announced(1, 2)
    bench.wait(lambda: program.status().get("ok"), "status ok")
    sent = program.events("frr_applied")[0]["commands"]
    assert sent == len(node["commands"]), f"expected {len(node['commands'])} commands, found {sent}"
    code, document = plan(bench, bench.folder.path)
    assert (code, document["outcome"]) == (0, "nothing"), f"expected nothing to do, found {document}"
    assert bench.node.frr.vtysh("show running-config").count("bgp router-id 1.1.1.1") == 1
