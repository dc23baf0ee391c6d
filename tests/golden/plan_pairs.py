"""Pairs of folders: what a node has, and what somebody makes of it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instruments import documents
from instruments.documents import key_of
from instruments.node import ASN, BFD, NAME, base

if TYPE_CHECKING:
    from collections.abc import Callable

    from instruments.documents import Document, Key

Folder = dict["Key", "Document"]
Change = "Callable[[Folder], None]"

PEER, POOL, ADVERTISEMENT = "BGPPeer", "IPAddressPool", "BGPAdvertisement"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "type": "kubernetes.io/basic-auth",
    "metadata": {"name": "tor1", "namespace": documents.CONFIG_NAMESPACE},
    "stringData": {"password": "first"},
}


def _web(number: int, **more: Any) -> list[Document]:
    annotations = {"metallb.io/loadBalancerIPs": f"203.0.113.{number}"}
    return [
        documents.service(f"w{number}", annotations=annotations, **more),
        documents.endpoint_slice(f"w{number}", [documents.endpoint(NAME, "10.244.0.1")]),
    ]


def start() -> Folder:
    """Return what every pair begins with."""
    found = [
        *base(bfd=True),
        documents.pool("alpha", "203.0.113.0/24", "2001:db8:5::/112"),
        documents.pool("beta", "198.51.100.0/28", labels={"kind": "beta"}),
        documents.community("known", blue="64512:100"),
        documents.advertisement("everything", ipAddressPools=["alpha"]),
        documents.advertisement(
            "beta", ipAddressPools=["beta"], communities=["blue"], localPref=200, peers=["tor1", "inner"]
        ),
        *_web(1),
        *_web(2, policy="Local"),
        documents.service("dual", families=("IPv4", "IPv6"), annotations={"metallb.io/address-pool": "alpha"}),
        documents.endpoint_slice("dual", [documents.endpoint(NAME, "10.244.0.3")]),
        documents.service("b1", annotations={"metallb.io/address-pool": "beta"}),
        documents.endpoint_slice("b1", [documents.endpoint(NAME, "10.244.0.4")]),
    ]
    return {key_of(document): document for document in found}


def _ours(kind: str, name: str) -> Key:
    return kind, documents.CONFIG_NAMESPACE, name


def _spec(kind: str, name: str, **fields: Any) -> Callable[[Folder], None]:
    """Return a change of fields of one object's spec; None takes one away."""

    def change(folder: Folder) -> None:
        spec = folder[_ours(kind, name)]["spec"]
        for key, value in fields.items():
            spec.pop(key, None)
            if value is not None:
                spec[key] = value

    return change


def _put(*found: Document) -> Callable[[Folder], None]:
    return lambda folder: folder.update({key_of(document): deepcopy(document) for document in found})


def _drop(*keys: Key) -> Callable[[Folder], None]:
    def change(folder: Folder) -> None:
        for key in keys:
            del folder[key]

    return change


def _service(name: str) -> Key:
    return "Service", "default", name


def _asks_for(name: str, address: str) -> Callable[[Folder], None]:
    def change(folder: Folder) -> None:
        folder[_service(name)]["metadata"]["annotations"] = {"metallb.io/loadBalancerIPs": address}

    return change


def _endpoints(name: str, *endpoints: Document) -> Callable[[Folder], None]:
    return _put(documents.endpoint_slice(name, list(endpoints)))


def _label(value: str) -> Callable[[Folder], None]:
    def change(folder: Folder) -> None:
        folder["Node", "", NAME]["metadata"]["labels"]["rack"] = value

    return change


def _renamed(folder: Folder) -> None:
    found = folder.pop(_ours(ADVERTISEMENT, "beta"))
    found["metadata"]["name"] = "gamma"
    folder[key_of(found)] = found


def _another_asn(folder: Folder) -> None:
    for (kind, _, name), document in folder.items():
        if kind == PEER and name != "inner":
            document["spec"]["myASN"] = ASN + 1
    del folder[_ours(PEER, "inner")]
    folder[_ours(ADVERTISEMENT, "beta")]["spec"]["peers"] = ["tor1"]


def _broken(folder: Folder) -> None:
    folder[_ours(ADVERTISEMENT, "everything")]["spec"]["communities"] = ["no such form"]
    _put(*_web(7))(folder)


def _several(*changes: Callable[[Folder], None]) -> Callable[[Folder], None]:
    def change(folder: Folder) -> None:
        for one in changes:
            one(folder)

    return change


def _nothing(_folder: Folder) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two folders as changes of ``start``, and what the plan must say of sessions.

    Attributes:
        before: makes the folder that a node has.
        after: makes, of that, the folder that somebody wants.
        resets, made, removed: the BGPPeers whose session has that fate.
        code: exit code of the command.
        dark: BGPPeers whose sessions cannot come up here.
        metric: what the templates of the later state set in addition.

    """

    before: Callable[[Folder], None] = _nothing
    after: Callable[[Folder], None] = _nothing
    resets: frozenset[str] = frozenset()
    made: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    code: int = 2
    dark: frozenset[str] = frozenset()
    metric: int | None = None

    def folders(self) -> tuple[Folder, Folder]:
        """Return both folders."""
        first = start()
        self.before(first)
        second = deepcopy(first)
        self.after(second)
        return first, second


def _set(*names: str) -> frozenset[str]:
    return frozenset(names)


_PASSWORD = _spec(PEER, "tor1", password="first")
_PASSWORD_OF_SECRET = _several(_put(SECRET), _spec(PEER, "tor1", passwordSecret={"name": "tor1"}))
_OTHER_SECRET = _put({**SECRET, "stringData": {"password": "second"}})
_RACK = [{"matchLabels": {"rack": "r1"}}]
_ELSEWHERE = documents.endpoint("n2", "10.244.9.1")

PAIRS: dict[str, Pair] = {
    "nothing": Pair(code=0),
    "a new Service": Pair(after=_put(*_web(9))),
    "a Service goes": Pair(after=_drop(_service("w1"))),
    "a Service asks for another address": Pair(after=_asks_for("w1", "203.0.113.200")),
    "a Service gets an address of another pool": Pair(after=_asks_for("w1", "198.51.100.9")),
    "the last local endpoint goes": Pair(after=_endpoints("w2", _ELSEWHERE)),
    "a Service counts local endpoints only": Pair(
        before=_endpoints("w1", _ELSEWHERE), after=_put(_web(1, policy="Local")[0])
    ),
    "routes are aggregated": Pair(after=_spec(ADVERTISEMENT, "everything", aggregationLength=26)),
    "a community comes": Pair(after=_spec(ADVERTISEMENT, "everything", communities=["64512:7", "no-export"])),
    "large communities change": Pair(
        before=_spec(ADVERTISEMENT, "everything", communities=["large:1:2:3"]),
        after=_spec(ADVERTISEMENT, "everything", communities=["large:1:2:4", "64512:9"]),
    ),
    "another local preference": Pair(after=_spec(ADVERTISEMENT, "beta", localPref=300)),
    "a longer path": Pair(after=_spec(ADVERTISEMENT, "everything", asPathPrepend=3)),
    "an advertisement for fewer peers": Pair(after=_spec(ADVERTISEMENT, "everything", peers=["tor2", "six"])),
    "an advertisement is renamed": Pair(after=_renamed),
    "an advertisement goes": Pair(after=_drop(_ours(ADVERTISEMENT, "beta"))),
    "an alias means something else": Pair(after=_put(documents.community("known", blue="64512:200"))),
    "a peer comes": Pair(before=_drop(_ours(PEER, "six")), after=_put(base(bfd=True)[3]), made=_set("six")),
    "a peer goes": Pair(after=_drop(_ours(PEER, "tor2")), removed=_set("tor2")),
    "a password changes": Pair(before=_PASSWORD, after=_spec(PEER, "tor1", password="second"), resets=_set("tor1")),
    "a Secret changes": Pair(before=_PASSWORD_OF_SECRET, after=_OTHER_SECRET, resets=_set("tor1")),
    "a Secret goes": Pair(
        before=_PASSWORD_OF_SECRET,
        after=_drop(key_of(SECRET)),
        removed=_set("tor1"),
        code=1,
    ),
    "timers change": Pair(after=_spec(PEER, "tor2", holdTime="9s", keepaliveTime="3s")),
    "another source address": Pair(after=_spec(PEER, "tor1", sourceAddress="10.99.0.1"), resets=_set("tor1")),
    "multihop": Pair(after=_spec(PEER, "tor1", ebgpMultiHop=True), resets=_set("tor1")),
    "graceful restart and a local ASN": Pair(
        after=_several(_spec(PEER, "tor1", enableGracefulRestart=True), _spec(PEER, "tor2", localASN=64999)),
        resets=_set("tor1", "tor2"),
    ),
    "another ASN": Pair(
        before=_spec(PEER, "inner", nodeSelectors=_RACK),
        after=_another_asn,
        resets=_set("tor1", "tor2", "six"),
        removed=_set("inner"),
    ),
    "BFD with other timers": Pair(after=_put(documents.bfd_profile(BFD, receiveInterval=300, detectMultiplier=5))),
    "a pool shrinks": Pair(
        after=_several(_spec(POOL, "alpha", addresses=["203.0.113.0/30", "2001:db8:5::/112"]), _put(*_web(3)))
    ),
    "a pool goes": Pair(after=_drop(_ours(POOL, "beta")), code=1),
    "the node leaves the rack of a peer": Pair(
        before=_spec(PEER, "tor2", nodeSelectors=_RACK), after=_label("r2"), removed=_set("tor2")
    ),
    "a peer moves into a VRF": Pair(
        after=_spec(PEER, "tor2", vrf="red"), made=_set("tor2"), removed=_set("tor2"), dark=_set("tor2")
    ),
    "another template": Pair(metric=50),
    "a manifest breaks": Pair(after=_broken, code=1),
    "many things at once": Pair(
        after=_several(
            _put(*_web(8), *_web(9)),
            _drop(_service("w2")),
            _spec(ADVERTISEMENT, "everything", communities=["blue"], aggregationLength=30),
            _spec(PEER, "tor1", ebgpMultiHop=True, password=None),
            _drop(_ours(PEER, "six")),
            _asks_for("b1", "198.51.100.3"),
        ),
        resets=_set("tor1"),
        removed=_set("six"),
    ),
}
