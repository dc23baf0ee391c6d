"""The reconcile thread: it owns everything that changes, and every cause takes the same path.

A changed manifest, another address, a restarted FRR, the periodic check and a retry all end in ``_round``:
read what is known, decide, render, apply, publish. What fails is reported and tried again with growing
pauses; meanwhile the last good configuration stays.
"""

from __future__ import annotations

from threading import Event, Lock
from time import monotonic, time
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.agent.report import Reconciled
from frrsync.core.decide import NodeDecider, NodeOptions
from frrsync.core.redact import redact
from frrsync.core.status import ApplyResult as Result
from frrsync.core.status import LastApply, SessionReset
from frrsync.errors import FrrsyncError, FrrUnavailable
from frrsync.frr.apply import Applier
from frrsync.frr.conf_file import write_conf
from frrsync.frr.render import Renderer
from frrsync.frr.session import open_frr

if TYPE_CHECKING:
    from frrsync.agent.inputs import Inputs, Known
    from frrsync.core.decide import Decision
    from frrsync.frr.apply import ApplyResult
    from frrsync.frr.dialect import Dialect
    from frrsync.frr.plan import Plan, Reset
    from frrsync.frr.render import RenderedConfig
    from frrsync.frr.tree import Tree
    from frrsync.settings import Settings

VERIFY_AFTER_SECONDS = 1.0
"""A small change of a large configuration is read back after this much quiet."""
LONGEST_SETTLE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0


class Wake:
    """A flag with the causes that set it; any thread sets it, the loop clears it."""

    def __init__(self) -> None:
        self._event = Event()
        self._lock = Lock()  # guards the set of causes, which several threads add to
        self._causes: set[str] = set()

    def __call__(self, cause: str) -> None:
        """Wake the loop."""
        with self._lock:
            self._causes.add(cause)
        self._event.set()

    def wait(self, seconds: float) -> frozenset[str]:
        """Return what woke the loop; empty when the time ran out."""
        self._event.wait(max(0.0, seconds))
        with self._lock:
            self._event.clear()
            causes, self._causes = frozenset(self._causes), set()
        return causes


class Loop:
    """Brings the FRR of one node to what manifests and addresses ask for, again and again.

    Attributes:
        reconciled: what was done last; other threads only read this reference.
        alive_at: monotonic time at which the last round began.

    """

    def __init__(self, settings: Settings, inputs: Inputs, wake: Wake) -> None:
        self._settings = settings
        self._inputs = inputs
        self._wake = wake
        self._log = log.get("agent")
        self._frr = open_frr(settings)
        self._applier = Applier(self._frr)
        self._decider = NodeDecider(
            NodeOptions(
                node=settings.node,
                load_balancer_class=settings.load_balancer_class,
                ignore_exclude_label=settings.ignore_exclude_label,
                maximum_paths=settings.maximum_paths,
            )
        )
        self._renderer: tuple[Dialect, Renderer] | None = None
        self._applied: Tree | None = None
        self._refused: Tree | None = None
        self._pause = 0.0
        self._retry_at: float | None = None
        self._check_at = monotonic()
        self._written: str | None = None
        self.reconciled = Reconciled()
        self.alive_at = monotonic()

    def run(self, stop: Event) -> None:
        """Reconcile until the event is set; the setter of the event wakes the loop."""
        causes = frozenset({"start"})
        while not stop.is_set():
            started = self.alive_at = monotonic()
            self._round(causes)
            busy = monotonic() - started
            causes = self._wake.wait(self._next_wake() - monotonic())
            # Idle until now: act at once. Under churn: rest as long as a round takes, so that what
            # arrives meanwhile is done together, and FRR and the machine get their share.
            if causes and monotonic() - started < 2 * busy and not stop.is_set():
                causes |= self._rest(min(busy, LONGEST_SETTLE_SECONDS), stop)
        if self._settings.withdraw_on_exit:
            self._withdraw()
        self._frr.close()

    def _rest(self, seconds: float, stop: Event) -> frozenset[str]:
        stop.wait(seconds)
        return self._wake.wait(0.0)

    def _next_wake(self) -> float:
        """Return when the loop has to look by itself, as monotonic time."""
        times = [self._check_at + self._settings.check_interval]
        if self._retry_at is not None:
            times.append(self._retry_at)
        if self._applier.is_verification_pending:
            times.append(monotonic() + VERIFY_AFTER_SECONDS)
        return min(times)

    def _round(self, causes: frozenset[str]) -> None:
        """Do everything once; whatever goes wrong ends in the status and in the log."""
        decision, rendered = self.reconciled.decision, self.reconciled.rendered
        known = self.reconciled.known
        problem = ""
        try:
            known = self._inputs.read()
            if known.waiting_for:
                problem = known.waiting_for
                if problem != self.reconciled.problem:
                    self._log.warning("waiting", reason=problem)
            else:
                decision = self._decide(known)
                rendered = self._render(decision, renew="templates" in causes)
        except FrrsyncError as error:
            problem = redact(str(error))
            self._log.error("cannot_decide", error=problem)
            self._back_off()
        self._publish(known, decision, rendered, problem)
        if rendered is not None:
            # Also after a problem: a restarted FRR gets the last good configuration back.
            self._bring(rendered, causes)

    def _decide(self, known: Known) -> Decision:
        last = self.reconciled
        if last.decision is not None and last.known is not None:
            same = last.known.snapshot is known.snapshot and last.known.allocated is known.allocated
            if same:
                return last.decision
        return self._decider.decide(known.snapshot, known.allocated)

    def _render(self, decision: Decision, *, renew: bool) -> RenderedConfig:
        """Render for the FRR that runs now; another version after an upgrade gets another renderer."""
        try:
            dialect = self._frr.dialect
        except FrrUnavailable:
            if self._renderer is None:
                raise
            dialect = self._renderer[0]
        if self._renderer is None or self._renderer[0] != dialect or renew:
            self._renderer = (dialect, Renderer(self._settings.templates, dialect))
        return self._renderer[1].render(decision.config)

    def _publish(
        self, known: Known | None, decision: Decision | None, rendered: RenderedConfig | None, problem: str
    ) -> None:
        self.reconciled = Reconciled(
            known=known,
            decision=decision,
            rendered=rendered,
            last_apply=self.reconciled.last_apply,
            problem=problem,
        )

    # applying

    def _bring(self, rendered: RenderedConfig, causes: frozenset[str]) -> None:
        """Apply if there is a reason to: another configuration, a doubt about FRR, a due retry."""
        now = monotonic()
        due_retry = self._retry_at is not None and now >= self._retry_at
        due_check = now >= self._check_at + self._settings.check_interval
        doubt = bool(causes & {"frr", "start", "templates"}) or due_check or due_retry
        quiet = not causes and self._applier.is_verification_pending
        if rendered.tree is self._refused and not doubt:
            return
        if rendered.tree is self._applied and not doubt and not quiet:
            return
        trigger = ",".join(sorted(causes)) or ("verify" if quiet else "retry" if due_retry else "check")
        if doubt:
            self._check_at = now
        self._apply(rendered, trigger, reread=doubt or quiet)

    def _apply(self, rendered: RenderedConfig, trigger: str, *, reread: bool) -> None:
        started, at = monotonic(), time()
        try:
            if self._settings.observe:
                done = _observed(self._applier.plan(rendered.tree), trigger, at, monotonic() - started)
            else:
                done = _succeeded(self._applier.apply(rendered.tree, trigger, reread=reread), at)
                self._write(rendered.text)
        except FrrUnavailable as error:
            done = _failed(None, error, trigger, at, monotonic() - started)
            self._applied = None
            self._log.warning("frr_unavailable", error=redact(str(error)))
            self._back_off()
        except FrrsyncError as error:
            done = _failed(self._applier.last, error, trigger, at, monotonic() - started)
            self._applied, self._refused = None, rendered.tree
            self._log.error("apply_failed", trigger=trigger, error=redact(str(error)))
            self._back_off()
        else:
            self._applied, self._refused = rendered.tree, None
            self._pause, self._retry_at = 0.0, None
        self._report(done)

    def _report(self, done: LastApply) -> None:
        """Publish the result; a check that found nothing to do is no news."""
        if done.commands or done.error or self.reconciled.last_apply is None:
            last = self.reconciled
            self.reconciled = Reconciled(
                known=last.known,
                decision=last.decision,
                rendered=last.rendered,
                last_apply=done,
                problem=last.problem,
            )
        for reset in done.resets:
            self._log.warning("session_reset", peer=reset.peer, reason=redact(reset.reason))

    def _write(self, text: str) -> None:
        """Keep the file that FRR starts with equal to what it runs."""
        if self._settings.frr_conf is None or text == self._written:
            return
        try:
            write_conf(self._settings.frr_conf, text)
        except OSError as error:
            self._log.error("cannot_write_file", file=str(self._settings.frr_conf), error=str(error))
            return
        self._written = text

    def _back_off(self) -> None:
        self._pause = min(LONGEST_PAUSE_SECONDS, self._pause * 2 or 0.5)
        self._retry_at = monotonic() + self._pause

    def _withdraw(self) -> None:
        """Withdraw everything at a clean stop, when the operator asked for that; sessions stay up."""
        known = self.reconciled.known
        if known is None or self._settings.observe:
            return
        try:
            rendered = self._render(self._decider.decide(known.snapshot, {}), renew=False)
            self._applier.apply(rendered.tree, "exit", reread=True)
        except FrrsyncError as error:
            self._log.error("withdraw_failed", error=redact(str(error)))
        else:
            self._log.info("withdrawn")


def _resets(resets: tuple[Reset, ...]) -> tuple[SessionReset, ...]:
    return tuple(SessionReset(peer=item.peer, reason=item.reason) for item in resets)


def _observed(plan: Plan, trigger: str, at: float, seconds: float) -> LastApply:
    return LastApply(
        trigger=trigger,
        at=at,
        duration_seconds=seconds,
        commands=len(plan.commands),
        result=Result.OBSERVED if plan else Result.UNCHANGED,
        resets=_resets(plan.resets),
    )


def _succeeded(result: ApplyResult, at: float) -> LastApply:
    return LastApply(
        trigger=result.trigger,
        at=at,
        duration_seconds=result.duration,
        commands=result.commands,
        result=Result.APPLIED if result.commands else Result.UNCHANGED,
        resets=_resets(result.resets),
    )


def _failed(result: ApplyResult | None, error: FrrsyncError, trigger: str, at: float, seconds: float) -> LastApply:
    rolled_back = result is not None and result.rolled_back
    return LastApply(
        trigger=trigger,
        at=at,
        duration_seconds=seconds,
        commands=result.commands if result else 0,
        result=Result.ROLLED_BACK if rolled_back else Result.FAILED,
        error=redact(str(error)),
    )
