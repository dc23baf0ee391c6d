"""What one FRR is known to run: read again where that is needed, and by which daemons.

A daemon that was restarted runs something else than was read, and nothing may be concluded from that. Of bfdd
and zebra what cannot be reached is neither compared nor sent, so that bgpd's part never waits for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frrsync import log
from frrsync.errors import FrrUnavailable
from frrsync.frr.plan import Daemon
from frrsync.frr.scope import owner, run_by

if TYPE_CHECKING:
    from collections.abc import Collection

    from frrsync.frr.session import Frr
    from frrsync.frr.tree import Tree

FULL_VERIFY_LINES = 2000
"""Up to this size the whole is read before and after each change: 3 ms at 1,000 networks."""

_RESTARTED = "a daemon of FRR was restarted while the configuration was sent"
_CAME_OR_WENT = "a daemon of FRR went away or came back while the configuration was sent"


class Running:
    """The configuration of one FRR as it was read last; used by one thread.

    Attributes:
        tree: what runs, None while that is not known.

    """

    def __init__(self, frr: Frr) -> None:
        self._frr = frr
        self._log = log.get("frr.apply")
        self._generation = -1
        self._reachable: Collection[Daemon] = ()
        self._left_out: list[str] = []
        self.tree: Tree | None = None

    def kept(self, wanted: Tree) -> Tree | None:
        """Return what is known to run when reading it again would cost more than a change."""
        self._frr.alive()
        if _size(wanted) <= FULL_VERIFY_LINES or self._generation != self._frr.generation:
            return None
        return self.tree

    def read(self) -> Tree:
        """Read what runs."""
        self.tree = self._frr.read()
        self._generation = self._frr.generation
        self._reachable = self._frr.reachable
        return self.tree

    def read_back(self) -> Tree:
        """Read again; raises FrrUnavailable when these are not the daemons that lines were sent to."""
        generation, reachable = self._generation, self._reachable
        running = self.read()
        if self._generation != generation:
            raise FrrUnavailable(_RESTARTED)
        if self._reachable != reachable:
            raise FrrUnavailable(_CAME_OR_WENT)
        return running

    def require_same_daemons(self) -> None:
        """Raise FrrUnavailable when bgpd is gone or a daemon was restarted since the last reading."""
        alive = self._frr.alive()
        if not alive[Daemon.BGPD] or self._frr.generation != self._generation:
            raise FrrUnavailable(_RESTARTED)

    def part_of(self, wanted: Tree) -> Tree:
        """Return what the daemons run that could be reached; whose part is left out is logged, once per change."""
        found = sorted({str(one) for line in wanted if (one := owner(line)) and one not in self._reachable})
        if found != self._left_out:
            if found:
                self._log.warning("frr_daemons_left_out", daemons=found)
            else:
                self._log.info("frr_no_daemon_left_out")
        self._left_out = found
        return run_by(wanted, self._reachable)

    def against(self, checkpoint: Tree) -> tuple[Tree, Tree]:
        """Return what runs and a checkpoint, both of the daemons that could be reached then and can be now."""
        running = self._frr.read()
        both = frozenset(self._reachable) & frozenset(self._frr.reachable)
        return run_by(running, both), run_by(checkpoint, both)


def _size(tree: Tree) -> int:
    """Count the lines of the upper two levels and what hangs below them, without walking every line."""
    return sum(len(content) + sum(map(len, content.values())) for content in tree.values()) + len(tree)
