"""What ``run``, ``agent`` and ``controller`` share: the log, and a clean stop."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from frrsync import __version__, log

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from frrsync.settings import Settings


def run_until_stopped(settings: Settings, name: str, program: Callable[[threading.Event], None]) -> None:
    """Run a program that returns soon after the event is set; SIGTERM and SIGINT set it.

    The second signal ends the process at once, for the person whose first one seems to hang.
    """
    log.set_up(settings.log_level)
    stop = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise SystemExit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    logger = log.get(name)
    logger.info("starting", version=__version__, node=settings.node or None)
    program(stop)
    logger.info("stopped")
