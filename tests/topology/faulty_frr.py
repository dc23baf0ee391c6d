"""A real FRR to which something happens in the middle of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from frrsync.frr.dialect import Dialect
    from frrsync.frr.plan import Command, Daemon
    from frrsync.frr.session import Frr
    from frrsync.frr.tree import Tree


class FaultAfter:
    """A real FRR to which something happens once, after a number of lines."""

    def __init__(self, frr: Frr) -> None:
        self._frr = frr
        self._left: int | None = None
        self._fault: Callable[[], None] = lambda: None
        self.sent = 0

    def arm(self, lines: int, fault: Callable[[], None]) -> None:
        """Let the fault happen after so many lines of what is sent next."""
        self._left, self._fault = lines, fault

    @property
    def dialect(self) -> Dialect:
        """Return that of the FRR."""
        return self._frr.dialect

    @property
    def generation(self) -> int:
        """Return that of the FRR."""
        return self._frr.generation

    @property
    def reachable(self) -> Collection[Daemon]:
        """Return those of the FRR."""
        return self._frr.reachable

    def read(self) -> Tree:
        """Read from the FRR."""
        return self._frr.read()

    @property
    def whole(self) -> Tree:
        """Read everything from the FRR."""
        return self._frr.whole

    def send(self, commands: Sequence[Command]) -> None:
        """Send, with the fault in between if it is armed."""
        self.sent += len(commands)
        if self._left is None:
            self._frr.send(commands)
            return
        before, self._left = self._left, None
        self._frr.send(commands[:before])
        self._fault()
        self._frr.send(commands[before:])

    def show(self, command: str, daemon: Daemon | None = None) -> str:
        """Ask the FRR."""
        return self._frr.show(command, daemon)

    def alive(self) -> Mapping[Daemon, bool]:
        """Ask the FRR."""
        return self._frr.alive()

    def close(self) -> None:
        """Leave the FRR to who opened it."""
