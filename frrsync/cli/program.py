"""What ``run``, ``agent`` and ``controller`` share: the log, and a clean stop."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from frrsync import __version__, log
from frrsync.errors import FrrsyncError

if TYPE_CHECKING:
    from collections.abc import Callable

    from frrsync.settings import Settings


def run_until_stopped(settings: Settings, name: str, program: Callable[[threading.Event], None]) -> None:
    """Run a program that returns soon after the event is set; SIGTERM and SIGINT set it.

    The second signal ends the process at once, for the person whose first one seems to hang.
    """
    log.set_up(settings.log_level)
    stop = threading.Event()
    _set_on_signal(stop)
    logger = log.get(name)
    logger.info("starting", version=__version__, node=settings.node or None)
    try:
        program(stop)
    except FrrsyncError:
        raise
    except Exception:
        logger.exception("crashed")
        raise
    logger.info("stopped")


def _set_on_signal(stop: threading.Event) -> None:
    """Let a thread set the event: a handler that does could find the event's lock held by what it interrupted."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    signal.set_wakeup_fd(writer)

    def wait() -> None:
        os.read(reader, 1)
        stop.set()
        os._exit(128 + os.read(reader, 1)[0])

    threading.Thread(target=wait, name="signals", daemon=True).start()
