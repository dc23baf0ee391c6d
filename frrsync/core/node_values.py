"""One value for one node: from a label, an annotation, or what the node knows of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from frrsync.core.address import parse_address
from frrsync.core.advertisement import placed
from frrsync.core.grammar import quoted
from frrsync.core.resource import NodeAddress

if TYPE_CHECKING:
    from collections.abc import Iterable

    from frrsync.core.model import BGPPeer, Node
    from frrsync.core.node_facts import NodeFacts
    from frrsync.core.resource import ParameterSource

GATEWAY_ANNOTATION: Final = "frrsync.dev/default-gateway"
"""On a Node: its default gateways, separated by commas, for commands that cannot ask the node's FRR."""

LONGEST: Final = 253
"""Most characters of a value, which is the name of a Secret; an annotation may have a quarter of a million."""
_SHOWN: Final = 3  # addresses that a message lists


class LeftOutError(Exception):
    """A peer that this node cannot have, and the field of the BGPPeer that has no value."""

    def __init__(self, field: str, text: str) -> None:
        self.field = field
        super().__init__(text)


class UnknownHereError(LeftOutError):
    """As before, but only who asks does not know the value; the node does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A node, as far as values can be taken from it.

    Attributes:
        is_known: there is a Node object; without one nobody knows the labels.

    """

    node: Node
    is_known: bool
    facts: NodeFacts

    def text(self, source: ParameterSource, field: str, peer: BGPPeer, subject: str) -> tuple[str, str]:
        """Return the text of a value, and what messages call its origin; raises LeftOutError.

        ``subject`` is how a message names who asks for it.
        """
        if source.value is not None:
            return source.value, "value"
        if source.from_node is not None:
            found, origin = self._of_the_node(source.from_node, field, peer, subject)
        else:
            found, origin = self._of_metadata(source, field, subject)
        if found is not None:
            return found, origin
        if source.default is not None:
            return source.default, "default"
        missing = "which does not exist" if self.is_known else "but there is no such Node"
        raise LeftOutError(field, f"{subject} takes it from {origin}, {missing}, and names no default")

    @property
    def _name(self) -> str:
        return placed("Node", self.node.meta)

    def _of_metadata(self, source: ParameterSource, field: str, subject: str) -> tuple[str | None, str]:
        """Return the text of a label or an annotation, translated; None when the Node has none."""
        if source.from_label:
            found, origin = self.node.meta.labels.get(source.from_label), f"label {source.from_label} of {self._name}"
        else:
            found = self.node.meta.annotations.get(source.from_annotation)
            origin = f"annotation {source.from_annotation} of {self._name}"
        if found is not None and len(found) > LONGEST:
            text = f"{subject} takes it from {origin}: found {len(found)} characters, allowed are {LONGEST}"
            raise LeftOutError(field, text)
        if found is None or not source.values:
            return found, origin
        if found not in source.values:
            # What somebody put where the name of a Secret belongs may be a password.
            shown = "a text" if field == "passwordSecret" else quoted(found)
            allowed = ", ".join(sorted(source.values))
            raise LeftOutError(field, f"{subject} takes it from {origin}: found {shown}, allowed are {allowed}")
        return source.values[found], origin

    def _of_the_node(self, wanted: NodeAddress, field: str, peer: BGPPeer, subject: str) -> tuple[str | None, str]:
        """Return an address of the family that the field needs; None when the node has none."""
        version = 4 if field == "routerID" else _version(peer)
        if version is None:
            text = f"{subject} takes it from {wanted}, but the peer has an interface and no address, so no IP version"
            raise LeftOutError(field, text)
        if wanted is NodeAddress.INTERNAL_IP:
            found = next((item for item in self.node.internal_ips if parse_address(item).version == version), None)
            return found, f"the IPv{version} InternalIP of {self._name}"
        return self._gateway(version, field, peer, subject)

    def _gateway(self, version: int, field: str, peer: BGPPeer, subject: str) -> tuple[str | None, str]:
        """Return the one default gateway of an IP version; None when there is none."""
        origin = f"the IPv{version} default gateway of {self._name}"
        if peer.vrf:
            text = (
                f"{subject} takes it from {origin}, which is none of VRF {peer.vrf}; allowed is a BGPPeer without vrf"
            )
            raise LeftOutError(field, text)
        found = _of_version(self._gateways(field, subject), version)
        if self.facts.default_gateways is None and not found:
            text = (
                f"{subject} takes it from {origin}, which only its FRR knows; for commands that do not ask it, "
                f"annotation {GATEWAY_ANNOTATION} of the Node can name it"
            )
            raise UnknownHereError(field, text)
        if len(found) > 1:
            shown = [*found[:_SHOWN], f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else found
            text = f"{subject} takes it from {origin}: found {' and '.join(shown)}, exactly one is needed"
            raise LeftOutError(field, text)
        if found and "%" in found[0]:
            address, _, interface = found[0].partition("%")
            text = (
                f"{subject} takes it from {origin}: found {address} on {interface}, an address that is valid on one "
                "link only; allowed is a global one, or a BGPPeer with spec.interface"
            )
            raise LeftOutError(field, text)
        return (found[0] if found else None), origin

    def _gateways(self, field: str, subject: str) -> Iterable[str]:
        """Return the default gateways that FRR named, else those of the annotation."""
        if self.facts.default_gateways is not None:
            return self.facts.default_gateways
        found = []
        for part in self.node.meta.annotations.get(GATEWAY_ANNOTATION, "").split(","):
            address, percent, interface = part.strip().partition("%")
            if not address:
                continue
            origin = f"annotation {GATEWAY_ANNOTATION} of {self._name}"
            if len(part) > LONGEST:
                text = f"{subject} takes it from {origin}: found {len(part)} characters, allowed are {LONGEST}"
                raise LeftOutError(field, text)
            try:
                found.append(f"{parse_address(address)}{percent}{interface}")
            except ValueError as error:
                raise LeftOutError(field, f"{subject} takes it from {origin}: {error}") from error
        return found


def _version(peer: BGPPeer) -> int | None:
    """Return the IP version of the peer's own address, which a value from elsewhere keeps."""
    return parse_address(peer.peer_address).version if peer.peer_address else None


def _of_version(addresses: Iterable[str], version: int) -> list[str]:
    found = (text for text in addresses if parse_address(text.partition("%")[0]).version == version)
    return list(dict.fromkeys(found))
