"""What every object of a cluster has: a kind, a name, labels, and a place where it was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

EMPTY: Mapping[str, str] = MappingProxyType({})
"""For labels, annotations and the like that an object does not have."""
EMPTY_OFFSETS: Mapping[str, int] = MappingProxyType({})
"""For an object of which only the first line is known."""


class Kind(StrEnum):
    """The kinds that frrsync reads."""

    SERVICE = "Service"
    ENDPOINT_SLICE = "EndpointSlice"
    NODE = "Node"
    NAMESPACE = "Namespace"
    SECRET = "Secret"  # noqa: S105 - the name of a kind, not a secret
    IP_ADDRESS_POOL = "IPAddressPool"
    BGP_PEER = "BGPPeer"
    BGP_ADVERTISEMENT = "BGPAdvertisement"
    L2_ADVERTISEMENT = "L2Advertisement"
    BFD_PROFILE = "BFDProfile"
    COMMUNITY = "Community"
    BGP_NODE_PARAMETERS = "BGPNodeParameters"


class ObjectKey(NamedTuple):
    """What makes an object unique in the API; ``namespace`` is empty for a Node or a Namespace."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        """Return the form that messages use: ``Service default/web``, ``Node n1``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class NamespacedName(NamedTuple):
    """How objects of one kind are told apart; prints as ``namespace/name``."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """Return ``namespace/name``, the form of kubectl and of our commands."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an object came from, for messages; never part of a comparison.

    Attributes:
        file: path as the user knows it, or ``kubernetes`` for the API.
        line: first line of the object in that file, from 1; 0 if unknown.
        offsets: of fields such as ``spec.addresses[0]`` the lines after ``line``, as far as they are known.

    """

    file: str = ""
    line: int = 0
    offsets: Mapping[str, int] = field(default_factory=lambda: EMPTY_OFFSETS)

    def line_of(self, path: str) -> int:
        """Return the line of a field, or of the deepest part of its path that is known."""
        while path:
            offset = self.offsets.get(path)
            if offset is not None:
                return self.line + offset
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.line

    def __str__(self) -> str:
        """Return ``file:line``, as much of it as is known."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """The part of ``metadata`` that decisions read.

    ``creation_timestamp`` is RFC 3339 text as the API writes it, or empty in a plain manifest; it
    orders "the older one wins", names break ties.
    """

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    creation_timestamp: str = ""
    origin: Origin = field(default=Origin(), compare=False)

    @property
    def key(self) -> NamespacedName:
        """Return namespace and name."""
        return NamespacedName(self.namespace, self.name)
