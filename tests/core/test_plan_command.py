"""``frrsync plan`` between two folders: the picture, the document, the exit codes; no FRR is needed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from frrsync.cli import main
from frrsync.core.allocation import Allocation
from frrsync.core.model import NamespacedName
from frrsync.directory.record import RecordText
from frrsync.directory.state import RECORD_NAME
from instruments.json_schema import violations
from manifest_builders import ADVERTISEMENT, PEER, POOL, endpoint, one_file, service

if TYPE_CHECKING:
    from click.testing import Result

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/plan.schema.json").read_text("utf-8"))
WITH_COMMUNITY = ADVERTISEMENT + 'spec: {communities: ["64512:1"]}\n'
GOOD = one_file(POOL, WITH_COMMUNITY, PEER, service("web"), endpoint("web"))
NODES = "".join(f"---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\n" for name in ("n1", "n2"))
BROKEN_POOL = GOOD.replace("198.51.100.0/28", "198.51.100.0/99")


def one_more_service(name: str) -> str:
    """Return a Service with an endpoint, to be appended to a file."""
    return one_file("", service(name), endpoint(name))


def twelve_services() -> str:
    """Return as many more Services."""
    return "".join(one_more_service(f"s{number}") for number in range(12))


class Bench:
    """Two folders that a test fills, and the command on them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for side in ("from", "to"):
            (path / side).mkdir()

    def fill(self, before: str, after: str) -> None:
        """Write one file into each folder."""
        for side, text in (("from", before), ("to", after)):
            (self.path / side / "all.yaml").write_text(text, "utf-8")

    def run(self, *options: str) -> Result:
        """Run the command."""
        folders = ["--from", str(self.path / "from"), "--to", str(self.path / "to")]
        state = ["--state-dir", str(self.path / "state")]
        return CliRunner().invoke(main, ["plan", *folders, *state, *options])

    def document(self, *options: str, code: int) -> dict[str, Any]:
        """Return the document after checking exit code and schema."""
        result = self.run("--output", "json", *options)
        assert result.exit_code == code, f"expected {code}, found {result.exit_code}: {result.output}"
        found: dict[str, Any] = json.loads(result.stdout)
        assert violations(found, SCHEMA) == []
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return the folders, with the same in both."""
    bench = Bench(tmp_path)
    bench.fill(GOOD + NODES, GOOD + NODES)
    return bench


def test_equal_folders_leave_nothing_to_do(bench: Bench) -> None:
    """Exit code 0, and every Node is named."""
    document = bench.document(code=0)
    assert (document["outcome"], [node["node"] for node in document["nodes"]]) == ("nothing", ["n1", "n2"])
    assert not any(node["changed"] or node["commands"] for node in document["nodes"])
    assert "node n2: nothing to do\n" in bench.run().stdout


def test_a_changed_community_is_lines_commands_and_moved_prefixes_on_every_node(bench: Bench) -> None:
    """And nothing else: no session, no other prefix."""
    bench.fill(GOOD + NODES, GOOD.replace("64512:1", "64512:2") + NODES)
    document = bench.document(code=2)
    assert document["outcome"] == "changes"
    for node in document["nodes"]:
        assert node["counts"] == {
            "lines_removed": 6,
            "lines_added": 6,
            "commands": 6,
            "sessions_made": 0,
            "sessions_removed": 0,
            "sessions_reset": 0,
            "prefixes_gained": 0,
            "prefixes_lost": 0,
            "prefixes_moved": 1,
        }
        (peer,) = node["peers"]
        assert (peer["peer"], peer["name"], peer["gained"], peer["lost"]) == ("192.0.2.1", "tor", [], [])
        (moved,) = peer["moved"]
        assert (moved["from"]["communities"], moved["to"]["communities"]) == (["64512:1"], ["64512:2"])


def test_the_picture_for_people_is_plain_in_a_pipe(bench: Bench) -> None:
    """Signs, commands with their daemon, the reason of a reset, and the hash of a password."""
    changed = GOOD.replace("s3cret", "another").replace('["64512:1"]', "[]")
    bench.fill(GOOD + NODES, changed + NODES)
    result = bench.run("--node", "n1")
    text = result.stdout
    assert result.exit_code == 2
    assert "node n1: lines -7 +6; commands 6; sessions 1 reset; prefixes 1 moved\n" in text
    assert "    -  neighbor 192.0.2.1 password <hidden:8f84817d>\n" in text
    assert "    bgpd: router bgp 64512\n      neighbor 192.0.2.1 password <hidden:" in text
    assert "    ~ 192.0.2.1 (tor) reset: neighbor 192.0.2.1 password <hidden:" in text
    assert "    ~ 198.51.100.0/32  communities 64512:1 -> none\n" in text
    assert text.endswith("\n1 of 1 nodes would change\n")
    assert "\x1b" not in text
    assert "s3cret" not in text
    assert "another" not in text


def test_prefixes_that_change_alike_share_a_row(bench: Bench) -> None:
    """Ten thousand rows help nobody; the document has each of them."""
    bench.fill(GOOD, GOOD + twelve_services())
    text = bench.run("--node", "n1").stdout
    assert " and 9 more  as path 64512; communities 64512:1\n" in text, text
    assert bench.document("--node", "n1", code=2)["nodes"][0]["counts"]["prefixes_gained"] == 12


def test_a_mass_withdrawal_that_an_agent_would_hold_back_is_noted(bench: Bench) -> None:
    """The plan says what happens once it is let go."""
    bench.fill(GOOD + twelve_services(), GOOD)
    document = bench.document("--node", "n1", code=2)
    assert document["nodes"][0]["counts"]["prefixes_lost"] == 12
    assert [note for note in document["notes"] if "12 of 13 prefixes go" in note], document["notes"]
    document = bench.document("--node", "n1", "--guard-percent", "100", code=2)
    assert not [note for note in document["notes"] if "prefixes go" in note], document["notes"]


def test_a_terminal_gets_colours(bench: Bench) -> None:
    """Green comes, red goes, yellow changes."""
    bench.fill(GOOD, GOOD.replace("64512:1", "64512:2"))
    folders = ["--from", str(bench.path / "from"), "--to", str(bench.path / "to"), "--node", "n1"]
    result = CliRunner().invoke(main, ["plan", *folders, "--state-dir", str(bench.path / "state")], color=True)
    for colour in ("\x1b[32m", "\x1b[31m", "\x1b[33m"):
        assert colour in result.stdout


def test_sessions_come_and_go_with_the_reason(bench: Bench) -> None:
    """The BGPPeer that is new, gone, or no longer meant for this node."""
    other = GOOD.replace("name: tor,", "name: spine,").replace("192.0.2.1", "192.0.2.2")
    bench.fill(GOOD + NODES, other + NODES)
    found = bench.document("--node", "n1", code=2)["nodes"][0]["sessions"]
    told = {session["change"]: session["reason"] for session in found}
    assert told == {"removed": "BGPPeer tor is gone", "made": "BGPPeer spine is new"}
    elsewhere = GOOD.replace("password: s3cret", "nodeSelectors: [{matchLabels: {rack: r9}}]")
    bench.fill(GOOD + NODES, elsewhere + NODES)
    (session,) = bench.document("--node", "n1", code=2)["nodes"][0]["sessions"]
    assert session["reason"] == "BGPPeer tor no longer selects this node"
    bench.fill(elsewhere + NODES, GOOD + NODES)
    (session,) = bench.document("--node", "n1", code=2)["nodes"][0]["sessions"]
    assert session["reason"] == "BGPPeer tor counts on this node now"
    bench.fill(GOOD, GOOD.replace("192.0.2.1", "192.0.2.9"))
    found = bench.document("--node", "n1", code=2)["nodes"][0]["sessions"]
    assert {session["reason"] for session in found} == {"BGPPeer tor has another address, interface or VRF"}
    bench.fill(GOOD, GOOD.replace("password: s3cret", "passwordSecret: {name: none}"))
    (session,) = bench.document("--node", "n1", code=1)["nodes"][0]["sessions"]
    assert session["reason"].startswith("BGPPeer tor is left out")


def test_a_service_keeps_its_address_and_one_that_goes_loses_it(bench: Bench) -> None:
    """What the first folder gives is the record of the second."""
    first = "---\napiVersion: v1\nkind: Service\nmetadata: {name: aaa, namespace: default}\n"
    first += "spec: {type: LoadBalancer, ports: [{port: 1}]}\n"
    bench.fill(GOOD, GOOD + first)
    (service,) = bench.document("--node", "n1", code=2)["services"]
    assert (service["name"], service["change"], service["to"]) == ("aaa", "gained", ["198.51.100.1"])
    bench.fill(GOOD + first, GOOD)
    (service,) = bench.document("--node", "n1", code=2)["services"]
    assert (service["name"], service["change"]) == ("aaa", "lost")
    assert service["reason"] == "no Service of ours has this name any more"
    assert "- default/aaa: 198.51.100.0 -> none: no Service" in bench.run("--node", "n1").stdout


def test_the_record_counts_before_the_folders(bench: Bench) -> None:
    """A Service that has an address keeps it in both folders."""
    (bench.path / "state").mkdir()
    record = {NamespacedName("default", "web"): Allocation(addresses=("198.51.100.9",), pool="pool")}
    (bench.path / "state" / RECORD_NAME).write_text(RecordText().of(record), "utf-8")
    bench.fill(GOOD, GOOD.replace("[{port: 80}]}\n---", "[{port: 81}]}\n---"))
    document = bench.document("--node", "n1", code=0)
    assert document["services"] == []
    bench.fill("", GOOD)
    (peer,) = bench.document("--node", "n1", code=2)["nodes"][0]["peers"]
    assert [gained["prefix"] for gained in peer["gained"]] == ["198.51.100.0/32"], "the Service had gone in between"


def test_a_mistake_has_file_and_line_and_the_rest_is_planned(bench: Bench) -> None:
    """What cannot be read keeps its last good state, as in an agent."""
    after = BROKEN_POOL.replace("64512:1", "64512:2") + NODES
    bench.fill(GOOD + NODES, after)
    document = bench.document("--node", "n1", code=1)
    (mistake,) = document["mistakes"]
    assert (mistake["side"], mistake["file"], mistake["line"]) == ("to", str(bench.path / "to/all.yaml"), 4)
    assert (mistake["kind"], mistake["field"]) == ("IPAddressPool", "spec.addresses[0]")
    assert document["nodes"][0]["counts"]["prefixes_moved"] == 1
    assert document["services"] == []
    text = bench.run("--node", "n1").stdout
    assert f"\nmistakes\n  {bench.path}/to/all.yaml:4: IPAddressPool metallb-system/pool: spec.addresses[0]: " in text
    assert text.endswith("1 of 1 nodes would change, 1 mistake\n")


def test_a_mistake_that_the_change_corrects_is_told_and_does_not_count(bench: Bench) -> None:
    """Otherwise nobody could correct one."""
    bench.fill(BROKEN_POOL + NODES, GOOD + NODES)
    document = bench.document("--node", "n1", code=2)
    assert [mistake["side"] for mistake in document["mistakes"]] == ["from"]
    assert "mistakes of the state before\n" in bench.run("--node", "n1").stdout


def test_without_nodes_one_has_to_be_named(bench: Bench) -> None:
    """Then it is taken as one without labels."""
    bench.fill(GOOD, GOOD)
    result = bench.run()
    assert (result.exit_code, "found no Node in" in result.stderr) == (1, True)
    assert [node["node"] for node in bench.document("--node", "x", "--node", "y", code=0)["nodes"]] == ["x", "y"]


def test_a_node_that_comes_is_planned_and_noted(bench: Bench) -> None:
    """Before it had an object it counted as one without labels."""
    bench.fill(GOOD + NODES.partition("---\napiVersion: v1\nkind: Node\nmetadata: {name: n2}")[0], GOOD + NODES)
    document = bench.document(code=0)
    assert [node["node"] for node in document["nodes"]] == ["n1", "n2"]
    assert document["notes"] == [f"no Node n2 in {bench.path}/from, taken as one without labels"]


def test_other_templates_on_one_side_are_planned(bench: Bench) -> None:
    """Lines of a template's own come and go like any other; on both sides they are no change."""
    folder = bench.path / "templates"
    folder.mkdir()
    text = '{% extends "frrsync/neighbor.j2" %}\n{% block neighbor_extra %}\n'
    text += " neighbor {{ neighbor.peer }} advertisement-interval 3\n{% endblock %}\n"
    (folder / "neighbor.j2").write_text(text, "utf-8")
    (node, _) = bench.document("--to-templates", str(folder), code=2)["nodes"]
    assert node["lines"] == {
        "remove": [],
        "add": [["router bgp 64512", "neighbor 192.0.2.1 advertisement-interval 3"]],
    }
    (node, _) = bench.document("--from-templates", str(folder), code=2)["nodes"]
    assert node["lines"]["add"] == []
    bench.document("--templates", str(folder), code=0)


def test_a_broken_template_leaves_no_plan_and_says_why(bench: Bench) -> None:
    """With the place in the template."""
    folder = bench.path / "templates"
    folder.mkdir()
    (folder / "neighbor.j2").write_text("{{ nothing.here }}\n", "utf-8")
    document = bench.document("--to-templates", str(folder), code=1)
    assert document["unplanned_nodes"] == ["n1", "n2"]
    assert "neighbor.j2:1" in document["mistakes"][0]["message"]
    assert "node n1: no plan, see the mistakes" in bench.run("--to-templates", str(folder)).stdout


def test_yaml_is_the_same_document(bench: Bench) -> None:
    """For whoever prefers it."""
    bench.fill(GOOD + NODES, GOOD.replace("64512:1", "64512:2") + NODES)
    assert yaml.safe_load(bench.run("--output", "yaml").stdout) == bench.document(code=2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "."], "--from and --to belong together"),
        (["--to", "."], "--from and --to belong together"),
        ([], "give --from DIR and --to DIR, or --manifests DIR"),
        (["--from", "/nowhere", "--to", "."], "/nowhere: found no folder"),
        (["--manifests", ".", "--node", "a", "--node", "b"], "allowed is one"),
        (["--from", "", "--to", "."], "an empty path"),
        (["--nonsense"], "No such option"),
        (["--from", ".", "--to", ".", "--frr-version", "7.5"], "too old"),
        (["--manifests", ".", "--vty-dir", "/nowhere", "--run-dir", "/nowhere", "--node", "n1"], "/nowhere"),
    ],
)
def test_what_is_in_the_way_has_exit_code_1(arguments: list[str], words: str) -> None:
    """2 means changes here, so a pipeline never takes a typing error for a plan."""
    result = CliRunner().invoke(main, ["plan", *arguments])
    assert (result.exit_code, result.stdout) == (1, "")
    assert words in result.stderr


PARAMETERS = """\
---
apiVersion: frrsync.dev/v1alpha1
kind: BGPNodeParameters
metadata: {name: racks, namespace: metallb-system}
spec:
"""


def test_values_of_a_node_are_planned_with(bench: Bench) -> None:
    """A BGPPeer with another ASN on each node is another change on each node."""
    racks = NODES.replace("name: n1", "name: n1, labels: {rack: a}").replace("name: n2", "name: n2, labels: {rack: b}")
    asn = f"{PARAMETERS}  peerASN:\n    fromLabel: rack\n    values: {{a: 64513, b: 64700}}\n"
    bench.fill(GOOD + racks, GOOD + racks + asn)
    first, second = bench.document(code=2)["nodes"]
    assert not first["changed"], "expected n1 to have this ASN before"
    assert second["lines"]["add"] == [["router bgp 64512", "neighbor 192.0.2.1 remote-as 64700"]]
    assert [session["change"] for session in second["sessions"]] == ["reset"]


def test_what_only_the_node_itself_knows_is_noted(bench: Bench) -> None:
    """Offline nobody knows a default gateway."""
    gateway = f"{PARAMETERS}  peerAddress: {{fromNode: DefaultGateway}}\n"
    bench.fill(GOOD + NODES + gateway, GOOD + NODES + gateway)
    document = bench.document("--node", "n1", code=0)
    assert [note for note in document["notes"] if "tor" in note and "default gateway" in note], document["notes"]


def test_a_shared_frr_is_planned_without_a_line_of_the_operators(bench: Bench) -> None:
    """No global line and no line of the instance is ever ours there."""
    bench.fill("", GOOD)
    (node,) = bench.document("--frr-mode", "shared", "--node", "n1", code=2)["nodes"]
    own = [command["line"] for command in node["commands"] if command["context"] == ["router bgp 64512"]]
    assert own, f"expected a neighbor, found {node['commands']}"
    assert all(line.removeprefix("no ").startswith("neighbor 192.0.2.1 ") for line in own), own
    assert [session["change"] for session in node["sessions"]] == ["made"]


def test_the_schema_notices_what_is_missing_or_unknown(bench: Bench) -> None:
    """A schema that allows everything would prove nothing."""
    document = bench.document(code=0)
    assert violations({**document, "more": 1}, SCHEMA) == ["document: more is not in the schema"]
    node = {**document["nodes"][0], "changed": "no"}
    assert violations({**document, "nodes": [node]}, SCHEMA) == [
        "document.nodes[0].changed: found 'no', allowed is boolean"
    ]
    del document["notes"]
    assert violations(document, SCHEMA) == ["document: notes is missing"]
