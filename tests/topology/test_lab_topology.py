"""The topology file: what it becomes, and what it says about a mistake."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path
from typing import Any

import pytest
import yaml

from frrsync.errors import LabError
from frrsync.lab.manifests import objects
from frrsync.lab.router_config import router_config
from frrsync.lab.topology_file import parse_topology, read_topology

SMALL: dict[str, Any] = {
    "name": "small",
    "routers": {"r1": {"asn": 64701}},
    "nodes": {"n1": {"asn": 64700, "settings": {"observe": True, "apply_with": "vtysh"}}},
    "links": [["n1", "r1"]],
}


def test_the_routers_end_of_a_link_comes_first_however_it_was_written() -> None:
    """A person can tell from an address whose it is."""
    link = parse_topology(SMALL).links[0]
    assert (link.first.device, link.first.interface, link.first.ipv4) == ("r1", "n1", IPv4Interface("10.250.0.0/31"))
    assert (link.second.device, link.second.ipv6) == ("n1", IPv6Interface("fd00:1ab::2/64"))


def test_two_cables_between_the_same_devices_have_two_interfaces() -> None:
    """The second one gets a number."""
    links = parse_topology({**SMALL, "links": [["r1", "n1"], ["r1", "n1"]]}).links
    assert [link.first.interface for link in links] == ["n1", "n1.2"], links


def test_a_link_takes_given_addresses_and_can_be_without_a_family() -> None:
    """Given networks replace the pool's; null leaves a family out."""
    given = {"between": ["r1", "n1"], "ipv4": None, "ipv6": "2001:db8::/127", "bfd": False}
    link = parse_topology({**SMALL, "links": [given]}).links[0]
    assert link.first.addresses == (IPv6Interface("2001:db8::/127"),), link
    assert link.bfd is False, link


def test_a_lab_can_be_without_ipv4() -> None:
    """Loopbacks, links and peers are then IPv6 only, and the router still has a router ID."""
    topology = parse_topology({**SMALL, "pools": {"ipv4": None}})
    assert [device.loopback4 for device in topology.devices] == [None, None]
    assert topology.devices[0].loopback6 == IPv6Address("fd00:1ab:0:ffff::1")
    assert "bgp router-id 192.0.2.1" in router_config(topology, topology.devices[0])


def test_a_lab_of_a_hundred_nodes_has_no_address_twice() -> None:
    """Links and loopbacks share the pools without meeting."""
    nodes = {f"n{number}": {"asn": 64700} for number in range(100)}
    routers = {f"r{number}": {"asn": 64800 + number} for number in range(4)}
    links = [[router, node] for router in routers for node in nodes]
    topology = parse_topology({**SMALL, "nodes": nodes, "routers": routers, "links": links})
    found = [address.ip for link in topology.links for end in (link.first, link.second) for address in end.addresses]
    found += [address for device in topology.devices for address in (device.loopback4, device.loopback6) if address]
    assert len(set(found)) == len(found) == 4 * (400 + 104) - 2 * 104, len(set(found))


def test_the_generated_manifests_name_every_session_of_a_node() -> None:
    """One peer per router and family, selected by the node's own label."""
    found = list(objects(parse_topology(SMALL)))
    peers = {item["metadata"]["name"]: item["spec"] for item in found if item["kind"] == "BGPPeer"}
    assert set(peers) == {"n1-r1-ipv4", "n1-r1-ipv6"}
    assert peers["n1-r1-ipv4"]["peerAddress"] == "10.250.0.0"
    assert peers["n1-r1-ipv4"]["nodeSelectors"] == [{"matchLabels": {"kubernetes.io/hostname": "n1"}}]


def test_the_sample_is_found_by_its_name_and_survives_being_kept_as_a_document() -> None:
    """What a lab keeps of its topology is enough to get the same topology again."""
    topology = read_topology(Path("demo"), name="other")
    assert topology.name == "other"
    assert parse_topology(yaml.safe_load(yaml.safe_dump(topology.source))) == topology


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "much-too-long"}, "name: found 'much-too-long', allowed are 1 to 8"),
        ({"rooters": {}}, "rooters: unknown field, allowed are name, frr"),
        ({"routers": {"r1": {}}}, "routers.r1.asn: found None, allowed is 1 to 4294967295"),
        ({"routers": {"R1": {"asn": 1}}}, "routers.R1: a device name has 1 to 12 lower-case letters"),
        ({"routers": {"n1": {"asn": 1}}}, "nodes.n1: the name is used twice"),
        ({"frr": "7.5"}, "routers.r1.frr: found '7.5', allowed are 8.4, 10.3, host, or a root folder"),
        ({"links": [["r1", "n9"]]}, r"links\[0\].between: found \['r1', 'n9'\], allowed are two of r1, n1"),
        ({"links": [["r1", "r1"]]}, r"links\[0\].between: r1 cannot be linked to itself"),
        ({"links": [{"between": ["r1", "n1"], "ipv4": "10.0.0.1/31"}]}, r"links\[0\].ipv4: 10.0.0.1/31 has host bits"),
        ({"bfd": {"interval": 1}}, "bfd.interval: found 1, allowed is 10 to 60000"),
        ({"agents": "yes"}, "nodes.n1.agent: found 'yes', allowed are true and false"),
        ({"routers": None, "nodes": None, "links": None}, "routers, nodes, clients: found none"),
        ({"pools": {"ipv4": "10.0.0.0/30"}}, "the pool 10.0.0.0/30 is too small"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(change: dict[str, Any], message: str) -> None:
    """Field, what was found, what is allowed."""
    with pytest.raises(LabError, match=f"^{message}"):
        parse_topology({**SMALL, **change})
