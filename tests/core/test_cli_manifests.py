"""``frrsync check`` and ``frrsync render``: what manifests say, without any FRR or agent."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest
import yaml
from click.testing import CliRunner

from frrsync.cli import main
from frrsync.core.allocation import Allocation
from frrsync.core.model import NamespacedName
from frrsync.directory.record import RecordText
from frrsync.directory.state import RECORD_NAME
from manifest_builders import ADVERTISEMENT, PEER, POOL, endpoint, one_file, service

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

GOOD = one_file(POOL, ADVERTISEMENT, PEER, service("web"), endpoint("web"))
WRONG_POOL = """\
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: wrong, namespace: metallb-system}
spec:
  addresses:
  - 203.0.113.0/33
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with one good file."""
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "good.yaml").write_text(GOOD)
    return manifests


def frrsync(*args: object) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, [str(arg) for arg in args], catch_exceptions=False)


def render(folder: Path, *args: object) -> Result:
    """Render for node n1, with an empty state folder beside the manifests."""
    return frrsync("render", "--manifests", folder, "--node", "n1", "--state-dir", folder.parent / "state", *args)


def test_good_manifests_pass(folder: Path) -> None:
    """Exit code 0, nothing on standard output, a summary on standard error."""
    result = frrsync("check", folder)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no mistakes in 1 file\n")
    result = frrsync("check", folder, "--output", "json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [])


def test_a_mistake_is_printed_as_a_compiler_does(folder: Path) -> None:
    """An editor jumps to it."""
    (folder / "wrong.yaml").write_text(WRONG_POOL)
    result = frrsync("check", folder)
    assert result.exit_code == 1
    assert re.fullmatch(
        rf"{folder}/wrong\.yaml:6: IPAddressPool metallb-system/wrong: spec\.addresses\[0\]: .*203\.0\.113\.0/33.*\n",
        result.stdout,
    ), result.stdout
    assert result.stderr == "1 mistake in 1 of 2 files\n"


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_a_mistake_is_one_object_of_a_list(folder: Path, output: str) -> None:
    """The six members are promised."""
    (folder / "wrong.yaml").write_text(WRONG_POOL)
    result = frrsync("check", folder, "--output", output)
    found = json.loads(result.stdout) if output == "json" else yaml.safe_load(result.stdout)
    assert len(found) == 1
    assert list(found[0]) == ["file", "line", "kind", "name", "field", "message"]
    assert found[0]["line"] == 6
    assert (found[0]["kind"], found[0]["name"]) == ("IPAddressPool", "metallb-system/wrong")
    assert found[0]["field"] == "spec.addresses[0]"
    assert result.exit_code == 1


def test_files_are_named_as_they_were_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative stays relative, so that a pipeline's log can be clicked on."""
    (folder / "wrong.yaml").write_text(WRONG_POOL)
    monkeypatch.chdir(folder.parent)
    assert frrsync("check", "manifests").stdout.startswith("manifests/wrong.yaml:6: ")
    assert frrsync("check", "manifests/good.yaml", "manifests/wrong.yaml").stderr == "1 mistake in 1 of 2 files\n"


def test_mistakes_between_objects_are_found_once(folder: Path) -> None:
    """However many nodes meet them."""
    node = "apiVersion: v1\nkind: Node\nmetadata: {name: n%d}\n"
    (folder / "nodes.yaml").write_text("---\n".join(node % number for number in range(5)))
    (folder / "overlap.yaml").write_text(
        WRONG_POOL.replace("203.0.113.0/33", "198.51.100.8/29")
        + "---\n"
        + PEER.replace("name: tor", "name: two").replace("password: s3cret", "bfdProfile: none")
    )
    found = json.loads(frrsync("check", folder, "--output", "json").stdout)
    assert [(mistake["kind"], mistake["field"]) for mistake in found] == [
        ("IPAddressPool", "spec.addresses[0]"),
        ("BGPPeer", "spec.bfdProfile"),
        ("BGPPeer", "spec.peerAddress"),
    ]
    assert all(mistake["file"] == f"{folder}/overlap.yaml" and mistake["line"] for mistake in found)


def test_other_kinds_are_named_and_no_mistake(folder: Path) -> None:
    """A folder may hold the whole application."""
    (folder / "app.yaml").write_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n")
    result = frrsync("check", folder)
    assert result.exit_code == 0
    assert result.stderr == "no mistakes in 2 files\nignored kinds: Deployment (apps/v1)\n"


def test_what_cannot_be_looked_at_is_no_pass(folder: Path, tmp_path: Path) -> None:
    """A pipeline with a mistyped path must not be green."""
    result = frrsync("check", folder, tmp_path / "none")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"Error: {tmp_path}/none: cannot be read: No such file or directory\n"
    (tmp_path / "empty").mkdir()
    result = frrsync("check", tmp_path / "empty")
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: no manifest (.yaml, .yml, .json) in {tmp_path}/empty\n",
    )
    assert frrsync("check").exit_code == 2


def test_a_manifest_cannot_steer_the_terminal(folder: Path) -> None:
    """What was found is quoted, its control characters are not."""
    (folder / "wrong.yaml").write_text(WRONG_POOL.replace("203.0.113.0/33", '"\\e[2J"'))
    assert "\x1b" not in frrsync("check", folder).stdout


def test_render_prints_the_configuration_without_passwords(folder: Path) -> None:
    """As the agent would render it: the address is that of the controller."""
    result = render(folder)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert "router bgp 64512\n" in result.stdout
    assert "network 198.51.100.0/32" in result.stdout
    assert re.search(r"neighbor 192\.0\.2\.1 password <hidden:[0-9a-f]{8}>\n", result.stdout)
    assert "neighbor 192.0.2.1 password s3cret\n" in render(folder, "--show-secrets").stdout


def test_render_reads_the_record_of_addresses_and_never_writes_one(folder: Path) -> None:
    """What is announced now is what is shown."""
    state = folder.parent / "state"
    render(folder)
    assert not state.exists()
    state.mkdir()
    record = RecordText().of({NamespacedName("default", "web"): Allocation(addresses=("198.51.100.7",), pool="pool")})
    (state / RECORD_NAME).write_text(record)
    assert "network 198.51.100.7/32" in render(folder).stdout
    assert os.listdir(state) == [RECORD_NAME]  # noqa: PTH208 - names only
    assert (state / RECORD_NAME).read_text() == record


def test_render_leaves_out_what_is_wrong_and_says_so(folder: Path) -> None:
    """Exit code 1, and the rest is as good as before."""
    good = render(folder).stdout
    (folder / "wrong.yaml").write_text(
        PEER.replace("name: tor", "name: two").replace("password: s3cret", "passwordSecret: {name: x}")
    )
    result = render(folder)
    assert result.exit_code == 1
    assert result.stdout == good
    assert f"{folder}/wrong.yaml:" in result.stderr
    assert "BGPPeer metallb-system/two: spec." in result.stderr
    assert "s3cret" not in result.stderr


def test_render_says_why_a_service_is_not_there(folder: Path) -> None:
    """And that the node's name may be mistyped."""
    (folder / "more.yaml").write_text(
        "apiVersion: v1\nkind: Node\nmetadata: {name: n2}\n---\n"
        "apiVersion: v1\nkind: Service\nmetadata: {name: db, namespace: default,"
        " annotations: {metallb.io/address-pool: none}}\n"
        "spec: {type: LoadBalancer, ports: [{port: 80}]}\n"
    )
    result = render(folder)
    assert result.exit_code == 0, result.stderr
    assert "note: no Node n1 in the manifests, taken as one without labels; there are: n2\n" in result.stderr
    assert "note: Service default/db has no address: " in result.stderr


def test_render_writes_what_the_version_of_frr_prints(folder: Path) -> None:
    """FRR 8.4 needs a line that is the default of 10.3."""
    assert "ip nht resolve-via-default" in render(folder, "--frr-version", "8.4").stdout
    assert "ip nht resolve-via-default" not in render(folder, "--frr-version", "10.3").stdout
    result = render(folder, "--frr-version", "7.5")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "too old" in result.stderr


def test_a_wrong_template_renders_nothing(folder: Path, tmp_path: Path) -> None:
    """Exit code 2, with the file and line of the template."""
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "neighbor.j2").write_text(" neighbor {{ neighbor.peer }}\n {{ nothing.like.this }}\n")
    result = render(folder, "--templates", templates)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "neighbor.j2" in result.stderr
    assert "2" in result.stderr


def test_render_without_a_folder_or_a_node_asks_for_it(folder: Path) -> None:
    """Wrong use has exit code 2."""
    result = frrsync("render", "--manifests", folder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--node is missing" in result.stderr
    result = frrsync("render", "--node", "n1", "--manifests", folder / "none")
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: {folder}/none: cannot be read: No such file or directory\n",
    )
