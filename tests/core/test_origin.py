"""From a refused line back to the objects that it comes from."""

from __future__ import annotations

import pytest

from frrsync.agent.culprit import culprits, named
from frrsync.core.allocation import Allocation
from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.core.metadata import Metadata, NamespacedName, Origin
from frrsync.core.model import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Endpoint,
    EndpointSlice,
    Node,
    Service,
    Snapshot,
)
from frrsync.core.origin import origins
from frrsync.errors import ApplyError

NAMES = ("web", "mail", "dns")


def meta(name: str, line: int, namespace: str = "") -> Metadata:
    """Return the metadata of an object of a file."""
    return Metadata(name=name, namespace=namespace, origin=Origin(file="all.yaml", line=line))


def part(name: str) -> EndpointSlice:
    """Return endpoints on this node."""
    endpoint = Endpoint(addresses=("10.0.0.1",), node_name="n1")
    return EndpointSlice(meta=meta(f"{name}-1", 1, "default"), service_name=name, endpoints=(endpoint,))


SNAPSHOT = Snapshot(
    services={
        NamespacedName("default", name): Service(meta=meta(name, 10 + number, "default"), type="LoadBalancer")
        for number, name in enumerate(NAMES)
    },
    slices={NamespacedName("default", name): (part(name),) for name in NAMES},
    nodes={"n1": Node(meta=Metadata(name="n1"))},
    peers={
        "tor": BGPPeer(meta=meta("tor", 3), my_asn=64512, peer_asn=64513, peer_address="192.0.2.1"),
        "red": BGPPeer(meta=meta("red", 4), my_asn=64512, peer_asn=64513, peer_address="192.0.2.1", vrf="red"),
        "edge": BGPPeer(meta=meta("edge", 5), my_asn=64512, peer_asn=64513, interface="eth0"),
    },
    bgp_advertisements={
        "all": BGPAdvertisement(meta=meta("all", 20)),
        "tor-only": BGPAdvertisement(meta=meta("tor-only", 21), peers=("tor",), communities=("64512:1",)),
    },
    bfd_profiles={"fast": BFDProfile(meta=meta("fast", 30))},
)
ADDRESSES = {"web": "203.0.113.1", "mail": "203.0.113.2", "dns": "203.0.113.1"}  # two share one
DECISION = NodeDecider(NodeOptions(node="n1")).decide(
    SNAPSHOT,
    {NamespacedName("default", name): Allocation(addresses=(ADDRESSES[name],), pool="p") for name in NAMES},
)
ROUTER = "router bgp 64512"
V4 = "address-family ipv4 unicast"
BOTH = ["BGPAdvertisement all", "BGPAdvertisement tor-only"]
CLASS = DECISION.config.class_maps[0].name
OUTBOUND = DECISION.config.outbound_maps[0].name


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((ROUTER, "neighbor 192.0.2.1 timers 1 1"), ["BGPPeer tor"]),
        ((ROUTER, "no neighbor 192.0.2.1 password"), ["BGPPeer tor"]),
        ((f"{ROUTER} vrf red", "neighbor 192.0.2.1 timers 1 1"), ["BGPPeer red"]),
        ((ROUTER, "neighbor eth0 interface remote-as 64513"), ["BGPPeer edge"]),
        ((ROUTER, V4, f"neighbor 192.0.2.1 route-map {OUTBOUND} out"), ["BGPPeer tor"]),
        ((ROUTER, V4, f"network 203.0.113.2/32 route-map {CLASS}"), ["Service default/mail"]),
        ((ROUTER, V4, "no network 203.0.113.1/32"), ["Service default/dns", "Service default/web"]),
        ((f"route-map {CLASS} permit 10", "set tag 1"), BOTH),
        ((f"route-map {OUTBOUND} permit 1", "set community 1:70000"), BOTH),
        ((f"route-map {OUTBOUND} permit 9", "set community 1:70000"), []),
        (("bfd", "profile fast", "transmit-interval 5"), ["BFDProfile fast"]),
        (("bfd", "profile gone", "transmit-interval 5"), []),
        ((ROUTER,), ["BGPPeer tor", "BGPPeer edge"]),
        ((ROUTER, "bgp router-id 1.1.1.1"), ["BGPPeer tor", "BGPPeer edge"]),
        (("ip prefix-list x seq 5 permit any",), []),
        ((ROUTER, "neighbor 192.0.2.77 activate"), []),
    ],
)  # fmt: skip
def test_a_line_leads_to_its_objects(path: tuple[str, ...], expected: list[str]) -> None:
    """Neighbors to BGPPeers, networks to Services, maps to BGPAdvertisements, profiles to BFDProfiles."""
    found = [f"{kind} {item.key if item.namespace else item.name}" for kind, item in origins(path, SNAPSHOT, DECISION)]
    assert sorted(found) == sorted(expected), f"expected {expected}, found {found}"


def test_an_error_names_the_object_and_its_place() -> None:
    """In the text of the error and, with file and line, among the mistakes; a password is in neither."""
    line = "neighbor 192.0.2.1 password Geheim"
    error = ApplyError("bgpd refused a line: 'neighbor 192.0.2.1 password Geheim'", paths=((ROUTER, line),))
    found = culprits(error, SNAPSHOT, DECISION, lambda _line: "")
    assert named(found) == "BGPPeer tor (all.yaml:3): "
    assert [(item.file, item.line, item.kind, item.name) for item in found] == [("all.yaml", 3, "BGPPeer", "tor")]
    assert found[0].message.startswith("FRR refused what comes of it: bgpd refused a line")
    assert "Geheim" not in str(found)


def test_a_line_of_a_template_is_no_objects_fault() -> None:
    """The error says which template it is."""
    error = ApplyError("refused", paths=((ROUTER, "neighbor 192.0.2.1 wibble"),))
    assert culprits(error, SNAPSHOT, DECISION, lambda _line: "my.j2:3") == ()
    assert named(()) == ""


def test_several_objects_are_named_once_each() -> None:
    """Three at most in the text."""
    paths = tuple((ROUTER, f"neighbor 192.0.2.1 timers {number} 9") for number in range(3))
    found = culprits(ApplyError("differs", paths=paths), SNAPSHOT, DECISION, lambda _line: "")
    assert len(found) == 1
    networks = tuple((ROUTER, V4, f"network 203.0.113.{n}/32 route-map x") for n in (1, 2))
    found = culprits(ApplyError("differs", paths=(*paths, *networks)), SNAPSHOT, DECISION, lambda _line: "")
    assert named(found).endswith(" and 1 more: "), named(found)
