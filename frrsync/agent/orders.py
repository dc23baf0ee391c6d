"""What an operator ordered by hand: a pause of repair, a drain of the node, a confirmation.

Orders outlive a restart of the agent and of the machine: a drained node must not announce again because its
agent was upgraded. They are kept in one small file of the state folder. Threads of the local API give orders;
the reconcile thread reads them as one immutable value.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from threading import Lock
from time import time
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONGEST_PAUSE_SECONDS = 7 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """The orders that hold; times are seconds since the epoch.

    Attributes:
        paused_until: nothing is sent to FRR before this time; None when not paused.
        drained_at: when a graceful drain was ordered; None when not drained.
        confirmed_at: when a held withdrawal was confirmed last.

    """

    paused_until: float | None = None
    drained_at: float | None = None
    confirmed_at: float | None = None

    def is_paused(self, now: float) -> bool:
        """Say whether nothing may be sent at this time."""
        return self.paused_until is not None and now < self.paused_until


NO_ORDERS = Orders()
"""When nothing was ordered."""


class OrderBook:
    """The orders of one node, kept in a file.

    Attributes:
        current: the orders that hold; other threads only read this reference.

    """

    def __init__(self, path: Path, wake: Callable[[str], None]) -> None:
        self._path = path
        self._wake = wake
        self._lock = Lock()  # one order at a time
        self._log = log.get("agent.orders")
        self.current = self._read()

    def pause(self, seconds: float) -> Orders:
        """Send nothing to FRR for so many seconds; raises ConfigError for an impossible time."""
        if not 0 < seconds <= LONGEST_PAUSE_SECONDS:
            raise ConfigError(
                f"seconds: found {seconds:g}, allowed are more than 0 and up to {LONGEST_PAUSE_SECONDS:g}"
            )
        return self._give("pause", paused_until=time() + seconds)

    def resume(self) -> Orders:
        """End a pause."""
        return self._give("resume", paused_until=None)

    def drain(self) -> Orders:
        """Begin a graceful drain; one that runs goes on."""
        return self.current if self.current.drained_at is not None else self._give("drain", drained_at=time())

    def undrain(self) -> Orders:
        """End a drain: everything is announced again."""
        return self._give("undrain", drained_at=None)

    def confirm(self) -> Orders:
        """Let go a withdrawal that is held back."""
        return self._give("confirm", confirmed_at=time())

    def _give(self, order: str, **changes: float | None) -> Orders:
        """Keep an order on disk, then let it hold; raises ConfigError when it cannot be kept."""
        with self._lock:
            orders = replace(self.current, **changes)
            self._write(orders)
            self.current = orders
        self._log.info("order", order=order)
        self._wake("order")
        return orders

    def _read(self) -> Orders:
        """Return the orders of the file; a file that cannot be read raises, it may hold a drain."""
        try:
            found = json.loads(self._path.read_text())
        except FileNotFoundError:
            return Orders()
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self._path}: cannot be read ({error}); remove it to drop all orders") from error
        known = {item.name for item in fields(Orders)}
        is_sound = isinstance(found, dict) and found.keys() <= known
        if not is_sound or not all(value is None or isinstance(value, int | float) for value in found.values()):
            raise ConfigError(
                f"{self._path}: found {str(found)[:80]!r}, allowed are times named {', '.join(sorted(known))}"
            )
        return Orders(**found)

    def _write(self, orders: Orders) -> None:
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with new.open("w", encoding="utf-8") as file:
                file.write(json.dumps(asdict(orders)) + "\n")
                file.flush()
                os.fsync(file.fileno())  # an empty file after a power cut would keep the agent from starting
            new.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                new.unlink()
            raise ConfigError(f"{self._path}: cannot be written: {error.strerror or error}") from error
