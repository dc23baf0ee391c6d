"""What ``run``, ``agent`` and ``controller`` share: the log, and a clean stop."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import click

from frrsync import __version__, log
from frrsync.core.redact import redact
from frrsync.errors import FrrsyncError, NotWithdrawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from frrsync.settings import Settings


def run_until_stopped(settings: Settings, name: str, program: Callable[[threading.Event], None]) -> None:
    """Run a program that returns soon after the event is set; SIGTERM and SIGINT set it.

    The second signal ends the process at once, for the person whose first one seems to hang.
    """
    log.set_up(settings.log_level, clean=redact)
    stop = threading.Event()
    _set_on_signal(stop)
    logger = log.get(name)
    threading.excepthook = lambda failed: logger.error(
        "thread_failed", exc_info=(failed.exc_type, failed.exc_value, failed.exc_traceback)
    )
    logger.info("starting", version=__version__, node=settings.node or None)
    try:
        program(stop)
    except NotWithdrawn as error:
        raise click.ClickException(str(error)) from error  # exit code 1: it did stop, but not cleanly
    except FrrsyncError:
        raise
    except Exception as error:
        logger.exception("crashed")
        # Python's own traceback would hold what the log leaves out
        raise FrrsyncError(f"internal error: {redact(repr(error))}; the log has more") from None
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
