"""Logging: events are fixed names in snake_case, everything else is a field.

A person at a terminal gets aligned text, anything else JSON lines; both on standard error, because
standard output belongs to what a command was asked for.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, FilteringBoundLogger

LEVELS = ("debug", "info", "warning", "error")


def set_up(
    level: str = "info", *, json_lines: bool | None = None, clean: Callable[[str], str] = lambda text: text
) -> None:
    """Configure structlog once per process; ``json_lines`` None decides by the terminal.

    ``clean`` takes passwords out of every text that is logged, also of a traceback.
    """

    def cleaned(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {name: clean(value) if isinstance(value, str) else value for name, value in event.items()}

    as_json = not sys.stderr.isatty() if json_lines is None else json_lines
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(pad_event_to=28)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            cleaned,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def get(name: str) -> FilteringBoundLogger:
    """Return the logger of one part of the program, with its name as the field ``part``."""
    logger: FilteringBoundLogger = structlog.get_logger(part=name)
    return logger
