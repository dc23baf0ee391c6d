"""The BGPPeers of ``field_sessions``, each with other fields, and the configuration of the routers for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from instruments import documents

if TYPE_CHECKING:
    from instruments.documents import Document

NODE_ASN, ROUTER_ASN, FAR_ASN, LOCAL_ASN = 64512, 64520, 64530, 64999
PREFIX, PREFIX6 = "203.0.113.16/32", "2001:db8:9::10/128"
UNNUMBERED, FAR, INNER, OFF_LINK = "eth1", "10.98.0.2", "10.97.0.2", "fd97::2"
SOURCE = "10.99.7.7"
PASSWORD = "s3cret#Wort"  # noqa: S105 - made up

NUMBERS = {
    name: number
    for number, name in enumerate(
        (
            "plain", "retries-fast", "retries-slow", "password", "secret", "wrong-password", "source", "timers",
            "local-asn", "external", "wrong-kind", "graceful", "dual", "bfd", "lonely-bfd", "prepend", "coloured",
            "aggregate",
        ),
        start=1,
    )
}  # fmt: skip
"""Sessions with the router by IPv4: their names and the numbers of their subnets."""


def router_of(name: str) -> str:
    """Return the router's address in a session's subnet."""
    return f"10.99.{NUMBERS[name]}.2"


def node_in(name: str) -> str:
    """Return the address from which the node comes in a session."""
    return SOURCE if name == "source" else f"10.99.{NUMBERS[name]}.1"


def peer(name: str, address: str = "", **spec: Any) -> Document:
    """Return a BGPPeer of that session that tries every second, if it says nothing else."""
    fields = {"myASN": NODE_ASN, "connectTime": "1s", **spec}
    if "dynamicASN" not in fields:
        fields.setdefault("peerASN", ROUTER_ASN)
    if "interface" not in fields:
        fields["peerAddress"] = address or router_of(name)
    return documents.bgp_peer(name, fields)


def peers() -> list[Document]:
    """Return the BGPPeers, each with the fields that it is named after."""
    return [
        # v1beta1 and without any timer: the one that MetalLB's own conversion makes 0 s of
        documents.bgp_peer(
            "plain",
            {"myASN": NODE_ASN, "peerASN": ROUTER_ASN, "peerAddress": router_of("plain"), "routerID": "192.0.2.77"},
            "metallb.io/v1beta1",
        ),
        peer("retries-fast"),
        peer("retries-slow", connectTime="60s"),
        peer("password", password=PASSWORD),
        peer("secret", passwordSecret={"name": "of-the-router"}),
        peer("wrong-password", password="another"),
        peer("source", sourceAddress=SOURCE),
        peer("timers", holdTime="9s", keepaliveTime="2s"),
        peer("local-asn", localASN=LOCAL_ASN),
        peer("external", dynamicASN="external"),
        peer("wrong-kind", dynamicASN="internal"),
        peer("graceful", enableGracefulRestart=True),
        peer("dual", dualStackAddressFamily=True, disableMP=True),
        peer("bfd", bfdProfile="full"),
        peer("lonely-bfd", bfdProfile="far"),
        peer("prepend"),
        peer("coloured"),
        peer("aggregate", dualStackAddressFamily=True),
        peer("off-link", OFF_LINK),
        peer("unnumbered", interface=UNNUMBERED, dynamicASN="external", bfdProfile="far"),
        # with a source: FRR 10.3 dials only when BFD is up, and over several hops BFD needs to know its address
        peer(
            "far", FAR, peerASN=FAR_ASN, peerPort=1790, ebgpMultiHop=True, bfdProfile="far",
            sourceAddress=node_in("plain"),
        ),
        peer("inner", INNER, dynamicASN="internal", bfdProfile="far"),
    ]  # fmt: skip


def everything() -> list[Document]:
    """Return all manifests of the node."""
    found = peers()
    special = {"prepend", "coloured", "aggregate", "inner"}
    plain = [document["metadata"]["name"] for document in found if document["metadata"]["name"] not in special]
    return [
        *found,
        documents.node("n1", ip="10.99.1.1"),
        documents.pool("public", "203.0.113.16/28", "2001:db8:9::10/124"),
        documents.service("web", families=("IPv4", "IPv6")),
        documents.endpoint_slice("web", [documents.endpoint("n1", "10.1.0.1")]),
        documents.advertisement("plain", peers=plain),
        documents.advertisement("prepend", peers=["prepend"], asPathPrepend=3),
        documents.advertisement(
            "coloured", peers=["coloured"], communities=["64512:100", "no-export", "large:64512:1:2", "backup"]
        ),
        documents.community("names", backup="large:64512:3:4"),
        documents.advertisement("aggregate", peers=["aggregate"], aggregationLength=28, aggregationLengthV6=124),
        documents.advertisement("preferred", peers=["inner"], localPref=321),
        documents.bfd_profile(
            "full", receiveInterval=250, transmitInterval=350, detectMultiplier=4, echoMode=True, echoInterval=100,
            passiveMode=True,
        ),
        documents.bfd_profile("far", receiveInterval=200, transmitInterval=200, minimumTtl=250),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "of-the-router", "namespace": documents.CONFIG_NAMESPACE},
            "type": "kubernetes.io/basic-auth",
            "stringData": {"password": PASSWORD},
        },
    ]  # fmt: skip


def router_lines() -> str:
    """Return the configuration of the router; ``passive``, because the node lets nobody in."""
    remote = {"local-asn": LOCAL_ASN}
    extra = {
        "password": [f"password {PASSWORD}"],
        "secret": [f"password {PASSWORD}"],
        "wrong-password": [f"password {PASSWORD}"],
        "bfd": ["bfd"],
    }
    lines = [f"router bgp {ROUTER_ASN}", " bgp router-id 192.0.2.20", " no bgp ebgp-requires-policy"]
    for name in (name for name in NUMBERS if not name.startswith("retries")):
        words = [f"remote-as {remote.get(name, NODE_ASN)}", "passive", "timers connect 1", *extra.get(name, [])]
        lines += [f" neighbor {node_in(name)} {word}" for word in words]
    lines += [" neighbor fd99::1 remote-as 64512", " neighbor fd99::1 passive"]
    lines += [f" neighbor {UNNUMBERED} interface remote-as external", f" neighbor {UNNUMBERED} bfd"]
    both = [node_in("dual"), node_in("aggregate"), "fd99::1", UNNUMBERED]
    lines += [" address-family ipv6 unicast", *(f"  neighbor {one} activate" for one in both)]
    return "\n".join((*lines, " exit-address-family", "exit", ""))


# BFD of its own: FRR 10.3 makes that of a BGP session over several hops only when the session is up.
FAR_LINES = f"""bfd
 peer 10.99.1.1 multihop local-address 10.98.0.2
 exit
exit
router bgp {FAR_ASN}
 bgp router-id 192.0.2.30
 no bgp ebgp-requires-policy
 neighbor 10.99.1.1 remote-as {NODE_ASN}
 neighbor 10.99.1.1 timers connect 1
 neighbor 10.99.1.1 ebgp-multihop 5
exit
"""
INNER_LINES = f"""router bgp {NODE_ASN}
 bgp router-id 192.0.2.40
 neighbor 10.97.0.1 remote-as {NODE_ASN}
 neighbor 10.97.0.1 passive
 neighbor 10.97.0.1 bfd
exit
"""
