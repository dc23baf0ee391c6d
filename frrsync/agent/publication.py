"""What others get to see of the reconcile thread: one immutable value, and a log without repetitions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from frrsync import log
from frrsync.agent.report import MistakeLog, Reconciled
from frrsync.core.redact import redact
from frrsync.core.status import ApplyResult

if TYPE_CHECKING:
    from frrsync.core.status import LastApply

_WELL = frozenset({ApplyResult.APPLIED, ApplyResult.UNCHANGED})


class Publication:
    """What the loop did last; belongs to the reconcile thread.

    Attributes:
        current: the newest state; other threads only read this reference.

    """

    def __init__(self) -> None:
        self._log = log.get("agent")
        self._mistakes = MistakeLog()
        self._told_problem = ""
        self.current = Reconciled()

    def note(self, **changes: Any) -> None:
        """Publish what differs of these members of ``Reconciled``."""
        if any(getattr(self.current, name) != value for name, value in changes.items()):
            self.current = replace(self.current, **changes)

    def decided(self, **changes: Any) -> None:
        """Publish a decision and what came of it, and log the mistakes that are new."""
        self.current = replace(self.current, **changes)
        self._mistakes.tell(self.current.known, self.current.decision)

    def applied(self, done: LastApply) -> None:
        """Publish and log the result of an apply; a check that found nothing to do is no news."""
        last = self.current.last_apply
        is_recovery = last is not None and last.result not in _WELL and not self.current.problem
        if done.commands or done.error or last is None or is_recovery:
            self.current = replace(self.current, last_apply=done)
        if done.error and (last is None or last.error != done.error):
            self._log.error("apply_failed", trigger=done.trigger, result=str(done.result), error=done.error)
        if done.result is ApplyResult.OBSERVED and (last is None or last.commands != done.commands):
            self._log.info("would_apply", trigger=done.trigger, commands=done.commands)
        for reset in done.resets:
            self._log.warning("session_reset", peer=reset.peer, reason=redact(reset.reason))

    def tell_problem(self) -> None:
        """Log what blocks us once, not with every retry."""
        problem = self.current.problem
        if problem and problem != self._told_problem:
            self._log.error("blocked", reason=problem)
        elif self._told_problem and not problem:
            self._log.info("no_longer_blocked")
        self._told_problem = problem
