"""Short makers of what the allocator reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from frrsync.core.address import parse_range
from frrsync.core.allocate import Allocation, allocate
from frrsync.core.model import (
    IPAddressPool,
    Metadata,
    Namespace,
    NamespacedName,
    Origin,
    Service,
    ServiceAllocation,
    ServicePort,
    Snapshot,
)
from frrsync.core.selector import LabelSelector

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.core.allocate import Allocations

ANNOTATION = "metallb.io/"


def full_name(name: str) -> NamespacedName:
    """Return ``namespace/name`` as the model has it; ``default`` when there is no namespace."""
    namespace, _, rest = name.rpartition("/")
    return NamespacedName(namespace or "default", rest)


def service(
    name: str,
    *,
    ips: str | None = None,
    pool_name: str | None = None,
    share: str | None = None,
    ports: tuple[str, ...] = ("TCP/80",),
    created: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **fields: Any,
) -> Service:
    """Return a Service of type LoadBalancer; every other field of the model may be given."""
    key = full_name(name)
    given = {"loadBalancerIPs": ips, "address-pool": pool_name, "allow-shared-ip": share}
    merged = {ANNOTATION + word: text for word, text in given.items() if text is not None} | dict(annotations or {})
    return Service(
        meta=Metadata(
            name=key.name,
            namespace=key.namespace,
            creation_timestamp=created,
            labels=labels or {},
            annotations=merged,
        ),
        ports=tuple(
            ServicePort(protocol=protocol, port=int(port)) for protocol, _, port in (p.partition("/") for p in ports)
        ),
        **{"type": "LoadBalancer", **fields},
    )


def pool(name: str, *addresses: str, created: str = "", line: int = 0, **fields: Any) -> IPAddressPool:
    """Return a pool of these prefixes and ranges."""
    return IPAddressPool(
        meta=Metadata(
            name=name,
            namespace="metallb-system",
            creation_timestamp=created,
            origin=Origin(file="pools.yaml", line=line),
        ),
        addresses=tuple(map(parse_range, addresses)),
        **fields,
    )


def pinned(
    *, priority: int = 0, namespaces: tuple[str, ...] = (), namespace: str = "", labels: str = ""
) -> ServiceAllocation:
    """Return ``serviceAllocation``; ``namespace`` and ``labels`` are one ``key=value`` selector each."""
    return ServiceAllocation(
        priority=priority,
        namespaces=namespaces,
        namespace_selectors=(selector(namespace),) if namespace else (),
        service_selectors=(selector(labels),) if labels else (),
    )


def selector(text: str) -> LabelSelector:
    """Return the selector of one label ``key=value``."""
    key, _, value = text.partition("=")
    return LabelSelector(match_labels=((key, value),))


def snapshot(*objects: Service | IPAddressPool | Namespace) -> Snapshot:
    """Return a snapshot of these objects."""
    return Snapshot(
        services={item.meta.key: item for item in objects if isinstance(item, Service)},
        pools={item.meta.name: item for item in objects if isinstance(item, IPAddressPool)},
        namespaces={item.meta.name: item for item in objects if isinstance(item, Namespace)},
    )


def record(**entries: str) -> dict[NamespacedName, Allocation]:
    """Return a record; each value is ``pool:address`` or ``pool:address,address``, a bare name is in default."""
    found = {}
    for name, text in entries.items():
        pool_name, _, addresses = text.partition(":")
        found[full_name(name)] = Allocation(addresses=tuple(addresses.split(",")), pool=pool_name)
    return found


def run(
    *objects: Service | IPAddressPool | Namespace,
    before: Mapping[NamespacedName, Allocation] | None = None,
    load_balancer_class: str = "",
) -> Allocations:
    """Allocate for these objects."""
    return allocate(snapshot(*objects), before or {}, load_balancer_class=load_balancer_class)


def short(allocations: Allocations) -> dict[str, str]:
    """Return addresses, or the reason why there are none, by name; ``default/`` is left out."""
    names: Iterable[NamespacedName] = [*allocations.allocated, *allocations.pending]
    return {
        str(name).removeprefix("default/"): ",".join(allocations.allocated[name].addresses)
        if name in allocations.allocated
        else str(allocations.pending[name].reason)
        for name in sorted(names)
    }
