"""The manifests that follow from a topology: its nodes, and its routers as peers of each node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from frrsync.lab.router_config import PROFILE, addresses_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from frrsync.lab.topology import Device, Neighborhood, Topology

FILE = "lab.yaml"
HOSTNAME = "kubernetes.io/hostname"
CONFIG_NAMESPACE = "metallb-system"


def write(topology: Topology, folder: Path) -> None:
    """Write the generated objects into the folder of manifests, in one step for those who watch it."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{FILE}.partial"
    partial.write_text(yaml.safe_dump_all(objects(topology), sort_keys=False), "utf-8")
    partial.replace(folder / FILE)


def objects(topology: Topology) -> Iterable[dict[str, Any]]:
    """Yield the nodes, one BFD profile, and a BGPPeer for every session between a node and a router."""
    for node in topology.of_kind("node"):
        yield _node(node)
    if any(link.bfd for link in topology.links):
        bfd = topology.bfd
        interval = {"receiveInterval": bfd.interval, "transmitInterval": bfd.interval}
        yield _resource("v1beta1", "BFDProfile", PROFILE, {"detectMultiplier": bfd.multiplier, **interval})
    for node in topology.of_kind("node"):
        for neighborhood in topology.neighborhoods(node.name, "router"):
            yield from _peers(node, neighborhood)


def _node(node: Device) -> dict[str, Any]:
    addresses = [address for address in (node.loopback4, node.loopback6) if address is not None]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "labels": {HOSTNAME: node.name, **dict(node.labels)}},
        "status": {
            "addresses": [{"type": "InternalIP", "address": str(address)} for address in addresses],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _peers(node: Device, neighborhood: Neighborhood) -> Iterable[dict[str, Any]]:
    for family, address in addresses_of(neighborhood).items():
        spec: dict[str, Any] = {
            "myASN": node.asn,
            "peerASN": neighborhood.device.asn,
            "peerAddress": address,
            "connectTime": "1s",
            "holdTime": "9s",
            "keepaliveTime": "3s",
            "nodeSelectors": [{"matchLabels": {HOSTNAME: node.name}}],
        }
        if neighborhood.bfd:
            spec["bfdProfile"] = PROFILE
        name = f"{node.name}-{neighborhood.own.interface}-{family}"
        yield _resource("v1beta2", "BGPPeer", name, spec)


def _resource(version: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": CONFIG_NAMESPACE}
    return {"apiVersion": f"metallb.io/{version}", "kind": kind, "metadata": metadata, "spec": spec}
