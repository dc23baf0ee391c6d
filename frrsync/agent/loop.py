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
from frrsync.agent.culprit import culprits, named
from frrsync.agent.decisions import Decisions
from frrsync.agent.delivery import Delivery
from frrsync.agent.drain import Goodbye, NodeDrain
from frrsync.agent.guard import Guard
from frrsync.agent.publication import Publication
from frrsync.agent.rendering import Rendering
from frrsync.agent.schedule import LONGEST_PAUSE_SECONDS, Schedule
from frrsync.core.node_facts import NodeFacts
from frrsync.core.node_parameters import asks_for_gateway
from frrsync.core.redact import redact
from frrsync.errors import ApplyError, FrrsyncError, FrrUnavailable, NotWithdrawn, VerifyError

if TYPE_CHECKING:
    from threading import Event

    from frrsync.agent.gateway import GatewayWatch
    from frrsync.agent.inputs import Inputs, Known
    from frrsync.agent.orders import OrderBook
    from frrsync.agent.report import Reconciled
    from frrsync.agent.wake import Wake
    from frrsync.core.decide import Decision
    from frrsync.core.model import Mistake, Snapshot
    from frrsync.core.node_facts import DrainStage
    from frrsync.core.status import LastApply
    from frrsync.frr.dialect import Dialect
    from frrsync.frr.render import RenderedConfig
    from frrsync.settings import Settings

VERIFY_AFTER_SECONDS = 1.0
"""A small change of a large configuration is read back after this much quiet."""
LONGEST_SETTLE_SECONDS = 1.0
GOODBYE_PAUSE_SECONDS = 0.5
"""How often an FRR that does not answer is tried again before the program ends."""

MOST_SUSPICIONS = 3
"""How often in one round peers are left out because FRR refused what came of them."""

_DOUBT = frozenset({"frr", "operator", "start", "templates", "order"})


class Loop:
    """Brings the FRR of one node to what manifests and addresses ask for, again and again.

    Attributes:
        alive_at: monotonic time at which the last round began.

    """

    def __init__(
        self, settings: Settings, inputs: Inputs, wake: Wake, orders: OrderBook, gateways: GatewayWatch
    ) -> None:
        self._settings = settings
        self._gateways = gateways
        self._inputs = inputs
        self._wake = wake
        self._orders = orders
        self._log = log.get("agent")
        self._delivery = Delivery(settings)
        self._decisions = Decisions(settings)
        self._guard = Guard(settings)
        self._drain = NodeDrain(settings, orders)
        self._goodbye = Goodbye(settings, self._drain)
        self._schedule = Schedule(settings.check_interval)
        self._rendering = Rendering(
            settings.templates, settings.run_dir / f"reprints-{settings.node}.json", lambda: wake("reprint")
        )
        self._delivery.learn_with(self._rendering)
        self._good: tuple[Snapshot, RenderedConfig] | None = None  # what FRR took last
        self._rendered: tuple[RenderedConfig, DrainStage] | None = None  # the newest, and how drained it is
        self._published = Publication()
        self.alive_at = monotonic()

    @property
    def reconciled(self) -> Reconciled:
        """Return what was done last; any thread may ask."""
        return self._published.current

    def claim(self) -> None:
        """Make sure that no other agent works on this FRR; raises FrrUnavailable when one does."""
        if not self._settings.observe:
            self._delivery.claim()

    def run(self, stop: Event) -> None:
        """Reconcile until the event is set and what is to be withdrawn then has been; its setter wakes the loop."""
        causes = frozenset({"start"})
        while not self._is_over(stop):
            started = self.alive_at = monotonic()
            self._safe_round(causes)
            busy = monotonic() - started
            causes = self._wake.wait(self._next_wake() - monotonic())
            # Idle until now: act at once. Under churn: rest as long as a round takes, so that what
            # arrives meanwhile is done together, and FRR and the machine get their share.
            if causes and monotonic() - started < 2 * busy and not stop.is_set():
                causes |= self._rest(min(busy, LONGEST_SETTLE_SECONDS), stop)
        self._leave()

    def _leave(self) -> None:
        """Take back what goes with the program; raises NotWithdrawn when announcements may stay that should not."""
        if self._settings.on_stop != "keep" and self._good is not None and self._may_send:
            try:
                self._delivery.leave()
            except FrrsyncError as error:
                self._goodbye.fail(redact(str(error)))
        self._delivery.close()
        if self._goodbye.failure:
            raise NotWithdrawn(self._goodbye.failure)

    def _is_over(self, stop: Event) -> bool:
        """Say whether the program may end."""
        has_decided = self.reconciled.decision is not None
        return stop.is_set() and self._goodbye.is_over(may_send=self._may_send, has_decided=has_decided)

    def _has_told(self) -> bool:
        """Say whether FRR runs what is wanted and has sent the withdrawals to our peers."""
        decision = self.reconciled.decision
        if decision is None or self._delivery.is_verification_pending:
            return False
        if self._goodbye.has_begun and self._delivery.takes_neighbors_along:
            return True
        return self._delivery.has_told(decision.sessions, self._drain.withdrawing)

    def _safe_round(self, causes: frozenset[str]) -> None:
        """Do one round; a defect of ours is logged and tried again, it never ends the agent."""
        try:
            self._round(causes)
        except Exception as error:  # noqa: BLE001 - the last resort: a defect must not end the agent
            self._log.exception("round_failed")
            self._published.note(problem=f"internal error: {redact(repr(error))}")
            self._schedule.retry_at(monotonic() + LONGEST_PAUSE_SECONDS)

    def _rest(self, seconds: float, stop: Event) -> frozenset[str]:
        stop.wait(seconds)
        return self._wake.wait(0.0)

    def _next_wake(self) -> float:
        """Return when the loop has to look by itself, as monotonic time."""
        times = [self._schedule.next_at]
        if self._delivery.is_verification_pending and self._may_send:
            times.append(monotonic() + VERIFY_AFTER_SECONDS)
        others = (self._guard.deadline, self._drain.next_look, self._goodbye.next_look, self._decisions.release_at)
        times += [moment for moment in others if moment is not None]
        paused_until = self._orders.current.paused_until
        if paused_until is not None and paused_until > time():
            times.append(monotonic() + paused_until - time())
        return min(times)

    def _round(self, causes: frozenset[str]) -> None:
        """Do everything once; whatever goes wrong ends in the status and in the log."""
        if self._goodbye.has_begun and not self._delivery.answers():
            self._schedule.retry_at(monotonic() + GOODBYE_PAUSE_SECONDS)
            return
        due = self._schedule.due() | self._drain.due
        if "templates" in causes or (due and self._rendering.problem):
            self._rendering.renew()
        decision, rendered = self.reconciled.decision, self.reconciled.rendered
        known = self.reconciled.known
        try:
            known = self._inputs.read()
            problem = known.waiting_for
            if "frr" in causes:
                self._decisions.release()
                self._rendering.forget_unprinted()
            self._decisions.release_if_due()
            if not problem:
                known, decision = self._decide(known)
                rendered = self._render(decision)
                problem = self._rendering.problem or known.trouble
        except FrrsyncError as error:
            problem = redact(str(error))
        obstacle = self._delivery.obstacle
        self._publish(known, decision, rendered, problem or obstacle)
        if self.reconciled.problem:
            self._published.tell_problem()
        if rendered is not None:
            # Also after a problem: a restarted FRR gets the last good configuration back.
            self._bring(rendered, causes, due)
        self._note_obstacle(obstacle)
        self._note_drain()
        is_wrong = self._delivery.has_failed or bool(self.reconciled.problem)
        self._schedule.plan_retry(is_wrong=is_wrong, was_due="retry" in due)
        self._published.tell_problem()

    def _facts(self, known: Known) -> NodeFacts:
        """Return what is true of this node now and stands in no manifest."""
        node = known.snapshot.nodes.get(self._settings.node)
        wanted = asks_for_gateway(known.snapshot, self._settings.node)
        return NodeFacts(
            default_gateways=self._gateways.current(wanted=wanted),
            drain=self._drain.look(node, self._delivery.running_prefixes),
        )

    def _render(self, decision: Decision) -> RenderedConfig:
        """Render, and remember how drained the node is in it."""
        rendered = self._rendering.render(decision.config, self._dialect())
        self._rendered = (rendered, decision.drain.stage)
        return rendered

    def _note_obstacle(self, before: str) -> None:
        """Publish what of an operator's FRR stands in the way now, unless something else is wrong as well."""
        found = self._delivery.obstacle
        if self.reconciled.problem in {"", before}:
            self._published.note(problem=found)

    def _note_drain(self) -> None:
        """Let the clock of a drain start when FRR runs its stage, and publish how far it is."""
        if self._rendered is not None and self._rendered[0].tree is self._delivery.applied:
            self._drain.taken(self._rendered[1])
        self._drain.listen(self._has_told)
        self._published.note(drain=self._drain.state)

    def _decide(self, known: Known) -> tuple[Known, Decision]:
        """Return what counts, with what the guard put back, and the decision on it."""
        facts = self._facts(known)
        return self._guard.decide(
            known,
            lambda found: self._decisions.decide(found, facts),
            self._delivery.running_prefixes,
            self._orders.current,
        )

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
        self._published.decided(
            known=known,
            decision=decision,
            rendered=rendered,
            problem=problem,
            held=self._guard.held,
            templates=self._rendering.mistakes,
        )

    # applying

    def _bring(self, rendered: RenderedConfig, causes: frozenset[str], due: frozenset[str]) -> None:
        """Apply if there is a reason to: another configuration, a doubt about FRR, a due retry."""
        doubt = bool(causes & _DOUBT or due)
        quiet = not causes and self._delivery.is_verification_pending
        refused = self._delivery.refused
        if not doubt and rendered.tree is refused:
            return
        if not doubt and refused is not None and monotonic() < self._delivery.next_try_at:
            self._schedule.retry_at(self._delivery.next_try_at)
            return
        if rendered.tree is self._delivery.applied and not doubt and not quiet:
            return
        trigger = ",".join(sorted(causes or due)) or "verify"
        error = self._apply(rendered, trigger, reread=doubt or quiet)
        if isinstance(error, ApplyError) and not self._go_on_without_suspects(error):
            self._fall_back(redact(str(error)))

    @property
    def _may_send(self) -> bool:
        is_held = self._settings.observe or self._guard.holds_everything
        return not is_held and not self._orders.current.is_paused(time())

    def _apply(self, rendered: RenderedConfig, trigger: str, *, reread: bool) -> FrrsyncError | None:
        """Apply and report; returns what went wrong."""
        may_send = self._may_send
        done, error = self._delivery.apply(rendered, trigger, reread=reread, send=may_send)
        self._published.applied(self._blame(done, error))
        if error is None and may_send:
            self._keep(rendered)
        return error

    def _blame(self, done: LastApply, error: FrrsyncError | None) -> LastApply:
        """Name the objects behind what FRR refused, in the report and in the status."""
        known, decision = self.reconciled.known, self.reconciled.decision
        found: tuple[Mistake, ...] = ()
        if isinstance(error, ApplyError) and known is not None and decision is not None:
            snapshot = self._decisions.effective(known.snapshot)
            found = culprits(error, snapshot, decision, self._rendering.place_of)
        self._published.note(refused=found)
        return replace(done, error=f"{named(found)}{done.error}") if found else done

    def _keep(self, rendered: RenderedConfig) -> None:
        """Remember what FRR took, and keep the file that it starts with equal to it."""
        self._rendering.accept()
        if self.reconciled.known is not None:
            self._good = (self._decisions.effective(self.reconciled.known.snapshot), rendered)
        self._published.note(unwritten=self._delivery.write(rendered))

    def _go_on_without_suspects(self, error: FrrsyncError) -> bool:
        """Leave out the peers that FRR seems to refuse, and say whether it takes the rest."""
        known = self.reconciled.known
        if known is None or self._rendering.has_other_templates:
            return False
        try:
            return self._leave_out_suspects(known, error)
        except FrrsyncError as problem:
            self._log.error("fallback_failed", error=redact(str(problem)))
            return False

    def _leave_out_suspects(self, known: Known, error: FrrsyncError) -> bool:
        taken = self._good[0] if self._good else None
        running = self._delivery.running_neighbors() if taken is None else frozenset[str]()
        for _ in range(MOST_SUSPICIONS):
            is_certain = not isinstance(error, VerifyError)
            if not self._decisions.suspect(known, taken, redact(str(error)), running, is_certain=is_certain):
                return False
            decision = self._decisions.decide(known, self._facts(known))
            rendered = self._render(decision)
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
                rendered = self._render(decision)
                self._publish(self.reconciled.known, decision, rendered, reason)
                self._apply(rendered, "fallback", reread=True)
            elif self._good[1].tree != self._delivery.refused and self._may_send:
                self._delivery.restore(self._good[1])
        except FrrsyncError as error:
            self._log.error("fallback_failed", error=redact(str(error)))
