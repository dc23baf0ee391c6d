"""What the local API answers: from what loop and observer published, or by asking FRR on a connection of its own."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING

from frrsync.agent.report import status_of
from frrsync.agent.sharing import Sharing
from frrsync.api.app import Sources, number
from frrsync.core.status import ConfigDiff
from frrsync.errors import FrrUnavailable
from frrsync.frr.deviation import deviations
from frrsync.frr.scope import managed
from frrsync.frr.secrets import redacted
from frrsync.frr.session import open_frr

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from frrsync.agent.gateway import GatewayWatch
    from frrsync.agent.loop import Loop
    from frrsync.agent.observer import Observation, Observer
    from frrsync.agent.orders import OrderBook, Orders
    from frrsync.agent.report import Reconciled
    from frrsync.core.status import AgentStatus, Document
    from frrsync.frr.render import RenderedConfig
    from frrsync.frr.session import Frr
    from frrsync.settings import Settings

ANSWER_SECONDS = 10.0
"""How long FRR may take to answer somebody who asks through the local API."""
LONGEST_ROUND_SECONDS = 60.0
"""A round of the loop that takes longer than this, over the check interval, hangs."""


class LocalApi:
    """The answers of one agent, each given in a thread of the server; what they promise stands in ``Sources``.

    ``started_at`` is seconds since the epoch.
    """

    def __init__(
        self, settings: Settings, started_at: float, loop: Loop, observer: Observer, gateways: GatewayWatch
    ) -> None:
        self._settings = settings
        self._started_at = started_at
        self._loop = loop
        self._observer = observer
        self._gateways = gateways
        self._kept: tuple[tuple[Reconciled, Observation, Orders], AgentStatus] | None = None

    def sources(self, orders: OrderBook) -> Sources:
        """Return where the local API gets its answers from, and who takes its orders."""
        return Sources(
            node=self._settings.node,
            status=lambda: self._status(orders.current),
            desired=lambda: self._desired().text,
            running=lambda: self._vtysh("show running-config"),
            managed=self._managed,
            diff=self._diff,
            vtysh=self._vtysh,
            health=self._health,
            orders=self._orders(orders),
        )

    def _orders(self, book: OrderBook) -> Mapping[str, Callable[[Document], Document]]:
        def ordered(given: Orders) -> Document:
            return {"api_version": "v1", "node": self._settings.node, "orders": asdict(given)}

        return {
            "pause": lambda body: ordered(book.pause(number(body, "seconds"))),
            "resume": lambda _body: ordered(book.resume()),
            "drain": lambda _body: ordered(book.drain()),
            "undrain": lambda _body: ordered(book.undrain()),
            "confirm": lambda _body: ordered(book.confirm()),
        }

    def _status(self, orders: Orders) -> AgentStatus:
        """Return the status; the same object as long as it follows from the same ones."""
        found = (self._loop.reconciled, self._observer.latest, orders)
        kept = self._kept
        if kept is None or any(new is not old for new, old in zip(found, kept[0], strict=True)):
            self._kept = kept = (found, status_of(self._settings, self._started_at, *found))
        return kept[1]

    def _desired(self) -> RenderedConfig:
        done = self._loop.reconciled
        if done.rendered is None:
            raise FrrUnavailable(done.problem or "nothing has been rendered yet")
        return done.rendered

    def _open(self) -> closing[Frr]:
        return closing(open_frr(self._settings, timeout=ANSWER_SECONDS))

    def _vtysh(self, command: str) -> str:
        with self._open() as frr:
            return frr.show(command)

    def _diff(self) -> ConfigDiff:
        with self._open() as frr:
            running, tree = frr.read(), self._desired().tree
            if self._settings.frr_mode == "shared":
                tree = Sharing(self._settings, frr).fit(tree)
            missing, unexpected = deviations(running, managed(tree, frr.dialect))
        return ConfigDiff(missing=tuple(missing), unexpected=tuple(unexpected))

    def _managed(self) -> Document:
        """Return what runs of frrsync's, without passwords, and what is needed to compare with it."""
        with self._open() as frr:
            tree = redacted(frr.read())
            return {
                "frr_version": ".".join(map(str, frr.dialect.version)),
                "maximum_paths": frr.dialect.maximum_paths,
                "frr_mode": self._settings.frr_mode,
                "daemons": sorted(str(daemon) for daemon in frr.reachable),
                "default_gateways": self._gateways.expected(frr),
                "tree": tree,
                "whole": redacted(frr.whole),
            }

    def _health(self) -> str | None:
        silent = monotonic() - self._loop.alive_at
        limit = self._settings.check_interval + LONGEST_ROUND_SECONDS
        return f"the reconcile thread has been silent for {silent:.0f} s" if silent > limit else None
