"""Rendering with templates that may change, break or vanish while the agent runs.

Templates that cannot be used never stop the rest: those from before stay in force, with what the manifests
say now, so that a node whose endpoint went away still withdraws. Only at the start there is nothing from
before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from frrsync.agent.reprinting import MOST_TOLD, Reprinting, not_sent
from frrsync.core.redact import redact
from frrsync.errors import ConfigError, RenderError
from frrsync.frr.render import CostlyTemplate, Renderer
from frrsync.frr.reprint import applied, learn, recognize, send_again
from frrsync.frr.scope import unmanaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from frrsync.core.frr_config import FrrConfig
    from frrsync.core.model import Mistake
    from frrsync.frr.dialect import Dialect
    from frrsync.frr.plan import Command
    from frrsync.frr.render import RenderedConfig
    from frrsync.frr.reprint import Reprint
    from frrsync.frr.template_files import TemplateFiles
    from frrsync.frr.tree import Tree

_OURS = ("network ", "no network ")
_OURS_UNSENT = ("frr defaults ", "ip nht resolve-via-default", "ipv6 nht resolve-via-default")
"""What our templates print for the start of FRR only."""


class _Templates(NamedTuple):
    """The templates as they were at one moment, compiled for one FRR."""

    dialect: Dialect
    renderer: Renderer


class Rendering:
    """Renders for one FRR; belongs to the reconcile thread.

    Attributes:
        problem: why the templates as they are now are not used; empty when they are.
        mistakes: lines of the templates that FRR takes and prints differently, and those that are not sent.

    """

    def __init__(
        self, folder: Path | None, record: Path | None = None, on_learned: Callable[[], None] = lambda: None
    ) -> None:
        self._folder = folder
        self._on_learned = on_learned
        self._reprinting = Reprinting(record)
        self._used: _Templates | None = None
        self._accepted: _Templates | None = None
        self._plain: RenderedConfig | None = None
        self._failed: tuple[TemplateFiles | None, FrrConfig | None] | None = None
        self._told: tuple[Renderer, tuple[Reprint, ...], tuple[str, ...]] | None = None
        self._is_outdated = False
        self.problem = ""
        self.mistakes: tuple[Mistake, ...] = ()

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

    def forget_unprinted(self) -> None:
        """Have lines that FRR takes and does not print sent once more: it was restarted."""
        self._reprinting.forget_unprinted()

    def render(self, config: FrrConfig, dialect: Dialect) -> RenderedConfig:
        """Return the configuration as text and tree; the same object for the same configuration.

        Raises ConfigError for a value and RenderError for a template when there is nothing to fall back on.
        """
        self._reprinting.use(dialect.version)
        self._plain = self._rendered(config, dialect)
        self._look_for_mistakes(self._plain)
        return self._reprinting.apply(self._plain)

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

    # what the applier asks: see frr.apply.Learner

    def learn(self, before: Tree, running: Tree, wanted: Tree) -> Tree | None:
        """Return what is wanted in FRR's form if only lines of the operator's templates differ."""
        if self._used is None or self._plain is None:
            return None
        found = learn(before, running, wanted, self._used.renderer.origins())
        if not found:
            return None
        self._reprinting.add(found, self._plain)
        self._on_learned()
        return applied(wanted, found)

    def hide(self, text: str) -> str:
        """Return a text without the passwords of the configuration, wherever a template printed them."""
        return self._used.renderer.hide(text) if self._used is not None else text

    def recognize(self, running: Tree, wanted: Tree) -> Tree:
        """Return what is wanted, with FRR's form of lines of the templates that run already."""
        if running == wanted or self._used is None or self._plain is None or self._used.renderer.files is None:
            return wanted
        found = recognize(running, wanted, self._used.renderer.origins)
        if not found:
            return wanted
        self._reprinting.add(found, self._plain)
        self._on_learned()
        return applied(wanted, found)

    def send_again(self, before: Tree, running: Tree, wanted: Tree) -> Sequence[Command]:
        """Return lines of the templates that went with another form of them."""
        if self._used is None or self._used.renderer.files is None:
            return ()
        return send_again(before, running, wanted, self._used.renderer.origins())

    def prints(self, lines: Iterable[str]) -> bool:
        """Say whether one of these lines is printed by the operator's templates."""
        if self._used is None or self._used.renderer.files is None:
            return False
        rare = {line for line in lines if not line.startswith(_OURS)}
        return bool(rare) and any(path[-1] in rare for path in self._used.renderer.origins())

    def place_of(self, line: str) -> str:
        """Return ``FILE:LINE`` of the template that printed a line; empty for a line of ours."""
        if self._used is None:
            return ""
        origins = self._used.renderer.origins()
        return next((place for path, place in origins.items() if path[-1] == line.strip()), "")

    def _rendered(self, config: FrrConfig, dialect: Dialect) -> RenderedConfig:
        """Return what the templates print, those from before if the newest cannot be used."""
        before = self._used if self._used and self._used.dialect == dialect else None
        if before is not None and not self._is_outdated:
            return before.renderer.render(config)
        self._is_outdated = False
        try:
            found = _Templates(dialect, Renderer(self._folder, dialect))
            files = found.renderer.files
            if before is not None and self._failed in ((files, config), (files, None)):
                return before.renderer.render(config)  # as wrong as before: saves the time that it may take
            self._failed = (files, config)
            rendered = found.renderer.render(config)
        except (RenderError, ConfigError) as error:
            if before is None:
                raise
            if isinstance(error, CostlyTemplate) and self._failed is not None:
                self._failed = (self._failed[0], None)
            self.problem = redact(str(error))
            return before.renderer.render(config)
        self._used, self.problem, self._failed = found, "", None
        return rendered

    def _look_for_mistakes(self, rendered: RenderedConfig) -> None:
        """Name the lines that FRR prints differently or never gets, once for the same ones."""
        used = self._reprinting.used(rendered)
        unsent = tuple(line for line in unmanaged(rendered.tree) if not line.startswith(_OURS_UNSENT))
        if self._used is None or not (used or unsent):
            self._told, self.mistakes = None, ()
            return
        told = (self._used.renderer, used, unsent)
        if self._told != told:
            self._told = told
            origins = self._used.renderer.origins()
            found = [not_sent(line, origins.get((line,), ""), self.hide) for line in unsent[:MOST_TOLD]]
            self.mistakes = (*self._reprinting.mistakes(used, origins, self.hide), *found)
