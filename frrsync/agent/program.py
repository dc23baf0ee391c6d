"""Wiring of the agent: threads, start, and a clean stop."""

from __future__ import annotations

from threading import Thread
from time import time
from typing import TYPE_CHECKING

from frrsync.agent.gateway import GatewayWatch
from frrsync.agent.inputs import open_inputs
from frrsync.agent.local_api import LocalApi
from frrsync.agent.loop import Loop
from frrsync.agent.observer import Observer
from frrsync.agent.orders import OrderBook
from frrsync.agent.sharing import check_settings
from frrsync.agent.wake import Wake
from frrsync.api.server import Server

if TYPE_CHECKING:
    from threading import Event

    from frrsync.settings import Settings


def run(settings: Settings, *, allocate: bool, stop: Event) -> None:
    """Run the agent of one node until the event is set.

    With ``allocate`` it hands out addresses as well, for one node on its own. Announcements stay after the
    stop unless the settings ask for a withdrawal. Raises FrrsyncError when it cannot start.
    """
    check_settings(settings)
    started_at = time()
    wake = Wake()
    orders = OrderBook(settings.state_dir / f"orders-{settings.node}.json", wake)
    with open_inputs(settings, wake, allocate=allocate) as inputs:
        gateways = GatewayWatch(wake, settings.run_dir / f"gateways-{settings.node}.json")
        observer = Observer(settings, wake, gateways)
        loop = Loop(settings, inputs, wake, orders, gateways)
        loop.claim()
        api = LocalApi(settings, started_at, loop, observer, gateways).sources(orders)
        with Server(settings.agent_socket, api):
            observer.start()
            Thread(target=_wake_at, args=(stop, wake), name="stopper", daemon=True).start()
            try:
                loop.run(stop)
            finally:
                observer.stop()


def _wake_at(stop: Event, wake: Wake) -> None:
    stop.wait()
    wake("stop")
