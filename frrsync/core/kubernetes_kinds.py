"""EndpointSlice, Node, Namespace and Secret, from plain data to the model.

Names of fields are those of ``k8s.io/api`` (core v1, discovery v1 of Kubernetes 1.34); a field that the API
server would refuse under strict field validation is a mistake here too.
"""

from __future__ import annotations

from base64 import b64decode
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from frrsync.core.address import parse_address
from frrsync.core.grammar import dns_subdomain, password
from frrsync.core.model import Endpoint, EndpointSlice, Namespace, Node, Secret

if TYPE_CHECKING:
    from frrsync.core.fields import Fields
    from frrsync.core.model import Metadata

SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"
BASIC_AUTH: Final = "kubernetes.io/basic-auth"

_SLICE: Final = frozenset({"apiVersion", "kind", "metadata", "addressType", "endpoints", "ports"})
_SLICE_PORT: Final = frozenset({"name", "protocol", "port", "appProtocol"})
_ENDPOINT: Final = frozenset(
    {"addresses", "conditions", "hostname", "targetRef", "deprecatedTopology", "nodeName", "zone", "hints"}
)
_CONDITIONS: Final = frozenset({"ready", "serving", "terminating"})
_NODE: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_SECRET: Final = frozenset({"apiVersion", "kind", "metadata", "data", "stringData", "type", "immutable"})
_NAMESPACE_SPEC: Final = frozenset({"finalizers"})
_NAMESPACE_STATUS: Final = frozenset({"phase", "conditions"})


class AddressType(StrEnum):
    """``addressType`` of an EndpointSlice."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"
    FQDN = "FQDN"


def canonical_address(text: str) -> str:
    """Return an address in canonical text; raises ValueError."""
    return str(parse_address(text))


def read_endpoint_slice(top: Fields, meta: Metadata) -> EndpointSlice:
    """Read an EndpointSlice of ``discovery.k8s.io/v1``."""
    top.expect(_SLICE)
    top.require("addressType")
    address_type = top.choice("addressType", AddressType, None)
    for port in top.fields_list("ports", _SLICE_PORT):
        port.check((("name", str), ("protocol", str), ("appProtocol", str)))
        port.integer("port", 0, 65535, 0)
    return EndpointSlice(
        meta=meta,
        service_name=meta.labels.get(SERVICE_NAME_LABEL, ""),
        endpoints=tuple(_read_endpoint(item, address_type) for item in top.fields_list("endpoints", _ENDPOINT)),
    )


def _read_endpoint(item: Fields, address_type: AddressType | None) -> Endpoint:
    conditions = item.fields("conditions", _CONDITIONS)
    conditions.check((("terminating", bool),))
    item.check((("hostname", str), ("targetRef", dict), ("deprecatedTopology", dict), ("zone", str), ("hints", dict)))
    if item.require("addresses"):
        addresses = item.texts("addresses", _address_of(address_type))
        if item.data["addresses"] == []:
            item.add("addresses", "found no address, at least one is needed")
    else:
        addresses = ()
    return Endpoint(
        addresses=addresses,
        node_name=item.parsed("nodeName", dns_subdomain, ""),
        ready=conditions.boolean("ready") if conditions.has("ready") else None,
        serving=conditions.boolean("serving") if conditions.has("serving") else None,
    )


def _address_of(address_type: AddressType | None) -> type[str] | _SliceAddress:
    return str if address_type in {None, AddressType.FQDN} else _SliceAddress(address_type)


class _SliceAddress:
    """Checks that an address is of the family of its slice."""

    def __init__(self, address_type: AddressType | None) -> None:
        self.address_type = address_type

    def __call__(self, text: str) -> str:
        address = parse_address(text)
        if f"IPv{address.version}" != self.address_type:
            raise ValueError(f"found {text!r}, an {self.address_type} address is needed as addressType says")
        return str(address)


def read_node(top: Fields, meta: Metadata) -> Node:
    """Read a Node; of its deep status only what decides is looked at."""
    top.expect(_NODE).check((("spec", dict),))
    status = top.fields("status")
    unavailable = False
    for condition in status.fields_list("conditions"):
        if condition.text("type") == "NetworkUnavailable":
            unavailable = condition.text("status") == "True"
    addresses = status.fields_list("addresses")
    return Node(
        meta=meta,
        network_unavailable=unavailable,
        internal_ips=tuple(
            address
            for item in addresses
            if item.text("type") == "InternalIP" and (address := item.parsed("address", canonical_address, ""))
        ),
    )


def read_namespace(top: Fields, meta: Metadata) -> Namespace:
    """Read a Namespace."""
    top.expect(_NODE)
    top.fields("spec", _NAMESPACE_SPEC).check((("finalizers", list),))
    top.fields("status", _NAMESPACE_STATUS).check((("phase", str), ("conditions", list)))
    return Namespace(meta=meta)


def read_secret(top: Fields, meta: Metadata) -> Secret:
    """Read a Secret; nothing of its content ever reaches a message.

    Only a Secret of the type that a BGPPeer may name is held to the rules of a password.
    """
    top.expect(_SECRET).check((("immutable", bool),))
    kind = top.text("type") or "Opaque"
    encoded, plain = top.hidden().fields("data"), top.hidden().fields("stringData")
    values = {name: _decoded(encoded, name) for name in encoded.data}
    values |= {name: plain.text(name) for name in plain.data}
    text = values.get("password")
    if text is not None and kind == BASIC_AUTH and not top.report.mistakes:
        try:
            password(text)
        except ValueError as error:
            (plain if "password" in plain.data else encoded).add("password", str(error))
    return Secret(meta=meta, type=kind, password=text)


def _decoded(encoded: Fields, name: str) -> str | None:
    text = encoded.text(name)
    try:
        return b64decode(text.replace("\n", "").replace("\r", ""), validate=True).decode("utf-8", "replace")
    except ValueError:
        encoded.add(name, "the value is not base64; plain text belongs in stringData")
        return None
