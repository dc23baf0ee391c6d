"""Rendering with templates that may change, break or vanish while the agent runs.

Templates that cannot be used never stop the rest: those from before stay in force, with what the manifests
say now, so that a node whose endpoint went away still withdraws. Only at the start there is nothing from
before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from frrsync.core.redact import redact
from frrsync.errors import ConfigError, RenderError
from frrsync.frr.render import Renderer

if TYPE_CHECKING:
    from pathlib import Path

    from frrsync.core.frr_config import FrrConfig
    from frrsync.frr.dialect import Dialect
    from frrsync.frr.render import RenderedConfig


class _Templates(NamedTuple):
    """The templates as they were at one moment, compiled for one FRR."""

    dialect: Dialect
    renderer: Renderer


class Rendering:
    """Renders for one FRR; belongs to the reconcile thread.

    Attributes:
        problem: why the templates as they are now are not used; empty when they are.

    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._used: _Templates | None = None
        self._accepted: _Templates | None = None
        self._is_outdated = False
        self.problem = ""

    @property
    def dialect(self) -> Dialect | None:
        """Return the dialect that was rendered for last, None before the first time."""
        return self._used.dialect if self._used else None

    @property
    def has_other_templates(self) -> bool:
        """Say whether the templates in use are others than those that FRR took last."""
        return self._accepted is not None and self._accepted is not self._used

    def renew(self) -> None:
        """Read the templates again before the next use."""
        self._is_outdated = True

    def render(self, config: FrrConfig, dialect: Dialect) -> RenderedConfig:
        """Return the configuration as text and tree; the same object for the same configuration.

        Raises ConfigError for a value and RenderError for a template when there is nothing to fall back on.
        """
        before = self._used if self._used and self._used.dialect == dialect else None
        if before is not None and not self._is_outdated:
            return before.renderer.render(config)
        self._is_outdated = False
        try:
            found = _Templates(dialect, Renderer(self._folder, dialect))
            rendered = found.renderer.render(config)
        except (RenderError, ConfigError) as error:
            if before is None:
                raise
            self.problem = redact(str(error))
            return before.renderer.render(config)
        self._used, self.problem = found, ""
        return rendered

    def accept(self) -> None:
        """Remember that FRR took what these templates print."""
        self._accepted = self._used

    def reject(self, reason: str) -> bool:
        """Go back to the templates that FRR took last; False if these are in use already."""
        before = self._accepted
        if before is None or self._used is None or before is self._used or before.dialect != self._used.dialect:
            return False
        self._used, self.problem = before, reason
        return True
