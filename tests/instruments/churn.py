"""Random changes of manifests, drawn from a seed: what operators and clusters do in a busy hour.

Only valid manifests are drawn. Advertisements that would ask for different values at one prefix and peer
are avoided, also in combination with recent versions, because a node may see changes in any order.
"""

from __future__ import annotations

import copy
import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from instruments import documents, model
from instruments.documents import key_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from instruments.documents import Document, Key

POOLS = (
    documents.pool("alpha", "203.0.113.0/24", "2001:db8:a::/112", labels={"tier": "a"}),
    documents.pool("beta", "198.51.100.0/24", "2001:db8:b::/112", labels={"tier": "b"}),
)
_IPV4 = {"alpha": "203.0.113.", "beta": "198.51.100."}
_IPV6 = {"alpha": "2001:db8:a::", "beta": "2001:db8:b::"}
ADVERTISEMENTS = 5
_ALIASES = ("blue", "green", "red", "big")
_COMMUNITIES = ("64512:1", "64512:2", "64999:65535", "large:64512:1:1", "large:4200000000:2:3", *_ALIASES)
_LABELS: tuple[dict[str, str], ...] = ({}, {"class": "gold"}, {"class": "silver"}, {"class": "gold", "zone": "x"})
_SERVICE_SELECTORS: tuple[Document, ...] = (
    {"matchLabels": {"class": "gold"}},
    {"matchLabels": {"class": "silver"}},
    {"matchExpressions": [{"key": "class", "operator": "In", "values": ["gold", "silver"]}]},
    {"matchExpressions": [{"key": "class", "operator": "DoesNotExist"}]},
    {"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["x"]}]},
)


@dataclass(slots=True, kw_only=True)
class Step:
    """One change: documents to write, or keys to remove (a Service goes with its slice)."""

    kind: str
    put: list[Document] = field(default_factory=list)
    remove: list[Key] = field(default_factory=list)


class Churn:
    """Draws changes for one node; keeps its own picture of what there is.

    The number of Services swings around ``services``.
    """

    def __init__(self, seed: int, node: str, peers: tuple[str, ...], *, services: int = 30) -> None:
        self._random = random.Random(seed)
        self._node = node
        self._peers = peers
        self._wanted = services
        self._services: dict[str, Document] = {}
        self._slices: dict[str, Document] = {}
        self._advertisements: dict[str, Document] = {}
        self._recent: deque[Document] = deque(maxlen=12)
        self._aliases = {name: f"65010:{number}" for number, name in enumerate(_ALIASES)}
        self._serial = 0

    def start(self) -> list[Document]:
        """Return the documents of the beginning."""
        found: list[Document] = [*POOLS, self._community()]
        for _ in range(ADVERTISEMENTS):
            found.extend(self._add_advertisement().put)
        for _ in range(self._wanted):
            found.extend(self._add_service().put)
        return found

    def draw(self) -> Step:
        """Return the next change; ``kind`` says what it is."""
        grow = self._random.randrange(2 * self._wanted) >= len(self._services)
        kinds: list[tuple[int, Callable[[], Step | None]]] = [
            (30, self._add_service if grow else self._remove_service),
            (8, self._change_policy),
            (5, self._change_ports),
            (24, self._change_endpoints),
            (8, self._change_labels),
            (4, self._change_address),
            (16, self._change_advertisement),
            (3, self._add_advertisement),
            (5, self._remove_advertisement),
            (4, self._change_community),
        ]
        weights = [weight for weight, _ in kinds]
        while True:
            _, make = self._random.choices(kinds, weights)[0]
            step = make()
            if step is not None:
                return step

    # --- Services and their endpoints

    def _addresses(self) -> tuple[str, ...]:
        """Return one or two free addresses of one pool."""
        used = {address for service in self._services.values() for address in _asked(service)}
        pool = self._random.choice(["alpha", "beta"])
        while True:
            number = self._random.randrange(1, 250)
            four, six = f"{_IPV4[pool]}{number}", f"{_IPV6[pool]}{number:x}"
            if not used & {four, six}:
                return self._random.choice([(four,), (four, six), (six,)])

    def _add_service(self) -> Step:
        self._serial += 1
        name = f"s{self._serial}"
        addresses = self._addresses()
        self._services[name] = documents.service(
            name,
            policy=self._random.choice(["Cluster", "Local"]),
            labels=self._random.choice(_LABELS),
            annotations={"metallb.io/loadBalancerIPs": ",".join(addresses)},
            families=_families(addresses),
        )
        self._slices[name] = self._endpoints(name)
        return Step(kind="add service", put=[self._slices[name], self._services[name]])

    def _remove_service(self) -> Step:
        name = self._some(self._services)
        keys = [key_of(self._services.pop(name)), key_of(self._slices.pop(name))]
        return Step(kind="remove service", remove=keys)

    def _endpoints(self, name: str) -> Document:
        conditions = [(True, True), (True, None), (None, None), (False, False), (False, True), (False, None)]
        found = []
        for number in range(self._random.choice([0, 1, 2, 2, 3, 3])):
            ready, serving = self._random.choice(conditions)
            home = self._random.choice([self._node, "elsewhere"])
            found.append(documents.endpoint(home, f"10.244.0.{number + 1}", ready=ready, serving=serving))
        return documents.endpoint_slice(name, found)

    def _change_endpoints(self) -> Step:
        name = self._some(self._services)
        self._slices[name] = self._endpoints(name)
        return Step(kind="change endpoints", put=[self._slices[name]])

    def _edit(self, kind: str, edit: Callable[[Document], None]) -> Step:
        name = self._some(self._services)
        service = copy.deepcopy(self._services[name])
        edit(service)
        self._services[name] = service
        return Step(kind=kind, put=[service])

    def _change_policy(self) -> Step:
        def edit(service: Document) -> None:
            is_local = service["spec"]["externalTrafficPolicy"] == "Local"
            service["spec"]["externalTrafficPolicy"] = "Cluster" if is_local else "Local"

        return self._edit("change policy", edit)

    def _change_ports(self) -> Step:
        port = self._random.randrange(1, 65536)

        def edit(service: Document) -> None:
            service["spec"]["ports"] = [{"name": "p", "protocol": "TCP", "port": port}]

        return self._edit("change ports", edit)

    def _change_labels(self) -> Step:
        labels = self._random.choice(_LABELS)

        def edit(service: Document) -> None:
            service["metadata"]["labels"] = dict(labels)

        return self._edit("change labels", edit)

    def _change_address(self) -> Step:
        addresses = self._addresses()

        def edit(service: Document) -> None:
            service["metadata"]["annotations"]["metallb.io/loadBalancerIPs"] = ",".join(addresses)
            families = _families(addresses)
            service["spec"]["ipFamilies"] = families
            service["spec"]["ipFamilyPolicy"] = "SingleStack" if len(families) == 1 else "RequireDualStack"

        return self._edit("change address", edit)

    # --- advertisements and communities

    def _add_advertisement(self) -> Step:
        self._serial += 1
        return self._advertise("add advertisement", documents.advertisement(f"a{self._serial}", **self._spec()))

    def _remove_advertisement(self) -> Step | None:
        if len(self._advertisements) < ADVERTISEMENTS:
            return None
        document = self._advertisements.pop(self._some(self._advertisements))
        self._recent.append(document)
        return Step(kind="remove advertisement", remove=[key_of(document)])

    def _change_advertisement(self) -> Step:
        old = self._advertisements[self._some(self._advertisements)]
        document = copy.deepcopy(old)
        drawn = self._spec()
        for name in self._random.sample(sorted(_FIELDS), self._random.choice([1, 1, 1, 2, 3])):
            for part in _FIELDS[name]:
                document["spec"].pop(part, None)
                if part in drawn:
                    document["spec"][part] = drawn[part]
        return self._advertise("change advertisement", document)

    def _advertise(self, kind: str, document: Document) -> Step:
        """Take the document, simplified until it is valid and in conflict with nothing."""
        spec = document["spec"]
        if spec.get("serviceSelectors"):
            spec.pop("aggregationLength", None)
            spec.pop("aggregationLengthV6", None)
        name = document["metadata"]["name"]
        old = self._advertisements.get(name)
        others = [found for found in self._advertisements.values() if found["metadata"]["name"] != name]
        others += [found for found in self._recent if found["metadata"]["name"] != name]
        for other in others:
            if _in_conflict(document, other):
                for part in ("asPathPrepend", "localPref"):
                    spec.pop(part, None)
                    if part in other["spec"]:
                        spec[part] = other["spec"][part]
        if any(_in_conflict(document, other) for other in others):
            document = copy.deepcopy(old) if old else _nothing(name)
        self._advertisements[name] = document
        self._recent.append(document)
        return Step(kind=kind, put=[document])

    def _spec(self) -> dict[str, Any]:
        draw = self._random
        spec: dict[str, Any] = {"communities": draw.sample(_COMMUNITIES, draw.randrange(4))}
        if draw.random() < 0.5:
            spec["localPref"] = draw.choice([50, 200, 4294967295])
        if draw.random() < 0.3:
            spec["asPathPrepend"] = draw.randrange(1, 4)
        spec["aggregationLength"] = draw.choice([32, 32, 32, 30, 28, 24])
        spec["aggregationLengthV6"] = draw.choice([128, 128, 128, 124, 120, 112])
        pools = draw.randrange(8)
        if pools < 4:
            spec["ipAddressPools"] = [draw.choice(["alpha", "beta"])]
        elif pools < 6:
            spec["ipAddressPoolSelectors"] = [{"matchLabels": {"tier": draw.choice("ab")}}]
        if draw.random() < 0.6:
            spec["peers"] = draw.sample(self._peers, draw.randrange(1, len(self._peers)))
        if draw.random() < 0.3:
            spec["serviceSelectors"] = draw.sample(_SERVICE_SELECTORS, draw.randrange(1, 3))
        if draw.random() < 0.15:
            spec["nodeSelectors"] = [{"matchLabels": {"rack": draw.choice(["r1", "r9"])}}]
        return spec

    def _community(self) -> Document:
        values = dict(self._aliases) | {"big": "large:65010:9:" + self._aliases["big"].split(":")[1]}
        return documents.community("names", **values)

    def _change_community(self) -> Step:
        name = self._random.choice(_ALIASES)
        self._aliases[name] = f"65010:{self._random.randrange(65536)}"
        return Step(kind="change community", put=[self._community()])

    def _some(self, choice: dict[str, Document]) -> str:
        return self._random.choice(sorted(choice))


_FIELDS = {
    "communities": ("communities",),
    "local preference": ("localPref",),
    "prepend": ("asPathPrepend",),
    "aggregation": ("aggregationLength", "aggregationLengthV6"),
    "pools": ("ipAddressPools", "ipAddressPoolSelectors"),
    "peers": ("peers",),
    "services": ("serviceSelectors",),
    "nodes": ("nodeSelectors",),
}


def _families(addresses: tuple[str, ...]) -> list[str]:
    return ["IPv6" if ":" in address else "IPv4" for address in addresses]


def _asked(service: Document) -> list[str]:
    asked: str = service["metadata"]["annotations"]["metallb.io/loadBalancerIPs"]
    return asked.split(",")


def _in_conflict(one: Document, other: Document) -> bool:
    return any(
        model.covers_pool(one["spec"], pool)
        and model.covers_pool(other["spec"], pool)
        and model.in_conflict(one, other, pool)
        for pool in POOLS
    )


def _nothing(name: str) -> Document:
    """Return an advertisement that fits beside every other: it covers a pool that does not exist."""
    return documents.advertisement(name, ipAddressPools=["none"])
