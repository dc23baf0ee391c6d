"""The default gateways of this node, as the FRR beside it knows them.

Asked for only while some BGPNodeParameters takes an address from them. A gateway that was known stays while zebra
gives no answer and while there is no default route: to end the session is for somebody who says so, and a route that
DHCP renews, or a cable that is pulled, says nothing of the kind. It is remembered in a file of the folder for what
runs, so that neither does a restart of the agent; a reboot, which ends the sessions, forgets it.
"""

from __future__ import annotations

import json
from threading import Event
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.core.address import parse_address
from frrsync.errors import FrrUnavailable, VtyError
from frrsync.frr.conf_file import write_conf
from frrsync.frr.default_route import gateways_of
from frrsync.frr.plan import Daemon

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from frrsync.frr.session import Frr

FIRST_ANSWER_SECONDS = 3.0
"""How long the reconcile thread waits for the first answer; the observer asks within a fifth of a second."""
_Gateways = dict[int, tuple[str, ...]]
"""By IP version."""


class GatewayWatch:
    """What the observer learns of default gateways, and the reconcile thread decides with."""

    def __init__(self, wake: Callable[[str], None], record: Path | None = None) -> None:
        self._wake = wake
        self._record = record
        self._log = log.get("agent.gateway")
        self._wanted = False
        self._answered = Event()
        self._known: _Gateways = {}  # replaced, never changed
        self._problem = "zebra has not been asked yet"

    def current(self, *, wanted: bool) -> tuple[str, ...] | None:
        """Return the default gateways, None unless they are wanted; called by the reconcile thread.

        Raises FrrUnavailable while none was ever known: to decide without would end the session that an agent
        before this one had made.
        """
        if wanted != self._wanted:
            self._answered.clear()
            self._known, self._wanted = self._remembered() if wanted else {}, wanted
        if not wanted:
            return None
        if not self._answered.wait(FIRST_ANSWER_SECONDS):
            raise FrrUnavailable(f"the default gateway of this node is not known yet: {self._problem}")
        return tuple(address for _, found in sorted(self._known.items()) for address in found)

    def expected(self, frr: Frr) -> list[str] | None:
        """Return what the next decision would go by, asked through another connection; None when that is not known."""
        kept = self._known
        try:
            found = gateways_of(lambda command: frr.show(command, Daemon.ZEBRA))
        except VtyError:
            found = kept
        if not found:
            return None
        return [hop for version, hops in found.items() for hop in hops or kept.get(version, ())]

    @property
    def is_pressing(self) -> bool:
        """Say whether the reconcile thread waits for the first answer."""
        return self._wanted and not self._answered.is_set()

    def look(self, frr: Frr) -> None:
        """Ask zebra, and wake the reconcile thread when a gateway is another one; called by the observer."""
        if not self._wanted:
            return
        before = self._known
        try:
            found = gateways_of(lambda command: frr.show(command, Daemon.ZEBRA))
        except VtyError as error:
            self._problem = str(error)
            return
        after = {version: hops or before.get(version, ()) for version, hops in found.items()}
        if after != before or not self._answered.is_set():
            self._known = after
            self._answered.set()
            self._remember(after)
            self._log.info("default_gateway", found=[item for items in after.values() for item in items])
            self._wake("gateway")

    def _remembered(self) -> _Gateways:
        """Return what the agent before this one knew; nothing when that cannot be read."""
        try:
            found = json.loads(self._record.read_text("utf-8")) if self._record is not None else {}
            return {version: tuple(map(_checked, found.get(str(version), ()))) for version in (4, 6)}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            self._log.warning("cannot_read_file", file=str(self._record), error=str(error))
            return {}

    def _remember(self, known: _Gateways) -> None:
        if self._record is None:
            return
        try:
            write_conf(self._record, json.dumps(known))
        except OSError as error:
            self._log.warning("cannot_write_file", file=str(self._record), error=str(error))


def _checked(text: str) -> str:
    """Return a gateway as ``gateways_of`` gives it; raises ValueError for anything else."""
    address, percent, interface = text.partition("%")
    return f"{parse_address(address)}{percent}{interface}"
