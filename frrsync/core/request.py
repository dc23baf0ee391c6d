"""What one Service asks of the allocator: address families, an address, a pool, company at an address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from frrsync.core.address import parse_address
from frrsync.core.address_space import Sharing, family_of, number_of
from frrsync.core.allocation import Pending, PendingReason
from frrsync.core.model import IPFamily, IPFamilyPolicy, TrafficPolicy

if TYPE_CHECKING:
    from frrsync.core.model import NamespacedName, Service

PREFIXES = ("metallb.io/", "metallb.universe.tf/")
"""Prefix of MetalLB's annotations, and the older one, which counts only where the current key is absent."""

ALLOCATED_FROM = "ip-allocated-from-pool"

V4: tuple[int, ...] = (4,)
V6: tuple[int, ...] = (6,)
DUAL: tuple[int, ...] = (4, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Families:
    """Which address families a Service wants.

    Attributes:
        attempts: what to look for, best first.
        requestable: what an explicit request may consist of.

    """

    attempts: tuple[tuple[int, ...], ...]
    requestable: tuple[tuple[int, ...], ...]

    def fitting(self, held: tuple[int, ...]) -> tuple[int, ...]:
        """Return the part of the held families that the Service still wants; empty if none.

        One address of two that are wanted is kept: the other one may be added, none is taken away.
        """
        if held in self.attempts or held in self.requestable:
            return held
        for attempt in self.attempts:
            if set(attempt) <= set(held):
                return attempt
        return held if set(held) < set(self.attempts[0]) else ()


class Request(NamedTuple):
    """What a Service asks for; a tuple, because ten thousand of them are made in one pass.

    Attributes:
        name: namespace and name of the Service.
        numbers: the addresses asked for explicitly, ascending; empty for any address.
        pool: the pool asked for, or empty.
        sharing: with whom it may share an address; None for nobody.
        problem: what is wrong with the request itself; addresses in use are then left as they are.

    """

    name: NamespacedName
    service: Service
    families: Families
    numbers: tuple[int, ...] = ()
    pool: str = ""
    sharing: Sharing | None = None
    problem: Pending | None = None

    @property
    def plain(self) -> bool:
        """Say whether neither an address nor a pool is asked for, and nothing is wrong."""
        return not self.numbers and not self.pool and self.problem is None


SINGLE = {4: Families(attempts=(V4,), requestable=(V4,)), 6: Families(attempts=(V6,), requestable=(V6,))}
REQUIRE = Families(attempts=(DUAL,), requestable=(DUAL,))
PREFER = {
    4: Families(attempts=(DUAL, V4, V6), requestable=(DUAL, V4, V6)),
    6: Families(attempts=(DUAL, V6, V4), requestable=(DUAL, V4, V6)),
}
# A cluster has said that the Service has both families: MetalLB then wants both in a request, too.
PREFER_STATED = {
    4: Families(attempts=(DUAL, V4, V6), requestable=(DUAL,)),
    6: Families(attempts=(DUAL, V6, V4), requestable=(DUAL,)),
}
UNSAID = Families(attempts=(V4, V6), requestable=(V4, V6, DUAL))
UNSAID_SINGLE = Families(attempts=(V4, V6), requestable=(V4, V6))


def annotation(service: Service, name: str) -> str:
    """Return MetalLB's annotation of that name, trimmed; the current key hides the older one even if empty."""
    annotations = service.meta.annotations
    if annotations:
        for prefix in PREFIXES:
            value = annotations.get(prefix + name)
            if value is not None:
                return value.strip()
    return ""


def read_request(name: NamespacedName, service: Service) -> Request:
    """Read what a Service asks for; what cannot be understood ends in ``problem``."""
    problem: Pending | None = None
    numbers: tuple[int, ...] = ()
    families = UNSAID
    try:
        families = read_families(service)
    except ValueError as error:
        problem = Pending(reason=PendingReason.INVALID_IP_FAMILIES, message=str(error))
    try:
        numbers = _read_addresses(service)
    except ValueError as error:
        problem = problem or Pending(reason=PendingReason.INVALID_REQUEST, message=str(error))
    return Request(
        name=name,
        service=service,
        families=families,
        numbers=numbers,
        pool=annotation(service, "address-pool"),
        sharing=_read_sharing(service),
        problem=problem,
    )


def read_families(service: Service) -> Families:
    """Return the families of a Service; raises ValueError for a combination that no cluster accepts.

    In a cluster the cluster IPs decide, as in MetalLB. A plain manifest has none: then the fields decide
    from which the API server would have made them.
    """
    policy = service.ip_family_policy
    if policy is None and not service.cluster_ips and not service.ip_families:
        return UNSAID
    versions = tuple(6 if ":" in address else 4 for address in service.cluster_ips)
    if len(versions) == 1:
        if policy is IPFamilyPolicy.REQUIRE_DUAL_STACK:
            raise ValueError(
                f"spec.ipFamilyPolicy is RequireDualStack, but spec.clusterIPs has only {service.cluster_ips[0]}"
            )
        return SINGLE[versions[0]]
    if versions and sorted(versions) != [4, 6]:
        raise ValueError(
            f"spec.clusterIPs is {', '.join(service.cluster_ips)}; allowed is one address, or one of each family"
        )
    wanted = versions or tuple(4 if family is IPFamily.IPV4 else 6 for family in service.ip_families)
    first = 6 if service.ip_families[:1] == (IPFamily.IPV6,) else 4
    match policy:
        case IPFamilyPolicy.REQUIRE_DUAL_STACK:
            return REQUIRE
        case IPFamilyPolicy.PREFER_DUAL_STACK:
            return PREFER_STATED[first] if versions else PREFER[first]
        case IPFamilyPolicy.SINGLE_STACK:
            return SINGLE[wanted[0]] if wanted else UNSAID_SINGLE
    # The API server takes two families without a policy for RequireDualStack.
    return SINGLE[wanted[0]] if len(set(wanted)) == 1 else REQUIRE


def _read_addresses(service: Service) -> tuple[int, ...]:
    """Return the addresses asked for, ascending; raises ValueError that names the field."""
    asked = annotation(service, "loadBalancerIPs")
    if not asked and not service.load_balancer_ip:
        return ()
    if asked and service.load_balancer_ip:
        raise ValueError(
            f"both annotation {PREFIXES[0]}loadBalancerIPs ({asked}) and spec.loadBalancerIP "
            f"({service.load_balancer_ip}) are set; one of them is allowed"
        )
    where = f"annotation {PREFIXES[0]}loadBalancerIPs" if asked else "spec.loadBalancerIP"
    try:
        numbers = [number_of(parse_address(part.strip())) for part in (asked or service.load_balancer_ip).split(",")]
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    if len({family_of(number) for number in numbers}) != len(numbers):
        raise ValueError(f"{where} is {asked!r}; allowed is one address, or one of each family")
    if service.load_balancer_ip and len(numbers) > 1:
        raise ValueError(f"{where} is {service.load_balancer_ip!r}; allowed is one address")
    return tuple(sorted(numbers))


def _read_sharing(service: Service) -> Sharing | None:
    """Return with whom a Service may share an address.

    The backends count only with local traffic policy: a node then attracts the traffic of the address
    for all of its Services, so all of them have to have the same pods.
    """
    key = annotation(service, "allow-shared-ip")
    if not key:
        return None
    local = service.external_traffic_policy is TrafficPolicy.LOCAL
    return Sharing(
        key=key,
        backend=tuple(sorted(service.selector.items())) if local else (),
        ports=frozenset((port.protocol, port.port) for port in service.ports),
    )
