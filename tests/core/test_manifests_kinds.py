"""Sound objects of every kind arrive in the model with every field."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from frrsync.core.address import parse_range
from frrsync.core.fields import Location
from frrsync.core.manifests import ParsedObject, parse_object
from frrsync.core.model import (
    BFDProfile,
    BGPAdvertisement,
    BGPPeer,
    Community,
    Endpoint,
    EndpointSlice,
    IPAddressPool,
    IPFamily,
    IPFamilyPolicy,
    Kind,
    L2Advertisement,
    Metadata,
    Namespace,
    Node,
    ObjectKey,
    PreferredNodes,
    Secret,
    Service,
    ServiceAllocation,
    ServicePort,
    TrafficPolicy,
)
from frrsync.core.selector import LabelSelector, Operator, Requirement
from frrsync.directory.document import documents

if TYPE_CHECKING:
    from frrsync.core.model import ModelObject

CONFIG = "metallb-system"


def parse(text: str) -> ParsedObject:
    """Read the one object of a text."""
    (document,) = documents(dedent(text))
    return parse_object(document.data, Location(file="test.yaml", line=document.line_of))


def sound(text: str) -> Any:
    """Read an object that must have no mistake."""
    parsed = parse(text)
    assert not parsed.mistakes, f"expected no mistake, found {[str(mistake) for mistake in parsed.mistakes]}"
    return parsed.object


def labels(**pairs: str) -> LabelSelector:
    """Return a selector of labels."""
    return LabelSelector(match_labels=tuple(sorted(pairs.items())))


SERVICE = """
    apiVersion: v1
    kind: Service
    metadata:
      name: web
      namespace: shop
      labels: {app: web, example.net/tier: front}
      annotations: {metallb.io/loadBalancerIPs: "not judged, here"}
      creationTimestamp: "2026-01-31T08:00:00Z"
      managedFields: [{manager: kubectl}]
    spec:
      type: LoadBalancer
      clusterIP: 10.96.0.10
      clusterIPs: [10.96.0.10, "fd00:0::a"]
      ipFamilies: [IPv4, IPv6]
      ipFamilyPolicy: RequireDualStack
      loadBalancerIP: 192.0.2.7
      loadBalancerClass: example.net/frrsync
      externalTrafficPolicy: Local
      internalTrafficPolicy: Cluster
      healthCheckNodePort: 31000
      allocateLoadBalancerNodePorts: true
      sessionAffinity: None
      selector: {app: web}
      ports:
        - {name: http, port: 80, targetPort: http, nodePort: 30080}
        - {name: dns, port: 53, protocol: UDP, targetPort: 5353, appProtocol: dns}
    status:
      loadBalancer:
        ingress:
          - {ip: 192.0.2.7, ipMode: VIP}
          - hostname: web.example.net
          - ip: "2001:DB8:0::7"
      conditions: []
"""

OBJECTS: list[tuple[str, ModelObject]] = [
    (
        SERVICE,
        Service(
            meta=Metadata(
                name="web",
                namespace="shop",
                labels={"app": "web", "example.net/tier": "front"},
                annotations={"metallb.io/loadBalancerIPs": "not judged, here"},
                creation_timestamp="2026-01-31T08:00:00Z",
            ),
            type="LoadBalancer",
            cluster_ips=("10.96.0.10", "fd00::a"),
            ip_families=(IPFamily.IPV4, IPFamily.IPV6),
            ip_family_policy=IPFamilyPolicy.REQUIRE_DUAL_STACK,
            load_balancer_ip="192.0.2.7",
            load_balancer_class="example.net/frrsync",
            external_traffic_policy=TrafficPolicy.LOCAL,
            health_check_node_port=31000,
            selector={"app": "web"},
            ports=(
                ServicePort(name="http", protocol="TCP", port=80),
                ServicePort(name="dns", protocol="UDP", port=53),
            ),
            ingress=("192.0.2.7", "2001:db8::7"),
        ),
    ),
    (
        """
        apiVersion: v1
        kind: Service
        metadata: {name: headless, creationTimestamp: null}
        spec: {clusterIP: None, type: "", externalTrafficPolicy: null}
        """,
        Service(meta=Metadata(name="headless", namespace="default")),
    ),
    (
        """
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata:
          name: web-x7
          namespace: shop
          labels: {kubernetes.io/service-name: web}
        addressType: IPv6
        ports: [{name: http, port: 8080, protocol: TCP}]
        endpoints:
          - addresses: ["fd00:0:0::1"]
            conditions: {ready: false, serving: true, terminating: true}
            nodeName: node1
            targetRef: {kind: Pod, name: web-1}
            zone: a
          - addresses: ["fd00::2"]
        """,
        EndpointSlice(
            meta=Metadata(name="web-x7", namespace="shop", labels={"kubernetes.io/service-name": "web"}),
            service_name="web",
            endpoints=(
                Endpoint(addresses=("fd00::1",), node_name="node1", ready=False, serving=True),
                Endpoint(addresses=("fd00::2",)),
            ),
        ),
    ),
    (
        """
        apiVersion: v1
        kind: Node
        metadata: {name: node1, labels: {rack: a}}
        spec: {podCIDR: 10.0.0.0/24, anything: {goes: here}}
        status:
          conditions:
            - {type: Ready, status: "True"}
            - {type: NetworkUnavailable, status: "True", reason: NoRoute}
          addresses:
            - {type: Hostname, address: node1}
            - {type: InternalIP, address: 192.0.2.11}
            - {type: InternalIP, address: "2001:db8::B"}
        """,
        Node(
            meta=Metadata(name="node1", labels={"rack": "a"}),
            network_unavailable=True,
            internal_ips=("192.0.2.11", "2001:db8::b"),
        ),
    ),
    (
        "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {tier: gold}}, spec: {finalizers: []}}",
        Namespace(meta=Metadata(name="shop", labels={"tier": "gold"})),
    ),
    (
        """
        apiVersion: v1
        kind: Secret
        metadata: {name: tor}
        type: kubernetes.io/basic-auth
        data: {username: YQ==, password: aHVudGVyMg==}
        """,
        Secret(meta=Metadata(name="tor", namespace=CONFIG), type="kubernetes.io/basic-auth", password="hunter2"),
    ),
    (
        """
        apiVersion: v1
        kind: Secret
        metadata: {name: tor}
        data: {password: YQ==}
        stringData: {password: "spaces are not judged in this type"}
        """,
        Secret(meta=Metadata(name="tor", namespace=CONFIG), password="spaces are not judged in this type"),
    ),
    (
        """
        apiVersion: metallb.io/v1beta1
        kind: IPAddressPool
        metadata: {name: main, labels: {tier: gold}}
        spec:
          addresses: [192.0.2.10/24, "2001:db8::1 - 2001:db8::9"]
          autoAssign: false
          avoidBuggyIPs: true
          serviceAllocation:
            priority: 50
            namespaces: [shop]
            namespaceSelectors: [{matchLabels: {tier: gold}}]
            serviceSelectors:
              - matchExpressions: [{key: app, operator: In, values: [web, api]}]
        status: {assignedIPv4: 1, assignedIPv6: 0, availableIPv4: 255, availableIPv6: 9}
        """,
        IPAddressPool(
            meta=Metadata(name="main", namespace=CONFIG, labels={"tier": "gold"}),
            addresses=(parse_range("192.0.2.0/24"), parse_range("2001:db8::1-2001:db8::9")),
            auto_assign=False,
            avoid_buggy_ips=True,
            service_allocation=ServiceAllocation(
                priority=50,
                namespaces=("shop",),
                namespace_selectors=(labels(tier="gold"),),
                service_selectors=(
                    LabelSelector(
                        match_expressions=(Requirement(key="app", operator=Operator.IN, values=("api", "web")),)
                    ),
                ),
            ),
        ),
    ),
    (
        """
        apiVersion: metallb.io/v1beta2
        kind: BGPPeer
        metadata: {name: tor}
        spec:
          myASN: 4200000001
          peerASN: 64513
          localASN: 64999
          peerAddress: "2001:DB8::1"
          sourceAddress: 2001:db8::2
          peerPort: 1790
          holdTime: 1m30s
          keepaliveTime: 20s
          connectTime: 5s
          routerID: 10.0.0.1
          nodeSelectors:
            - matchExpressions: [{key: gone, operator: DoesNotExist}]
          passwordSecret: {name: tor, namespace: elsewhere}
          bfdProfile: fast
          enableGracefulRestart: true
          ebgpMultiHop: true
          vrf: red
          disableMP: true
          dualStackAddressFamily: true
        """,
        BGPPeer(
            meta=Metadata(name="tor", namespace=CONFIG),
            my_asn=4200000001,
            peer_asn=64513,
            local_asn=64999,
            peer_address="2001:db8::1",
            source_address="2001:db8::2",
            peer_port=1790,
            hold_time=90,
            keepalive_time=20,
            connect_time=5,
            router_id="10.0.0.1",
            node_selectors=(
                LabelSelector(match_expressions=(Requirement(key="gone", operator=Operator.DOES_NOT_EXIST),)),
            ),
            password_secret="tor",
            bfd_profile="fast",
            enable_graceful_restart=True,
            ebgp_multi_hop=True,
            vrf="red",
            dual_stack_address_family=True,
        ),
    ),
    (
        """
        apiVersion: metallb.io/v1beta2
        kind: BGPPeer
        metadata: {name: tor}
        spec: {myASN: 64512, dynamicASN: external, interface: eth0.100, password: "p@ss#w0rd", peerPort: null}
        """,
        BGPPeer(
            meta=Metadata(name="tor", namespace=CONFIG),
            my_asn=64512,
            dynamic_asn="external",
            interface="eth0.100",
            password="p@ss#w0rd",
        ),
    ),
    (
        """
        apiVersion: metallb.io/v1beta1
        kind: BGPPeer
        metadata: {name: tor}
        spec: {myASN: 64512, peerASN: 64513, peerAddress: 192.0.2.1, peerPort: 0}
        """,
        BGPPeer(meta=Metadata(name="tor", namespace=CONFIG), my_asn=64512, peer_asn=64513, peer_address="192.0.2.1"),
    ),
    (
        """
        apiVersion: metallb.io/v1beta1
        kind: BGPAdvertisement
        metadata: {name: all}
        spec:
          aggregationLength: 24
          aggregationLengthV6: 64
          localPref: 200
          asPathPrepend: 3
          communities: ["65000:1", "large:65000:1:2", no-export, an-alias]
          ipAddressPools: [main]
          ipAddressPoolSelectors: [{}]
          nodeSelectors: [{matchLabels: {rack: a}}, {matchLabels: {rack: b}}]
          peers: [tor]
        """,
        BGPAdvertisement(
            meta=Metadata(name="all", namespace=CONFIG),
            aggregation_length=24,
            aggregation_length_v6=64,
            local_pref=200,
            as_path_prepend=3,
            communities=("65000:1", "large:65000:1:2", "no-export", "an-alias"),
            ip_address_pools=("main",),
            ip_address_pool_selectors=(LabelSelector(),),
            node_selectors=(labels(rack="a"), labels(rack="b")),
            peers=("tor",),
        ),
    ),
    (
        "{apiVersion: metallb.io/v1beta1, kind: BGPAdvertisement, metadata: {name: empty}, spec: {localPref: 0}}",
        BGPAdvertisement(meta=Metadata(name="empty", namespace=CONFIG)),
    ),
    (
        """
        apiVersion: metallb.io/v1beta1
        kind: L2Advertisement
        metadata: {name: all}
        spec:
          interfaces: [eth0, "bond0.5@if3"]
          ipAddressPools: [main]
          serviceSelectors: [{matchLabels: {app: web}}]
          preferredNodeSelectors: [{weight: 10, preference: {matchLabels: {rack: a}}}]
        """,
        L2Advertisement(
            meta=Metadata(name="all", namespace=CONFIG),
            interfaces=("eth0", "bond0.5@if3"),
            ip_address_pools=("main",),
            service_selectors=(labels(app="web"),),
            preferred_node_selectors=(PreferredNodes(weight=10, preference=labels(rack="a")),),
        ),
    ),
    (
        """
        apiVersion: metallb.io/v1beta1
        kind: BFDProfile
        metadata: {name: fast}
        spec:
          receiveInterval: 100
          transmitInterval: 100
          detectMultiplier: 3
          echoInterval: 50
          echoMode: true
          passiveMode: true
          minimumTtl: 250
        """,
        BFDProfile(
            meta=Metadata(name="fast", namespace=CONFIG),
            receive_interval=100,
            transmit_interval=100,
            detect_multiplier=3,
            echo_interval=50,
            echo_mode=True,
            passive_mode=True,
            minimum_ttl=250,
        ),
    ),
    (
        "{apiVersion: metallb.io/v1beta1, kind: BFDProfile, metadata: {name: defaults}}",
        BFDProfile(meta=Metadata(name="defaults", namespace=CONFIG)),
    ),
    (
        """
        apiVersion: metallb.io/v1beta1
        kind: Community
        metadata: {name: ours}
        spec:
          communities:
            - {name: blue, value: "65000:1"}
            - {name: no-export, value: "65535:65281"}
        """,
        Community(
            meta=Metadata(name="ours", namespace=CONFIG), aliases={"blue": "65000:1", "no-export": "65535:65281"}
        ),
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"), OBJECTS, ids=lambda value: getattr(value, "meta", Metadata(name="")).name
)
def test_a_sound_object_arrives_with_every_field(text: str, expected: ModelObject) -> None:
    """What kubectl would take becomes the model, field by field."""
    found = sound(text)
    assert found == expected, f"expected {expected}, found {found}"


@pytest.mark.parametrize(
    ("timers", "expected"),
    [
        ("holdTime: 90s", (90, 30)),
        ("holdTime: 0s", (0, 0)),
        ("holdTime: 900ms", (0, 0)),
        ("keepaliveTime: 10s", (30, 10)),
        ("holdTime: 3.9s, keepaliveTime: 1s", (3, 1)),
        ("holdTime: 1h, keepaliveTime: 0", None),
        ('holdTime: 1h, keepaliveTime: "0"', (3600, 0)),
        ("ebgpMultiHop: false", (None, None)),
    ],
)
@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_one_timer_sets_the_other_and_none_sets_none(
    version: str, timers: str, expected: tuple[int | None, int | None] | None
) -> None:
    """Hold time is three times keepalive time; a version-1 peer without timers keeps FRR's defaults."""
    parsed = parse(
        f"{{apiVersion: metallb.io/{version}, kind: BGPPeer, metadata: {{name: tor}},"
        f" spec: {{myASN: 1, peerASN: 2, peerAddress: 192.0.2.1, {timers}}}}}"
    )
    peer = parsed.object
    found = (peer.hold_time, peer.keepalive_time) if isinstance(peer, BGPPeer) else None
    assert found == expected, f"expected {expected}, found {found} with {parsed.mistakes}"


@pytest.mark.parametrize("kind", ["ServiceL2Status", "ServiceBGPStatus", "ConfigurationState"])
def test_what_metallb_writes_about_itself_is_passed_over(kind: str) -> None:
    """Status kinds are neither a mistake nor an unknown kind."""
    found = parse(f"{{apiVersion: metallb.io/v1beta1, kind: {kind}, metadata: {{generateName: l2-}}}}")
    assert found == ParsedObject(), f"expected nothing, found {found}"


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("apps/v1", "Deployment"),
        ("v1", "ConfigMap"),
        ("v1", "Endpoints"),
        ("v1", "ServiceAccount"),
        ("serving.knative.dev/v1", "Service"),
        ("crd.projectcalico.org/v1", "BGPPeer"),
    ],
)
def test_kinds_of_others_are_named_and_ignored(version: str, kind: str) -> None:
    """A kind that is none of ours is no mistake, even when somebody else uses one of our names."""
    found = parse(f"{{apiVersion: {version}, kind: {kind}, metadata: {{name: x}}, spec: {{any: thing}}}}")
    expected = ParsedObject(ignored_kind=f"{kind} ({version})")
    assert found == expected, f"expected {expected}, found {found}"


def test_a_secret_of_another_namespace_is_passed_over() -> None:
    """Foreign Secrets are not read, whatever is in them."""
    found = parse("{apiVersion: v1, kind: Secret, metadata: {name: x, namespace: shop}, data: {password: '!'}}")
    assert found == ParsedObject(), f"expected nothing, found {found}"


def test_an_object_keeps_its_key_when_it_is_broken() -> None:
    """The key tells whose last good state stays, even for a resource that moved to the wrong namespace."""
    found = parse(
        "{apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: main, namespace: shop}, spec: {}}"
    )
    assert found.key == ObjectKey(Kind.IP_ADDRESS_POOL, CONFIG, "main")
    assert found.object is None
    fields = [mistake.field for mistake in found.mistakes]
    assert fields == ["metadata.namespace", "spec.addresses"], f"expected both mistakes, found {fields}"


def test_all_mistakes_of_an_object_are_found_at_once() -> None:
    """Nobody has to correct one mistake to see the next."""
    found = parse("""
        apiVersion: metallb.io/v1beta2
        kind: BGPPeer
        metadata: {name: tor}
        spec: {myASN: 0, peerASN: x, peerAddress: nowhere, peerPort: 99999, holdTime: 1s, vfr: red}
    """)
    fields = sorted(mistake.field for mistake in found.mistakes)
    expected = ["spec.holdTime", "spec.myASN", "spec.peerASN", "spec.peerAddress", "spec.peerPort", "spec.vfr"]
    assert fields == expected, f"expected {expected}, found {fields}"


WORD = "hunter two?"


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        ("apiVersion: v1, kind: Secret", f"data: {{password: '{WORD}'}}"),
        ("apiVersion: v1, kind: Secret", f"data: '{WORD}'"),
        ("apiVersion: v1, kind: Secret", f"data: ['{WORD}']"),
        ("apiVersion: v1, kind: Secret", f"stringData: {{password: ['{WORD}']}}"),
        ("apiVersion: v1, kind: Secret, type: kubernetes.io/basic-auth", f"stringData: {{password: '{WORD}'}}"),
        (
            "apiVersion: metallb.io/v1beta2, kind: BGPPeer",
            f"spec: {{myASN: 1, peerASN: 2, peerAddress: 192.0.2.1, password: '{WORD}'}}",
        ),
        (
            "apiVersion: metallb.io/v1beta2, kind: BGPPeer",
            f"spec: {{myASN: 1, peerASN: 2, peerAddress: 192.0.2.1, password: {{value: '{WORD}'}}}}",
        ),
    ],
)
def test_no_message_shows_a_password(head: str, rest: str) -> None:
    """Whatever is wrong with a secret value, the message tells it without the value."""
    found = parse(f"{{{head}, metadata: {{name: s}}, {rest}}}")
    assert len(found.mistakes) == 1, f"expected one mistake, found {found.mistakes}"
    assert "hunter" not in repr(found), f"expected no secret in {found}"
