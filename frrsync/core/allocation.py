"""What the allocator says: an address, or the reason why there is none.

The reasons are closed sets; the same words appear in status, log, events and tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from frrsync.core.model import NamespacedName


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """The addresses of one Service.

    Attributes:
        addresses: canonical text, IPv4 before IPv6; one address, or one of each family.
        pool: the pool they come from; stays the same when that pool is edited or deleted.

    """

    addresses: tuple[str, ...]
    pool: str


class PendingReason(StrEnum):
    """Why a Service has no address."""

    NO_POOL = "noPool"
    UNKNOWN_POOL = "unknownPool"
    POOL_NOT_ALLOWED = "poolNotAllowed"
    POOL_EXHAUSTED = "poolExhausted"
    FAMILY_NOT_IN_POOL = "familyNotInPool"
    INVALID_REQUEST = "invalidRequest"
    INVALID_IP_FAMILIES = "invalidIPFamilies"
    REQUESTED_ADDRESS_NOT_IN_POOL = "requestedAddressNotInPool"
    REQUESTED_ADDRESS_IN_USE = "requestedAddressInUse"
    REQUESTED_ADDRESS_AVOIDED = "requestedAddressAvoided"
    REQUESTED_FAMILY_MISMATCH = "requestedFamilyMismatch"
    REQUESTED_POOL_MISMATCH = "requestedPoolMismatch"
    ADDRESS_IN_USE = "addressInUse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Why a Service has no address: a word for programs, and a sentence that names what is concerned."""

    reason: PendingReason
    message: str


class NoteReason(StrEnum):
    """What is worth saying about a Service that has an address."""

    KEPT_NOT_IN_POOL = "keptNotInPool"
    KEPT_NOT_ALLOWED = "keptPoolNotAllowed"
    KEPT_AVOIDED = "keptAvoided"
    KEPT_INVALID_REQUEST = "keptInvalidRequest"
    KEPT_UNREADABLE = "keptUnreadable"
    SECOND_FAMILY_UNAVAILABLE = "secondFamilyUnavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One remark about a Service that has an address: an address in use is kept, and this says why."""

    reason: NoteReason
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocations:
    """The answer for every Service of type LoadBalancer and of our class: in one of the two mappings.

    ``allocated`` is at the same time the record that the next run is given.
    """

    allocated: Mapping[NamespacedName, Allocation]
    pending: Mapping[NamespacedName, Pending]
    notes: Mapping[NamespacedName, tuple[Note, ...]] = field(default_factory=dict)
