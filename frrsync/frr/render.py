"""Typed configuration to FRR's text, by Jinja templates.

Templates are code of the operator: they run in a sandbox (``sandbox``), see undefined names as errors, and get
limited time and size. What they print is checked before FRR sees it. A template that fails leaves the last good
configuration in place: rendering raises, nothing is half done.

An operator's file replaces ours of the same name; ours stays reachable as ``frrsync/NAME``::

    {% extends "frrsync/neighbor.j2" %}
    {% block neighbor_extra %}
     neighbor {{ neighbor.peer }} capability extended-nexthop
    {% endblock %}

Files in ``fragments/`` are added at their place without replacing anything. See ``docs/templates.md``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import compress, count, pairwise
from operator import attrgetter, not_
from typing import TYPE_CHECKING

import jinja2

from frrsync.core.redact import hidden, redact
from frrsync.errors import RenderError
from frrsync.frr import tree
from frrsync.frr.allowance import TooMuchError
from frrsync.frr.origin import Marks, unmarked
from frrsync.frr.sandbox import ROOT, TemplateEnvironment
from frrsync.frr.template_files import read_templates
from frrsync.frr.text_check import LARGEST_TEXT, TextFault, check_text, check_values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from frrsync.core.frr_config import FrrConfig, Network
    from frrsync.frr.dialect import Dialect
    from frrsync.frr.template_files import TemplateFiles
    from frrsync.frr.tree import Tree

RENDER_SECONDS = 2.0
"""Seconds of processor time; our own templates need 0.5 for 50,000 prefixes, and nothing else happens meanwhile."""
_BLOCK_SIZE = 128
_PREFIX = attrgetter("prefix")
_PART = "frrsync-part"


class CostlyTemplate(RenderError):
    """A template takes too much time or space: not to be tried again while it is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedConfig:
    """What FRR is to run: the text for its file, and the same as a tree, which nobody may change.

    The text holds passwords: redact it before showing it.
    """

    text: str
    tree: Tree


class Renderer:
    """Renders configurations for one FRR. For one thread; make a new one when a template file changed."""

    def __init__(self, templates: Path | None, dialect: Dialect, *, seconds: float = RENDER_SECONDS) -> None:
        self._dialect = dialect
        self._seconds = seconds
        self._files = read_templates(templates) if templates is not None else None
        self._run = _Run(self._files, dialect, seconds)
        self._last: tuple[FrrConfig, RenderedConfig] | None = None
        self._traced: tuple[Marks, _Run] | None = None
        self._origins: tuple[FrrConfig, dict[tree.Path, str]] | None = None

    @property
    def files(self) -> TemplateFiles | None:
        """Return the operator's files as they were read, None without a folder."""
        return self._files

    def render(self, config: FrrConfig) -> RenderedConfig:
        """Return the configuration as text and tree; the same object for the same configuration.

        Raises:
            ConfigError: a value cannot be written into one line; names the field.
            RenderError: a template is wrong; names its file and line.

        """
        if self._last is not None and self._last[0] == config:
            return self._last[1]
        check_values(config)
        try:
            rendered = self._run.rendered(config)
        except TextFault as fault:
            raise RenderError(f"{self._place_of(fault, config)}{_hidden(str(fault), config)}") from fault
        except CostlyTemplate:
            raise
        except RenderError as error:
            raise RenderError(_hidden(str(error), config)) from error
        self._last = (config, rendered)
        return rendered

    def hide(self, text: str) -> str:
        """Return a text without the passwords of what was rendered last, in whatever line they stand."""
        return _hidden(text, self._last[0]) if self._last is not None else text

    def origins(self) -> dict[tree.Path, str]:
        """Return the lines of what was rendered last that an operator's template printed: ``FILE:LINE`` of each.

        Made on request, by rendering a second time. Where the templates treat such a rendering otherwise (they
        look into text that they captured), every line that ours alone do not print comes from the folder.
        """
        if self._files is None or self._last is None:
            return {}
        config, rendered = self._last
        if self._origins is None or self._origins[0] is not config:
            self._origins = (config, self._find_origins(self._files, config, rendered))
        return self._origins[1]

    def _find_origins(self, files: TemplateFiles, config: FrrConfig, rendered: RenderedConfig) -> dict[tree.Path, str]:
        if self._traced is None:
            marks = Marks()
            self._traced = (marks, _Run(files, self._dialect, self._seconds, marks))
        marks, traced = self._traced
        try:
            marked = "".join(traced.pieces(config))
            traced.keep()
        except RenderError:
            marked = ""
        if unmarked(marked) == rendered.text:
            return marks.paths(marked)
        ours = _Run(None, self._dialect, self._seconds).rendered(config).tree
        return dict.fromkeys(tree.difference(rendered.tree, ours), str(files.folder))

    def _place_of(self, fault: TextFault, config: FrrConfig) -> str:
        """Return ``FILE:LINE: `` of the template that printed a line, an empty text if that cannot be told."""
        if self._files is None:
            return ""
        marks = Marks()
        try:
            marked = "".join(_Run(self._files, self._dialect, self._seconds, marks).pieces(config))
        except RenderError:
            return ""
        lines, places = unmarked(marked).split("\n"), marks.places(marked)
        found = [place for line, place in zip(lines, places, strict=True) if place and line == fault.line]
        if found:
            return f"{found[-1]}: "
        # a line of ours that stands in a wrong context, because somebody ended it above
        above = places[: lines.index(fault.line)] if fault.line in lines else []
        found = [place for place in above if place]
        return f"{found[-1]}: what follows it, " if found else ""


class _Run:
    """Templates compiled for one FRR, with the blocks of prefixes that they printed last."""

    def __init__(
        self, files: TemplateFiles | None, dialect: Dialect, seconds: float, marks: Marks | None = None
    ) -> None:
        self._files = files
        self._dialect = dialect
        self._is_checked = marks is None
        self._environment = TemplateEnvironment(files, seconds, marks)
        self._environment.filters["blocks"] = _blocks
        self._environment.offer(part=self._part, fragments=self._fragments)
        self._parts: dict[tuple[str, Network], _Part] = {}
        self._used: dict[tuple[str, Network], _Part] = {}

    def rendered(self, config: FrrConfig) -> RenderedConfig:
        """Return text and tree; what is new is checked and parsed, blocks of prefixes were when they were made."""
        pieces = self.pieces(config)
        parts = {part.text: part for part in self._used.values() if part.text}
        places: dict[str, _Part] = {}
        skeleton: list[str] = []
        for piece in pieces:
            part = parts.get(piece)
            if part is None:
                skeleton.append(piece)
                continue
            if part.tree:
                skeleton.append(f"{'':{part.indentation}}{_PART} {len(places)}")
                places[f"{_PART} {len(places)}"] = part
        outline = "".join(skeleton)
        check_text(outline)
        self.keep()
        return RenderedConfig(text="".join(pieces), tree=_fill(tree.parse(outline), places))

    def keep(self) -> None:
        """Keep the blocks of prefixes that were used, for the next time."""
        self._parts = self._used

    def pieces(self, config: FrrConfig) -> list[str]:
        """Return the output of the templates piece by piece."""
        self._used = {}
        variables = {name: getattr(config, name) for name in config.__slots__}
        found: list[str] = []
        size = 0
        self._environment.allowance.start()
        try:
            for piece in self._environment.get_template(ROOT).generate(dialect=self._dialect, **variables):
                found.append(piece)
                size += len(piece)
                if size > LARGEST_TEXT:
                    break
        except RenderError:
            raise
        except TooMuchError as error:
            raise CostlyTemplate(f"{self._environment.place_of(error)}: {error}") from error
        except Exception as error:  # a template can raise anything; the operator needs the place
            raise RenderError(f"{self._environment.place_of(error)}: {redact(_said(error))}") from error
        if size > LARGEST_TEXT:
            raise RenderError(f"the templates print more than {LARGEST_TEXT} characters")
        return found

    def _part(self, template: str, *, networks: tuple[Network, ...]) -> str:
        """Return a block of prefixes as text, rendered only if it is new."""
        key = (template, networks[0])
        known = self._parts.get(key)
        if known is None or known.networks != networks:
            text = (
                self._environment.get_template(template).render(networks=networks, dialect=self._dialect).rstrip("\n")
            )
            if self._is_checked:
                check_text(text, what=f"what {template} prints")
            known = _Part(networks=networks, text=text, tree=tree.parse(text))
        self._used[key] = known
        return known.text

    def _fragments(self, place: str, name: str = "") -> tuple[str, ...]:
        """Return the names of the operator's fragments for a place."""
        return self._files.fragments(place, name) if self._files is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A rendered block of prefixes."""

    networks: tuple[Network, ...]
    text: str
    tree: Tree

    @property
    def indentation(self) -> int:
        """Return the blanks before its first line, which is no comment."""
        first = next(line for line in self.text.split("\n") if tree.parse(line))
        return len(first) - len(first.lstrip(" "))


def _fill(outline: Tree, places: dict[str, _Part]) -> Tree:
    """Return the tree with each placeholder replaced by the block that it stands for."""
    filled: Tree = {}
    for line, children in outline.items():
        if line in places:
            filled.update(places[line].tree)
        else:
            filled[line] = _fill(children, places) if children else children
    return filled


def _blocks(networks: tuple[Network, ...]) -> Iterator[tuple[Network, ...]]:
    """Yield the prefixes in blocks whose borders depend on the prefixes themselves.

    So one prefix more changes one block, wherever it is; with blocks of a fixed size it would shift all.
    """
    rests = map(_BLOCK_SIZE.__rmod__, map(hash, map(_PREFIX, networks)))
    borders = [index for index in compress(count(), map(not_, rests)) if index]
    for start, end in pairwise((0, *borders, len(networks))):
        if start < end:
            yield networks[start:end]


def _hidden(text: str, config: FrrConfig) -> str:
    """Return a text without passwords: those of the configuration may stand in any line of a template."""
    for password in {one.password for router in config.routers for one in router.neighbors if one.password}:
        alone = rf"(?<![A-Za-z0-9]){re.escape(password)}(?![A-Za-z0-9])"
        text = re.sub(alone, hidden(password), text)
    return redact(text)


def _said(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return f"no template named {text}" if isinstance(error, jinja2.TemplateNotFound) else text
