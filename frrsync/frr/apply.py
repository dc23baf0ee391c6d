"""Making the running FRR equal to what is wanted: plan, send, verify, or roll back.

Not equal in the end means going back to what ran before, and an error that says which line or what
differs. A daemon that goes away in the middle is no reason to go back: it comes back empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.core.redact import redact
from frrsync.errors import ApplyError, CommandRefused, VerifyError, VtyError
from frrsync.frr.deviation import MOST_SHOWN, deviations, summary
from frrsync.frr.diff import make_plan
from frrsync.frr.running import Running
from frrsync.frr.scope import managed, run_by
from frrsync.frr.soundness import require_sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from frrsync.errors import FrrsyncError
    from frrsync.frr.plan import Plan, Reset
    from frrsync.frr.reprint import Learner
    from frrsync.frr.session import Frr
    from frrsync.frr.tree import Path, Tree

SMALL_PLAN = 50
"""A larger plan is verified at once whatever the size of the configuration."""

_ROLLBACK_ROUNDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyResult:
    """What one apply did.

    Attributes:
        trigger: why it was made, in the words of the caller.
        commands: how many lines were to be sent; 0 when FRR ran what was wanted already.
        duration: seconds.
        verified: FRR was read back and is equal; False while that waits for a quiet moment.
        resets: the sessions that the plan could not leave up.
        error: why it failed, redacted; empty for success.
        rolled_back: after a failure: FRR runs again what it ran before.

    """

    trigger: str
    commands: int
    duration: float
    verified: bool = True
    resets: tuple[Reset, ...] = ()
    error: str = ""
    rolled_back: bool = False

    @property
    def changed(self) -> bool:
        """Say whether FRR runs something else than before."""
        return self.commands > 0 and not self.rolled_back


class Applier:
    """Brings one FRR to what is wanted; used by one thread.

    Attributes:
        last: the result of the last apply, also of one that failed; None before the first.
        learner: who knows which lines come from templates of the operator's; None without such templates.

    """

    def __init__(self, frr: Frr, make_plan: Callable[[Tree, Tree], Plan] = make_plan) -> None:
        self._frr = frr
        self._make_plan = make_plan
        self._log = log.get("frr.apply")
        self._running = Running(frr)
        self._unverified: Tree | None = None
        self.last: ApplyResult | None = None
        self.learner: Learner | None = None

    @property
    def is_verification_pending(self) -> bool:
        """Say whether ``verify_pending`` has something to do."""
        return self._unverified is not None

    def plan(self, desired: Tree) -> Plan:
        """Return what an apply would send, without sending it."""
        return self._make_plan(*self._compared(desired))

    def differences(self, desired: Tree) -> tuple[list[Path], list[Path]]:
        """Return the lines that are wanted and do not run, and those that run and are not wanted."""
        return deviations(*self._compared(desired))

    def apply(self, desired: Tree, trigger: str, *, reread: bool = False) -> ApplyResult:
        """Make FRR run this tree; ``reread`` trusts nothing that was read earlier.

        What belongs to a bfdd or zebra that cannot be reached waits for an apply with ``reread`` that can.

        Raises:
            ApplyError: a line was refused.
            VerifyError: FRR runs something else than was sent.
            FrrUnavailable: FRR is not there, or went away in the middle; nothing was rolled back.

        """
        started = monotonic()
        plan = None
        try:
            wanted = managed(desired, self._frr.dialect)
            kept = None if reread else self._running.kept(wanted)
            checkpoint = self._read() if kept is None else kept
            reached = self._running.part_of(wanted)
            if self.learner is not None:
                reached = self.learner.recognize(checkpoint, reached)
            require_sound(reached, self._origin, self._shown)
            plan = self._make_plan(checkpoint, reached)
            if plan:
                may_defer = kept is not None and len(plan.commands) <= SMALL_PLAN and not self._may_learn(plan)
                self._execute(plan, checkpoint, reached, verify=not may_defer)
                if may_defer:
                    self._running.tree, self._unverified = reached, wanted
        except (VtyError, ApplyError) as error:
            self._running.tree = self._unverified = None
            self._report(plan, trigger, started, error)
            raise
        return self._report(plan, trigger, started)

    def verify_pending(self) -> ApplyResult | None:
        """Read back what a small change left unverified, and repair it; None when nothing waits.

        For the first second of quiet after a change; raises what ``apply`` raises.
        """
        if self._unverified is None:
            return None
        return self.apply(self._unverified, "verify", reread=True)

    def _compared(self, desired: Tree) -> tuple[Tree, Tree]:
        """Return what runs and what is wanted, both of the daemons that can be reached."""
        running = self._frr.read()
        return running, run_by(managed(desired, self._frr.dialect), self._frr.reachable)

    def _read(self) -> Tree:
        self._unverified = None
        return self._running.read()

    def _execute(self, plan: Plan, checkpoint: Tree, wanted: Tree, *, verify: bool) -> None:
        """Send a plan and check what came of it; what went wrong is taken back."""
        try:
            self._frr.send(plan.commands)
            if verify:
                self._verify_twice(wanted, checkpoint)
        except CommandRefused as error:
            self._running.require_same_daemons()
            rolled_back, outcome = self._roll_back(checkpoint)
            # the line stands last: whoever hides passwords again hides all that follows one
            raise ApplyError(
                f"{error.daemon} refused a line{self._origin(error.line)} with status {error.status} ({outcome}): "
                f"{self._shown(error.text)}: {self._shown(error.line)!r}",
                rolled_back=rolled_back,
                paths=((*(line for line in error.context if line != error.line), error.line),),
            ) from error
        except VerifyError as error:
            rolled_back, outcome = self._roll_back(checkpoint)
            raise VerifyError(
                f"FRR took every line but runs something else ({outcome}): {error}",
                rolled_back=rolled_back,
                paths=error.paths,
            ) from error

    def _verify_twice(self, wanted: Tree, checkpoint: Tree) -> None:
        """Read back and compare; what differs is sent once more if that resets nobody.

        Somebody else may have changed FRR in between, which is no reason to take everything back.
        """
        try:
            self._verify(wanted, checkpoint)
        except VerifyError as error:
            again = self._make_plan(self._running.tree or {}, wanted)
            if again.resets:
                raise
            self._frr.send(again.commands)
            self._verify(wanted, checkpoint)
            self._log.warning("frr_changed_by_others", differences=str(error))

    def _verify(self, wanted: Tree, checkpoint: Tree) -> None:
        """Read back and compare."""
        running = self._running.read_back()
        if running != wanted and not self._is_explained(checkpoint, running, wanted):
            missing, unexpected = deviations(running, wanted)
            raise VerifyError(self._shown(summary(running, wanted)), paths=(*missing, *unexpected)[:MOST_SHOWN])

    def _may_learn(self, plan: Plan) -> bool:
        """Say whether the plan sends lines that FRR may print in another form."""
        return self.learner is not None and self.learner.prints(command.line for command in plan.commands)

    def _is_explained(self, checkpoint: Tree, running: Tree, wanted: Tree) -> bool:
        """Say whether all that differs are lines of the operator's templates that FRR prints in another form."""
        if self.learner is None:
            return False
        if again := self.learner.send_again(checkpoint, running, wanted):
            self._frr.send(again)
            running = self._running.read_back()
        return running == wanted or self.learner.learn(checkpoint, running, wanted) == running

    def _shown(self, text: str) -> str:
        """Return a text without passwords, in whatever line a template prints them."""
        return redact(self.learner.hide(text) if self.learner is not None else text)

    def _origin(self, line: str) -> str:
        place = self.learner.place_of(line) if self.learner is not None else ""
        return f" of {place}" if place else ""

    def _roll_back(self, checkpoint: Tree) -> tuple[bool, str]:
        """Go back to what ran before, from whatever runs now; says whether and how that ended.

        More than one round, because FRR adds lines of its own to a configuration that is not ours
        (neighbors that come back are active in IPv4 by default).
        """
        try:
            for _ in range(_ROLLBACK_ROUNDS):
                running, before = self._running.against(checkpoint)
                if running == before:
                    return True, "rolled back"
                self._frr.send(self._make_plan(running, before).commands)
            running, before = self._running.against(checkpoint)
        except VtyError as error:
            self._log.error("frr_rollback_failed", reason=str(error))
            return False, f"rolling back failed: {error}"
        if running == before:
            return True, "rolled back"
        left = self._shown(summary(running, before))
        self._log.error("frr_rollback_differs", differences=left)
        return False, f"rolling back left a difference: {left}"

    def _report(
        self, plan: Plan | None, trigger: str, started: float, error: FrrsyncError | None = None
    ) -> ApplyResult:
        """Keep the result for whoever asks later, and log it when something was sent."""
        self.last = ApplyResult(
            trigger=trigger,
            commands=len(plan.commands) if plan else 0,
            duration=monotonic() - started,
            verified=error is None and self._unverified is None,
            resets=plan.resets if plan else (),
            error=str(error) if error else "",
            rolled_back=isinstance(error, ApplyError) and error.rolled_back,
        )
        if plan and error is None:
            self._log.info(
                "frr_applied",
                trigger=trigger,
                commands=self.last.commands,
                milliseconds=round(self.last.duration * 1000, 1),
                resets=len(self.last.resets),
            )
        return self.last
