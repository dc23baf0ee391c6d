"""Random changes of what sessions are made of: peers, BFD profiles, Secrets, labels of the node, templates.

Some of them cost a session, because BGP or FRR cannot take them otherwise; the step says whose. All the others
must cost none (measured for FRR 8.4 and 10.3).
"""

from __future__ import annotations

import base64
import copy
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from instruments import documents
from instruments.churn import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from instruments.documents import Document

GUARDED_PEER = "tor1"
"""The peer whose password is in a Secret."""
BFD_PEER = "inner"
"""The peer that gets BFD now and then, though nobody answers it. No change costs it its session: on FRR 10.3
a session that begins waits until BFD is up."""
LABEL_PEER = "six"
"""The peer that this node has only with a label."""
_FIRST_WORD = "first"
_TEMPLATE = '{{% extends "frrsync/frr.conf.j2" %}}\n{{% block before %}}\n{lines}{{% endblock %}}\n'


@dataclass(slots=True, kw_only=True)
class SessionStep(Step):
    """A change of sessions.

    Attributes:
        costs: the peers that lose their session by it.
        password: what the peer at the other end asks for from now on; None leaves it.
        template: the new text of ``frr.conf.j2`` among the operator's templates; None leaves it.

    """

    costs: frozenset[str] = frozenset()
    password: str | None = None
    template: str | None = None


class SessionChurn:
    """Draws changes of the sessions of one node; keeps its own picture of them."""

    def __init__(self, seed: int, node: Document, peers: Sequence[Document]) -> None:
        self._random = random.Random(seed)
        self._node = copy.deepcopy(node)
        self._peers = {peer["metadata"]["name"]: copy.deepcopy(peer) for peer in peers}
        self._profiles = {name: documents.bfd_profile(name) for name in ("steady", "quick")}
        self._serial = 0
        self.password = _FIRST_WORD

    def start(self) -> list[Document]:
        """Return the documents of the beginning: those of the node and its peers, extended."""
        self._node["metadata"]["labels"] = {"rack": "r1", "uplink": "yes"}
        self._peers[GUARDED_PEER]["spec"]["passwordSecret"] = {"name": "bgp"}
        self._peers[LABEL_PEER]["spec"]["nodeSelectors"] = [{"matchLabels": {"uplink": "yes"}}]
        return [self._secret(), self._node, *self._peers.values(), *self._profiles.values()]

    @property
    def has_uplink(self) -> bool:
        """Say whether the node has the label that one of its peers asks for."""
        return bool(self._node["metadata"]["labels"]["uplink"] == "yes")

    def draw(self, spent: Collection[str] = ()) -> SessionStep:
        """Return the next change; it costs none of the peers in ``spent`` its session."""
        kinds: list[tuple[int, Callable[[], SessionStep]]] = [
            (20, self._change_timers),
            (12, self._change_bfd_of_a_peer),
            (16, self._change_profile),
            (12, self._change_rack),
            (16, self._change_template),
        ]
        flat = [name for name in ("tor1", "tor2") if name not in spent]
        if flat:
            kinds += [(3, lambda: self._change_families(flat)), (3, lambda: self._change_hops(flat))]
        if GUARDED_PEER not in spent:
            kinds.append((3, self._change_password))
        if LABEL_PEER not in spent:
            kinds.append((3, self._change_uplink))
        return self._random.choices([make for _, make in kinds], [weight for weight, _ in kinds])[0]()

    # --- what costs nothing

    def _change_timers(self) -> SessionStep:
        name = self._random.choice(sorted(self._peers))
        spec = self._edited(name)["spec"]
        hold = self._random.choice([9, 30, 90, 180])
        spec["holdTime"], spec["keepaliveTime"] = f"{hold}s", f"{hold // self._random.choice([3, 4])}s"
        return SessionStep(kind="change timers", put=[self._peers[name]])

    def _change_bfd_of_a_peer(self) -> SessionStep:
        spec = self._edited(BFD_PEER)["spec"]
        if spec.pop("bfdProfile", None) is None:
            spec["bfdProfile"] = self._random.choice(sorted(self._profiles))
        return SessionStep(kind="change BFD of a peer", put=[self._peers[BFD_PEER]])

    def _change_profile(self) -> SessionStep:
        name = self._random.choice(sorted(self._profiles))
        spec = {
            "receiveInterval": self._random.choice([100, 300, 1000]),
            "transmitInterval": self._random.choice([100, 300, 1000]),
            "detectMultiplier": self._random.choice([3, 5]),
            "passiveMode": self._random.choice([True, False]),
        }
        self._profiles[name] = documents.bfd_profile(name, **spec)
        return SessionStep(kind="change BFD profile", put=[self._profiles[name]])

    def _change_rack(self) -> SessionStep:
        return self._labelled("change rack", rack=self._random.choice(["r1", "r1", "r9"]))

    def _change_template(self) -> SessionStep:
        self._serial += 1
        number = self._random.randrange(256)
        lines = self._random.choice(
            [
                "",
                f"ip prefix-list extra seq 5 permit 10.{number}.0.0/16\n",
                "bgp as-path access-list extra seq 5 permit _64999_\n",
            ]
        )
        return SessionStep(kind="change template", template=_TEMPLATE.format(lines=lines))

    # --- what costs a session

    def _change_password(self) -> SessionStep:
        self._serial += 1
        self.password = f"word{self._serial}"
        return SessionStep(
            kind="change password", put=[self._secret()], costs=frozenset({GUARDED_PEER}), password=self.password
        )

    def _change_families(self, names: Sequence[str]) -> SessionStep:
        name = self._random.choice(names)
        spec = self._edited(name)["spec"]
        spec["dualStackAddressFamily"] = not spec.get("dualStackAddressFamily")
        return SessionStep(kind="change families", put=[self._peers[name]], costs=frozenset({name}))

    def _change_hops(self, names: Sequence[str]) -> SessionStep:
        name = self._random.choice(names)
        spec = self._edited(name)["spec"]
        spec["ebgpMultiHop"] = not spec.get("ebgpMultiHop")
        return SessionStep(kind="change multihop", put=[self._peers[name]], costs=frozenset({name}))

    def _change_uplink(self) -> SessionStep:
        step = self._labelled("change uplink", uplink="no" if self.has_uplink else "yes")
        step.costs = frozenset({LABEL_PEER})
        return step

    # --- parts

    def _edited(self, name: str) -> Document:
        """Return a copy of a peer that stands for it from now on."""
        self._peers[name] = copy.deepcopy(self._peers[name])
        return self._peers[name]

    def _labelled(self, kind: str, **labels: str) -> SessionStep:
        self._node = copy.deepcopy(self._node)
        self._node["metadata"]["labels"] |= labels
        return SessionStep(kind=kind, put=[self._node])

    def _secret(self) -> Document:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/basic-auth",
            "metadata": {"name": "bgp", "namespace": documents.CONFIG_NAMESPACE},
            "data": {"password": base64.b64encode(self.password.encode()).decode()},
        }
