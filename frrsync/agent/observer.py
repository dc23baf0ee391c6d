"""Looking at FRR from the side: does it run, was it restarted, which sessions are up.

It has connections of its own, so that a slow answer never delays a change, and it changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event, Thread
from time import time
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.agent.sharing import OperatorWatch
from frrsync.core.status import FrrState
from frrsync.errors import FrrUnavailable, VtyError
from frrsync.frr import scope
from frrsync.frr.plan import Daemon
from frrsync.frr.session import open_frr
from frrsync.frr.show import (
    BFD_COMMAND,
    FAILED_COMMAND,
    SESSIONS_COMMAND,
    read_bfd_sessions,
    read_sessions,
    with_reasons,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from frrsync.agent.gateway import GatewayWatch
    from frrsync.frr.session import Frr
    from frrsync.frr.show import BfdSession, Session
    from frrsync.settings import Settings

VERSION_COMMAND = "show version"
LOOK_SECONDS = 0.2
"""How often the daemons are looked at; a look costs microseconds."""
OTHERS_TIMEOUT_SECONDS = 2.0
"""How long bfdd and zebra may take to answer; less than an apply waits for them, so that no silence that an
apply met goes unnoticed here."""
SESSIONS_EVERY = 5
"""Every how many looks the sessions are asked for: once a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What FRR looked like; ``at`` is seconds since the epoch."""

    at: float = 0.0
    frr: FrrState = field(default_factory=FrrState)
    sessions: tuple[Session, ...] = ()
    bfd: tuple[BfdSession, ...] = ()


class Observer:
    """The thread that looks at FRR and wakes the loop when a daemon ended or came back."""

    def __init__(self, settings: Settings, wake: Callable[[str], None], gateways: GatewayWatch) -> None:
        self._frr: Frr = open_frr(settings, timeout=5.0)
        self._others: Frr = open_frr(settings, timeout=OTHERS_TIMEOUT_SECONDS)
        self._wake = wake
        self._gateways = gateways
        self._operator = OperatorWatch(wake) if settings.frr_mode == "shared" else None
        self._log = log.get("agent.observer")
        self._stop = Event()
        self._thread = Thread(target=self._run, name="observer", daemon=True)
        self._known: tuple[Mapping[Daemon, bool], int] | None = None
        self._answering: frozenset[Daemon] | None = None
        self._complaints: list[str] = []
        self.latest = Observation()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread."""
        self._stop.set()
        self._thread.join(timeout=10.0)
        self._frr.close()
        self._others.close()

    def _run(self) -> None:
        looks = 0
        while not self._stop.wait(LOOK_SECONDS if looks else 0.0):
            try:
                restarted = self._look()
                is_due = restarted or looks % SESSIONS_EVERY == 0
                if is_due:
                    self.latest = self._observe()
                if is_due or self._gateways.is_pressing:
                    self._gateways.look(self._others)
                if is_due and self._operator is not None:
                    self._operator.look(self._frr)
            except Exception:  # noqa: BLE001 - our bug: logged, and restarts of FRR are still noticed
                self._log.exception("look_failed")
            looks += 1

    def _look(self) -> bool:
        """Wake the loop when the set of running daemons or one of their processes changed."""
        found = (dict(self._frr.alive()), self._frr.generation)
        if self._known is None or found == self._known:
            self._known = found
            return False
        before, self._known = self._known, found
        changed = sorted(daemon for daemon, alive in found[0].items() if alive != before[0][daemon])
        self._log.info("frr_changed", daemons=[str(daemon) for daemon in changed])
        self._wake("frr")
        return True

    def _note_answering(self, found: frozenset[Daemon]) -> None:
        """Wake the loop when a daemon answers that did not: after a hang no process is new."""
        before, self._answering = self._answering, found
        if before is None or before == found:
            return
        self._log.info("frr_answers_changed", answering=sorted(map(str, found)))
        if found - before:
            self._wake("frr")

    def _with_reasons(self, sessions: tuple[Session, ...]) -> tuple[Session, ...]:
        """Say why a session is down; an answer without sense costs the reason, not the observation."""
        if all(session.is_established for session in sessions):
            return sessions
        try:
            return with_reasons(sessions, self._frr.show(FAILED_COMMAND, Daemon.BGPD))
        except VtyError as error:
            self._log.debug("no_reasons", reason=str(error))
            return sessions

    def _observe(self) -> Observation:
        now = time()
        try:
            dialect = self._frr.dialect
            sessions = read_sessions(self._frr.show(SESSIONS_COMMAND, Daemon.BGPD))
            sessions = self._with_reasons(sessions)
        except VtyError as error:
            self._note_answering(frozenset())
            return Observation(at=now, frr=FrrState(reachable=False, error=str(error)))
        frr = FrrState(reachable=True, version=".".join(map(str, dialect.version)))
        answering = {Daemon.BGPD}
        complaints: list[str] = []
        bfd: tuple[BfdSession, ...] = ()
        for daemon in scope.daemons(dialect)[1:]:
            try:
                if daemon is Daemon.BFDD:
                    bfd = read_bfd_sessions(self._others.show(BFD_COMMAND, daemon))
                else:
                    self._others.show(VERSION_COMMAND, daemon)
            except FrrUnavailable:
                continue  # a node without bfdd has no BFD sessions
            except VtyError as error:
                complaints.append(f"{daemon}: {error}")
            answering.add(daemon)
        self._note_answering(frozenset(answering))
        if complaints and complaints != self._complaints:
            self._log.error("unreadable_answer", reason="; ".join(complaints))
        self._complaints = complaints
        return Observation(at=now, frr=frr, sessions=sessions, bfd=bfd)
