"""Bringing a rendered configuration to FRR and to its file, and remembering what FRR took and refused."""

from __future__ import annotations

from time import monotonic, time
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.agent.claim import Claim
from frrsync.agent.drain import has_told
from frrsync.agent.report import failed, observed, succeeded
from frrsync.agent.sharing import Sharing
from frrsync.errors import ApplyError, FrrsyncError, FrrUnavailable, VtyError
from frrsync.frr import diff
from frrsync.frr.apply import Applier
from frrsync.frr.conf_file import write_conf
from frrsync.frr.lines import neighbor_of
from frrsync.frr.plan import Daemon
from frrsync.frr.session import open_frr
from frrsync.frr.show import SESSIONS_COMMAND, advertised_command, read_advertised, read_sessions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from frrsync.core.session import Session as Wanted
    from frrsync.core.status import LastApply
    from frrsync.frr.dialect import Dialect
    from frrsync.frr.render import RenderedConfig
    from frrsync.frr.reprint import Learner
    from frrsync.frr.show import Session
    from frrsync.frr.tree import Tree
    from frrsync.settings import Settings

QUICK_TIMEOUT_SECONDS = 3.0
"""How long bgpd may take to say what its sessions carry, and whether it works at all."""

FIRST_REFUSED_PAUSE_SECONDS = 1.0
LONGEST_REFUSED_PAUSE_SECONDS = 8.0
"""After FRR refused something, another configuration is tried this much later at the earliest, growing from the
first to the longest: each try may show neighbors a change that is then taken back."""


class Delivery:
    """The way to one FRR; belongs to the reconcile thread.

    Attributes:
        applied: the tree that FRR runs, None while that is not known.
        refused: the tree that FRR refused last, None after one that it took.
        next_try_at: monotonic time before which no other configuration is tried after a refusal.
        has_failed: the last apply failed.

    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._frr = open_frr(settings)
        self._quick = open_frr(settings, timeout=QUICK_TIMEOUT_SECONDS)
        self._sharing = Sharing(settings, self._frr) if settings.frr_mode == "shared" else None
        self._applier = Applier(self._frr, self._sharing.make_plan if self._sharing else diff.make_plan)
        self._claim = Claim(settings.vty_dir / settings.frr_namespace)
        self._log = log.get("agent")
        self._written: str | None = None
        self._told = ""  # why the file could not be written
        self.applied: Tree | None = None
        self.refused: Tree | None = None
        self.next_try_at = 0.0
        self._pause = 0.0
        self.has_failed = False

    @property
    def dialect(self) -> Dialect:
        """Return how the FRR that runs now writes its configuration; raises FrrUnavailable while none runs."""
        return self._frr.dialect

    def learn_with(self, learner: Learner) -> None:
        """Have what FRR prints in another form learned by who knows where a line comes from."""
        self._applier.learner = learner

    @property
    def is_verification_pending(self) -> bool:
        """Say whether a small change waits to be read back."""
        return self._applier.is_verification_pending

    def apply(
        self, rendered: RenderedConfig, trigger: str, *, reread: bool, send: bool = True
    ) -> tuple[LastApply, FrrsyncError | None]:
        """Apply, or with ``send=False`` only compare; return the report and what went wrong."""
        started, at = monotonic(), time()
        try:
            tree, reread = self._fitted(rendered.tree), reread or self._sharing is not None
            if send:
                self._claim.take()
                done = succeeded(self._applier.apply(tree, trigger, reread=reread), at)
            else:
                done = observed(self._applier.plan(tree), trigger, at, monotonic() - started)
                self.applied, self.refused, self.has_failed = None, None, False  # what runs is not what is wanted
                return done, None
        except FrrsyncError as error:
            result = None if isinstance(error, FrrUnavailable) else self._applier.last
            self.applied, self.has_failed = None, True
            if isinstance(error, ApplyError):
                self.refused = rendered.tree
                self._pause = min(LONGEST_REFUSED_PAUSE_SECONDS, 2 * self._pause or FIRST_REFUSED_PAUSE_SECONDS)
                self.next_try_at = monotonic() + self._pause
            return failed(result, error, trigger, at, monotonic() - started), error
        self.applied, self.refused, self.has_failed = rendered.tree, None, False
        self._pause = 0.0
        if self._sharing is not None:
            self._sharing.taken()
        return done, None

    def claim(self) -> None:
        """Make sure that no other agent works on this FRR; raises FrrUnavailable when one does."""
        self._claim.take()

    def restore(self, rendered: RenderedConfig) -> None:
        """Have FRR run what it took before, while another configuration stays wanted; raises what went wrong."""
        self._applier.apply(self._fitted(rendered.tree), "fallback", reread=True)

    @property
    def obstacle(self) -> str:
        """Return what of an operator's FRR stands in the way of something wanted; empty for nothing."""
        return self._sharing.problem if self._sharing else ""

    @property
    def takes_neighbors_along(self) -> bool:
        """Say whether our neighbors are taken back at the end: whatever they still carry goes with them."""
        return self._sharing is not None

    def leave(self) -> None:
        """Take everything of ours out of an operator's FRR; one of our own keeps its sessions.

        Raises what went wrong.
        """
        if self._sharing is not None:
            self._applier.apply({}, "exit", reread=True)
            self._log.info("left")

    def _fitted(self, tree: Tree) -> Tree:
        """Return what of a rendered tree this FRR can take: all of it unless an operator runs it."""
        return self._sharing.fit(tree) if self._sharing else tree

    def write(self, rendered: RenderedConfig) -> str:
        """Keep the file that FRR starts with equal to what it runs; return why that was not possible, or nothing."""
        if self._settings.frr_conf is None or rendered.text == self._written:
            return ""
        try:
            write_conf(self._settings.frr_conf, rendered.text)
        except OSError as error:
            why = (
                f"{self._settings.frr_conf} cannot be written: {error.strerror or error}; FRR would start with the old"
            )
            if why != self._told:
                self._log.error("cannot_write_file", file=str(self._settings.frr_conf), error=str(error))
            self._told = why
            return why
        self._told = ""
        self._written = rendered.text
        return ""

    def running_prefixes(self) -> frozenset[str]:
        """Return the prefixes that FRR announces of ours now; raises FrrUnavailable while none runs."""
        found = (
            line.split(" ")
            for context, content in self._frr.read().items()
            if context.startswith("router ")
            for family in content.values()
            for line in family
            if line.startswith("network ")
        )
        return frozenset(words[1] for words in found if words[2:3] == ["route-map"] and words[3].startswith("frrsync-"))

    def has_told(self, wanted: Iterable[Wanted], withdrawing: Collection[str] | None) -> bool:
        """Say whether FRR has certainly sent the withdrawal of these prefixes; None for all that there are."""
        try:
            found = read_sessions(self._quick.show(SESSIONS_COMMAND, Daemon.BGPD))
            return has_told(
                found, wanted, lambda session: withdrawing is None or self._advertises(session, withdrawing)
            )
        except VtyError:
            return False

    def _advertises(self, session: Session, prefixes: Collection[str]) -> bool:
        """Say whether a neighbor has one of these prefixes from FRR."""
        commands = (advertised_command(session, family) for family in session.families)
        return any(
            not read_advertised(self._quick.show(command, Daemon.BGPD), command).isdisjoint(prefixes)
            for command in commands
        )

    def answers(self) -> bool:
        """Say whether bgpd answers now, without waiting for long."""
        try:
            self._quick.show(SESSIONS_COMMAND, Daemon.BGPD)
        except VtyError:
            return False
        return True

    def running_neighbors(self) -> frozenset[str]:
        """Return the neighbors that FRR has now, whoever configured them."""
        lines = [
            line for context, content in self._frr.read().items() if context.startswith("router ") for line in content
        ]
        return frozenset(map(neighbor_of, lines)) - {""}

    def close(self) -> None:
        """Close the connections to FRR."""
        self._frr.close()
        self._quick.close()
        self._claim.release()
