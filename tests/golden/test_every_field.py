"""The manifests with every field, and what is left of contradicting ones, are loaded by a real FRR as rendered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from configuration_builders import OneNode
from frrsync.core.community import MAX_LARGE, MAX_STANDARD
from frrsync.core.grammar import MAX_BFD_PROFILE, MAX_INTERFACE, MAX_PASSWORD
from frrsync.frr.dialect import dialect_of
from frrsync.frr.render import Renderer
from frrsync.frr.tree import difference
from instruments import documents

if TYPE_CHECKING:
    from golden.boot import BootedFrr

pytestmark = pytest.mark.frr

EXAMPLES = Path(__file__).parent.parent / "core" / "data" / "every_field.yaml"


def longest() -> list[dict[str, Any]]:
    """Return manifests in which everything has the length that is just allowed, and some contradict each other."""
    profile, name = "b" * MAX_BFD_PROFILE, ".".join(["p" * 63] * 3 + ["q" * 61])
    large = [f"large:4294967295:4294967295:{4294967295 - number}" for number in range(MAX_LARGE)]
    standard = [f"65535:{64999 - number}" for number in range(MAX_STANDARD)]
    return [
        documents.pool("main", "198.51.100.0/24", "2001:db8:1::/112"),
        documents.bfd_profile(profile, receiveInterval=10),
        documents.bgp_peer(
            name,
            {
                "myASN": 4294967295,
                "peerASN": 4294967294,
                "interface": "i" * MAX_INTERFACE,
                "vrf": "v" * MAX_INTERFACE,
                "password": "!" * MAX_PASSWORD,
                "bfdProfile": profile,
            },
        ),
        documents.peer("tor", "192.0.2.1", my_asn=64512, peer_asn=64512),
        documents.peer("again", "192.0.2.1", my_asn=64512, peer_asn=64513),
        documents.advertisement(name, communities=[*large, *standard], localPref=4294967295, asPathPrepend=10),
        documents.advertisement("z", communities=["no-export"], localPref=7),
        documents.service("web"),
        documents.endpoint_slice("web", [documents.endpoint("n1", "10.0.0.1")]),
    ]


def every_field() -> list[dict[str, Any]]:
    """Return the examples, for our class of Services."""
    found: list[dict[str, Any]] = list(yaml.safe_load_all(EXAMPLES.read_text()))
    for document in found:
        if document["kind"] == "Service":
            del document["spec"]["loadBalancerClass"]
    return found


@pytest.mark.parametrize("manifests", [every_field, longest], ids=["every field", "longest"])
def test_frr_runs_what_is_rendered(manifests: Any, booted_frr: BootedFrr) -> None:
    """Every line is taken, and comes back as it was written."""
    config = OneNode().decide(*manifests()).config
    rendered = Renderer(None, dialect_of(booted_frr.installed_version())).render(config)
    running = booted_frr.boot(rendered.text)
    missing, added = difference(rendered.tree, running), difference(running, rendered.tree)
    assert running == rendered.tree, f"rendered, but not in FRR: {missing}; in FRR, but not rendered: {added}"
