"""Bringing a rendered configuration to FRR and to its file, and remembering what FRR took and refused."""

from __future__ import annotations

from time import monotonic, time
from typing import TYPE_CHECKING

from frrsync import log
from frrsync.agent.report import failed, observed, succeeded
from frrsync.errors import ApplyError, FrrsyncError, FrrUnavailable
from frrsync.frr.apply import Applier
from frrsync.frr.conf_file import write_conf
from frrsync.frr.lines import neighbor_of
from frrsync.frr.session import open_frr

if TYPE_CHECKING:
    from frrsync.core.status import LastApply
    from frrsync.frr.dialect import Dialect
    from frrsync.frr.render import RenderedConfig
    from frrsync.frr.tree import Tree
    from frrsync.settings import Settings


class Delivery:
    """The way to one FRR; belongs to the reconcile thread.

    Attributes:
        applied: the tree that FRR runs, None while that is not known.
        refused: the tree that FRR refused last, None after one that it took.
        refused_at: monotonic time of that.
        has_failed: the last apply failed.

    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._frr = open_frr(settings)
        self._applier = Applier(self._frr)
        self._log = log.get("agent")
        self._written: str | None = None
        self.applied: Tree | None = None
        self.refused: Tree | None = None
        self.refused_at = 0.0
        self.has_failed = False

    @property
    def dialect(self) -> Dialect:
        """Return how the FRR that runs now writes its configuration; raises FrrUnavailable while none runs."""
        return self._frr.dialect

    @property
    def is_verification_pending(self) -> bool:
        """Say whether a small change waits to be read back."""
        return self._applier.is_verification_pending

    def apply(
        self, rendered: RenderedConfig, trigger: str, *, reread: bool, send: bool = True
    ) -> tuple[LastApply, FrrsyncError | None]:
        """Apply, or with ``send=False`` only compare; return the report and what went wrong."""
        started, at = monotonic(), time()
        try:
            if send:
                done = succeeded(self._applier.apply(rendered.tree, trigger, reread=reread), at)
            else:
                done = observed(self._applier.plan(rendered.tree), trigger, at, monotonic() - started)
        except FrrsyncError as error:
            result = None if isinstance(error, FrrUnavailable) else self._applier.last
            self.applied, self.has_failed = None, True
            if isinstance(error, ApplyError):
                self.refused, self.refused_at = rendered.tree, monotonic()
            return failed(result, error, trigger, at, monotonic() - started), error
        self.applied, self.refused, self.has_failed = rendered.tree, None, False
        return done, None

    def restore(self, rendered: RenderedConfig) -> None:
        """Have FRR run what it took before, while another configuration stays wanted; raises what went wrong."""
        self._applier.apply(rendered.tree, "fallback", reread=True)

    def write(self, rendered: RenderedConfig) -> None:
        """Keep the file that FRR starts with equal to what it runs."""
        if self._settings.frr_conf is None or rendered.text == self._written:
            return
        try:
            write_conf(self._settings.frr_conf, rendered.text)
        except OSError as error:
            self._log.error("cannot_write_file", file=str(self._settings.frr_conf), error=str(error))
            return
        self._written = rendered.text

    def running_neighbors(self) -> frozenset[str]:
        """Return the neighbors that FRR has now, whoever configured them."""
        lines = [
            line for context, content in self._frr.read().items() if context.startswith("router ") for line in content
        ]
        return frozenset(map(neighbor_of, lines)) - {""}

    def close(self) -> None:
        """Close the connections to FRR."""
        self._frr.close()
