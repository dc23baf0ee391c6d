"""Snapshots made from the one before: objects and collections that did not change are the same ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from frrsync.core.model import EndpointSlice, Kind, NamespacedName, Snapshot

if TYPE_CHECKING:
    from frrsync.core.model import ModelObject, ObjectKey

_COLLECTIONS: Final[dict[Kind, str]] = {
    Kind.SERVICE: "services",
    Kind.NODE: "nodes",
    Kind.NAMESPACE: "namespaces",
    Kind.SECRET: "secrets",
    Kind.IP_ADDRESS_POOL: "pools",
    Kind.BGP_PEER: "peers",
    Kind.BGP_ADVERTISEMENT: "bgp_advertisements",
    Kind.L2_ADVERTISEMENT: "l2_advertisements",
    Kind.BFD_PROFILE: "bfd_profiles",
    Kind.COMMUNITY: "communities",
    Kind.BGP_NODE_PARAMETERS: "node_parameters",
}


class SnapshotBuilder:
    """The objects of the next snapshot, as changes to the last one."""

    def __init__(self) -> None:
        self._objects: dict[ObjectKey, ModelObject] = {}
        self._before: dict[ObjectKey, ModelObject | None] = {}
        self._slices: dict[NamespacedName, dict[str, EndpointSlice]] = {}
        self._snapshot = Snapshot()

    def put(self, key: ObjectKey, new: ModelObject) -> ModelObject:
        """Set an object; returns the one that is kept, which is the old one if the two are equal.

        That holds for an object that was removed since the last snapshot as well: a renamed file changes
        nothing.
        """
        old = self._objects.get(key)
        last = self._before.setdefault(key, old)
        kept = next((known for known in (old, last) if known is not None and known == new), new)
        self._objects[key] = kept
        return kept

    def remove(self, key: ObjectKey) -> None:
        """Take an object out."""
        self._before.setdefault(key, self._objects.get(key))
        self._objects.pop(key, None)

    def build(self) -> Snapshot:
        """Return the snapshot; the last one if nothing differs."""
        changes: dict[Kind, dict[ObjectKey, ModelObject | None]] = {}
        services: set[NamespacedName] = set()
        for key, before in self._before.items():
            now = self._objects.get(key)
            if now is not before:
                changes.setdefault(key.kind, {})[key] = now
                services |= self._reslice(before, now)
        changes.pop(Kind.ENDPOINT_SLICE, None)
        collections = {_COLLECTIONS[kind]: self._changed(kind, items) for kind, items in changes.items()}
        if services:
            collections["slices"] = self._resliced(services)
        if collections:
            self._snapshot = replace(self._snapshot, **collections)
        self._before = {}
        return self._snapshot

    def _reslice(self, before: ModelObject | None, now: ModelObject | None) -> set[NamespacedName]:
        """Move an EndpointSlice to where its label says; returns the Services that this touches.

        A slice without the label belongs to nobody.
        """
        touched = set()
        if isinstance(before, EndpointSlice) and before.service_name:
            service = NamespacedName(before.meta.namespace, before.service_name)
            self._slices[service].pop(before.meta.name, None)
            touched.add(service)
        if isinstance(now, EndpointSlice) and now.service_name:
            service = NamespacedName(now.meta.namespace, now.service_name)
            self._slices.setdefault(service, {})[now.meta.name] = now
            touched.add(service)
        return touched

    def _resliced(self, services: set[NamespacedName]) -> dict[NamespacedName, tuple[EndpointSlice, ...]]:
        """Return a copy of the slices by Service, made anew for these Services."""
        result = dict(self._snapshot.slices)
        for service in services:
            slices = self._slices[service]
            if slices:
                result[service] = tuple(slices[name] for name in sorted(slices))
            else:
                del self._slices[service]
                result.pop(service, None)
        return result

    def _changed(self, kind: Kind, items: dict[ObjectKey, ModelObject | None]) -> dict[Any, Any]:
        """Return a copy of one collection with the changes; Services by namespace and name, others by name."""
        result: dict[Any, Any] = dict(getattr(self._snapshot, _COLLECTIONS[kind]))
        for key, item in items.items():
            name = NamespacedName(key.namespace, key.name) if kind is Kind.SERVICE else key.name
            if item is None:
                result.pop(name, None)
            else:
                result[name] = item
        return result
