"""A BGPNodeParameters that cannot be read: no peer that it may concern runs on with placeholders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from frrsync.cli import main
from frrsync.core.announce import node_of
from frrsync.core.consistency import mistakes_between
from frrsync.core.node_facts import NOTHING_KNOWN
from frrsync.core.node_parameters import effective_peers
from frrsync.directory.store import ManifestStore

if TYPE_CHECKING:
    from pathlib import Path

NODES = "".join(
    f"---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{rack: {rack}}}}}\n"
    for name, rack in (("n1", "a"), ("n2", "b"))
)
PEERS = "".join(
    "---\napiVersion: metallb.io/v1beta2\nkind: BGPPeer\n"
    f"metadata: {{name: {name}}}\nspec: {{myASN: 64512, peerASN: 64520, peerAddress: 192.0.2.{number}}}\n"
    for number, name in enumerate(("tor", "spine"), 1)
)
HEAD = "---\napiVersion: frrsync.dev/v1alpha1\nkind: BGPNodeParameters\nmetadata: {name: racks}\n"


class Folder:
    """A folder with nodes, peers and one BGPNodeParameters, read as an agent reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "base.yaml").write_text(NODES + PEERS)
        self.store = ManifestStore([path])

    def peers(self, text: str, node: str) -> dict[str, int]:
        """Write the parameters and return the ASN of each peer that a node then has."""
        (self.path / "parameters.yaml").write_text(text)
        snapshot = self.store.rescan().snapshot
        found = effective_peers(snapshot, node_of(snapshot, node), NOTHING_KNOWN)
        left_out = [item.message for item in found.mistakes if item.kind == "BGPPeer"]
        assert all("BGPNodeParameters racks" in text and "parameters.yaml:" in text for text in left_out), left_out
        assert len(found.peers) + len(left_out) == 2, f"expected a reason for each, found {left_out}"
        return {name: peer.my_asn for name, peer in found.peers.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Provide the folder."""
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "on_n1", "on_n2"),
    [
        (f"{HEAD}spec: {{peers: [tor], myASN: many}}\n", {"spine"}, {"spine"}),
        (f"{HEAD}spec: {{myASN: many}}\n", set(), set()),
        (f"{HEAD}spec: {{peers: [tor, 5], myASN: {{value: 64513}}}}\n", set(), set()),
        (f"{HEAD}spec: {{peers: [tor], nodeSelectors: [{{matchLabels: {{rack: b}}}}]}}\n", {"tor", "spine"}, {"spine"}),
        (f"{HEAD}spec: {{peers: [tor], nodeSelectors: rack, myASN: {{value: 1}}}}\n", {"spine"}, {"spine"}),
        (f"{HEAD.replace('v1alpha1', 'v1')}spec: {{peers: [tor], myASN: {{value: 64513}}}}\n", set(), set()),
        (f"{HEAD}spec: nothing\n", set(), set()),
    ],
    ids=["names a peer", "all peers", "peers unclear", "other nodes", "nodes unclear", "version", "no spec"],
)
def test_peers_that_a_broken_one_may_concern_are_left_out(
    folder: Folder, text: str, on_n1: set[str], on_n2: set[str]
) -> None:
    """At the first start nobody knows the values; the others are not touched."""
    assert folder.peers(text, "n1").keys() == on_n1
    assert folder.peers(text, "n2").keys() == on_n2


def test_a_good_state_from_before_counts_on_and_a_mended_text_counts_at_once(folder: Folder) -> None:
    """Broken, mended, broken again: values once known stay."""
    broken, good = (
        f"{HEAD}spec: {{peers: [tor], myASN: many}}\n",
        f"{HEAD}spec: {{peers: [tor], myASN: {{value: 64513}}}}\n",
    )
    assert folder.peers(broken, "n1") == {"spine": 64512}
    assert folder.peers(broken.replace("tor", "spine"), "n1") == {"tor": 64512}
    assert folder.peers(good, "n1") == {"tor": 64513, "spine": 64512}
    assert folder.peers(f"# moved\n{broken}", "n1") == {"tor": 64513, "spine": 64512}
    assert folder.peers("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "n1") == {
        "tor": 64512,
        "spine": 64512,
    }


def test_check_says_the_mistake_and_what_it_costs(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each peer once, not once a node, and no word about names in the broken text."""
    (folder.path / "parameters.yaml").write_text(f"{HEAD}spec: {{peers: [tor, nobody], myASN: many}}\n")
    monkeypatch.chdir(folder.path)
    lines = CliRunner().invoke(main, ["check", "."]).stdout.splitlines()
    cost, mistake = lines
    assert cost == (
        "base.yaml:13: BGPPeer metallb-system/tor: spec: left out: BGPNodeParameters racks (parameters.yaml:2) holds a "
        "mistake, and may set other values here"
    )
    assert mistake.startswith("parameters.yaml:5: BGPNodeParameters metallb-system/racks: spec.myASN: found 'many'")


def test_an_object_that_is_held_stands_where_its_broken_text_begins(tmp_path: Path) -> None:
    """Lines of a text that is gone would send a reader to another object."""
    path = tmp_path / "peers.yaml"
    good = NODES + PEERS + PEERS.replace("tor", "other").replace("name: spine", "name: late")
    path.write_text(good)
    store = ManifestStore([tmp_path])
    store.rescan()
    path.write_text("# one\n" * 10 + good.replace("{name: other}\nspec: {", "{name: other}\nspec: {port: 1, "))
    state = store.rescan()
    (mistake,) = state.mistakes
    origin = state.snapshot.peers["other"].meta.origin
    assert (origin.line, origin.line_of("spec.peerAddress")) == (mistake.line - 3,) * 2
    said = [item.message for item in mistakes_between(state.snapshot) if item.name.endswith("/tor")]
    assert any(f"peers.yaml:{origin.line})" in text for text in said), f"expected that line, found {said}"
