"""What two states of a node's input differ by: objects and addresses that are gone, and putting them back."""

from __future__ import annotations

from dataclasses import fields, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, NamedTuple

from frrsync.core.address import parse_address, prefix_of
from frrsync.core.announce import Reason
from frrsync.core.changes import removed_keys
from frrsync.core.model import Snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.agent.inputs import Known
    from frrsync.core.decide import Decision

_OBJECTS = tuple(item.name for item in fields(Snapshot))
_AT_ONCE = frozenset({"services", "slices"})
_VANISHING = frozenset({Reason.NO_IP_ALLOCATED, Reason.NO_MATCHING_ADVERTISEMENT, Reason.NO_PEER})
"""Reasons that a vanished object can have; the others follow from what is there."""


def prefixes_of(decision: Decision) -> frozenset[str]:
    """Return every prefix that a decision announces."""
    return frozenset(
        network.prefix
        for router in decision.config.routers
        for family in router.address_families
        for network in family.networks
    )


class Gone(NamedTuple):
    """What was there before and is not there now: objects by field of the snapshot, and addresses."""

    objects: Mapping[str, Mapping[Any, Any]]
    allocated: Mapping[Any, Any]

    def __bool__(self) -> bool:
        """Say whether anything is gone."""
        return bool(self.objects or self.allocated)

    @classmethod
    def between(cls, before: Known, now: Known) -> Gone:
        """Compare; costs next to nothing where a mapping is the same object."""
        objects: dict[str, Mapping[Any, Any]] = {}
        for name in _OBJECTS:
            old, new = getattr(before.snapshot, name), getattr(now.snapshot, name)
            if old is new:
                continue
            if found := _missing(old, new):
                objects[name] = found
        if before.allocated is now.allocated:
            return cls(objects, {})
        services, left = before.snapshot.services, now.snapshot.services
        # An address that goes because its Service was changed is an edit.
        addresses = {
            name: found
            for name, found in _missing(before.allocated, now.allocated).items()
            if name not in left or left[name] == services.get(name)
        }
        return cls(objects, addresses)

    def configuration(self) -> Gone:
        """Return the part that is neither Service, nor endpoints, nor address."""
        return Gone({name: objects for name, objects in self.objects.items() if name not in _AT_ONCE}, {})

    def names(self) -> frozenset[str]:
        """Return what is gone, for people."""
        found = {
            f"address of Service {name}" for name in self.allocated if name not in self.objects.get("services", {})
        }
        for field, objects in self.objects.items():
            for value in objects.values():
                for one in value if field == "slices" else (value,):
                    name = one.meta.key if field in {"services", "slices"} else one.meta.name
                    found.add(f"{type(one).__name__} {name}")
        return frozenset(found)

    def put_back(self, known: Known) -> Known:
        """Return what is known with everything that is gone, but for addresses that others have now."""
        changes: dict[str, Any] = {}
        for name, objects in self.objects.items():
            changes[name] = {**getattr(known.snapshot, name), **objects}
        taken = {address for one in known.allocated.values() for address in one.addresses}
        addresses = {name: one for name, one in self.allocated.items() if not taken.intersection(one.addresses)}
        allocated = {**known.allocated, **addresses} if addresses else known.allocated
        return replace(known, snapshot=replace(known.snapshot, **changes), allocated=allocated)


def _missing(old: Mapping[Any, Any], new: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return what is gone; of EndpointSlices only where a Service has none left, since others may replace them."""
    return {key: old[key] for key in removed_keys(old, new)}


def explained(lost: Iterable[str], known: Known, decision: Decision) -> frozenset[str]:
    """Return the prefixes that go because of something that is there: no ready endpoint, a label, an edit."""
    by_length: dict[tuple[int, int], set[str]] = {}
    for prefix in lost:
        network = ip_network(prefix)
        by_length.setdefault((network.version, network.prefixlen), set()).add(prefix)
    found: set[str] = set()
    for verdict in decision.verdicts.values():
        has_no_slice = verdict.reason is Reason.NO_ENDPOINTS and not known.snapshot.slices.get(verdict.service)
        if verdict.reason in _VANISHING or has_no_slice:
            continue
        for text in verdict.addresses:
            address = parse_address(text)
            for (version, length), prefixes in by_length.items():
                if version == address.version and (prefix := prefix_of(address, length)) in prefixes:
                    found.add(prefix)
    return frozenset(found)
