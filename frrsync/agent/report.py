"""What others get to see of an agent: one immutable status, and its mistakes in the log."""

from __future__ import annotations

from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING

from frrsync import __version__, log
from frrsync.agent.orders import NO_ORDERS
from frrsync.core.redact import redact
from frrsync.core.status import (
    AgentStatus,
    ApplyResult,
    LastApply,
    PendingService,
    SessionReset,
    SessionState,
)

if TYPE_CHECKING:
    from frrsync.agent.inputs import Known
    from frrsync.agent.observer import Observation
    from frrsync.agent.orders import Orders
    from frrsync.core.decide import Decision
    from frrsync.core.model import Mistake
    from frrsync.core.session import Session as WantedSession
    from frrsync.core.status import DrainState, HeldWithdrawal
    from frrsync.errors import FrrsyncError
    from frrsync.frr.apply import ApplyResult as Applied
    from frrsync.frr.plan import Plan, Reset
    from frrsync.frr.render import RenderedConfig
    from frrsync.frr.show import BfdSession, Session
    from frrsync.settings import Settings

MOST_MISTAKES = 100
"""Most mistakes logged at once; the status has them all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """What the loop did last; a new one is published after every round.

    Attributes:
        problem: what kept the loop from deciding or rendering, empty when nothing did.
        held: the mass withdrawal that is held back.
        unwritten: why the file that FRR starts with could not be written.
        drain: how far the node is drained; None when it is not.
        refused: the objects behind a line that FRR refused last.
        templates: lines of the operator's templates that FRR prints differently.

    """

    known: Known | None = None
    decision: Decision | None = None
    rendered: RenderedConfig | None = None
    last_apply: LastApply | None = None
    problem: str = ""
    held: HeldWithdrawal | None = None
    unwritten: str = ""
    drain: DrainState | None = None
    refused: tuple[Mistake, ...] = ()
    templates: tuple[Mistake, ...] = ()


def status_of(
    settings: Settings, started_at: float, done: Reconciled, seen: Observation, orders: Orders = NO_ORDERS
) -> AgentStatus:
    """Return the status that follows from what the loop did, what the observer saw, and what was ordered."""
    decision, known = done.decision, done.known
    mistakes = (*(known.mistakes if known else ()), *(decision.mistakes if decision else ()))
    mistakes = (*mistakes, *done.refused, *done.templates)
    return AgentStatus(
        node=settings.node,
        version=__version__,
        started_at=started_at,
        observe=settings.observe,
        frr=seen.frr,
        last_apply=done.last_apply,
        sessions=_sessions(decision.sessions if decision else (), seen),
        services=tuple(decision.verdicts.values()) if decision else (),
        pending=_pending(known),
        mistakes=mistakes,
        ignored_kinds=known.ignored_kinds if known else (),
        blocked=done.problem,
        paused_until=orders.paused_until if orders.is_paused(time()) else None,
        held=done.held,
        unwritten=done.unwritten,
        drain=done.drain,
    )


class MistakeLog:
    """Logs each mistake once, when it appears, and says when all are corrected."""

    def __init__(self) -> None:
        self._log = log.get("agent")
        self._told: frozenset[Mistake] = frozenset()
        self._seen: tuple[tuple[Mistake, ...], tuple[Mistake, ...]] = ((), ())

    def tell(self, known: Known | None, decision: Decision | None) -> None:
        """Log what is new in what is known and decided now."""
        seen = (known.mistakes if known else (), decision.mistakes if decision else ())
        if seen == self._seen:
            return
        self._seen = seen
        mistakes = frozenset((*seen[0], *seen[1]))
        new = sorted(mistakes - self._told, key=lambda item: (item.file, item.line, item.message))
        for mistake in new[:MOST_MISTAKES]:
            self._log.warning(
                "mistake",
                file=mistake.file,
                line=mistake.line,
                object=f"{mistake.kind} {mistake.name}".strip(),
                field=mistake.field,
                message=redact(mistake.message),
            )
        if len(new) > MOST_MISTAKES:
            self._log.warning("more_mistakes", count=len(new) - MOST_MISTAKES)
        if self._told and not mistakes:
            self._log.info("mistakes_corrected")
        self._told = mistakes


def _pending(known: Known | None) -> tuple[PendingService, ...]:
    if known is None:
        return ()
    return tuple(
        PendingService(service=name, reason=str(pending.reason), message=pending.message)
        for name, pending in sorted(known.pending.items())
    )


def _sessions(wanted: tuple[WantedSession, ...], seen: Observation) -> tuple[SessionState, ...]:
    """Return one row per session that should exist, with what FRR says about it."""
    running = {(session.vrf, session.peer): session for session in seen.sessions}
    bfd = {(session.vrf, session.peer): session for session in seen.bfd}
    return tuple(
        _session(
            item,
            running.get((item.peer.vrf, item.neighbor.peer)),
            bfd.get((item.peer.vrf, item.neighbor.peer)),
            seen.at,
        )
        for item in wanted
    )


def _session(wanted: WantedSession, found: Session | None, bfd: BfdSession | None, now: float) -> SessionState:
    uptime = found.uptime_seconds if found else None
    has_bfd = bool(wanted.peer.bfd_profile)
    return SessionState(
        peer=wanted.neighbor.peer,
        name=wanted.peer.meta.name,
        vrf=wanted.peer.vrf,
        asn=found.remote_as if found and found.remote_as else wanted.peer.peer_asn,
        state=found.state if found else None,
        since=None if uptime is None else now - uptime,
        prefixes_sent=found.prefixes_sent if found else None,
        bfd=(bfd.status if bfd else "unknown") if has_bfd else None,
        dropped=found.connections_dropped if found else None,
        last_reset=found.last_reset if found else None,
    )


def _resets(resets: tuple[Reset, ...]) -> tuple[SessionReset, ...]:
    return tuple(SessionReset(peer=item.peer, reason=item.reason) for item in resets)


def observed(plan: Plan, trigger: str, at: float, seconds: float) -> LastApply:
    """Return the report of a plan that was not sent."""
    return LastApply(
        trigger=trigger,
        at=at,
        duration_seconds=seconds,
        commands=len(plan.commands),
        result=ApplyResult.OBSERVED if plan else ApplyResult.UNCHANGED,
        resets=_resets(plan.resets),
    )


def succeeded(result: Applied, at: float) -> LastApply:
    """Return the report of an apply that FRR took."""
    return LastApply(
        trigger=result.trigger,
        at=at,
        duration_seconds=result.duration,
        commands=result.commands,
        result=ApplyResult.APPLIED if result.commands else ApplyResult.UNCHANGED,
        resets=_resets(result.resets),
    )


def failed(result: Applied | None, error: FrrsyncError, trigger: str, at: float, seconds: float) -> LastApply:
    """Return the report of an apply that failed; ``result`` is None when FRR was not even reached."""
    rolled_back = result is not None and result.rolled_back
    return LastApply(
        trigger=trigger,
        at=at,
        duration_seconds=seconds,
        commands=result.commands if result else 0,
        result=ApplyResult.ROLLED_BACK if rolled_back else ApplyResult.FAILED,
        error=redact(str(error)),
    )
