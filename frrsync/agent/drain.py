"""How a node leaves: first everything is announced as the last choice, after a time nothing is announced.

A drain is asked for by an order, by the Node object, or by the stop of the agent, and lasts as long as any of
them asks for it. Its clock starts when FRR has taken the first stage: while FRR is away, or sending is paused, no
router has heard of anything. A node that announces nothing when it is asked is withdrawn at once. That makes a
restart safe without a file: an agent that finds its node drained and FRR silent does not announce again. A Node
object that is gone ends no drain that it asked for: it is deleted when the machine goes.
"""

from __future__ import annotations

from time import monotonic, time
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.core.drain import asked_by_node
from frrsync.core.node_facts import NOT_DRAINED, Drain, DrainSource, DrainStage
from frrsync.core.status import DrainState
from frrsync.errors import VtyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from frrsync.agent.orders import OrderBook
    from frrsync.core.model import Node
    from frrsync.core.session import Session as Wanted
    from frrsync.frr.show import Session
    from frrsync.settings import Settings

LONGEST_GOODBYE_SECONDS = 15.0
"""How much longer than a drain takes the program waits for FRR before it ends."""
LOOK_SECONDS = 0.1
"""How often FRR is asked whether the withdrawals have been sent."""
RARE_LOOK_SECONDS = 1.0
"""How often when that takes long: a router that reads nothing is waited for until its session ends."""
RARE_AFTER_SECONDS = 5.0
QUIET_LOOKS = 2
"""Between two counters of FRR an UPDATE may still be on its way, so one look is not enough."""
_OF_THE_NODE = frozenset({DrainSource.LABEL, DrainSource.ANNOTATION})


class NodeDrain:
    """How far one node is drained; belongs to the reconcile thread.

    Attributes:
        withdrawing: the prefixes that FRR announced when the last stage began; None while that is not known.

    """

    def __init__(self, settings: Settings, orders: OrderBook) -> None:
        self._settings = settings
        self._orders = orders
        self._log = log.get("agent.drain")
        self._noticed: dict[DrainSource, float] = {}
        self._is_stopping = False
        self._left = 0.0  # seconds for which a node that is drained is announced as the last choice
        self._now = NOT_DRAINED
        self._lowered: tuple[float, float] | None = None  # monotonic, and since the epoch
        self._withdrawn: tuple[float, float] | None = None
        self._quiet_looks = 0
        self.withdrawing: frozenset[str] | None = None

    def look(self, node: Node | None, announced: Callable[[], frozenset[str]]) -> Drain:
        """Return how far the node is drained now; ``node`` is None while there is no object for it.

        ``announced`` returns the prefixes that FRR announces of ours; it is asked when a stage begins only, and
        an FRR that does not answer may still be announcing.
        """
        asked = self._asked(node)
        if not asked:
            self._end()
            return self._now
        if self._now.stage is DrainStage.NONE:
            since = min(asked.values())
            self._left = self._settings.drain_time - min(max(0.0, time() - since), self._settings.drain_time)
            self._log.info("drain_begins", asked_by=sorted(asked), seconds=round(self._left, 1))
        stage = self._stage(asked, announced)
        if stage is not self._now.stage:
            self._log.info("drain_stage", stage=str(stage))
            if stage is DrainStage.WITHDRAWN:
                self.withdrawing = _asked_for(announced)
        self._now = Drain(stage=stage, asked_by=tuple(sorted(asked)), since=min(asked.values()))
        if self._settings.observe:
            self.taken(stage)  # nobody else will: the clock runs as it would if something were sent
        return self._now

    def taken(self, stage: DrainStage) -> None:
        """Note that FRR runs what was decided in this stage."""
        if stage is not self._now.stage:
            return
        if stage is DrainStage.LOWERED and self._lowered is None:
            self._lowered = monotonic(), time()
        if stage is DrainStage.WITHDRAWN and self._withdrawn is None:
            self._withdrawn = monotonic(), time()

    def listen(self, has_told: Callable[[], bool]) -> None:
        """Ask, once it is withdrawn and until that is sure, whether FRR has sent the withdrawals."""
        if self._is_telling:
            self._quiet_looks = self._quiet_looks + 1 if has_told() else 0

    def stop(self) -> None:
        """Note that the program is to end, and its announcements before it."""
        self._is_stopping = True

    @property
    def deadline(self) -> float | None:
        """Return when the next stage begins, as monotonic time; None when that is not known."""
        if self._now.stage is not DrainStage.LOWERED or self._lowered is None:
            return None
        return self._lowered[0] + self._left

    @property
    def due(self) -> frozenset[str]:
        """Return ``drain`` when the next stage is due, in the form of the causes of a round."""
        is_due = self.deadline is not None and monotonic() >= self.deadline
        return frozenset({"drain"}) if is_due else frozenset()

    @property
    def next_look(self) -> float | None:
        """Return when to look again, as monotonic time: for the next stage, then for the withdrawals; None for never.

        A stage that could not begin when it was due is no reason to look without a pause.
        """
        now = monotonic()
        if self.deadline is not None:
            return self.deadline if now < self.deadline else now + LOOK_SECONDS
        if not self._is_telling or self._withdrawn is None:
            return None
        return now + (LOOK_SECONDS if now < self._withdrawn[0] + RARE_AFTER_SECONDS else RARE_LOOK_SECONDS)

    @property
    def has_withdrawn(self) -> bool:
        """Say whether FRR has been told to withdraw everything."""
        return self._withdrawn is not None

    @property
    def has_told(self) -> bool:
        """Say whether FRR has sent the withdrawals."""
        return self.has_withdrawn and self._quiet_looks >= QUIET_LOOKS

    @property
    def _is_telling(self) -> bool:
        return self.has_withdrawn and not self.has_told and not self._settings.observe

    @property
    def state(self) -> DrainState | None:
        """Return what the status says of it; None when the node is not drained."""
        if self._now.stage is DrainStage.NONE:
            return None
        return DrainState(
            stage=self._now.stage,
            asked_by=self._now.asked_by,
            since=self._now.since,
            drain_time=self._settings.drain_time,
            lowered_at=self._lowered[1] if self._lowered else None,
            withdrawn_at=self._withdrawn[1] if self._withdrawn else None,
            told=self.has_told if self._withdrawn else None,
        )

    def _asked(self, node: Node | None) -> dict[DrainSource, float]:
        """Return who asks for a drain, each with the time since when (seconds since the epoch)."""
        now = time()
        ordered_at = self._orders.current.drained_at
        by_node = asked_by_node(node) if node is not None else _OF_THE_NODE & self._noticed.keys()
        asking = [*by_node, *([DrainSource.STOP] if self._is_stopping else [])]
        self._noticed = {source: self._noticed.get(source, now) for source in asking}
        return self._noticed if ordered_at is None else {DrainSource.ORDER: ordered_at, **self._noticed}

    def _stage(self, asked: Iterable[DrainSource], announced: Callable[[], frozenset[str]]) -> DrainStage:
        is_hasty = DrainSource.STOP in asked and self._settings.on_stop == "withdraw"
        if self._now.stage is DrainStage.WITHDRAWN or self._left <= 0 or is_hasty:
            return DrainStage.WITHDRAWN
        if self._lowered is not None:
            is_over = monotonic() >= self._lowered[0] + self._left
            return DrainStage.WITHDRAWN if is_over else DrainStage.LOWERED
        return DrainStage.WITHDRAWN if _asked_for(announced) == frozenset() else DrainStage.LOWERED

    def _end(self) -> None:
        if self._now.stage is not DrainStage.NONE:
            self._log.info("drain_ended")
        self._now, self._lowered, self._withdrawn = NOT_DRAINED, None, None
        self._quiet_looks, self.withdrawing = 0, None


class Goodbye:
    """What is still to be done between the wish to end the program and its end.

    Attributes:
        failure: why announcements that should have been withdrawn may stay; empty when none does.

    """

    def __init__(self, settings: Settings, drain: NodeDrain) -> None:
        self._settings = settings
        self._drain = drain
        self._log = log.get("agent.drain")
        self._until: float | None = None
        self.failure = ""

    @property
    def has_begun(self) -> bool:
        """Say whether the program only lives on to withdraw."""
        return self._until is not None

    @property
    def next_look(self) -> float | None:
        """Return when to look whether the program may end, as monotonic time; None while it goes on."""
        return monotonic() if self.has_begun and self._drain.has_told else self._until

    def is_over(self, *, may_send: bool, has_decided: bool) -> bool:
        """Say whether the program may end now; to be called after it was asked to, before every round.

        ``has_decided`` says whether it ever knew what to announce; before that it cannot say what to withdraw.
        """
        if self._settings.on_stop == "keep" or self._settings.observe:
            return True
        if not may_send or not has_decided:
            self.fail("nothing may be sent to FRR now" if has_decided else "the agent has not come to a decision yet")
            return True
        if self._until is None:
            self._drain.stop()
            self._until = monotonic() + LONGEST_GOODBYE_SECONDS
            return False
        if self._drain.deadline is not None:
            self._until = self._drain.deadline + LONGEST_GOODBYE_SECONDS
        if self._drain.has_told:
            self._log.info("withdrawn")
            return True
        if monotonic() >= self._until:
            self.fail("sessions still carry prefixes" if self._drain.has_withdrawn else "FRR did not take it")
            return True
        return False

    def fail(self, reason: str) -> None:
        """Note why the announcements may stay."""
        self._log.error("withdraw_failed", reason=reason)
        self.failure = f"stopped, but announcements may stay: {reason}"


def has_told(found: Iterable[Session], wanted: Iterable[Wanted], carries: Callable[[Session], bool]) -> bool:
    """Say whether FRR has sent the withdrawal of everything on the sessions that are ours, as far as they are up.

    ``carries`` says whether a session on which FRR counts prefixes still has one of ours.
    """
    ours = frozenset((session.peer.vrf, session.neighbor.peer) for session in wanted)
    return all(
        not session.messages_queued and (session.prefixes_sent == 0 or not carries(session))
        for session in found
        if session.is_established and (session.vrf, session.peer) in ours
    )


def _asked_for(announced: Callable[[], frozenset[str]]) -> frozenset[str] | None:
    """Return what FRR announces of ours; None when it does not answer."""
    try:
        return announced()
    except VtyError:
        return None
