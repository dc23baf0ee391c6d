"""The steps of an allocation, on one set of pools: who keeps, who takes over, who gets what is left.

The steps work for all Services as well as for a few of them, while the others stay where they are.
``allocate`` decides which.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from frrsync.core.address_space import AddressSpace, number_of_text, text_of
from frrsync.core.allocation import Allocation, Note, NoteReason, Pending, PendingReason
from frrsync.core.choice import Chooser
from frrsync.core.holding import keep
from frrsync.core.pool import age
from frrsync.core.request import ALLOCATED_FROM, DUAL, annotation, read_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from frrsync.core.holding import Holding
    from frrsync.core.model import NamespacedName, Service
    from frrsync.core.pool import PoolTable
    from frrsync.core.request import Request


class Ledger:
    """What is allocated to whom, and why not to the others.

    Attributes:
        allocated: before the first step the record; entries of Services that are not settled are kept.
        single: Services that hold one address and want a second one of the other family.

    """

    def __init__(
        self, table: PoolTable, allocated: dict[NamespacedName, Allocation], *, load_balancer_class: str
    ) -> None:
        self.allocated = allocated
        self.pending: dict[NamespacedName, Pending] = {}
        self.notes: dict[NamespacedName, tuple[Note, ...]] = {}
        self.single: dict[NamespacedName, Request] = {}
        self._class = load_balancer_class
        self._table = table
        self._space = AddressSpace(table.ranges())
        self._chooser = Chooser(table, self._space)
        self._held: dict[NamespacedName, tuple[int, ...]] = {}
        self._claimed: dict[NamespacedName, tuple[int, ...]] = {}
        self._blocked: dict[NamespacedName, tuple[Request, tuple[int, ...]]] = {}

    def numbers_of(self, name: NamespacedName) -> tuple[int, ...]:
        """Return what a Service holds."""
        return self._held.get(name, ())

    def neighbours(self, name: NamespacedName) -> Iterable[NamespacedName]:
        """Return everybody who holds an address that this Service holds, itself included."""
        return chain.from_iterable(map(self._space.holders, self._held.get(name, ())))

    def opens_more(self, name: NamespacedName) -> bool:
        """Say whether a change of this Service may help others though it releases no address."""
        return name in self._claimed or self._space.sharing_of(name) is not None

    def settle(self, names: Iterable[NamespacedName], services: Mapping[NamespacedName, Service]) -> list[Request]:
        """Forget these Services and let them take what they keep; return the requests of the others of them."""
        waiting: list[Request] = []
        keeping: list[Holding] = []
        claims: list[Service] = []
        recorded = {name: self._forget(name) for name in names}
        for name, previous in recorded.items():
            service = services.get(name)
            if service is None or service.type != "LoadBalancer":
                continue
            if service.load_balancer_class != self._class:
                claims.append(service)
                continue
            request = read_request(name, service)
            self._space.set_sharing(name, request.sharing)
            holding = keep(request, previous, self._table) if previous is not None else None
            if holding is not None:
                keeping.append(holding)
            else:
                waiting.append(request)
        waiting += self._settle_contended(self._settle_undisputed(keeping))
        claims += [
            holding.request.service
            for holding in keeping
            if holding.request.service.ingress and holding.request.name in self._held
        ]
        for service in claims:
            self._claim_status(service)
        return waiting

    def hold_unseen(self, name: NamespacedName, allocation: Allocation, message: str) -> None:
        """Keep an allocation whose Service could not be read, without asking what it wants."""
        self.allocated[name] = allocation
        numbers = self._held[name] = tuple(map(number_of_text, allocation.addresses))
        self._space.hold(name, numbers)
        self.notes[name] = (Note(reason=NoteReason.KEPT_UNREADABLE, message=message),)

    def serve(self, waiting: list[Request]) -> None:
        """Give addresses to Services that have none: status first, then explicit requests, then the others."""
        waiting.sort(key=lambda request: age(request.service))
        rest = [request for request in waiting if not (request.service.ingress and self._take_over(request))]
        for request in waiting:
            if request.service.ingress:
                self._claim_status(request.service)
        for request in sorted(rest, key=lambda request: not request.numbers):
            if request.problem is not None:
                self.pending[request.name] = request.problem
                continue
            choice = self._chooser.explicit(request) if request.numbers else self._chooser.automatic(request)
            if isinstance(choice, Pending):
                self.pending[request.name] = choice
                if choice.reason is PendingReason.REQUESTED_ADDRESS_IN_USE:
                    self._blocked[request.name] = (request, request.numbers)
            else:
                texts = tuple(map(text_of, choice.numbers))
                self._take(request, Allocation(addresses=texts, pool=choice.pool), choice.numbers)

    def add_second(self, names: Iterable[NamespacedName]) -> None:
        """Add the other family where both are wanted; the first address stays, and so does the pool."""
        requests = [self.single[name] for name in names]
        for request in sorted(requests, key=lambda request: age(request.service)):
            name = request.name
            (number,) = self._held[name]
            pool = self.allocated[name].pool
            notes = tuple(
                note for note in self.notes.pop(name, ()) if note.reason is not NoteReason.SECOND_FAMILY_UNAVAILABLE
            )
            found = self._chooser.second(request, number, pool)
            if isinstance(found, str):
                notes += (Note(reason=NoteReason.SECOND_FAMILY_UNAVAILABLE, message=found),)
            else:
                numbers = tuple(sorted((number, found)))
                self._space.hold(name, (found,))
                self._held[name] = numbers
                self.allocated[name] = Allocation(addresses=tuple(map(text_of, numbers)), pool=pool)
                del self.single[name]
            if notes:
                self.notes[name] = notes

    def explain(self) -> None:
        """Say who is in the way of each Service, now that everybody has a place: the last step of a pass.

        Said earlier, the sentence would depend on the order of the pass and differ in the next one.
        """
        for name, (request, numbers) in self._blocked.items():
            reason = self.pending[name].reason
            wish = "its status says" if reason is PendingReason.ADDRESS_IN_USE else "it asks for"
            texts = " and ".join(map(text_of, numbers))
            text = f"{wish} {texts}, but {self._chooser.in_use(request, numbers)}"
            self.pending[name] = Pending(reason=reason, message=text)

    def _forget(self, name: NamespacedName) -> Allocation | None:
        """Remove every trace of a Service; return what was allocated to it."""
        if name in self._held or name in self.pending or name in self._claimed:
            self._space.forget(name, self._held.pop(name, ()), self._claimed.pop(name, ()))
            self.pending.pop(name, None)
            self.notes.pop(name, None)
            self.single.pop(name, None)
            self._blocked.pop(name, None)
        return self.allocated.pop(name, None)

    def _settle_undisputed(self, keeping: list[Holding]) -> list[Holding]:
        """Let Services keep addresses that nobody else holds; return the others."""
        wanted = Counter(chain.from_iterable(holding.numbers for holding in keeping))
        contested = {number for number, count in wanted.items() if count > 1 or self._space.holders(number)}
        disputed = []
        for holding in keeping:
            if contested.isdisjoint(holding.numbers):
                self._keep(holding)
            else:
                disputed.append(holding)
        return disputed

    def _settle_contended(self, disputed: list[Holding]) -> list[Request]:
        """Let Services keep addresses that they share; of two that cannot share, the younger one loses."""
        losers = []
        for holding in sorted(disputed, key=lambda holding: age(holding.request.service)):
            name = holding.request.name
            if any(self._space.rival(name, number) for number in holding.numbers):
                losers.append(holding.request)
            else:
                self._keep(holding)
        return losers

    def _take_over(self, request: Request) -> bool:
        """Let a Service keep what its status says; say whether its case is decided."""
        status = Allocation(addresses=request.service.ingress, pool=annotation(request.service, ALLOCATED_FROM))
        holding = keep(request, status, self._table)
        if holding is None:
            return False
        used = self._chooser.in_use(request, holding.numbers)
        if used:
            self.pending[request.name] = Pending(reason=PendingReason.ADDRESS_IN_USE, message=used)
            self._blocked[request.name] = (request, holding.numbers)
        else:
            self._keep(holding)
        return True

    def _keep(self, holding: Holding) -> None:
        self._take(holding.request, holding.allocation, holding.numbers)
        if holding.notes:
            self.notes[holding.request.name] = holding.notes

    def _take(self, request: Request, allocation: Allocation, numbers: tuple[int, ...]) -> None:
        name = request.name
        self.allocated[name] = allocation
        self._held[name] = numbers
        self._space.hold(name, numbers)
        if len(numbers) == 1 and request.families.attempts[0] == DUAL and not (request.numbers or request.problem):
            self.single[name] = request

    def _claim_status(self, service: Service) -> None:
        """Let the addresses of a status count as used, whoever wrote them."""
        name = service.meta.key
        allocation = self.allocated.get(name)
        if service.ingress and not (allocation and allocation.addresses == service.ingress):
            numbers = self._claimed[name] = tuple(dict.fromkeys(map(number_of_text, service.ingress)))
            self._space.claim(name, numbers)
