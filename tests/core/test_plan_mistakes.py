"""What ``frrsync plan`` says is wrong: with the places that the user knows, and as the nodes themselves see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.test_plan_command import GOOD, NODES, PARAMETERS, Bench, one_more_service

if TYPE_CHECKING:
    from pathlib import Path

PEER = """\
---
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: {name: a, namespace: metallb-system}
spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1}
"""
ADVERTISEMENT = """\
---
apiVersion: metallb.io/v1beta1
kind: BGPAdvertisement
metadata: {name: a, namespace: metallb-system}
spec: {localPref: 100}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return the folders."""
    return Bench(tmp_path)


def test_what_ran_before_counts_in_the_mistakes_too(bench: Bench) -> None:
    """A name that sorts first pushes nobody out on a node, so nobody is told that it does."""
    bench.fill(GOOD + NODES, GOOD + NODES + ADVERTISEMENT + PEER)
    found = [(item["kind"], item["name"]) for item in bench.document(code=1)["mistakes"]]
    assert found == [("BGPAdvertisement", "metallb-system/a"), ("BGPPeer", "metallb-system/a")]


def test_every_mistake_of_a_folder_is_told(bench: Bench) -> None:
    """One that contradicts two others in one field is told about both, as by ``frrsync check``."""
    pool = GOOD.partition("---\n")[0].replace("name: pool,", "name: second,").replace("198.51.100", "203.0.113")
    rivals = "".join(
        ADVERTISEMENT.replace("name: a,", f"name: {name},").replace("localPref: 100", spec)
        for name, spec in (
            ("b", "localPref: 200, ipAddressPools: [pool]"),
            ("c", "localPref: 300, ipAddressPools: [second]"),
            ("z", "localPref: 100"),
        )
    )
    text = GOOD.replace("metadata: {name: all,", "metadata: {name: zz,") + NODES + f"---\n{pool}" + rivals
    bench.fill(text, text)
    document = bench.document(code=1)
    found = [
        item["message"] for item in document["mistakes"] if (item["name"], item["side"]) == ("metallb-system/z", "to")
    ]
    assert len(found) == 2, f"expected both, found {document['mistakes']}"


def test_places_are_those_that_the_user_knows(bench: Bench) -> None:
    """Reasons, mistakes and notes name files of the two folders, and what only the node knows is the reason."""
    gateway = f"{PARAMETERS}  peerAddress: {{fromNode: DefaultGateway}}\n"
    bench.fill(GOOD + NODES, GOOD + NODES + gateway)
    result = bench.run()
    node, _ = bench.document(code=2)["nodes"]
    (session,) = node["sessions"]
    assert f"({bench.path}/to/all.yaml:" in session["reason"], f"expected the place, found {session['reason']}"
    assert "default gateway" in session["reason"], f"expected what is not known, found {session['reason']}"
    assert "frrsync-plan-" not in result.output, f"expected no temporary folder in {result.output}"


def test_a_reason_names_the_file_of_the_rival(bench: Bench) -> None:
    """A session that goes because of another peer says where that one stands."""
    old = PEER.replace("name: a,", "name: z,").replace("192.0.2.1", "192.0.2.2")
    bench.fill(GOOD + NODES + old, GOOD + NODES + old.replace("192.0.2.2", "192.0.2.1"))
    node, _ = bench.document(code=1)["nodes"]
    (session,) = node["sessions"]
    assert session["change"] == "removed", session
    assert f"BGPPeer tor ({bench.path}/to/all.yaml:" in session["reason"], session["reason"]


def test_a_reset_has_every_line_that_costs_it_and_no_password(bench: Bench) -> None:
    """Somebody who takes one of them out of the change wants to know of the others."""
    changed = GOOD.replace("peerASN: 64513,", "peerASN: 64514,").replace("s3cret", "0ther")
    bench.fill(GOOD + NODES, changed + NODES)
    node, _ = bench.document(code=2)["nodes"]
    (session,) = node["sessions"]
    first, second = session["reason"].split("; ")
    assert (session["change"], first) == ("reset", "neighbor 192.0.2.1 remote-as 64514")
    assert second.startswith("neighbor 192.0.2.1 password <hidden:"), f"expected the password line, found {second}"


def test_services_of_another_class_are_no_mistakes(bench: Bench) -> None:
    """Only those of ours are asked whether they get an address."""
    other = one_more_service("other").replace("LoadBalancer,", "LoadBalancer, loadBalancerIP: 192.0.2.99,")
    bench.fill(GOOD + NODES, GOOD + NODES + other)
    assert [item["name"] for item in bench.document(code=1)["mistakes"]] == ["default/other"]
    bench.document("--load-balancer-class", "example.com/ours", code=0)
