"""Short makers of manifests as plain dicts, and the folder that they are written to."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Document = dict[str, Any]
Key = tuple[str, str, str]
"""Kind, namespace and name of a document."""

CONFIG_NAMESPACE = "metallb-system"
METALLB = "metallb.io/v1beta1"


def key_of(document: Document) -> Key:
    """Return what makes a document unique."""
    metadata = document["metadata"]
    return document["kind"], metadata.get("namespace", ""), metadata["name"]


def node(
    name: str, *, labels: Mapping[str, str] | None = None, network_unavailable: bool | None = None, ip: str = ""
) -> Document:
    """Return a Node; ``network_unavailable`` None leaves the condition out."""
    status: Document = {"addresses": [{"type": "InternalIP", "address": ip}] if ip else []}
    if network_unavailable is not None:
        status["conditions"] = [{"type": "NetworkUnavailable", "status": str(network_unavailable)}]
    metadata = {"name": name, "labels": dict(labels or {})}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": status}


def service(
    name: str,
    *,
    namespace: str = "default",
    policy: str = "Cluster",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    ports: Sequence[int] = (80,),
    families: Sequence[str] = ("IPv4",),
) -> Document:
    """Return a Service of type LoadBalancer; two families make it RequireDualStack."""
    metadata: Document = {"name": name, "namespace": namespace, "labels": dict(labels or {})}
    if annotations:
        metadata["annotations"] = dict(annotations)
    spec: Document = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": policy,
        "ipFamilies": list(families),
        "ipFamilyPolicy": "SingleStack" if len(families) == 1 else "RequireDualStack",
        "selector": {"app": name},
        "ports": [{"name": f"p{port}", "protocol": "TCP", "port": port} for port in ports],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def endpoint(node_name: str, address: str, *, ready: bool | None = True, serving: bool | None = None) -> Document:
    """Return one endpoint of a slice."""
    conditions = {name: value for name, value in (("ready", ready), ("serving", serving)) if value is not None}
    return {"addresses": [address], "nodeName": node_name, "conditions": conditions}


def endpoint_slice(
    service_name: str, endpoints: Iterable[Document], *, namespace: str = "default", suffix: str = "a"
) -> Document:
    """Return an EndpointSlice of a Service."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service_name}-{suffix}",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service_name},
        },
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": "p80", "protocol": "TCP", "port": 8080}],
    }


def _metallb(kind: str, name: str, spec: Document, version: str = METALLB, **metadata: Any) -> Document:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "namespace": CONFIG_NAMESPACE, **metadata},
        "spec": spec,
    }


def pool(name: str, *addresses: str, labels: Mapping[str, str] | None = None, **spec: Any) -> Document:
    """Return an IPAddressPool; further fields of the spec by their own names."""
    return _metallb("IPAddressPool", name, {"addresses": list(addresses), **spec}, labels=dict(labels or {}))


def peer(name: str, address: str, *, my_asn: int, peer_asn: int, **spec: Any) -> Document:
    """Return a BGPPeer that tries every second; further fields of the spec by their own names."""
    fields = {"myASN": my_asn, "peerASN": peer_asn, "peerAddress": address, "connectTime": "1s", **spec}
    return _metallb("BGPPeer", name, fields, "metallb.io/v1beta2")


def bgp_peer(name: str, spec: Document, version: str = "metallb.io/v1beta2") -> Document:
    """Return a BGPPeer with exactly these fields."""
    return _metallb("BGPPeer", name, spec, version)


def advertisement(name: str, **spec: Any) -> Document:
    """Return a BGPAdvertisement; the fields of the spec by their own names."""
    return _metallb("BGPAdvertisement", name, spec)


def community(name: str, **aliases: str) -> Document:
    """Return a Community resource; underscores of a name become hyphens."""
    entries = [{"name": alias.replace("_", "-"), "value": value} for alias, value in aliases.items()]
    return _metallb("Community", name, {"communities": entries})


def bfd_profile(name: str, **spec: Any) -> Document:
    """Return a BFDProfile."""
    return _metallb("BFDProfile", name, spec)


class ManifestFolder:
    """A watched folder with one file per document, each written by an atomic rename.

    ``documents`` holds what is there, by key.
    """

    def __init__(self, path: Path, staging: Path) -> None:
        self.path = path
        self._staging = staging
        self.documents: dict[Key, Document] = {}
        path.mkdir(parents=True, exist_ok=True)
        staging.mkdir(parents=True, exist_ok=True)

    def put(self, *documents: Document) -> None:
        """Write documents, new or changed."""
        for document in documents:
            file = self._file(key_of(document))
            temporary = self._staging / file.name
            temporary.write_text(json.dumps(document, indent=1), encoding="utf-8")
            os.replace(temporary, file)  # noqa: PTH105 - the atomic rename is the point here
            self.documents[key_of(document)] = document

    def remove(self, *keys: Key) -> None:
        """Delete documents."""
        for key in keys:
            self._file(key).unlink()
            del self.documents[key]

    def _file(self, key: Key) -> Path:
        return self.path / f"{'_'.join(part for part in key if part)}.yaml".lower()
