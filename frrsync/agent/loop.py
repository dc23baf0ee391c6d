"""The reconcile thread: it owns everything that changes, and every cause takes the same path.

A changed manifest, another address, a restarted FRR, an order, the periodic check and a retry all end in
``_round``: read what is known, decide, render, apply, publish. What fails is reported and tried again with
growing pauses; meanwhile the last good configuration stays, also in an FRR that was restarted.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic, time
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.agent.decisions import Decisions
from frrsync.agent.delivery import Delivery
from frrsync.agent.rendering import Rendering
from frrsync.agent.report import MistakeLog, Reconciled
from frrsync.core.node_facts import NOTHING_KNOWN
from frrsync.core.redact import redact
from frrsync.core.status import ApplyResult
from frrsync.errors import ApplyError, FrrsyncError, FrrUnavailable

if TYPE_CHECKING:
    from threading import Event

    from frrsync.agent.inputs import Inputs, Known
    from frrsync.agent.orders import OrderBook
    from frrsync.agent.wake import Wake
    from frrsync.core.decide import Decision
    from frrsync.core.model import Snapshot
    from frrsync.core.node_facts import NodeFacts
    from frrsync.core.status import LastApply
    from frrsync.frr.dialect import Dialect
    from frrsync.frr.render import RenderedConfig
    from frrsync.settings import Settings

VERIFY_AFTER_SECONDS = 1.0
"""A small change of a large configuration is read back after this much quiet."""
LONGEST_SETTLE_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
REFUSED_PAUSE_SECONDS = 1.0
"""After FRR refused something, another configuration is tried this much later at the earliest: each try
may show neighbors a change that is then taken back."""

MOST_SUSPICIONS = 3
"""How often in one round peers are left out because FRR refused what came of them."""

_DOUBT = frozenset({"frr", "start", "templates", "order"})
_WELL = frozenset({ApplyResult.APPLIED, ApplyResult.UNCHANGED})


class Loop:
    """Brings the FRR of one node to what manifests and addresses ask for, again and again.

    Attributes:
        reconciled: what was done last; other threads only read this reference.
        alive_at: monotonic time at which the last round began.

    """

    def __init__(self, settings: Settings, inputs: Inputs, wake: Wake, orders: OrderBook) -> None:
        self._settings = settings
        self._inputs = inputs
        self._wake = wake
        self._orders = orders
        self._log = log.get("agent")
        self._delivery = Delivery(settings)
        self._decisions = Decisions(settings)
        self._rendering = Rendering(settings.templates)
        self._mistakes = MistakeLog()
        self._good: tuple[Snapshot, RenderedConfig] | None = None  # what FRR took last
        self._told_problem = ""
        self._pause = 0.0
        self._retry_at: float | None = None
        self._check_at = monotonic() + settings.check_interval
        self.reconciled = Reconciled()
        self.alive_at = monotonic()

    def run(self, stop: Event) -> None:
        """Reconcile until the event is set; the setter of the event wakes the loop."""
        causes = frozenset({"start"})
        while not stop.is_set():
            started = self.alive_at = monotonic()
            self._safe_round(causes)
            busy = monotonic() - started
            causes = self._wake.wait(self._next_wake() - monotonic())
            # Idle until now: act at once. Under churn: rest as long as a round takes, so that what
            # arrives meanwhile is done together, and FRR and the machine get their share.
            if causes and monotonic() - started < 2 * busy and not stop.is_set():
                causes |= self._rest(min(busy, LONGEST_SETTLE_SECONDS), stop)
        if self._settings.on_stop != "keep":
            self._withdraw()
        self._delivery.close()

    def _safe_round(self, causes: frozenset[str]) -> None:
        """Do one round; a defect of ours is logged and tried again, it never ends the agent."""
        try:
            self._round(causes)
        except Exception as error:  # noqa: BLE001 - the last resort: a defect must not end the agent
            self._log.exception("round_failed")
            self.reconciled = replace(self.reconciled, problem=f"internal error: {redact(repr(error))}")
            self._retry_at = monotonic() + LONGEST_PAUSE_SECONDS

    def _rest(self, seconds: float, stop: Event) -> frozenset[str]:
        stop.wait(seconds)
        return self._wake.wait(0.0)

    def _next_wake(self) -> float:
        """Return when the loop has to look by itself, as monotonic time."""
        times = [self._check_at]
        if self._retry_at is not None:
            times.append(self._retry_at)
        if self._delivery.is_verification_pending:
            times.append(monotonic() + VERIFY_AFTER_SECONDS)
        paused_until = self._orders.current.paused_until
        if paused_until is not None and paused_until > time():
            times.append(monotonic() + paused_until - time())
        return min(times)

    def _round(self, causes: frozenset[str]) -> None:
        """Do everything once; whatever goes wrong ends in the status and in the log."""
        due = self._due()
        if "templates" in causes or (due and self._rendering.problem):
            self._rendering.renew()
        decision, rendered = self.reconciled.decision, self.reconciled.rendered
        known = self.reconciled.known
        try:
            known = self._inputs.read()
            problem = known.waiting_for
            if "frr" in causes:
                self._decisions.release()
            if not problem:
                decision = self._decisions.decide(known, self._facts())
                rendered = self._rendering.render(decision.config, self._dialect())
                problem = self._rendering.problem or known.trouble
        except FrrsyncError as error:
            problem = redact(str(error))
        self._publish(known, decision, rendered, problem)
        if rendered is not None:
            # Also after a problem: a restarted FRR gets the last good configuration back.
            self._bring(rendered, causes, due)
        self._plan_retry(is_due="retry" in due)
        self._tell_problem()

    def _facts(self) -> NodeFacts:
        """Return what is true of this node now and stands in no manifest."""
        return NOTHING_KNOWN

    def _due(self) -> frozenset[str]:
        """Return what the clock asks for, and wind it up again whatever becomes of this round."""
        now = monotonic()
        due = set()
        if self._retry_at is not None and now >= self._retry_at:
            due.add("retry")
        if now >= self._check_at:
            due.add("check")
            self._check_at = now + self._settings.check_interval
        return frozenset(due)

    def _plan_retry(self, *, is_due: bool) -> None:
        """Try again after a pause that grows, as long as something is wrong."""
        if not self._delivery.has_failed and not self.reconciled.problem:
            self._pause, self._retry_at = 0.0, None
        elif is_due or self._retry_at is None:
            self._pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2 or FIRST_PAUSE_SECONDS)
            self._retry_at = monotonic() + self._pause

    def _tell_problem(self) -> None:
        """Log what blocks us once, not with every retry."""
        problem = self.reconciled.problem
        if problem and problem != self._told_problem:
            self._log.error("blocked", reason=problem)
        elif self._told_problem and not problem:
            self._log.info("no_longer_blocked")
        self._told_problem = problem

    def _dialect(self) -> Dialect:
        """Return how the FRR that runs now writes its configuration; while none runs, how the last one did."""
        try:
            return self._delivery.dialect
        except FrrUnavailable:
            if self._rendering.dialect is None:
                raise
            return self._rendering.dialect

    def _publish(
        self, known: Known | None, decision: Decision | None, rendered: RenderedConfig | None, problem: str
    ) -> None:
        self.reconciled = replace(self.reconciled, known=known, decision=decision, rendered=rendered, problem=problem)
        self._mistakes.tell(known, decision)

    # applying

    def _bring(self, rendered: RenderedConfig, causes: frozenset[str], due: frozenset[str]) -> None:
        """Apply if there is a reason to: another configuration, a doubt about FRR, a due retry."""
        doubt = bool(causes & _DOUBT or due)
        quiet = not causes and self._delivery.is_verification_pending
        refused = self._delivery.refused
        if not doubt and rendered.tree is refused:
            return
        if not doubt and refused is not None and monotonic() < self._delivery.refused_at + REFUSED_PAUSE_SECONDS:
            self._retry_at = self._delivery.refused_at + REFUSED_PAUSE_SECONDS
            return
        if rendered.tree is self._delivery.applied and not doubt and not quiet:
            return
        trigger = ",".join(sorted(causes or due)) or "verify"
        error = self._apply(rendered, trigger, reread=doubt or quiet)
        if isinstance(error, ApplyError) and not self._go_on_without_suspects(error):
            self._fall_back(redact(str(error)))

    @property
    def _may_send(self) -> bool:
        return not self._settings.observe and not self._orders.current.is_paused(time())

    def _apply(self, rendered: RenderedConfig, trigger: str, *, reread: bool) -> FrrsyncError | None:
        """Apply and report; returns what went wrong."""
        may_send = self._may_send
        done, error = self._delivery.apply(rendered, trigger, reread=reread, send=may_send)
        self._report(done)
        if error is None and may_send:
            self._keep(rendered)
        return error

    def _keep(self, rendered: RenderedConfig) -> None:
        """Remember what FRR took, and keep the file that it starts with equal to it."""
        self._rendering.accept()
        if self.reconciled.known is not None:
            self._good = (self._decisions.effective(self.reconciled.known.snapshot), rendered)
        self._delivery.write(rendered)

    def _go_on_without_suspects(self, error: FrrsyncError) -> bool:
        """Leave out the peers that FRR seems to refuse, and say whether it takes the rest."""
        known = self.reconciled.known
        if known is None or self._rendering.has_other_templates:
            return False
        taken = self._good[0] if self._good else None
        running = self._delivery.running_neighbors() if taken is None else frozenset[str]()
        for _ in range(MOST_SUSPICIONS):
            if not self._decisions.suspect(known, taken, redact(str(error)), running):
                return False
            decision = self._decisions.decide(known, self._facts())
            rendered = self._rendering.render(decision.config, self._dialect())
            self._publish(known, decision, rendered, known.trouble)
            again = self._apply(rendered, "fallback", reread=True)
            if not isinstance(again, ApplyError):
                return True
            error = again
        return False

    def _fall_back(self, reason: str) -> None:
        """Have FRR run what it took last, also when it has been restarted since."""
        if self._good is None:
            return
        decision = self.reconciled.decision
        try:
            if decision is not None and self._rendering.reject(reason):
                rendered = self._rendering.render(decision.config, self._dialect())
                self._publish(self.reconciled.known, decision, rendered, reason)
                self._apply(rendered, "fallback", reread=True)
            elif self._good[1].tree != self._delivery.refused and self._may_send:
                self._delivery.restore(self._good[1])
        except FrrsyncError as error:
            self._log.error("fallback_failed", error=redact(str(error)))

    def _report(self, done: LastApply) -> None:
        """Publish and log the result; a check that found nothing to do is no news."""
        last = self.reconciled.last_apply
        is_recovery = last is not None and last.result not in _WELL and not self.reconciled.problem
        if done.commands or done.error or last is None or is_recovery:
            self.reconciled = replace(self.reconciled, last_apply=done)
        if done.error and (last is None or last.error != done.error):
            self._log.error("apply_failed", trigger=done.trigger, result=str(done.result), error=done.error)
        if done.result is ApplyResult.OBSERVED and (last is None or last.commands != done.commands):
            self._log.info("would_apply", trigger=done.trigger, commands=done.commands)
        for reset in done.resets:
            self._log.warning("session_reset", peer=reset.peer, reason=redact(reset.reason))

    def _withdraw(self) -> None:
        """Withdraw everything at a clean stop, when the operator asked for that; sessions stay up."""
        known = self.reconciled.known
        if self._good is None or known is None:
            return
        try:
            decision = self._decisions.decide(replace(known, snapshot=self._good[0], allocated={}), self._facts())
            rendered = self._rendering.render(decision.config, self._dialect())
        except FrrsyncError as error:
            self._log.error("withdraw_failed", error=redact(str(error)))
            return
        _, problem = self._delivery.apply(rendered, "exit", reread=True)
        if problem is not None:
            self._log.error("withdraw_failed", error=redact(str(problem)))
            return
        self._delivery.write(rendered)
        self._log.info("withdrawn")
