"""The guard against mass withdrawal: objects that vanish in numbers stay in force until somebody confirms it.

An emptied folder, a half-finished checkout or a lost allocation record looks exactly like the wish to withdraw
everything. So when objects that are gone would take more than a part of a node's prefixes, they are put back
into what is decided on: everything else, also endpoints that are not ready and edited objects, goes on at
once. What is held back ends when the objects return, when an operator confirms, or after a time.

An agent that starts knows no objects from before, only what FRR announces. There the whole change waits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from time import monotonic, time
from typing import TYPE_CHECKING, Any, NamedTuple

from frrsync import log
from frrsync.agent.vanished import Gone, explained, prefixes_of
from frrsync.core.status import HeldWithdrawal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from frrsync.agent.inputs import Known
    from frrsync.agent.orders import Orders
    from frrsync.core.decide import Decision
    from frrsync.settings import Settings

REMEMBER_SECONDS = 10.0
"""Objects that vanish one after the other within this time count together: nobody empties a folder at once."""
SETTLE_SECONDS = 0.3
"""Configuration that vanishes counts this much later: while files are removed one by one, the peers may be the
first. A Service or an endpoint that goes never waits."""
EASE_SECONDS = 1.0
"""How long nothing more may come back before the rest of what was held is let go: they come one by one as well."""
_GROWN_PART = 10
"""A hold that grows by one of so many parts of what is announced begins anew: it may be another accident."""
_NAMED = 3  # objects that a message names
_NEVER = 100


class _Before(NamedTuple):
    """What was decided on before anything vanished, and the decision."""

    known: Known
    decision: Decision
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hold:
    """A withdrawal that is held back.

    Attributes:
        left: the objects that are gone, or the prefixes when an agent started without the objects.
        eased_at: monotonic time until which what is left is held although it is no mass any more.
        deadline: monotonic time at which it is let go.
        counted: the prefixes that were held when this time began.
        confirmed_at: the confirmation that was there before and does not count.

    """

    shown: HeldWithdrawal
    left: frozenset[str]
    eased_at: float | None = None
    deadline: float
    counted: int
    confirmed_at: float | None


class Guard:
    """Watches the decisions of one node; belongs to the reconcile thread."""

    def __init__(self, settings: Settings) -> None:
        self._percent = settings.guard_percent
        self._minimum = settings.guard_minimum
        self._seconds = settings.guard_time
        self._log = log.get("agent.guard")
        self._before: _Before | None = None
        self._hold: _Hold | None = None
        self._kept: tuple[Known, Known] | None = None
        self._settling: frozenset[tuple[str, Any]] = frozenset()
        self._settled_at: float | None = None
        self._prefixes: tuple[Decision, frozenset[str]] | None = None

    @property
    def held(self) -> HeldWithdrawal | None:
        """Return what is held back, for the status; None when nothing is."""
        return self._hold.shown if self._hold else None

    @property
    def holds_everything(self) -> bool:
        """Say whether nothing may be sent at all: an agent that starts cannot put back what it never saw."""
        return self._hold is not None and self._before is None

    @property
    def deadline(self) -> float | None:
        """Return when to decide again though nothing changes, as monotonic time; None for never."""
        if self._hold is None:
            return self._settled_at
        return min(self._hold.deadline, self._hold.eased_at or self._hold.deadline)

    def decide(
        self,
        known: Known,
        decide: Callable[[Known], Decision],
        running: Callable[[], frozenset[str]],
        orders: Orders,
    ) -> tuple[Known, Decision]:
        """Return what counts and the decision on it.

        ``running`` returns the prefixes that FRR announces of ours; it is asked before the first decision only,
        and what it raises goes through.
        """
        if self._hold is not None and self._is_let_go(orders):
            self._hold = self._before = None
            return self._accept(known, decide(known))
        if self._before is None:
            announced = running() if self._percent < _NEVER else frozenset[str]()
            return self._decide_first(known, decide(known), announced, orders)
        gone = Gone.between(self._before.known, known)
        if self._hold is None and self._is_settling(gone):
            known = gone.configuration().put_back(known)
            gone = Gone.between(self._before.known, known)
        if gone:
            return self._decide_without(gone, self._before, known, decide, orders)
        self._end()
        return self._accept(known, decide(known))

    def _accept(self, known: Known, decision: Decision) -> tuple[Known, Decision]:
        self._before, self._kept = _Before(known, decision, monotonic()), None
        return known, decision

    def _decide_first(
        self, known: Known, decision: Decision, running: frozenset[str], orders: Orders
    ) -> tuple[Known, Decision]:
        """Compare with what FRR announces; what the objects that are there explain is not held back."""
        lost = running - prefixes_of(decision)
        if self._is_too_much(len(lost), running):
            lost -= explained(lost, known, decision)
            if self._is_too_much(len(lost), running):
                self._begin(len(lost), len(running), frozenset(lost), frozenset(), orders)
                return known, decision
        if self._is_easing(lost):
            return known, decision
        self._end()
        return self._accept(known, decision)

    def _decide_without(
        self, gone: Gone, before: _Before, known: Known, decide: Callable[[Known], Decision], orders: Orders
    ) -> tuple[Known, Decision]:
        """Decide on what is left, and with the vanished objects if that would withdraw too much."""
        names = gone.names()
        if self._hold is not None and self._hold.eased_at is None and self._hold.left == names:
            kept = self._put_back(gone, known)
            return kept, decide(kept)
        decision = decide(known)
        announced = self._announced(before.decision)
        lost = announced - prefixes_of(decision)
        if self._is_too_much(len(lost), announced):
            kept = self._put_back(gone, known)
            with_them = decide(kept)
            saved = len(lost & prefixes_of(with_them))
            if self._is_too_much(saved, announced):
                self._begin(saved, len(announced), names, names, orders)
                return kept, with_them
        if self._is_easing(names):
            kept = self._put_back(gone, known)
            return kept, decide(kept)
        self._end()
        if monotonic() - before.at >= REMEMBER_SECONDS:
            self._accept(known, decision)
        return known, decision

    def _announced(self, decision: Decision) -> frozenset[str]:
        """Return the prefixes of a decision, kept for the next time."""
        if self._prefixes is None or self._prefixes[0] is not decision:
            self._prefixes = (decision, prefixes_of(decision))
        return self._prefixes[1]

    def _is_settling(self, gone: Gone) -> bool:
        """Say whether configuration vanished just now."""
        found = frozenset((name, key) for name, objects in gone.configuration().objects.items() for key in objects)
        if self._percent == _NEVER or not found:
            self._settling, self._settled_at = frozenset(), None
            return False
        now = monotonic()
        if found - self._settling:
            self._settled_at = now + SETTLE_SECONDS
        self._settling = found
        if self._settled_at is not None and now >= self._settled_at:
            self._settled_at = None
        return self._settled_at is not None

    def _is_too_much(self, lost: int, before: frozenset[str]) -> bool:
        return len(before) >= self._minimum and 100 * lost > self._percent * len(before)

    def _put_back(self, gone: Gone, known: Known) -> Known:
        """Return what is known with the vanished objects; the same objects for the same input."""
        if self._kept is not None:
            last, kept = self._kept
            if last.snapshot is known.snapshot and last.allocated is known.allocated:
                return replace(known, snapshot=kept.snapshot, allocated=kept.allocated)
        kept = gone.put_back(known)
        self._kept = (known, kept)
        return kept

    # holding and letting go

    def _is_easing(self, left: frozenset[str]) -> bool:
        """Say whether what is held, and is no mass any more, may still be coming back."""
        if self._hold is None or not left:
            return False
        if self._hold.eased_at is None or left < self._hold.left:
            self._hold = replace(self._hold, left=left, eased_at=monotonic() + EASE_SECONDS)
            return True
        return monotonic() < self._hold.eased_at

    def _begin(self, lost: int, of: int, left: frozenset[str], names: frozenset[str], orders: Orders) -> None:
        """Hold back, or go on holding back what changed."""
        if self._hold is not None:
            shown = replace(self._hold.shown, prefixes=lost, announced=of, objects=len(names), named=_first(names))
            self._hold = replace(self._hold, shown=shown, left=left, eased_at=None)
            if _GROWN_PART * (lost - self._hold.counted) >= of:
                self._renew(self._hold)
            return
        now = time()
        shown = HeldWithdrawal(
            prefixes=lost, announced=of, objects=len(names), named=_first(names), since=now, until=now + self._seconds
        )
        self._hold = _Hold(
            shown=shown,
            left=left,
            deadline=monotonic() + self._seconds,
            counted=lost,
            confirmed_at=orders.confirmed_at,
        )
        self._log.error(
            "withdrawal_held", prefixes=lost, announced=of, objects=len(names), named=list(shown.named),
            seconds=self._seconds,
        )  # fmt: skip

    def _renew(self, hold: _Hold) -> None:
        """Begin the time anew: what vanished late is not to go with what somebody had time to look at."""
        shown = replace(hold.shown, until=time() + self._seconds)
        self._hold = replace(hold, shown=shown, deadline=monotonic() + self._seconds, counted=shown.prefixes)
        self._log.warning("withdrawal_grew", prefixes=shown.prefixes, announced=shown.announced)

    def _is_let_go(self, orders: Orders) -> bool:
        if self._hold is None:
            return False
        is_confirmed = orders.confirmed_at != self._hold.confirmed_at
        if is_confirmed or monotonic() >= self._hold.deadline:
            self._log.warning(
                "withdrawal_let_go", prefixes=self._hold.shown.prefixes, because="confirmed" if is_confirmed else "time"
            )
            return True
        return False

    def _end(self) -> None:
        """Forget what was held back: it is not wanted any more."""
        if self._hold is not None:
            self._log.info("withdrawal_no_longer_wanted")
        self._hold = self._kept = None


def _first(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names)[:_NAMED])
