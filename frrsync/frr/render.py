"""Typed configuration to FRR's text, by Jinja templates.

Templates are code of the operator: they run in Jinja's immutable sandbox, load only from their folder and
ours, see undefined names as errors, and get a limited time. What they print is checked before FRR sees it.
A template that fails leaves the last good configuration in place: rendering raises, nothing is half done.

An operator's file replaces ours of the same name; ours stays reachable as ``frrsync/NAME``::

    {% extends "frrsync/neighbor.j2" %}
    {% block neighbor_extra %}
     neighbor {{ neighbor.peer }} capability extended-nexthop
    {% endblock %}
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Sized
from dataclasses import dataclass, fields, is_dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from frrsync.core import frr_config
from frrsync.core.redact import redact
from frrsync.errors import ConfigError, RenderError
from frrsync.frr import tree
from frrsync.frr.dialect import Dialect
from frrsync.frr.text_check import LARGEST_TEXT, check_text, check_values

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frrsync.core.frr_config import FrrConfig, Network
    from frrsync.frr.tree import Tree

ROOT = "frr.conf.j2"
PREFIX = "frrsync"
"""Under this name our templates stay reachable when the operator has a file of the same name."""
RENDER_SECONDS = 5.0
"""Seconds of processor time; our own templates need 0.2 for 50,000 prefixes."""
_LARGEST_REPETITION = 1_000_000
_LARGEST_EXPONENT = 64
_BLOCK_SIZE = 128
_PART = "frrsync-part"
_OWN_FIELDS: dict[type, frozenset[str]] = {
    item: frozenset(field.name for field in fields(item))
    for item in (*vars(frr_config).values(), Dialect)
    if isinstance(item, type) and is_dataclass(item)
}
"""The fields that templates read; frozen values without methods, so every one is safe to show."""


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
        if templates is not None and not templates.is_dir():
            raise ConfigError(f"templates: found no folder {templates}, allowed is a folder of templates or none")
        self._dialect = dialect
        self._environment = _Environment(templates, seconds)
        self._environment.filters["blocks"] = _blocks
        self._environment.globals["part"] = self._part
        self._parts: dict[tuple[str, Network], _Part] = {}
        self._used: dict[tuple[str, Network], _Part] = {}
        self._last: tuple[FrrConfig, RenderedConfig] | None = None

    def render(self, config: FrrConfig) -> RenderedConfig:
        """Return the configuration as text and tree; the same object for the same configuration.

        Raises:
            ConfigError: a value cannot be written into one line; names the field.
            RenderError: a template is wrong; names its file and line.

        """
        if self._last is not None and self._last[0] == config:
            return self._last[1]
        check_values(config)
        rendered = self._assemble(self._run(config))
        self._last = (config, rendered)
        self._parts = self._used
        return rendered

    def _run(self, config: FrrConfig) -> list[str]:
        """Return the output of the templates piece by piece."""
        self._used = {}
        variables = {name: getattr(config, name) for name in config.__slots__}
        pieces: list[str] = []
        size = 0
        self._environment.start_clock()
        try:
            for piece in self._environment.get_template(ROOT).generate(dialect=self._dialect, **variables):
                pieces.append(piece)
                size += len(piece)
                if size > LARGEST_TEXT:
                    break
        except RenderError:
            raise
        except Exception as error:  # a template can raise anything; the operator needs the place
            raise RenderError(f"{self._environment.place_of(error)}: {redact(_said(error))}") from error
        if size > LARGEST_TEXT:
            raise RenderError(f"the templates print more than {LARGEST_TEXT} characters")
        return pieces

    def _part(self, template: str, *, networks: tuple[Network, ...]) -> str:
        """Return a block of prefixes as text, rendered only if it is new."""
        key = (template, networks[0])
        known = self._parts.get(key)
        if known is None or known.networks != networks:
            text = (
                self._environment.get_template(template).render(networks=networks, dialect=self._dialect).rstrip("\n")
            )
            check_text(text, what=f"what {template} prints")
            known = _Part(networks=networks, text=text, tree=tree.parse(text))
        self._used[key] = known
        return known.text

    def _assemble(self, pieces: list[str]) -> RenderedConfig:
        """Check and parse what is new; blocks of prefixes were checked and parsed when they were made."""
        parts = {part.text: part for part in self._used.values() if part.text}
        places: dict[str, _Part] = {}
        skeleton: list[str] = []
        for piece in pieces:
            part = parts.get(piece)
            if part is None:
                skeleton.append(piece)
                continue
            indentation = len(piece) - len(piece.lstrip(" "))
            skeleton.append(f"{'':{indentation}}{_PART} {len(places)}")
            places[f"{_PART} {len(places)}"] = part
        outline = "".join(skeleton)
        check_text(outline)
        return RenderedConfig(text="".join(pieces), tree=_fill(tree.parse(outline), places))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A rendered block of prefixes."""

    networks: tuple[Network, ...]
    text: str
    tree: Tree


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
    start = 0
    for index, network in enumerate(networks):
        if index > start and hash(network.prefix) % _BLOCK_SIZE == 0:
            yield networks[start:index]
            start = index
    if networks:
        yield networks[start:]


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja with strict names, two folders, and a limit on what a template may use up."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self, operators: Path | None, seconds: float) -> None:
        self._ours = _own_folder()
        self._operators = operators
        ours = jinja2.FileSystemLoader(self._ours)
        loaders: list[jinja2.BaseLoader] = [jinja2.PrefixLoader({PREFIX: ours}), ours]
        if operators is not None:
            loaders.insert(1, jinja2.FileSystemLoader(operators))
        super().__init__(
            loader=jinja2.ChoiceLoader(loaders),
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        self._seconds = seconds
        self._deadline = time.thread_time() + seconds

    def start_clock(self) -> None:
        """Give the templates their time from now on; of the processor, so that a busy machine is no fault."""
        self._deadline = time.thread_time() + self._seconds

    def tick(self) -> None:
        """Raise if the time is used up; called by every round of every loop of an operator's template."""
        if time.thread_time() > self._deadline:
            raise RuntimeError(f"used more than {self._seconds:g} s of processor time, is there an endless loop?")

    def place_of(self, error: Exception) -> str:
        """Return file and line of the template that failed."""
        if isinstance(error, jinja2.TemplateSyntaxError):
            return f"{error.filename or error.name or ROOT}:{error.lineno}"
        folders = tuple(str(folder) for folder in (self._ours, self._operators) if folder is not None)
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename.startswith(folders):
                return f"{frame.filename}:{frame.lineno}"
        return ROOT

    def getattr(self, obj: object, attribute: str) -> object:
        """Return a field of our own types at once: the sandbox's look at each costs most of the time."""
        if attribute in _OWN_FIELDS.get(type(obj), ()):
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: object, right: object) -> object:
        """Refuse products that only a mistake can ask for: they would take the memory of the machine."""
        if isinstance(left, int) and isinstance(right, int):
            too_large = right > _LARGEST_EXPONENT if operator == "**" else False
        else:
            too_large = _repetition(left) * _repetition(right) > _LARGEST_REPETITION
        if too_large:
            raise ValueError(f"the result of {operator} is too large for a template")
        return super().call_binop(context, operator, left, right)

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        """Compile a template; an operator's gets a look at the clock in every round of every loop."""
        if self._operators is not None and filename is not None and Path(filename).is_relative_to(self._operators):
            loops: list[nodes.For | nodes.Macro] = [*source.find_all(nodes.For), *source.find_all(nodes.Macro)]
            for loop in loops:
                look = nodes.ExprStmt(nodes.Call(nodes.EnvironmentAttribute("tick"), [], [], None, None))
                look.set_environment(self)
                look.set_lineno(loop.lineno)
                loop.body.insert(0, look)
        return super()._generate(source, name, filename, defer_init)


def _repetition(operand: object) -> int:
    """Return how many items or repetitions an operand of ``*`` stands for."""
    if isinstance(operand, int):
        return operand
    return len(operand) if isinstance(operand, Sized) else 1


def _own_folder() -> Path:
    """Return the folder of our templates: inside of an installed package, at the top of a checkout."""
    package = Path(str(resources.files("frrsync")))
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / ROOT).is_file():
            return folder
    raise RenderError(f"no templates: found no {ROOT} in {package / 'templates'} or {package.parent / 'templates'}")


def _said(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return f"no template named {text}" if isinstance(error, jinja2.TemplateNotFound) else text
