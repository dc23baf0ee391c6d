"""Service, from plain data to the model, held to the rules of the API server that judge one object.

Names of fields are those of ``k8s.io/api`` core v1 of Kubernetes 1.34.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from frrsync.core.fields import shown
from frrsync.core.grammar import dns_label, label_key, label_value, port_name, quoted
from frrsync.core.kubernetes_kinds import canonical_address
from frrsync.core.model import IPFamily, IPFamilyPolicy, Service, ServicePort, TrafficPolicy

if TYPE_CHECKING:
    from frrsync.core.fields import Fields
    from frrsync.core.model import Metadata

_TOP: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_SPEC: Final = frozenset(
    {
        "allocateLoadBalancerNodePorts",
        "clusterIP",
        "clusterIPs",
        "externalIPs",
        "externalName",
        "externalTrafficPolicy",
        "healthCheckNodePort",
        "internalTrafficPolicy",
        "ipFamilies",
        "ipFamilyPolicy",
        "loadBalancerClass",
        "loadBalancerIP",
        "loadBalancerSourceRanges",
        "ports",
        "publishNotReadyAddresses",
        "selector",
        "sessionAffinity",
        "sessionAffinityConfig",
        "trafficDistribution",
        "type",
    }
)
_PORT: Final = frozenset({"name", "protocol", "appProtocol", "port", "targetPort", "nodePort"})
_STATUS: Final = frozenset({"loadBalancer", "conditions"})
_LOAD_BALANCER: Final = frozenset({"ingress"})
_INGRESS: Final = frozenset({"ip", "hostname", "ipMode", "ports"})
_UNREAD: Final = (
    ("allocateLoadBalancerNodePorts", bool),
    ("externalIPs", list),
    ("loadBalancerSourceRanges", list),
    ("publishNotReadyAddresses", bool),
    ("sessionAffinityConfig", dict),
    ("trafficDistribution", str),
)


class ServiceType(StrEnum):
    """``spec.type``."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"
    LOAD_BALANCER = "LoadBalancer"
    EXTERNAL_NAME = "ExternalName"


class Protocol(StrEnum):
    """Protocol of a port."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


class SessionAffinity(StrEnum):
    """``spec.sessionAffinity``."""

    NONE = "None"
    CLIENT_IP = "ClientIP"


def read_service(top: Fields, meta: Metadata) -> Service:
    """Read a Service; what annotations ask for is judged by the allocation."""
    top.expect(_TOP)
    top.require("spec")
    spec = top.fields("spec", _SPEC)
    spec.check(_UNREAD)
    spec.choice("sessionAffinity", SessionAffinity, None)
    spec.choice("internalTrafficPolicy", TrafficPolicy, None)
    service = Service(
        meta=meta,
        type=spec.choice("type", ServiceType, ServiceType.CLUSTER_IP).value,
        cluster_ips=_cluster_ips(spec),
        ip_families=spec.texts("ipFamilies", _ip_family, unique=True),
        ip_family_policy=spec.choice("ipFamilyPolicy", IPFamilyPolicy, None),
        load_balancer_ip=spec.text("loadBalancerIP"),
        load_balancer_class=spec.parsed("loadBalancerClass", label_key, ""),
        external_traffic_policy=spec.choice("externalTrafficPolicy", TrafficPolicy, TrafficPolicy.CLUSTER),
        health_check_node_port=spec.integer("healthCheckNodePort", 0, 65535, 0),
        selector=spec.text_map("selector", label_key, label_value),
        ports=_ports(spec),
        ingress=_ingress(top.fields("status", _STATUS)),
    )
    if not top.report.mistakes:
        _judge(spec, service)
    return service


def _cluster_ip(text: str) -> str:
    return "" if text in {"", "None"} else canonical_address(text)


def _cluster_ips(spec: Fields) -> tuple[str, ...]:
    first = spec.parsed("clusterIP", _cluster_ip, "")
    every = tuple(address for address in spec.texts("clusterIPs", _cluster_ip) if address)
    if first and every and first != every[0]:
        spec.add("clusterIPs", f"found {every[0]} first, it must be the same as clusterIP {first}")
    return every or ((first,) if first else ())


def _ip_family(text: str) -> IPFamily:
    try:
        return IPFamily(text)
    except ValueError:
        raise ValueError(f"found {quoted(text)}, allowed are {', '.join(IPFamily)}") from None


def _ports(spec: Fields) -> tuple[ServicePort, ...]:
    result: list[ServicePort] = []
    items = spec.fields_list("ports", _PORT)
    for item in items:
        item.check((("appProtocol", str),))
        item.integer("nodePort", 0, 65535, 0)
        _target_port(item)
        if len(items) > 1:
            item.require("name", "a Service with several ports names each of them")
        item.require("port")
        port = ServicePort(
            name=item.parsed("name", dns_label, ""),
            protocol=item.choice("protocol", Protocol, Protocol.TCP).value,
            port=item.integer("port", 1, 65535, 0),
        )
        if port.name and any(other.name == port.name for other in result):
            item.add("name", f"found {port.name!r} twice, once is allowed")
        elif port.port and any((other.protocol, other.port) == (port.protocol, port.port) for other in result):
            item.add("port", f"found {port.protocol} {port.port} twice, once is allowed")
        result.append(port)
    return tuple(result)


def _target_port(item: Fields) -> None:
    """Check the one field that is a number or a text."""
    match item.data.get("targetPort"):
        case None:
            return
        case bool():
            item.add("targetPort", "found a truth value, a port number or the name of a port is needed")
        case int(number) if not 1 <= number <= 65535:
            item.add("targetPort", f"found {number}, allowed are 1 to 65535")
        case int():
            return
        case str(text):
            try:
                port_name(text)
            except ValueError as error:
                item.add("targetPort", str(error))
        case value:
            item.add("targetPort", f"found {shown(value)}, a port number or the name of a port is needed")


def _ingress(status: Fields) -> tuple[str, ...]:
    """Return the addresses of the status; entries with only a host name have none."""
    status.check((("conditions", list),))
    result = []
    for item in status.fields("loadBalancer", _LOAD_BALANCER).fields_list("ingress", _INGRESS):
        item.check((("hostname", str), ("ipMode", str), ("ports", list)))
        address = item.parsed("ip", canonical_address, "")
        if address:
            result.append(address)
    return tuple(result)


def _judge(spec: Fields, service: Service) -> None:
    """Check the rules between fields."""
    if service.type == ServiceType.EXTERNAL_NAME:
        spec.require("externalName", "type ExternalName needs it")
    elif not service.ports and spec.data.get("clusterIP") != "None":
        spec.add("ports", "found no port, at least one is needed")
    if service.type not in {ServiceType.LOAD_BALANCER, ServiceType.NODE_PORT} and spec.data.get(
        "externalTrafficPolicy"
    ):
        spec.add("externalTrafficPolicy", f"found with type {service.type}, allowed with LoadBalancer and NodePort")
    if service.load_balancer_class and service.type != ServiceType.LOAD_BALANCER:
        spec.add("loadBalancerClass", f"found with type {service.type}, allowed with LoadBalancer")
    local = service.type == ServiceType.LOAD_BALANCER and service.external_traffic_policy is TrafficPolicy.LOCAL
    if service.health_check_node_port and not local:
        spec.add(
            "healthCheckNodePort",
            f"found {service.health_check_node_port}, allowed with type LoadBalancer and externalTrafficPolicy Local",
        )
    if len(service.ip_families) == 2 and service.ip_family_policy is IPFamilyPolicy.SINGLE_STACK:
        spec.add("ipFamilies", "found two families, ipFamilyPolicy SingleStack allows one")
